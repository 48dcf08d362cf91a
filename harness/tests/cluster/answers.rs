//! Commands without a cluster: they answer, and a reader that goes away is no failure.

use std::process::Stdio;

use crate::TestFn;
use crate::binary::{Place, Skipped};

pub(crate) const TESTS: &[(&str, TestFn)] = &[
    ("answers::lists_doctor_help_and_version", lists_doctor_help_and_version),
    ("answers::a_reader_that_goes_away_is_no_failure", a_reader_that_goes_away_is_no_failure),
];

fn lists_doctor_help_and_version() -> Result<(), Skipped> {
    let place = Place::new();
    let table: &[(&[&str], &[&str])] = &[
        (&["list", "workloads"], &["register  "]),
        (&["list", "faults"], &["partition  ", "kill  ", "pause  "]),
        (&["list", "systems"], &["store  "]),
        (&["list", "bugs"], &["local-reads  "]),
        (&["list", "models"], &["register  ", "linearizable, sequential"]),
        (&["doctor"], &["namespaces", "loopback"]),
        (&["--help"], &["--workload", "--faults", "Exit codes: 0 valid, 1 invalid"]),
        (&["check", "--help"], &["--model"]),
        (&["--version"], &["harness "]),
    ];
    for (arguments, texts) in table {
        let ended = place.expect_run(0, arguments)?;
        for text in *texts {
            assert!(ended.stdout.contains(text), "{arguments:?}: {text:?} in {}", ended.stdout);
        }
    }
    assert!(place.runs().is_empty());
    Ok(())
}

fn a_reader_that_goes_away_is_no_failure() -> Result<(), Skipped> {
    let place = Place::new();
    for (arguments, code) in
        [(["list", "faults"], 0), (["doctor", "--help"], 0), (["report", "nothing"], 254)]
    {
        let mut command = place.command(&arguments);
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        drop((child.stdout.take(), child.stderr.take()));
        let status = child.wait().expect("it is our child");
        assert_eq!(status.code(), Some(code), "{arguments:?}: {status}");
    }
    Ok(())
}

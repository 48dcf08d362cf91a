//! Runs that find nothing, on every platform, and the files that they leave.

use std::fs;

use serde_json::Value;

use crate::TestFn;
use crate::binary::{Place, Skipped, User};

pub(crate) const TESTS: &[(&str, TestFn)] = &[
    ("valid_runs::a_partition_leaves_all_files", a_partition_leaves_all_files),
    ("valid_runs::kill_pause_and_partition_have_evidence", kill_pause_and_partition_have_evidence),
    ("valid_runs::iptables_and_json", iptables_and_json),
    ("valid_runs::loopback_and_quiet", loopback_and_quiet),
    ("valid_runs::an_ordinary_user_is_enough", an_ordinary_user_is_enough),
    ("valid_runs::two_runs_at_once", two_runs_at_once),
];

/// One fault, long enough for an election in the middle of it, that leaves somebody to answer: a run in
/// which nothing succeeds under a fault is unknown, as it should be.
const SHORT: [&str; 7] =
    ["--nodes", "3", "--time-limit", "14s", "--interval", "9s", "--keep-quorum"];

fn short<'a>(rest: &[&'a str]) -> Vec<&'a str> {
    SHORT.iter().chain(rest).copied().collect()
}

fn a_partition_leaves_all_files() -> Result<(), Skipped> {
    let place = Place::new();
    let seed = ["--seed", "11", "--platform", "namespaces"];
    let arguments = ["--nodes", "3", "--time-limit", "13s", "--interval", "5s"];
    let ended = place.expect_run(0, &[&arguments[..], &seed[..]].concat())?;
    let run = place.only_run();
    for line in ["verdict     Valid (exit code 0)", "seed        11", "/report.html"] {
        assert!(ended.stdout.contains(line), "{line:?} in {}", ended.stdout);
    }
    run.assert_valid();
    for fault in run.installed("partition") {
        let evidence = &fault["evidence"];
        assert_eq!(evidence["install"]["cut_probes_arrived"], 0, "{fault:#}");
        assert!(evidence["install"]["cut_probes_sent"].as_u64() > Some(0), "{fault:#}");
        assert!(evidence["heal"]["probes_arrived"].as_u64() > Some(0), "{fault:#}");
    }
    let info = run.json("run.json");
    let command = info["command"].as_str().expect("the command is text");
    assert!(
        command
            .ends_with("--nodes 3 --time-limit 13s --interval 5s --platform namespaces --seed 11")
    );
    let junit = quick_junit::Report::deserialize_from_str(&run.text("junit.xml"));
    let junit = junit.expect("junit.xml is JUnit");
    assert_eq!((junit.failures, junit.errors), (0, 0));
    assert!(junit.tests >= 5, "checks, faults and recovery: {}", junit.tests);
    let report = run.text("report.html");
    assert!(report.starts_with("<!DOCTYPE html>") && report.trim_end().ends_with("</html>"));
    for outside in ["src=\"http", "href=\"http", "url(http", "@import", "<link"] {
        assert!(!report.contains(outside), "the report needs nothing else: {outside}");
    }
    for node in ["n1", "n2", "n3"] {
        assert!(!run.text(&format!("nodes/{node}/log")).is_empty(), "{node} has a log");
        assert!(!run.0.join(format!("nodes/{node}/data")).exists(), "a valid run needs no data");
    }
    let latest = fs::canonicalize(place.path().join("results/latest")).expect("a link");
    assert_eq!(latest, fs::canonicalize(&run.0).expect("a folder"));
    let again = place.expect_run(0, &["check", run.path()])?;
    assert!(again.stdout.contains("Valid    linearizable: "), "{}", again.stdout);
    let again = place.expect_run(0, &["report", "results/latest"])?;
    assert!(again.stdout.contains("verdict     Valid (exit code 0)"), "{}", again.stdout);
    Ok(())
}

fn kill_pause_and_partition_have_evidence() -> Result<(), Skipped> {
    let place = Place::new();
    let faults = ["--faults", "kill,pause,partition", "--seed", "5", "--platform", "namespaces"];
    let time = ["--nodes", "3", "--time-limit", "15s", "--interval", "3500ms"];
    place.expect_run(0, &[&faults[..], &time[..]].concat())?;
    let run = place.only_run();
    run.assert_valid();
    run.installed("partition");
    let pids = |fault: &Value| -> Vec<[(Value, Value); 2]> {
        let evidence = &fault["evidence"];
        let nodes = evidence["install"].as_object().expect("one entry a node");
        assert!(!nodes.is_empty(), "{fault:#}");
        let phase = |phase: &str, node: &str| {
            let seen = &evidence[phase][node];
            (seen["before"].clone(), seen["after"].clone())
        };
        nodes.keys().map(|node| [phase("install", node), phase("heal", node)]).collect()
    };
    for fault in run.installed("kill") {
        for [(killed, _), (before, after)] in pids(&fault) {
            assert_eq!(killed, before, "{fault:#}");
            assert!(after.is_u64() && after != before, "a new pid: {fault:#}");
        }
    }
    for fault in run.installed("pause") {
        for [(paused, _), (before, after)] in pids(&fault) {
            assert!(paused.is_u64() && paused == before && before == after, "{fault:#}");
        }
    }
    place.assert_nothing_runs();
    Ok(())
}

fn iptables_and_json() -> Result<(), Skipped> {
    let place = Place::new();
    let arguments = ["--platform", "namespaces", "--fabric", "iptables", "--json"];
    let ended = place.expect_run(0, &short(&arguments))?;
    let run = place.only_run();
    run.assert_valid();
    run.installed("partition");
    assert!(run.text("run.json").contains("namespaces with iptables"));
    let printed: Value = serde_json::from_str(&ended.stdout).expect("one JSON value, nothing else");
    assert_eq!(printed, run.json("results.json"));
    Ok(())
}

fn loopback_and_quiet() -> Result<(), Skipped> {
    let place = Place::new();
    let ended = place.expect_run(0, &short(&["--platform", "loopback", "--quiet"]))?;
    let run = place.only_run();
    run.assert_valid();
    run.installed("partition");
    assert!(run.text("run.json").contains("platform loopback, as asked"));
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("", ""));
    place.assert_nothing_runs();
    Ok(())
}

fn an_ordinary_user_is_enough() -> Result<(), Skipped> {
    let place = Place::of(User::Ordinary)?;
    place.expect_run(0, &short(&["--platform", "namespaces", "--faults", "partition"]))?;
    let run = place.only_run();
    run.assert_valid();
    run.installed("partition");
    Ok(())
}

fn two_runs_at_once() -> Result<(), Skipped> {
    let places = [Place::new(), Place::new()];
    let [first, second] = &places;
    // The same seed: the same names, addresses and ports.
    let arguments = short(&["--seed", "3", "--rate", "120", "--platform", "namespaces"]);
    let running = [first.start(&arguments), second.start(&arguments)];
    let ended = running.map(|running| running.wait());
    for (ended, place) in ended.into_iter().zip(&places) {
        ended.unless_skipped()?.assert_code(0);
        place.only_run().assert_valid();
    }
    Ok(())
}

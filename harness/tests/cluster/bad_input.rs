//! What a user may get wrong: one clear message, a hint where one helps, the right exit code.

use std::fs;

use crate::TestFn;
use crate::binary::{Place, Skipped, User};

pub(crate) const TESTS: &[(&str, TestFn)] = &[
    ("bad_input::options_of_a_run", options_of_a_run),
    ("bad_input::histories", histories),
    ("bad_input::a_folder_that_cannot_be_written", a_folder_that_cannot_be_written),
    ("bad_input::a_node_that_dies_at_start_is_quoted", a_node_that_dies_at_start_is_quoted),
];

const BAD_USAGE: i32 = 254;
const HARNESS_FAILURE: i32 = 255;

/// The arguments are refused with all of these words on stderr, and none on stdout.
#[track_caller]
fn refused(place: &Place, code: i32, arguments: &[&str], words: &[&str]) -> Result<(), Skipped> {
    let ended = place.expect_run(code, arguments)?;
    for word in words {
        assert!(ended.stderr.contains(word), "{arguments:?}: {word:?} in {}", ended.stderr);
    }
    assert!(ended.stderr.starts_with("error: "), "{arguments:?}: {}", ended.stderr);
    assert_eq!(ended.stderr.matches("error: ").count(), 1, "{arguments:?}: {}", ended.stderr);
    assert_eq!(ended.stdout, "", "{arguments:?}");
    Ok(())
}

fn options_of_a_run() -> Result<(), Skipped> {
    let place = Place::new();
    let table: &[(&[&str], &[&str])] = &[
        (&["--workload", "nope"], &["unknown workload \"nope\"", "hint: one of register"]),
        (&["--faults", "quake"], &["unknown fault \"quake\"", "hint: one of partition, kill"]),
        (&["--faults", ""], &["unknown fault \"\"", "hint: "]),
        (&["--system", "nope"], &["unknown system \"nope\"", "hint: one of store"]),
        #[cfg(not(feature = "planted-bugs"))]
        (&["--bug", "local-reads"], &["no planted bugs", "hint: cargo run", "planted-bugs"]),
        #[cfg(feature = "planted-bugs")]
        (&["--bug", "nope"], &["unknown bug \"nope\"", "hint: one of local-reads"]),
        (&["--nope"], &["unexpected argument '--nope'"]),
        (&["nope"], &["'nope'"]),
        (&["--nodes", "0"], &["'0' for '--nodes", "1..=50"]),
        (&["--nodes", "many"], &["'many' for '--nodes"]),
        (&["--nodes", "1"], &["partition needs at least 2 nodes", "hint: --nodes 5"]),
        (&["--nodes", "10", "--platform", "loopback"], &["at most 9 nodes", "hint: "]),
        (&["--platform", "moon"], &["'moon' for '--platform", "namespaces, loopback"]),
        (&["--fabric", "silk"], &["'silk' for '--fabric", "nftables, iptables"]),
        (&["--storage", "memory", "--faults", "kill"], &["--storage memory", "hint: "]),
        (&["--storage", "paper"], &["'paper' for '--storage"]),
        (&["--concurrency", "2"], &["--concurrency 2 is too few", "hint: "]),
        (
            &["--fail-fast", "--workload", "append"],
            &[
                "cannot judge the workload append",
                "hint: it can judge register and cas-register and kv",
            ],
        ),
        (&["--time-limit", "soon"], &["'soon' for '--time-limit", "hint: "]),
        (&["--time-limit", "3s"], &["leaves no room for a fault", "hint: "]),
        (&["--time-limit", "999999999999y"], &["'999999999999y' for '--time-limit"]),
        (&["--check-time-budget", "31days"], &["too long", "hint: at most 30days"]),
        (&["--interval", "1s"], &["--interval must be at least 2s", "hint: "]),
        (&["--rate", "-1"], &["--rate -1 is not between", "hint: "]),
        (&["--rate", "1e-30"], &["is not between", "hint: "]),
        (&["--rate", "NaN"], &["--rate NaN is not between", "hint: "]),
        (&["--seed", "-1"], &["'-1'"]),
        (&["--runs", "0"], &["'0' for '--runs"]),
        (&["--check-memory-budget", "3GB"], &["unknown unit \"GB\"", "hint: "]),
        (&["--seed", "1", "list", "faults"], &["cannot be used with"]),
        (&["list", "nope"], &["'nope'", "workloads"]),
        (&["list"], &["<TABLE>"]),
        (&["bench", "--compare", "nope"], &["'nope' for '--compare", "etcd"]),
        (&["bench", "--clients", "0"], &["--clients: between 1 and 10000", "hint: "]),
        (&["bench", "--operations", "delete"], &["'delete' for '--operations", "put, get"]),
        (&["bench", "--duration", "1ms"], &["--duration must be at least 200ms", "hint: "]),
        (&["bench", "--keys", "0"], &["--keys must be at least 1", "hint: "]),
        (&["bench", "--value-bytes", "9999999"], &["--value-bytes: between", "hint: "]),
        (&["bench", "--keys", "9999999", "--value-bytes", "9999"], &["1 GiB", "hint: "]),
        (&["bench", "--compare", "etcd", "--fsync", "off"], &["etcd 3.4 always syncs", "hint: "]),
        (&["bench", "--nodes", "10"], &["'10' for '--nodes"]),
    ];
    for (arguments, words) in table {
        refused(&place, BAD_USAGE, arguments, words)?;
    }
    assert!(place.runs().is_empty(), "nothing was started");
    place.assert_nothing_runs();
    Ok(())
}

fn histories() -> Result<(), Skipped> {
    let place = Place::new();
    let good = r#"{"index":0,"time":1,"process":0,"type":"invoke","f":"write","key":1,"value":2}"#;
    let write = |name: &str, text: &[u8]| {
        fs::write(place.path().join(name), text).expect("the folder is ours");
    };
    write("words", format!("{good}\nhello\n").as_bytes());
    write("half", format!("{good}\n{}\n", &good[..40]).as_bytes());
    write("shape", format!("{good}\n{}\n", good.replace("\"f\"", "\"g\"")).as_bytes());
    write("twice", format!("{good}\n{}\n", good.replace("x\":0", "x\":1")).as_bytes());
    write("push", good.replace("write", "push").as_bytes());
    write("bytes", &[0xff, 0xfe, 0, 10, 7]);
    write("good", good.as_bytes());
    write("empty", b"");
    fs::create_dir(place.path().join("folder")).expect("the folder is ours");
    let expected = "expected an event such as {\"index\":0";
    let table: &[(&[&str], &[&str])] = &[
        (&["check", "--model", "register"], &["<FILE>"]),
        (&["check", "good"], &["which model?", "hint: --model, one of register"]),
        (&["check", "good", "--model", "nope"], &["unknown model \"nope\"", "hint: one of"]),
        (&["check", "good", "--model", "register", "--initial", "{"], &["--initial"]),
        (
            &["check", "good", "--model", "register", "--time-budget", "9999999999999s"],
            &["too long"],
        ),
        (&["check", "gone", "--model", "register"], &["open gone: No such file"]),
        (&["check", "folder"], &["folder is not the folder of a run", "hint: "]),
        (&["report", "folder"], &["folder is not the folder of a run", "hint: "]),
        (&["report", "gone"], &["gone is not the folder of a run", "hint: "]),
        (&["check", "words", "--model", "register"], &["words: line 2, column 1: ", expected]),
        (&["check", "half", "--model", "register"], &["half: line 2, column ", expected]),
        (&["check", "shape", "--model", "register"], &["shape: line 2, column ", expected]),
        (
            &["check", "bytes", "--model", "register"],
            &["bytes: line 1: expected a history", "hint: "],
        ),
        (&["check", "twice", "--model", "register"], &["twice", "process 0"]),
        (&["check", "push", "--model", "register"], &["push"]),
    ];
    for (arguments, words) in table {
        refused(&place, BAD_USAGE, arguments, words)?;
    }
    // No input error, but nothing is proved either.
    let ended = place.expect_run(2, &["check", "empty", "--model", "register"])?;
    assert!(ended.stdout.contains("Unknown  linearizable: no operation"), "{}", ended.stdout);
    Ok(())
}

fn a_folder_that_cannot_be_written() -> Result<(), Skipped> {
    let place = Place::of(User::Ordinary)?;
    let arguments = ["--out", "/root-only/results", "--platform", "loopback"];
    refused(&place, HARNESS_FAILURE, &arguments, &["create /root-only/results", "hint: --out"])?;
    place.assert_nothing_runs();
    Ok(())
}

/// The nodes' files have names that are too long for the kernel, while those of the run just fit.
fn a_node_that_dies_at_start_is_quoted() -> Result<(), Skipped> {
    const LONGEST_PATH: usize = 4095;
    const ROOM_IN_RUN_FOLDER: usize = 20;
    for platform in ["namespaces", "loopback"] {
        let place = Place::new();
        let name = "/register-none/20261122T130501Z-1/";
        let length = LONGEST_PATH - ROOM_IN_RUN_FOLDER - name.len();
        let mut out = format!("{}/results", place.path().display());
        while length - out.len() > 200 {
            out = format!("{out}/{}", "d".repeat(150));
        }
        out = format!("{out}/{}", "e".repeat(length - out.len() - 1));
        let options = ["--nodes", "3", "--faults", "none", "--time-limit", "5s", "--seed", "1"];
        let platform = ["--platform", platform, "--out", &out];
        let ended = place.expect_run(HARNESS_FAILURE, &[&options[..], &platform[..]].concat())?;
        for words in
            [" ended at start with status 1; its last words:", "File name too long", "hint: "]
        {
            assert!(ended.stderr.contains(words), "{words:?} in {}", ended.stderr);
        }
        place.assert_nothing_runs();
    }
    Ok(())
}

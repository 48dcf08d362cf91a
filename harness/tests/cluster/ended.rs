//! SIGKILL in the middle of a run: nothing is left behind, and what was recorded can be judged.

use std::collections::BTreeSet;
use std::fs;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::TestFn;
use crate::binary::{Place, Running, Skipped};
use crate::common::witness::eventually;

pub(crate) const TESTS: &[(&str, TestFn)] = &[
    ("ended::outer_process_of_namespaces", || killed("namespaces", outer)),
    ("ended::inner_process_of_namespaces", || killed("namespaces", inner)),
    ("ended::process_of_loopback", || killed("loopback", outer)),
];

/// The process that was started.
fn outer(running: &Running<'_>) -> Pid {
    running.pid()
}

/// The only child of the outer process.
fn inner(running: &Running<'_>) -> Pid {
    let outer = running.pid();
    let children = fs::read_to_string(format!("/proc/{outer}/task/{outer}/children"));
    let children = children.expect("the outer process runs");
    Pid::from_raw(children.trim().parse().expect("exactly one child"))
}

/// Mounts and network devices of this program's namespaces.
fn surroundings() -> BTreeSet<String> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").expect("/proc is mounted");
    let devices = fs::read_to_string("/proc/self/net/dev").expect("/proc is mounted");
    let devices = devices.lines().filter_map(|line| line.split_once(':'));
    let devices = devices.map(|(name, _)| name.trim().to_owned());
    mounts.lines().map(str::to_owned).chain(devices).collect()
}

fn killed(platform: &str, victim: fn(&Running<'_>) -> Pid) -> Result<(), Skipped> {
    let before = surroundings();
    let place = Place::new();
    let options = ["--nodes", "3", "--time-limit", "60s", "--interval", "10s"];
    let options = [&options[..], &["--platform", platform]].concat();
    let mut running = place.start(&options).await_operations()?;
    running.await_stderr("fault: partition");
    assert!(place.nodes().len() >= 3, "{:?}", place.nodes());
    kill(victim(&running), Signal::SIGKILL).expect("it runs");
    let ended = running.wait();
    assert_ne!(ended.code(), Some(0));
    place.assert_nothing_runs();
    eventually("no mount or network device is new", || surroundings().is_subset(&before));

    let run = place.only_run();
    // As if the kill had come in the middle of a line.
    let history = run.0.join("history.jsonl");
    let mut text = fs::read_to_string(&history).expect("it is there");
    text.push_str("{\"index\":");
    fs::write(&history, text).expect("it is ours");
    let check = place.expect_run(0, &["check", run.path()])?;
    assert!(check.stderr.contains("is cut short and was left out"), "{}", check.stderr);
    let report = place.expect_run(255, &["report", run.path()])?;
    let failure = "the harness was killed during the run";
    assert!(report.stdout.contains(failure), "{}", report.stdout);
    assert!(run.text("report.html").contains(failure));
    let results = run.json("results.json");
    assert_eq!(results["exit_code"], 255);
    let linearizable = &results["checks"][0];
    assert_eq!(
        (&linearizable["name"], &linearizable["verdict"]),
        (&"linearizable".into(), &"valid".into())
    );
    Ok(())
}

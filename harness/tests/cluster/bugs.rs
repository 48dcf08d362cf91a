//! A planted bug is found, and the report explains it.

use crate::TestFn;
use crate::binary::{Place, Skipped};

pub(crate) const TESTS: &[(&str, TestFn)] = &[
    ("bugs::local_reads_are_found_and_explained", local_reads_are_found_and_explained),
    ("bugs::a_keep_alive_without_effect_is_found", a_keep_alive_without_effect_is_found),
    ("bugs::a_gap_in_a_watch_is_found", a_gap_in_a_watch_is_found),
    ("bugs::local_reads_out_of_order_are_found", local_reads_out_of_order_are_found),
    ("bugs::a_proved_violation_ends_the_run", a_proved_violation_ends_the_run),
    ("bugs::a_shrunk_scenario_fails_with_its_bug_only", a_shrunk_scenario_fails_with_its_bug_only),
];

fn finds(workload: &str, bug: &str, more: &[&str], anomaly: &str) -> Result<(), Skipped> {
    let place = Place::new();
    let what = ["--workload", workload, "--bug", bug, "--seed", "1"];
    let where_to = ["--faults", "none", "--nodes", "3", "--time-limit", "8s"];
    let ended = place.expect_run(1, &[&what[..], &where_to[..], more].concat())?;
    assert!(ended.stdout.contains(anomaly), "{anomaly:?} in {}", ended.stdout);
    Ok(())
}

fn a_keep_alive_without_effect_is_found() -> Result<(), Skipped> {
    finds("lease", "keep-alive-ignored", &[], "two-holders")
}

fn a_gap_in_a_watch_is_found() -> Result<(), Skipped> {
    finds("watch", "watch-gap", &[], "reliable")
}

fn local_reads_out_of_order_are_found() -> Result<(), Skipped> {
    finds("sequential", "fresh-keys-hidden", &["--read-mode", "local"], "trailing-nil")
}

fn local_reads_are_found_and_explained() -> Result<(), Skipped> {
    let place = Place::new();
    let options = ["--bug", "local-reads", "--faults", "partition", "--nodes", "3", "--seed", "1"];
    let time = ["--time-limit", "13s", "--interval", "5s"];
    let ended = place.expect_run(1, &[&options[..], &time[..]].concat())?;
    for text in ["Counterexample of `linearizable`", "verdict     Invalid", "  1. "] {
        assert!(ended.stdout.contains(text), "{text:?} in {}", ended.stdout);
    }
    let run = place.only_run();
    let results = run.json("results.json");
    assert_eq!(results["verdict"], "invalid");
    let counterexample = &results["checks"][0]["counterexamples"][0];
    let explanation = counterexample["explanation"].as_array().expect("a list of steps");
    assert!(!explanation.is_empty());
    let report = run.text("report.html");
    let first = explanation[0].as_str().expect("a step is text");
    assert!(report.contains(first.split('`').next().unwrap_or_default()), "{first}");
    assert!(report.contains("local-reads"), "a run with a planted bug says so");
    assert!(run.text("junit.xml").contains("type=\"invalid\""));
    // The data of a run that failed is kept.
    assert!(run.0.join("nodes/n1/data").exists());
    let check = place.expect_run(1, &["check", run.path()])?;
    assert!(check.stdout.contains(first), "{}", check.stdout);
    Ok(())
}

fn a_proved_violation_ends_the_run() -> Result<(), Skipped> {
    let place = Place::new();
    let options = ["--bug", "local-reads", "--faults", "partition", "--nodes", "3", "--seed", "1"];
    let time = ["--fail-fast", "--time-limit", "60s", "--interval", "5s"];
    let ended = place.expect_run(1, &[&options[..], &time[..]].concat())?;
    assert!(ended.stderr.contains("--fail-fast ends the run: event "), "{}", ended.stderr);
    let results = place.only_run().json("results.json");
    assert_eq!(results["verdict"], "invalid");
    let proved = results["facts"]["proved"].as_str().expect("a sentence");
    assert!(results["summary"].as_str().is_some_and(|it| it.contains(proved)), "{proved}");
    let end = results["facts"]["final_heal"].as_u64().expect("nanoseconds");
    assert!(end < 30_000_000_000, "the run went on until {end} ns: {proved}");
    Ok(())
}

fn a_shrunk_scenario_fails_with_its_bug_only() -> Result<(), Skipped> {
    let place = Place::new();
    let scenario = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/lost-log.toml");
    place.expect_run(1, &["--scenario", scenario, "--bug", "volatile-log"])?;
    place.expect_run(0, &["--scenario", scenario])?;
    Ok(())
}

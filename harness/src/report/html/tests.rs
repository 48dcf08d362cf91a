use super::*;
use crate::nemesis::record::FaultOutcome;
use crate::report::node_log::{Level, LogLine};
use crate::report::{analysis, fixtures};
use serde_json::json;
use workloads::checker::Check;

const SCRIPT_IN_A_VALUE: &str = "<script>alert(1)</script>";

fn page(run: &RunInfo, events: &[Event], checks: Vec<Check>) -> String {
    let mut fault = fixtures::fault("partition", FaultOutcome::Installed);
    fault.description = format!("partition: {SCRIPT_IN_A_VALUE}");
    let facts = fixtures::facts();
    let faults = [fault];
    let results = analysis::analyze(run, &facts, events, &faults, checks);
    let logs = ["nodes/n1/log".to_owned()];
    let lines = [LogLine {
        node: "n1".to_owned(),
        time: 5 * fixtures::SECOND,
        level: Level::Warn,
        text: SCRIPT_IN_A_VALUE.to_owned(),
    }];
    render(&ReportInput {
        run,
        facts: &facts,
        results: &results,
        events,
        faults: &faults,
        logs: &logs,
        lines: &lines,
    })
}

fn invalid() -> String {
    let mut run = fixtures::run(&["partition"]);
    run.workload = SCRIPT_IN_A_VALUE.to_owned();
    run.command = format!("harness '{SCRIPT_IN_A_VALUE}'");
    run.host = json!({SCRIPT_IN_A_VALUE: SCRIPT_IN_A_VALUE});
    let mut events = fixtures::steady();
    for event in &mut events {
        event.value = "</script><script>alert(2)</script>".into();
        event.error = Some(SCRIPT_IN_A_VALUE.into());
    }
    page(&run, &events, vec![fixtures::invalid_check()])
}

#[test]
fn the_page_fetches_nothing() {
    let page = invalid();
    for forbidden in ["http://", "https://", "@import", "url(h", "src=", "<link"] {
        assert!(!page.contains(forbidden), "{forbidden} is in the page");
    }
    assert!(page.contains("default-src 'none'"));
}

#[test]
fn values_never_become_markup() {
    let page = invalid();
    assert_eq!(page.matches("<script>").count(), 1);
    assert_eq!(page.matches("</script>").count(), 1);
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
}

#[test]
fn an_invalid_run_shows_what_broke() {
    let page = invalid();
    for expected in [
        "<title>Invalid: ",
        "What broke",
        "A wrote 1 and ended before C began.",
        "cannot come next",
    ] {
        assert!(page.contains(expected), "{expected} is missing");
    }
}

#[test]
fn a_valid_run_has_the_verdict_and_every_section() {
    let run = fixtures::run(&["partition"]);
    let page = page(&run, &fixtures::steady(), vec![fixtures::valid_check()]);
    assert!(page.contains("<title>Valid: register-partition/20261122T130501Z-42</title>"));
    assert!(!page.contains("What broke"));
    for id in [
        "facts",
        "checks",
        "operations",
        "latency",
        "availability",
        "faults",
        "coverage",
        "timeline",
        "all-operations",
        "logs",
        "files",
    ] {
        assert!(page.contains(&format!("<section id=\"{id}\"")), "section {id} is missing");
    }
    assert!(
        page.contains(
            &run.command
                .split(' ')
                .map(|word| format!("<span>{word}</span>"))
                .collect::<Vec<_>>()
                .join(" ")
        )
    );
}

#[test]
fn a_run_without_operations_still_has_a_page() {
    let page = page(&fixtures::run(&["partition"]), &[], Vec::new());
    assert!(page.contains("<title>Unknown: "));
    assert!(page.contains("No operation ran."));
}

#[test]
fn a_long_history_gives_a_bounded_page() {
    let ops: Vec<fixtures::Op> = (0..50_000)
        .map(|position| fixtures::Op {
            process: position % 50,
            f: "read",
            start: position / 50 * 20,
            latency: 15,
            outcome: workloads::history::EventKind::Ok,
        })
        .collect();
    let events = fixtures::history(&ops);
    let page = page(&fixtures::run(&["partition"]), &events, vec![fixtures::valid_check()]);
    assert!(page.contains("The nearest 2,000 of 50,000 operations are drawn."));
    assert!(page.len() < 2_500_000, "{} bytes", page.len());
}

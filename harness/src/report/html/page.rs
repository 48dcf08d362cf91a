//! The page: head, verdict, and the sections in the order in which a reader asks.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use workloads::checker::Verdict;

use crate::exit_code;
use crate::report::html::{
    ReportInput, all_operations, anomaly, charts, counterexample, evidence, facts, logs, tables,
    timeline,
};
use crate::report::numbers::RecoveryOutcome;
use crate::report::terminal::verdict_word;

pub(crate) const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");
const OPERATIONS_SCRIPT: &str = include_str!("all_operations.js");
pub(crate) const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:";

/// The text of `report.html`.
pub fn render(input: &ReportInput<'_>) -> String {
    let run = input.run;
    let verdict = input.results.verdict;
    let invalid = input.results.checks.iter().filter(|check| check.verdict == Verdict::Invalid);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                title { (verdict_word(verdict)) ": " (run.run) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    (hero(input))
                    (facts::key_facts(input))
                    @for check in invalid {
                        (counterexample::section(check, Some(&input.results.fault_windows)))
                        (anomaly::section(check))
                    }
                    (tables::checks(input))
                    (charts::throughput_section(input))
                    (charts::latency_section(input))
                    (tables::availability(input))
                    (tables::faults(input))
                    (tables::coverage(input))
                    (timeline::section(input))
                    (all_operations::section(input))
                    (logs::section(input))
                    (facts::files(input))
                }
                footer { "Breakwater " (run.version) ", run " (run.run) }
                script { (PreEscaped(SCRIPT)) (PreEscaped(OPERATIONS_SCRIPT)) }
            }
        }
    }
    .into_string()
}

fn hero(input: &ReportInput<'_>) -> Markup {
    let (run, facts, results) = (input.run, input.facts, input.results);
    let under = match run.faults.iter().filter(|name| *name != "none").collect::<Vec<_>>() {
        names if names.is_empty() => "no faults".to_owned(),
        names => names.into_iter().cloned().collect::<Vec<_>>().join(", "),
    };
    // A harness failure must not look like a verdict on the store, nor a store that stays down
    // like a success.
    let (tone, headline) = match results.exit_code {
        exit_code::HARNESS_FAILURE => (Verdict::Unknown, "Harness failure"),
        exit_code::NOT_RECOVERED => (Verdict::Unknown, "Safe, but did not recover"),
        _ => (results.verdict, verdict_word(results.verdict)),
    };
    html! {
        header class={ "hero " (verdict_class(tone)) } {
            p.run { "Breakwater report" }
            div.verdict {
                (verdict_mark(tone))
                h1 {
                    (headline)
                    span.what { (run.workload) " under " (under) }
                }
            }
            p.summary { (evidence::prose(&results.summary)) }
            p.badges {
                @match results.recovery.outcome {
                    RecoveryOutcome::Recovered => span.badge.good { "✓ recovered" },
                    RecoveryOutcome::NotRecovered => span.badge.bad { "✕ did not recover" },
                    RecoveryOutcome::NotMeasured => span.badge { "recovery not measured" },
                }
                @if headline != verdict_word(results.verdict) {
                    span.badge { "verdict " (verdict_word(results.verdict).to_lowercase()) }
                }
                span.badge { "exit code " (results.exit_code) }
                @if let Some(bug) = &run.bug { span.badge { "planted bug: " (bug) } }
                @if facts.interrupted { span.badge { "stopped early" } }
                @if facts.proved.is_some() { span.badge { "ended by --fail-fast" } }
            }
            @if !facts.harness_failures.is_empty() {
                div.callout {
                    strong { "The harness itself failed. This says nothing about the store." }
                    ul { @for failure in &facts.harness_failures { li { (failure) } } }
                }
            }
            @if !facts.node_findings.is_empty() {
                div.callout {
                    strong { "Found in the nodes" }
                    ul { @for finding in &facts.node_findings { li { (finding) } } }
                }
            }
        }
    }
}

pub(crate) fn verdict_class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Valid => "valid",
        Verdict::Unknown => "unknown",
        Verdict::Invalid => "invalid",
    }
}

/// A shape of its own for each verdict: disc, diamond, octagon.
pub(crate) fn verdict_mark(verdict: Verdict) -> Markup {
    let (outline, mark) = match verdict {
        Verdict::Valid => ("M24 2a22 22 0 1 0 0 44a22 22 0 1 0 0-44z", "M14 25l7 7 14-15"),
        Verdict::Unknown => {
            ("M24 1L47 24 24 47 1 24z", "M18 19a6 6 0 1 1 8.5 5.5c-1.8.9-2.5 2-2.5 4M24 33.5v1")
        }
        Verdict::Invalid => ("M15 2h18l13 13v18L33 46H15L2 33V15z", "M16 16l16 16M32 16L16 32"),
    };
    html! {
        svg.mark viewBox="0 0 48 48" aria-hidden="true" {
            path.outline d=(outline) {}
            path.sign d=(mark) {}
        }
    }
}

//! The tables: checks, operations, latency, availability, faults.

use maud::{Markup, html};

use crate::nemesis::record::{FaultOutcome, FaultRecord};
use crate::report::html::page::verdict_class;
use crate::report::html::{ReportInput, evidence};
use crate::report::numbers::{AvailableShare, LatencyRow, LatencyScope, RecoveryOutcome};
use crate::report::terminal::verdict_word;
use crate::report::words;

pub(crate) fn checks(input: &ReportInput<'_>) -> Markup {
    let results = input.results;
    html! {
        section #checks {
            h2 { "Checks" }
            table.stack {
                thead { tr { th { "Check" } th { "Verdict" } th { "What was found" } } }
                tbody {
                    @for check in &results.checks {
                        tr {
                            th scope="row" { (check.name) }
                            td data-label="Verdict" {
                                span class={ "tag " (verdict_class(check.verdict)) } {
                                    (sign(verdict_class(check.verdict))) " " (verdict_word(check.verdict))
                                }
                            }
                            td data-label="Found" {
                                (words::sentence(&check.summary)) "."
                                @if let Some(reason) = &check.reason {
                                    " " span.muted { (evidence::prose(&words::sentence(reason))) "." }
                                }
                                @if let Some(partitions) = &check.partitions {
                                    " " span.muted {
                                        "Keys: " (partitions.valid) " valid, " (partitions.unknown)
                                        " unknown, " (partitions.invalid) " invalid."
                                    }
                                }
                            }
                        }
                    }
                    tr {
                        th scope="row" { "recovery" }
                        td data-label="Outcome" {
                            @match results.recovery.outcome {
                                RecoveryOutcome::Recovered => span.tag.valid { "✓ Recovered" },
                                RecoveryOutcome::NotRecovered => span.tag.invalid { "✕ Not recovered" },
                                RecoveryOutcome::NotMeasured => span.tag { "– Not measured" },
                            }
                        }
                        td data-label="Found" {
                            (words::sentence(&results.recovery.summary)) ". "
                            span.muted { "Liveness is judged apart from safety." }
                        }
                    }
                }
            }
        }
    }
}

fn sign(class: &str) -> &'static str {
    match class {
        "valid" => "✓",
        "invalid" => "✕",
        _ => "?",
    }
}

pub(crate) fn operations(input: &ReportInput<'_>) -> Markup {
    let counts = &input.results.operations;
    html! {
        div.scroll tabindex="0" role="region" aria-label="operations by outcome" { table.numbers {
            thead { tr {
                th { "Operation" } th { "Invoked" } th { "Ok" } th { "Fail" } th { "Info" } th { "Ok share" }
            } }
            tbody {
                @for counts in counts {
                    tr {
                        th scope="row" { (counts.f) }
                        td { (words::count(counts.invoked)) }
                        td { (words::count(counts.ok)) }
                        td { (words::count(counts.fail)) }
                        td { (words::count(counts.info)) }
                        td { (words::share(counts.ok, counts.invoked)) }
                    }
                }
                @if counts.len() > 1 {
                    tr.total {
                        th scope="row" { "all" }
                        td { (words::count(counts.iter().map(|c| c.invoked).sum())) }
                        td { (words::count(counts.iter().map(|c| c.ok).sum())) }
                        td { (words::count(counts.iter().map(|c| c.fail).sum())) }
                        td { (words::count(counts.iter().map(|c| c.info).sum())) }
                        td {
                            (words::share(
                                counts.iter().map(|c| c.ok).sum(),
                                counts.iter().map(|c| c.invoked).sum(),
                            ))
                        }
                    }
                }
            }
        } }
        p.note {
            "Ok took effect. Fail provably had no effect. Info may have taken effect, or may still: "
            "a time-out, or a connection that broke."
            @if input.results.facts.shed_starts > 0 {
                " Clients that were held up for longer than a second gave up "
                (words::count(input.results.facts.shed_starts))
                " scheduled starts, so that no burst follows a fault."
            }
        }
    }
}

pub(crate) fn latency(input: &ReportInput<'_>) -> Markup {
    let rows = &input.results.latency;
    html! {
        (latency_table(rows.iter().filter(|row| row.f.is_none()).collect()))
        p.note {
            "From the moment an operation should have started to its completion, so waiting in line "
            "counts. Percentiles are of operations that took effect; censored are those that never "
            "gave an answer, whose latency is only known to be longer than they were waited for. "
            "Under a fault means that one was in force at some moment of the operation; the time "
            "after a heal counts as no fault."
        }
        details {
            summary { "By operation" }
            (latency_table(rows.iter().collect()))
        }
    }
}

fn latency_table(rows: Vec<&LatencyRow>) -> Markup {
    let mut scopes: Vec<&LatencyScope> = Vec::new();
    for row in rows.iter().filter(|row| row.f.is_none()) {
        scopes.push(&row.scope);
    }
    // With one kind of fault, the row for any fault would say the same twice.
    let kinds = scopes.iter().filter(|scope| matches!(scope, LatencyScope::Fault(_))).count();
    scopes.retain(|scope| **scope != LatencyScope::UnderFault || kinds > 1);
    let by_function = rows.iter().any(|row| row.f.is_some());
    html! {
        div.scroll tabindex="0" role="region" aria-label="latency" { table.numbers.grouped[by_function] {
            thead { tr {
                th { "When" }
                @if by_function { th.word { "Operation" } }
                th { "p50" } th { "p90" } th { "p99" } th { "p99.9" } th { "Max" } th { "Ok" } th { "Censored" }
            } }
            @for scope in scopes {
                tbody {
                    @for (position, row) in rows.iter().filter(|row| row.scope == *scope).enumerate() {
                        (latency_row(row, (position == 0).then(|| scope_text(scope)), by_function))
                    }
                }
            }
        } }
    }
}

fn latency_row(row: &LatencyRow, scope: Option<String>, by_function: bool) -> Markup {
    let percentiles = row.percentiles;
    let text = |ns: u64| match percentiles.count {
        0 => "–".to_owned(),
        _ => words::duration(ns),
    };
    html! {
        tr class=[(by_function && row.f.is_none()).then_some("total")] {
            th scope="row" { (scope.unwrap_or_default()) }
            @if by_function { td.word { (row.f.as_deref().unwrap_or("all")) } }
            td { (text(percentiles.p50)) }
            td { (text(percentiles.p90)) }
            td { (text(percentiles.p99)) }
            td { (text(percentiles.p99_9)) }
            td { (text(percentiles.max)) }
            td { (words::count(percentiles.count)) }
            td { (words::count(row.censored)) }
        }
    }
}

fn scope_text(scope: &LatencyScope) -> String {
    match scope {
        LatencyScope::All => "Whole run".to_owned(),
        LatencyScope::Quiet => "No fault".to_owned(),
        LatencyScope::UnderFault => "Any fault".to_owned(),
        LatencyScope::Fault(kind) => kind.clone(),
    }
}

pub(crate) fn availability(input: &ReportInput<'_>) -> Markup {
    let availability = &input.results.availability;
    let gap_start = availability.longest_gap_start;
    let gap_end = gap_start + availability.longest_gap;
    let during: Vec<&str> = input
        .results
        .fault_windows
        .iter()
        .filter(|window| window.start < gap_end && window.end > gap_start)
        .map(|window| window.description.as_str())
        .collect();
    let share = |share: &AvailableShare| words::share(share.available, share.windows);
    html! {
        section #availability {
            h2 { "Availability" }
            dl.figures {
                div { dt { "Overall" } dd { (share(&availability.overall)) } }
                div { dt { "No fault in force" } dd { (share(&availability.quiet)) } }
                div { dt { "Under a fault" } dd { (share(&availability.under_fault)) } }
                div { dt { "Longest time without a success" } dd { (words::duration(availability.longest_gap)) } }
                @if let Some(longest) = input.results.fault_recoveries.iter().filter_map(|it| it.time).max() {
                    div { dt { "Longest recovery after a heal" } dd { (words::duration(longest)) } }
                }
                div { dt { "Recovery at the end" } dd {
                    @match (input.results.recovery.outcome, input.results.recovery.time) {
                        (RecoveryOutcome::NotMeasured, _) => "–",
                        (_, Some(time)) => (words::duration(time)),
                        (_, None) => "never",
                    }
                } }
            }
            p.note {
                "The share of windows of " (words::duration(availability.window))
                " in which at least one operation succeeded. The longest time without a success began at "
                (words::moment(gap_start))
                @if during.is_empty() { ", with no fault in force." }
                @else { ", during " (words::list(&during)) "." }
            }
        }
    }
}

pub(crate) fn faults(input: &ReportInput<'_>) -> Markup {
    html! {
        section #faults {
            h2 { "Faults" }
            @if input.faults.is_empty() {
                p { "No fault was scheduled." }
            } @else {
                p.note {
                    "Felt after heal: until every node had answered an operation that was invoked after the \
                     heal; not measured where another fault was in force, or came, before."
                }
                table.stack.faults {
                    thead { tr {
                        th { "#" } th { "In force" } th { "Fault" } th { "Targets" } th { "Outcome" }
                        th { "Felt after heal" } th { "What the probes saw" }
                    } }
                    tbody { @for fault in input.faults { (fault_row(fault, input)) } }
                }
            }
        }
    }
}

fn fault_row(fault: &FaultRecord, input: &ReportInput<'_>) -> Markup {
    let recoveries = &input.results.fault_recoveries;
    let felt = recoveries.iter().find(|felt| felt.index == fault.index).and_then(|felt| felt.time);
    let (class, outcome) = match fault.outcome {
        FaultOutcome::Installed => ("valid", "✓ Installed"),
        FaultOutcome::Skipped => ("", "– Skipped"),
        FaultOutcome::Indeterminate => ("unknown", "? Indeterminate"),
    };
    let targets: Vec<String> = fault.targets.iter().map(ToString::to_string).collect();
    html! {
        tr id={ "fault-" (fault.index) } {
            th scope="row" { span.only-phone { "Fault " } (fault.index) }
            td.time data-label="In force" {
                @match (fault.installed_time, fault.healed_time) {
                    (Some(installed), Some(healed)) => {
                        (seconds(installed)) " to " (seconds(healed)) " s"
                        span.muted.below { "for " (words::duration(healed.saturating_sub(installed))) }
                    }
                    (Some(installed), None) => { "from " (seconds(installed)) " s, not healed" }
                    (None, _) => { span.muted { "planned at " (seconds(fault.planned_time)) " s" } }
                }
            }
            td data-label="Fault" { (fault.description) }
            td data-label="Targets" { (targets.join(", ")) }
            td data-label="Outcome" {
                span class={ "tag " (class) } { (outcome) }
            }
            td data-label="Felt" {
                @match felt {
                    Some(time) => (words::duration(time)),
                    None => span.muted { "–" },
                }
            }
            td data-label="Probes saw" {
                @if let Some(reason) = &fault.reason { (words::sentence(reason)) ". " }
                @if fault.reason.is_none() || !evidence::is_empty(&fault.evidence) {
                    (evidence::evidence(&fault.evidence))
                }
            }
        }
    }
}

/// Which fault met which operation where; a cell says how often, or that it never happened.
pub(crate) fn coverage(input: &ReportInput<'_>) -> Markup {
    let cells = &input.results.coverage;
    if cells.is_empty() {
        return html! {};
    }
    let never: Vec<String> = cells
        .iter()
        .filter(|cell| !cell.happened())
        .map(|cell| format!("{} x {} {}", cell.fault, cell.f, cell.place.words()))
        .collect();
    html! {
        section #coverage {
            h2 { "What met what" }
            p {
                (words::count((cells.len() - never.len()) as u64)) " of "
                (words::counted(cells.len() as u64, "combination"))
                " of fault, operation and place happened. The place is the node that the operation was \
                 sent to, and what it was when the fault came into force. Here an operation begins when it \
                 is sent, without the time that it waited for its turn."
            }
            @if !never.is_empty() {
                details open {
                    summary { "Never exercised: " (never.len()) }
                    ul.plain { @for line in &never { li { "✕ " (line) } } }
                }
            }
            div.scroll tabindex="0" role="region" aria-label="coverage" { table.numbers {
                thead { tr {
                    th { "Fault" } th.word { "Operation" } th.word { "Place" } th { "In flight when it began" }
                    th { "Started while it lasted" } th { "Of both, ok" }
                } }
                tbody {
                    @for cell in cells {
                        tr {
                            th scope="row" { (cell.fault) }
                            td.word { (cell.f) }
                            td.word { (cell.place.words()) }
                            td { (words::count(cell.in_flight)) }
                            td { (words::count(cell.started)) }
                            td { (words::count(cell.ok)) }
                        }
                    }
                }
            } }
        }
    }
}

fn seconds(ns: u64) -> String {
    format!("{:.2}", ns as f64 / 1e9)
}

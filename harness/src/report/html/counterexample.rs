//! What broke, explained and drawn: lanes of processes, an order that makes sense for as long as any
//! does, and the operations that cannot come next.

use maud::{Markup, html};
use workloads::checker::{Check, Counterexample};
use workloads::moments;

use crate::report::html::lanes::{self, Lanes, span};
use crate::report::html::operation_table::operation_table;
use crate::report::numbers::FaultWindow;
use crate::report::words;

/// Faults that ended less than this before the first operation are told as well.
const AROUND: u64 = 5_000_000_000;

/// All counterexamples of a check. Without `faults`, nothing is said about faults.
pub(crate) fn section(check: &Check, faults: Option<&[FaultWindow]>) -> Markup {
    html! {
        @for (position, counterexample) in check.counterexamples.iter().enumerate() {
            section.counterexample {
                h2 {
                    "What broke" @if let Some(key) = &counterexample.key { " on key " (key) }
                    " " span.muted { (check.name) }
                }
                @if position < 3 { (body(counterexample, faults, position)) }
                @else { details { summary { (conclusion(counterexample)) } (body(counterexample, faults, position)) } }
            }
        }
        @if let Some(hidden) = check.partitions.map(|it| it.invalid.saturating_sub(check.counterexamples.len()))
            && hidden > 0 && !check.counterexamples.is_empty() {
            p.note {
                "Of the keys that cannot be explained, " (words::count(hidden as u64)) " more are not shown: \
                 those above are the simplest, and of those the earliest."
            }
        }
    }
}

/// What the explanation comes to.
fn conclusion(counterexample: &Counterexample) -> &str {
    counterexample.explanation.last().map_or("Show it", String::as_str)
}

fn body(
    counterexample: &Counterexample,
    faults: Option<&[FaultWindow]>,
    position: usize,
) -> Markup {
    let operations = &counterexample.operations;
    let stuck: Vec<usize> = counterexample.stuck.iter().map(|it| it.operation).collect();
    html! {
        @if !operations.is_empty() {
            p {
                "These " (words::counted(operations.len() as u64, "operation"))
                " cannot be put in any order that explains what they returned; without any one of them, "
                "and what was read from it, the others could be. They are the least that shows what is wrong, "
                "not all of it."
            }
        }
        @if !counterexample.explanation.is_empty() {
            ol.explanation { @for step in &counterexample.explanation { li { (step) } } }
        }
        @if !operations.is_empty() {
            figure {
                (lanes::drawing(&Lanes {
                    id: &format!("counterexample-{position}"),
                    title: "The operations that no order explains",
                    explanation: &counterexample.explanation,
                    operations,
                    order: &counterexample.longest_prefix,
                    stuck: &stuck,
                    faults: faults.unwrap_or_default(),
                }))
                p.legend {
                    span { "① ② in this order they make sense; below, what is stored then" }
                    span.key.stuck { "✕ cannot come next" }
                    @if operations.iter().any(|it| it.complete_time.is_none()) {
                        span.key.open { "open end: nobody learned its outcome" }
                    }
                    span.muted { "Time goes to the right; distances are stretched where text needs room." }
                }
            }
            (operation_table(operations, Some(&|position| place(counterexample, position))))
        }
        @if let Some(faults) = faults { (faults_around(counterexample, faults)) }
    }
}

fn place(counterexample: &Counterexample, position: usize) -> Markup {
    let step = counterexample.longest_prefix.iter().position(|step| step.operation == position);
    let stuck = counterexample.stuck.iter().find(|stuck| stuck.operation == position);
    html! {
        @if let Some(step) = step {
            (step + 1) ", then " (counterexample.longest_prefix[step].state)
        }
        @if let Some(stuck) = stuck { strong.stuck { "✕ cannot come next" } ": " (stuck.why) }
        @if step.is_none() && stuck.is_none() { "not reached" }
    }
}

fn faults_around(counterexample: &Counterexample, faults: &[FaultWindow]) -> Markup {
    let Some((from, to)) = span(&counterexample.operations) else { return html! {} };
    let decimals = lanes::decimals(&counterexample.operations);
    let moment = |time| moments::text(time, decimals);
    let near: Vec<&FaultWindow> =
        faults.iter().filter(|window| window.start <= to && window.end + AROUND >= from).collect();
    html! {
        h3 { "Faults around it" }
        @if near.is_empty() {
            p { "No fault was in force from " (moment(from)) " to " (moment(to)) ", nor shortly before." }
        } @else {
            ul.plain {
                @for window in near {
                    li {
                        a href={ "#fault-" (window.index) } { "Fault " (window.index) } ": "
                        (window.description) ", in force from " (words::moment(window.start))
                        " to " (words::moment(window.end))
                        span.muted { (relation(window, from, to)) }
                    }
                }
            }
        }
    }
}

fn relation(window: &FaultWindow, from: u64, to: u64) -> String {
    if window.end < from {
        return format!(
            " (healed {} before the first operation)",
            words::duration(from - window.end)
        );
    }
    match (window.start <= from, window.end >= to) {
        (true, true) => " (all the time)".to_owned(),
        (true, false) => " (healed in between)".to_owned(),
        (false, true) => " (began in between)".to_owned(),
        (false, false) => " (began and healed in between)".to_owned(),
    }
}

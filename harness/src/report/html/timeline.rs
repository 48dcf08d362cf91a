//! The operations of each process around what matters, to zoom into.
//!
//! Around the counterexample if there is one, else around the slowest operation under a fault.

use std::collections::BTreeMap;

use maud::{Markup, html};
use workloads::checker::Counterexample;
use workloads::history::EventKind;

use crate::report::html::ReportInput;
use crate::report::html::plot::{
    FaultStrip, STRIP_BAR, fault_title, fitting_label, nice_step, number, px,
};
use crate::report::numbers::FaultWindow;
use crate::report::operations::{TimedOperation, pair};
use crate::report::words;

const OPERATIONS_MAX: usize = 2_000;
const LANES_MAX: usize = 64;
const WIDTH: f64 = 1040.0;
const LEFT: f64 = 92.0;
const LANE: f64 = 22.0;
const CHARACTER: f64 = 6.1;

struct Window {
    from: u64,
    to: u64,
    why: String,
}

pub(crate) fn section(input: &ReportInput<'_>) -> Markup {
    let all = pair(input.events);
    let counterexample =
        input.results.checks.iter().find_map(|check| check.counterexamples.first());
    let key = counterexample.and_then(|counterexample| counterexample.key.as_ref());
    let mut operations: Vec<TimedOperation<'_>> = match key {
        Some(key) => all
            .iter()
            .filter(|operation| operation.invocation.key.as_ref() == Some(key))
            .copied()
            .collect(),
        None => all.clone(),
    };
    let Some(view) = view(input, counterexample, &operations) else { return html! {} };
    let related = operations.len();
    let middle = view.from.midpoint(view.to);
    operations.sort_by_key(|operation| distance(operation, input.facts.end, middle));
    operations.truncate(OPERATIONS_MAX);
    operations.sort_by_key(|operation| operation.invocation.index);
    let lanes = lanes(&operations, LANES_MAX);
    let of_key = key.map_or(String::new(), |key| format!(" on key {key}"));
    html! {
        section #timeline {
            h2 { "Operations in real time" }
            p {
                "One lane per process, around " (view.why) ". A process is retired when an outcome is "
                "unknown; its successor takes over the lane. "
                @if operations.len() < related {
                    "The nearest " (words::count(operations.len() as u64)) " of "
                    (words::counted(related as u64, "operation")) (of_key) " are drawn."
                } @else {
                    "All " (words::counted(related as u64, "operation")) (of_key) " are drawn."
                }
                @if related < all.len() {
                    " The history has " (words::count(all.len() as u64)) "."
                }
            }
            div.controls hidden {
                button type="button" data-zoom="in" { "Zoom in" }
                button type="button" data-zoom="out" { "Zoom out" }
                button type="button" data-zoom="earlier" { "← Earlier" }
                button type="button" data-zoom="later" { "Later →" }
                button type="button" data-zoom="reset" { "Reset" }
                span.muted.mouse { "or drag; Ctrl and wheel zooms" }
            }
            div.scroll tabindex="0" role="region" aria-label="operations in time" { (drawing(input, counterexample, &operations, &lanes, &view)) }
            p.detail #detail aria-live="polite" hidden { "Point at an operation for its details." }
            p.legend {
                span.key.ok { "Ok" } span.key.fail { "Fail (striped)" } span.key.info { "Info (dashed: may take effect later)" }
                @if counterexample.is_some() { span.key.marked { "In the counterexample" } }
            }
        }
    }
}

fn view(
    input: &ReportInput<'_>,
    counterexample: Option<&Counterexample>,
    operations: &[TimedOperation<'_>],
) -> Option<Window> {
    let (start, end, why) = match counterexample {
        Some(counterexample) => {
            let operations = &counterexample.operations;
            let start = operations.iter().map(|operation| operation.invoke_time).min()?;
            let end = operations
                .iter()
                .map(|operation| operation.complete_time.unwrap_or(operation.invoke_time))
                .max()?;
            (start, end, "the counterexample".to_owned())
        }
        None => slowest(&input.results.fault_windows, operations, input.facts.end)?,
    };
    let margin = ((end - start) / 4).max(5_000_000);
    let last = end.max(input.facts.end);
    Some(Window { from: start.saturating_sub(margin), to: (end + margin).min(last), why })
}

fn slowest(
    windows: &[FaultWindow],
    operations: &[TimedOperation<'_>],
    run_end: u64,
) -> Option<(u64, u64, String)> {
    let wait = |operation: &&TimedOperation<'_>| {
        operation.latency().map_or((false, 0), |latency| (true, latency))
    };
    let under_fault = operations
        .iter()
        .filter(|operation| windows.iter().any(|window| operation.overlaps(window)))
        .max_by_key(wait);
    let slowest = under_fault.or_else(|| operations.iter().max_by_key(wait))?;
    let why = match windows.iter().find(|window| slowest.overlaps(window)) {
        Some(window) => format!("the slowest operation under a fault: {}", window.description),
        None => "the slowest operation".to_owned(),
    };
    Some((slowest.start(), slowest.end().unwrap_or(run_end), why))
}

fn distance(operation: &TimedOperation<'_>, run_end: u64, middle: u64) -> u64 {
    let end = operation.end().unwrap_or(run_end);
    if operation.invocation.time > middle {
        operation.invocation.time - middle
    } else {
        middle.saturating_sub(end)
    }
}

/// A lane for each process. A process that was retired after `info` leaves its lane to the next.
pub(crate) fn lanes(operations: &[TimedOperation<'_>], lanes_max: usize) -> BTreeMap<u64, usize> {
    let mut spans: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
    for operation in operations {
        let start = operation.invocation.time;
        let span = spans.entry(operation.process).or_insert((start, u64::MAX));
        span.1 = match operation.outcome() {
            EventKind::Info => operation.end().unwrap_or(u64::MAX),
            EventKind::Ok | EventKind::Fail | EventKind::Invoke => u64::MAX,
        };
    }
    let mut by_start: Vec<(u64, (u64, u64))> = spans.into_iter().collect();
    by_start.sort_by_key(|&(process, (start, _))| (start, process));
    let mut lane_ends: Vec<u64> = Vec::new();
    let mut lanes = BTreeMap::new();
    for (process, (start, end)) in by_start {
        let lane = lane_ends.iter().position(|&lane_end| lane_end <= start);
        let lane = lane.unwrap_or(lane_ends.len());
        if lane >= lanes_max {
            continue;
        }
        if lane == lane_ends.len() {
            lane_ends.push(0);
        }
        lane_ends[lane] = end;
        lanes.insert(process, lane);
    }
    lanes
}

fn lane_names(
    lanes: &BTreeMap<u64, usize>,
    view: &Window,
    ops: &[TimedOperation<'_>],
) -> Vec<String> {
    let count = lanes.values().max().map_or(0, |last| last + 1);
    let mut members: Vec<Vec<u64>> = vec![Vec::new(); count];
    let mut in_view: Vec<Option<u64>> = vec![None; count];
    for (&process, &lane) in lanes {
        members[lane].push(process);
    }
    for operation in ops {
        let visible = operation.invocation.time < view.to
            && operation.end().is_none_or(|end| end > view.from);
        if let (true, Some(&lane)) = (visible, lanes.get(&operation.process)) {
            in_view[lane].get_or_insert(operation.process);
        }
    }
    members
        .iter()
        .zip(in_view)
        .map(|(members, shown)| match (shown.or(members.first().copied()), members.len()) {
            (Some(process), 1) => format!("process {process}"),
            (Some(process), more) => format!("{process} (+{})", more - 1),
            (None, _) => String::new(),
        })
        .collect()
}

fn drawing(
    input: &ReportInput<'_>,
    counterexample: Option<&Counterexample>,
    operations: &[TimedOperation<'_>],
    lanes: &BTreeMap<u64, usize>,
    view: &Window,
) -> Markup {
    let names = lane_names(lanes, view, operations);
    let data_start = operations.iter().map(|operation| operation.invocation.time).min();
    let data_end =
        operations.iter().filter_map(TimedOperation::end).chain([view.to]).max().unwrap_or(view.to);
    let strip = FaultStrip::between(
        &input.results.fault_windows,
        data_start.unwrap_or(view.from).min(view.from),
        data_end,
    );
    let top = strip.height();
    let bottom = top + LANE * names.len() as f64;
    let height = bottom + 28.0;
    let scale = (WIDTH - LEFT) / (view.to - view.from) as f64;
    let x = |time: u64| LEFT + (time as f64 - view.from as f64) * scale;
    let labels: BTreeMap<u64, &str> = counterexample
        .map(|counterexample| {
            let labelled = counterexample.operations.iter();
            labelled.map(|operation| (operation.invoke_index, operation.label.as_str())).collect()
        })
        .unwrap_or_default();
    html! {
        svg.timeline #timeline-drawing viewBox={ "0 0 " (WIDTH) " " (px(height)) } role="img"
            aria-labelledby="timeline-title timeline-desc"
            data-from=(view.from) data-to=(view.to) data-left=(LEFT) data-width=(WIDTH) {
            title id="timeline-title" { "Operations of each process over time" }
            desc id="timeline-desc" {
                (words::counted(operations.len() as u64, "operation")) " of "
                (words::counted(lanes.len() as u64, "process"))
                ", from " (words::moment(view.from)) " to " (words::moment(view.to)) "."
            }
            defs {
                clipPath id="timeline-clip" {
                    rect x=(LEFT) y="0" width=(WIDTH - LEFT) height=(px(height)) {}
                }
                pattern id="stripes" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)" {
                    rect.stripe width="2" height="5" {}
                }
            }
            @for (lane, name) in names.iter().enumerate() {
                @let y = top + LANE * lane as f64;
                @if lane % 2 == 0 { rect.lane x=(LEFT) y=(px(y)) width=(WIDTH - LEFT) height=(LANE) {} }
                text.name x=(LEFT - 8.0) y=(px(y + 15.0)) text-anchor="end" { (name) }
            }
            g clip-path="url(#timeline-clip)" {
                @for placed in &strip.placed {
                    @let window = &placed.window;
                    @let (left, right) = (x(window.start), x(window.end));
                    @let shown = right.min(WIDTH) - left.max(LEFT);
                    g class={ "fault placed k" (placed.colour) } data-s=(window.start) data-e=(window.end) {
                        title { (fault_title(window)) }
                        rect.shade x=(px(left)) y=(px(top)) width=(px(right - left)) height=(px(bottom - top)) {}
                        rect.bar x=(px(left)) y=(px(placed.y())) width=(px(right - left)) height=(px(STRIP_BAR)) rx="3" {}
                        @let label = fitting_label(window, shown).unwrap_or_default();
                        text x=(px(left.max(LEFT) + shown / 2.0)) y=(px(placed.y() + 11.5)) text-anchor="middle"
                            data-full={ (window.index) " " (window.kind) } data-letter=(window.index) { (label) }
                    }
                }
                @for operation in operations {
                    @if let Some(&lane) = lanes.get(&operation.process) {
                        (bar(operation, top + LANE * lane as f64 + 3.0, &labels, data_end, &x))
                    }
                }
            }
            g.ticks { (ticks(view, bottom, &x)) }
        }
    }
}

fn bar(
    operation: &TimedOperation<'_>,
    y: f64,
    labels: &BTreeMap<u64, &str>,
    data_end: u64,
    x: &impl Fn(u64) -> f64,
) -> Markup {
    let start = operation.invocation.time;
    let end = operation.end().unwrap_or(data_end);
    let (left, right) = (x(start), x(end));
    let label = labels.get(&operation.invocation.index);
    // What the counterexample is about must be seen, however short it was.
    let width = (right - left).max(if label.is_some() { 5.0 } else { 1.5 });
    let class = match operation.outcome() {
        EventKind::Ok => "ok",
        EventKind::Fail => "fail",
        EventKind::Info | EventKind::Invoke => "info",
    };
    let text = operation.text();
    let full = match label {
        Some(label) => format!("{label}: {}", words::shorten(&text, 24)),
        None => words::shorten(&text, 24),
    };
    let visible_left = left.max(LEFT);
    let room = right.min(WIDTH) - visible_left;
    let letter = label.copied().unwrap_or_default();
    let shown = [full.as_str(), letter]
        .into_iter()
        .find(|text| text.chars().count() as f64 * CHARACTER + 8.0 <= room)
        .unwrap_or_default();
    html! {
        g class={ "op " (class) @if label.is_some() { " marked" } } data-s=(start) data-e=(end) {
            title { (details(operation, label.copied(), &text)) }
            rect x=(px(left)) y=(px(y)) width=(px(width)) height=(px(LANE - 6.0)) rx="2.5" {}
            text x=(px(visible_left + 4.0)) y=(px(y + 12.0)) data-full=[(shown != full).then_some(&full)]
                data-letter=[label] { (shown) }
        }
    }
}

fn details(operation: &TimedOperation<'_>, label: Option<&str>, text: &str) -> String {
    let mut words = match label {
        Some(label) => format!("{label}: {text}"),
        None => text.to_owned(),
    };
    let mut add = |part: String| {
        words.push_str(" · ");
        words.push_str(&part);
    };
    if let Some(key) = &operation.invocation.key {
        add(format!("key {key}"));
    }
    let start = operation.invocation.time;
    let outcome = match operation.completion.map(|completion| completion.kind) {
        None => "never completed",
        Some(EventKind::Ok) => "ok",
        Some(EventKind::Fail) => "fail",
        Some(EventKind::Info | EventKind::Invoke) => "info",
    };
    add(outcome.to_owned());
    if let Some(error) = operation.completion.and_then(|completion| completion.error.as_deref()) {
        add(words::shorten(error, 80));
    }
    add(match operation.end() {
        Some(end) => format!("at {} for {}", words::moment(start), words::duration(end - start)),
        None => format!("from {}", words::moment(start)),
    });
    let late = start.saturating_sub(operation.start());
    if late > 1_000_000 {
        add(format!("started {} late", words::duration(late)));
    }
    let node = operation.node().map_or(String::new(), |node| format!(" to {node}"));
    add(format!("process {}{node}", operation.process));
    add(format!("event {}", operation.invocation.index));
    words
}

fn ticks(view: &Window, bottom: f64, x: &impl Fn(u64) -> f64) -> Markup {
    let step = nice_step((view.to - view.from) as f64 / 1e9, 9);
    let first = (view.from as f64 / 1e9 / step).ceil() as u64;
    let last = (view.to as f64 / 1e9 / step).floor() as u64;
    html! {
        line.axis x1=(LEFT) x2=(WIDTH) y1=(px(bottom)) y2=(px(bottom)) {}
        @for tick in first..=last {
            @let seconds = tick as f64 * step;
            @let at = x((seconds * 1e9) as u64);
            line.axis x1=(px(at)) x2=(px(at)) y1=(px(bottom)) y2=(px(bottom + 4.0)) {}
            @if at > LEFT + 24.0 && at < WIDTH - 24.0 {
                text x=(px(at)) y=(px(bottom + 18.0)) text-anchor="middle" { (number(seconds)) " s" }
            }
        }
    }
}

//! What the nodes logged, on the time axis of the run.

use std::collections::BTreeSet;

use maud::{Markup, html};

use crate::report::html::ReportInput;
use crate::report::html::plot::{FaultStrip, Frame, Size, px};
use crate::report::node_log::{Level, LogLine};
use crate::report::words;

const LANE: f64 = 20.0;
/// Lines in the table; the drawing has all.
const TABLE_MAX: usize = 600;

/// After the last operation, the drawing goes on for at most such a part of the run.
const STOPPING_SHARE: u64 = 20;

/// The section; empty if there are no lines with a time.
pub(crate) fn section(input: &ReportInput<'_>) -> Markup {
    let lines = input.lines;
    if lines.is_empty() {
        return html! {};
    }
    let nodes: BTreeSet<(usize, &str)> =
        lines.iter().map(|line| (line.node.len(), line.node.as_str())).collect();
    let nodes: Vec<&str> = nodes.into_iter().map(|(_, node)| node).collect();
    let mut shown: Vec<&LogLine> = lines.iter().collect();
    shown.sort_by_key(|line| std::cmp::Reverse(line.level));
    shown.truncate(TABLE_MAX);
    shown.sort_by_key(|line| line.time);
    html! {
        section #logs {
            h2 { "Node logs" }
            figure {
                figcaption { "Lines of each node's log over time" }
                @for size in Size::BOTH { (drawing(input, size, &nodes)) }
                p.legend {
                    span.key.log-info { "Info (line)" } span.key.log-warn { "Warn (triangle)" }
                    span.key.log-error { "Error (cross)" }
                }
            }
            details {
                summary { "Lines (" (shown.len()) " of " (lines.len()) " that were kept)" }
                div.scroll.tall tabindex="0" role="region" aria-label="log lines" {
                    table.log {
                        thead { tr { th { "Time" } th { "Node" } th { "Line" } } }
                        tbody {
                            @for line in shown {
                                tr class=(class(line.level)) {
                                    td.time { a href="#all-operations" data-at=(line.time / 1000) { (words::moment(line.time)) } }
                                    td { (line.node) }
                                    td { code { (line.text) } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn class(level: Level) -> &'static str {
    match level {
        Level::Info => "log-info",
        Level::Warn => "log-warn",
        Level::Error => "log-error",
    }
}

fn drawing(input: &ReportInput<'_>, size: Size, nodes: &[&str]) -> Markup {
    let strip = FaultStrip::new(&input.results.fault_windows);
    let (from, end) = (input.facts.workload_start, input.facts.end);
    // Nodes are told to stop right after the last operation.
    let last = input.lines.iter().map(|line| line.time).max().unwrap_or(end);
    let to = last.clamp(end, end + end.saturating_sub(from) / STOPPING_SHARE);
    let frame = Frame::new(size, from, to, &strip).with_plot_height(LANE * nodes.len() as f64);
    let id = format!("logs-{}", size.class());
    html! {
        svg class={ "chart logs " (size.class()) } viewBox={ "0 0 " (px(frame.width)) " " (px(frame.height)) }
            role="img" aria-labelledby={ (id) "-title " (id) "-desc" } {
            title id={ (id) "-title" } { "Log lines of each node over time" }
            desc id={ (id) "-desc" } { (words::counted(input.lines.len() as u64, "line")) }
            (frame.faults(&strip))
            @for (lane, node) in nodes.iter().enumerate() {
                @let y = frame.top + LANE * lane as f64;
                text.name x=(px(frame.left - 8.0)) y=(px(y + 14.0)) text-anchor="end" { (node) }
                @for line in input.lines.iter().filter(|line| line.node == **node && line.time <= to) {
                    path class=(class(line.level)) d=(mark(line.level, frame.x(line.time), y)) {
                        title { (line.node) ", " (words::moment(line.time)) ": " (line.text) }
                    }
                }
            }
            (frame.time_axis())
        }
    }
}

/// A shape of its own for each level.
fn mark(level: Level, x: f64, y: f64) -> String {
    let (x, top) = (px(x), px(y + 4.0));
    match level {
        Level::Info => format!("M{x} {top}v12"),
        Level::Warn => format!("M{x} {top}l5 11h-10z"),
        Level::Error => format!("M{x} {top}m-5 1l10 10m0-10l-10 10"),
    }
}

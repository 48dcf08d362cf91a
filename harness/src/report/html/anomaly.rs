//! An anomaly, drawn and explained: a cycle from top to bottom and back, or the operations that show it.

use maud::{Markup, html};
use workloads::checker::{Anomaly, Check, DependencyEdge};

use crate::report::html::evidence::prose;
use crate::report::html::lanes::{self, Lanes};
use crate::report::html::operation_table::operation_table;
use crate::report::html::plot::px;
use crate::report::words;

/// Anomalies that are open when the page is; the others are folded.
const OPEN: usize = 3;
const WIDTH: f64 = 720.0;
/// Of the boxes, which leave room for the way back on their left.
const LEFT: f64 = 56.0;
const BOX: f64 = 34.0;
/// Operations that are drawn as bars.
const DRAWN_MAX: usize = 40;
/// From one box to the next, with the label of the edge in between.
const ROW: f64 = 96.0;
const TOP: f64 = 12.0;
/// Characters of a label that fit in the drawing.
const CHARACTERS: usize = 84;

/// All anomalies of a check.
pub(crate) fn section(check: &Check) -> Markup {
    html! {
        @for (position, anomaly) in check.anomalies.iter().enumerate() {
            section.counterexample {
                h2 {
                    "What broke: " (anomaly.kind)
                    @if let Some(key) = &anomaly.key { " on key " (key) }
                    " " span.muted { (check.name) }
                }
                @if position < OPEN { (body(anomaly, position)) }
                @else { details { summary { "Show it" } (body(anomaly, position)) } }
            }
        }
        @if !check.broken.is_empty() {
            p { "Weakest consistency models that are broken: " (check.broken.join(", ")) "." }
        }
    }
}

fn body(anomaly: &Anomaly, position: usize) -> Markup {
    html! {
        @if !anomaly.explanation.is_empty() {
            ol.explanation { @for step in &anomaly.explanation { li { (prose(step)) } } }
        }
        @if !anomaly.edges.is_empty() {
            figure {
                div.scroll tabindex="0" role="region" aria-label="cycle" { (cycle(anomaly, position)) }
                p.legend { span { "An arrow goes from what must come first to what must come after it." } }
            }
        }
        @else if !anomaly.operations.is_empty() && anomaly.operations.len() <= DRAWN_MAX {
            figure {
                (lanes::drawing(&Lanes {
                    id: &format!("anomaly-{position}"),
                    title: "The operations that show it",
                    explanation: &anomaly.explanation,
                    operations: &anomaly.operations,
                    order: &[],
                    stuck: &anomaly.wrong,
                    faults: &[],
                }))
                p.legend {
                    @if !anomaly.wrong.is_empty() {
                        span.key.stuck { "✕ contradicts the others" }
                    }
                    @if anomaly.operations.iter().any(|it| it.complete_time.is_none()) {
                        span.key.open { "open end: nobody learned its outcome" }
                    }
                    span.muted { "Time goes to the right; distances are stretched where text needs room." }
                }
            }
        }
        @if !anomaly.operations.is_empty() { (operation_table(&anomaly.operations, None)) }
    }
}

/// Boxes from top to bottom in the order of the edges, and the last edge back to the first box.
fn cycle(anomaly: &Anomaly, position: usize) -> Markup {
    let edges = &anomaly.edges;
    let top = |row: usize| TOP + ROW * row as f64;
    let height = top(edges.len().saturating_sub(1)) + BOX + 44.0;
    let id = format!("anomaly-{position}");
    let x = LEFT + 24.0;
    html! {
        svg.chart.lanes.cycle viewBox={ "0 0 " (px(WIDTH)) " " (px(height)) }
            style={ "min-width:" (px(WIDTH * 0.7)) "px" }
            role="img" aria-labelledby={ (id) "-title " (id) "-desc" } {
            title id={ (id) "-title" } { "A cycle: each must come before the next" }
            desc id={ (id) "-desc" } { (anomaly.explanation.join(" ")) }
            @for (row, edge) in edges.iter().enumerate() {
                @let y = top(row);
                @let end = y + BOX;
                g class="op ok" {
                    title { (text(anomaly, edge.from)) }
                    rect.body x=(px(LEFT)) y=(px(y)) width=(px(WIDTH - LEFT - 4.0)) height=(px(BOX)) rx="4" {}
                    text.label x=(px(LEFT + 10.0)) y=(px(y + 22.0)) {
                        (words::shorten(&text(anomaly, edge.from), CHARACTERS))
                    }
                }
                g.edge {
                    title { (edge.kind) ": " (edge.reason) }
                    @if row + 1 < edges.len() {
                        path d={ "M" (px(x)) " " (px(end)) "V" (px(end + ROW - BOX - 8.0)) } {}
                        path.head d={ "M" (px(x - 5.0)) " " (px(end + ROW - BOX - 9.0)) "h10l-5 9z" } {}
                    } @else {
                        path d={
                            "M" (px(x)) " " (px(end)) "v30H16V" (px(TOP + BOX / 2.0)) "H" (px(LEFT - 8.0))
                        } {}
                        path.head d={ "M" (px(LEFT - 9.0)) " " (px(TOP + BOX / 2.0 - 5.0)) "v10l9 -5z" } {}
                    }
                    text x=(px(x + 14.0)) y=(px(end + 22.0)) { (label(edge)) }
                }
            }
        }
    }
}

fn label(edge: &DependencyEdge) -> String {
    words::shorten(&format!("{}: {}", edge.kind, edge.reason), CHARACTERS)
}

fn text(anomaly: &Anomaly, operation: usize) -> String {
    anomaly
        .operations
        .get(operation)
        .map_or_else(String::new, |it| format!("{}  {}", it.label, it.text))
}

//! Operations drawn as bars in the lanes of their processes.

use std::collections::BTreeMap;

use maud::{Markup, html};
use workloads::checker::{CounterexampleOperation, PrefixStep};
use workloads::moments;

use crate::report::html::plot::{FaultStrip, STRIP_BAR, fault_title, fitting_label, px};
use crate::report::numbers::FaultWindow;
use crate::report::words;

/// What is drawn.
#[derive(Clone, Copy)]
pub(crate) struct Lanes<'a> {
    /// Unique on the page.
    pub(crate) id: &'a str,
    /// What it shows, in a sentence.
    pub(crate) title: &'a str,
    /// The same as the drawing, in words.
    pub(crate) explanation: &'a [String],
    pub(crate) operations: &'a [CounterexampleOperation],
    /// Steps of an order, which get numbers.
    pub(crate) order: &'a [PrefixStep],
    /// Positions of operations that get a cross.
    pub(crate) stuck: &'a [usize],
    /// What was in force meanwhile.
    pub(crate) faults: &'a [FaultWindow],
}

const RIGHT_MARGIN: f64 = 40.0;
const BAR: f64 = 24.0;
const CHARACTER: f64 = 7.4;
/// Measures of a drawing: on a desk the names of the lanes are on the left, on a phone above.
struct Measures {
    class: &'static str,
    width: f64,
    left: f64,
    lane: f64,
    /// From the top of a lane to its bars.
    bar_top: f64,
    /// At least this much between two different moments, so that their order can be seen.
    gap: f64,
    /// How far the drawing may be scaled down before it scrolls.
    shrink: f64,
}

const WIDE: Measures = Measures {
    class: "wide",
    width: 1040.0,
    left: 96.0,
    lane: 70.0,
    bar_top: 24.0,
    gap: 30.0,
    shrink: 0.7,
};
const NARROW: Measures = Measures {
    class: "narrow",
    width: 332.0,
    left: 0.0,
    lane: 92.0,
    bar_top: 46.0,
    gap: 20.0,
    shrink: 0.9,
};

/// The drawing, for a desk and for a phone.
pub(crate) fn drawing(lanes: &Lanes<'_>) -> Markup {
    html! { div.scroll tabindex="0" role="region" aria-label="anomaly in time" {
        (draw(lanes, &WIDE)) (draw(lanes, &NARROW))
    } }
}

/// From the first invocation to the last completion.
pub(crate) fn span(operations: &[CounterexampleOperation]) -> Option<(u64, u64)> {
    let from = operations.iter().map(|operation| operation.invoke_time).min()?;
    let to = operations
        .iter()
        .map(|operation| operation.complete_time.unwrap_or(operation.invoke_time))
        .max()?;
    Some((from, to.max(from + 1)))
}

/// Decimals of seconds that tell apart when the operations began and ended: 3, 6 or 9.
pub(crate) fn decimals(operations: &[CounterexampleOperation]) -> usize {
    let both = |operation: &CounterexampleOperation| {
        [Some(operation.invoke_time), operation.complete_time]
    };
    moments::digits(operations.iter().flat_map(both).flatten())
}

/// Time on the page: monotone, stretched so that moments stay apart and labels fit.
struct Stretch {
    points: Vec<(u64, f64)>,
    left: f64,
    width: f64,
}

impl Stretch {
    fn new(operations: &[CounterexampleOperation], measures: &Measures) -> Stretch {
        let mut times: Vec<u64> = operations
            .iter()
            .flat_map(|operation| [Some(operation.invoke_time), operation.complete_time])
            .flatten()
            .collect();
        times.sort_unstable();
        times.dedup();
        let length =
            times.last().zip(times.first()).map_or(1, |(last, first)| (last - first).max(1));
        let room =
            measures.width - measures.left - RIGHT_MARGIN - measures.gap * times.len() as f64;
        let mut points: Vec<(u64, f64)> = Vec::new();
        for &time in &times {
            let mut x = match points.last() {
                None => measures.left + 10.0,
                Some(&(before, x)) => {
                    x + measures.gap + room.max(0.0) * (time - before) as f64 / length as f64
                }
            };
            // A label must end before the next operation of its lane begins.
            for next in operations.iter().filter(|next| next.invoke_time == time) {
                for before in operations
                    .iter()
                    .filter(|before| before.process == next.process && before.invoke_time < time)
                {
                    if let Some(&(_, start)) =
                        points.iter().find(|(point, _)| *point == before.invoke_time)
                    {
                        x = x.max(start + label_width(before) + 16.0);
                    }
                }
            }
            points.push((time, x));
        }
        let end = points.last().map_or(0.0, |&(_, x)| x + RIGHT_MARGIN);
        let mut stretch = Stretch { points, left: measures.left, width: measures.width.max(end) };
        stretch.make_room(operations);
        stretch
    }

    /// A label that would leave the drawing is moved to the left; where another is in its way,
    /// the drawing gets wider.
    fn make_room(&mut self, operations: &[CounterexampleOperation]) {
        for operation in operations {
            let end = self.x(operation.invoke_time) + label_width(operation);
            let moved = self.width - label_width(operation);
            let in_the_way = operations.iter().any(|other| {
                other.process == operation.process
                    && other.invoke_time < operation.invoke_time
                    && self.x(other.invoke_time) + label_width(other) + 16.0 > moved
            });
            if end > self.width && in_the_way {
                self.width = end + 8.0;
            }
        }
    }

    fn x(&self, time: u64) -> f64 {
        let after = self.points.partition_point(|&(point, _)| point < time);
        match (after.checked_sub(1).map(|before| self.points[before]), self.points.get(after)) {
            (_, Some(&(point, x))) if point == time => x,
            (Some((from, left)), Some(&(to, right))) => {
                left + (right - left) * (time - from) as f64 / (to - from) as f64
            }
            (None, _) => self.left,
            (Some(_), None) => self.width,
        }
    }
}

fn label_width(operation: &CounterexampleOperation) -> f64 {
    (operation.label.chars().count() + 2 + operation.text.chars().count()) as f64 * CHARACTER
}

fn draw(lanes: &Lanes<'_>, measures: &Measures) -> Markup {
    let (class, bar_top) = (measures.class, measures.bar_top);
    let Lanes { operations, order, stuck, faults, .. } = *lanes;
    let Some((from, to)) = span(operations) else { return html! {} };
    let time = Stretch::new(operations, measures);
    let mut nodes: BTreeMap<u64, Option<&str>> = BTreeMap::new();
    for operation in operations {
        nodes.insert(operation.process, operation.node.as_deref());
    }
    let strip = FaultStrip::between(faults, from, to);
    let lanes_top = strip.height();
    let lane_of = |process: u64| nodes.keys().position(|&lane| lane == process).unwrap_or(0);
    let top = |operation: &CounterexampleOperation| {
        lanes_top + measures.lane * lane_of(operation.process) as f64
    };
    let bottom = lanes_top + measures.lane * nodes.len() as f64;
    let height = bottom + 24.0;
    let id = format!("{}-{class}", lanes.id);
    let ends = |operation: &CounterexampleOperation| {
        let right = operation.complete_time.map_or(time.width - 4.0, |end| time.x(end));
        (time.x(operation.invoke_time), right)
    };
    html! {
        svg class={ "chart lanes " (class) } viewBox={ "0 0 " (px(time.width)) " " (px(height)) }
            style={ "min-width:" (px(time.width * measures.shrink)) "px" }
            role="img" aria-labelledby={ (id) "-title " (id) "-desc" } {
            title id={ (id) "-title" } { (lanes.title) }
            desc id={ (id) "-desc" } { (lanes.explanation.join(" ")) }
            defs {
                pattern id={ (id) "-hatch" } width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)" {
                    rect.hatch width="2.5" height="7" {}
                }
            }
            @for placed in &strip.placed {
                @let window = &placed.window;
                @let left = time.x(window.start);
                @let right = time.x(window.end);
                g class={ "fault k" (placed.colour) } {
                    title { (fault_title(window)) }
                    rect.shade x=(px(left)) y=(px(lanes_top - 4.0)) width=(px(right - left)) height=(px(bottom - lanes_top + 4.0)) {}
                    rect.bar x=(px(left)) y=(px(placed.y())) width=(px(right - left)) height=(px(STRIP_BAR)) rx="3" {}
                    @if let Some(label) = fitting_label(window, right - left) {
                        text x=(px(left.midpoint(right))) y=(px(placed.y() + 11.5)) text-anchor="middle" { (label) }
                    }
                }
            }
            @for (lane, (process, node)) in nodes.iter().enumerate() {
                @let y = lanes_top + measures.lane * lane as f64;
                line.grid x1="0" x2=(px(time.width)) y1=(px(y + measures.lane - 1.0)) y2=(px(y + measures.lane - 1.0)) {}
                @if measures.left > 0.0 {
                    text.name x="0" y=(px(y + bar_top + 10.0)) { (lane_name(*process)) }
                    @if let Some(node) = node { text x="0" y=(px(y + bar_top + 26.0)) { "to " (node) } }
                } @else {
                    text x="2" y=(px(y + 14.0)) {
                        "process " (process) @if let Some(node) = node { " to " (node) }
                    }
                }
            }
            @for (at, operation) in operations.iter().enumerate() {
                @let (left, right) = ends(operation);
                @let y = top(operation);
                @let stuck = stuck.contains(&at);
                @let open = operation.complete_time.is_none();
                g class={ "op" @if stuck { " stuck" } @if open { " info" } @else { " ok" } } {
                    title { (operation.label) ": " (operation.text) }
                    @let at_edge = left + label_width(operation) > time.width;
                    text.label x=(px(if at_edge { time.width - 2.0 } else { left })) y=(px(y + bar_top - 8.0))
                        text-anchor=(if at_edge { "end" } else { "start" }) { tspan.letter { (operation.label) } "  " (operation.text) }
                    @if open {
                        path.body d={
                            "M" (px(left)) " " (px(y + bar_top)) "H" (px(right - 14.0)) "l14 " (px(BAR / 2.0))
                            "l-14 " (px(BAR / 2.0)) "H" (px(left)) "Z"
                        } {}
                    } @else {
                        rect.body x=(px(left)) y=(px(y + bar_top)) width=(px((right - left).max(4.0))) height=(px(BAR)) rx="4" {}
                    }
                    @if stuck {
                        rect x=(px(left)) y=(px(y + bar_top)) width=(px((right - left).max(4.0))) height=(px(BAR)) rx="4"
                            fill={ "url(#" (id) "-hatch)" } {}
                        text.cross x=(px(left.midpoint(right))) y=(px(y + bar_top + 18.0)) text-anchor="middle" { "✕" }
                    }
                }
            }
            (numbers(operations, order, &ends, &|operation| top(operation) + bar_top))
            line.axis x1=(measures.left) x2=(px(time.width)) y1=(px(bottom)) y2=(px(bottom)) {}
            text x=(measures.left + 10.0) y=(px(bottom + 17.0)) { (moments::text(from, decimals(operations))) }
            text x=(px(time.x(to))) y=(px(bottom + 17.0)) text-anchor="middle" { (moments::text(to, decimals(operations))) }
        }
    }
}

/// The name of a lane; the word gives way where the number is long.
fn lane_name(process: u64) -> String {
    if process < 1_000_000 { format!("process {process}") } else { format!("p{process}") }
}

/// An order that makes sense: numbers on the bars, in real time, joined by a line.
fn numbers(
    operations: &[CounterexampleOperation],
    order: &[PrefixStep],
    ends: &impl Fn(&CounterexampleOperation) -> (f64, f64),
    top: &impl Fn(&CounterexampleOperation) -> f64,
) -> Markup {
    let steps: Vec<(&CounterexampleOperation, &str)> = order
        .iter()
        .filter_map(|step| Some((operations.get(step.operation)?, step.state.as_str())))
        .collect();
    let places = places(&steps.iter().map(|(operation, _)| ends(operation)).collect::<Vec<_>>());
    let points: Vec<(f64, f64)> = steps
        .iter()
        .zip(places)
        .map(|((operation, _), x)| (x, top(operation) + BAR / 2.0))
        .collect();
    let line: Vec<String> = points.iter().map(|(x, y)| format!("{} {}", px(*x), px(*y))).collect();
    html! {
        @if points.len() > 1 { path.order d={ "M" (line.join("L")) } {} }
        @for (number, ((_, state), (x, y))) in steps.iter().zip(&points).enumerate() {
            g.step {
                circle cx=(px(*x)) cy=(px(*y)) r="10" {}
                text x=(px(*x)) y=(px(y + 4.5)) text-anchor="middle" { (number + 1) }
                text.state x=(px(*x)) y=(px(y + 27.0)) text-anchor="middle" { "→ " (words::shorten(state, 22)) }
            }
        }
    }
}

/// A point inside each bar, from left to right as the order goes, apart where there is room.
fn places(ends: &[(f64, f64)]) -> Vec<f64> {
    const INSET: f64 = 12.0;
    const APART: f64 = 28.0;
    let inside = |&(left, right): &(f64, f64)| {
        let middle = left.midpoint(right);
        ((left + INSET).min(middle), (right - INSET).max(middle))
    };
    let mut latest = vec![f64::INFINITY; ends.len()];
    for position in (0..ends.len()).rev() {
        let later = latest.get(position + 1).copied().unwrap_or(f64::INFINITY);
        latest[position] = inside(&ends[position]).1.min(later - APART / 4.0);
    }
    let mut places = Vec::with_capacity(ends.len());
    let mut before = f64::NEG_INFINITY;
    for (position, end) in ends.iter().enumerate() {
        let earliest = inside(end).0;
        let x = (before + APART).max(earliest).min(latest[position].max(earliest));
        places.push(x);
        before = x;
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_goes_from_left_to_right_inside_the_bars() {
        let ends = [(0.0, 400.0), (10.0, 60.0), (50.0, 300.0)];
        let places = places(&ends);
        for (place, (left, right)) in places.iter().zip(ends) {
            assert!(left <= *place && *place <= right, "{places:?}");
        }
        assert!(places.windows(2).all(|pair| pair[0] < pair[1]), "{places:?}");
    }
}

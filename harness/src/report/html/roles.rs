//! Who led when: a lane for each node, with its role and its term over time.

use std::collections::BTreeSet;

use maud::{Markup, html};

use crate::node_id::NodeId;
use crate::report::html::ReportInput;
use crate::report::html::plot::{FaultStrip, Frame, Size, px};
use crate::report::words;
use crate::role_watch::{NodeRole, RoleSample};

const LANE: f64 = 20.0;
/// Looks further apart than this leave a gap.
const GAP_MAX: u64 = 2_000_000_000;

/// A time in which a node said the same of itself.
struct Stay<'a> {
    from: u64,
    to: u64,
    role: Option<&'a NodeRole>,
}

/// The figure, on the time axis of the chart above it. Empty if nobody looked.
pub(crate) fn figure(input: &ReportInput<'_>, from: u64, to: u64) -> Markup {
    let samples = &input.facts.roles;
    let nodes: BTreeSet<NodeId> =
        samples.iter().flat_map(|sample| sample.nodes.keys().copied()).collect();
    if nodes.is_empty() {
        return html! {};
    }
    html! {
        figure {
            figcaption { "Role and term of each node, as it said itself" }
            @for size in Size::BOTH { (drawing(input, size, &nodes, from, to)) }
            p.legend {
                span.key.leader { "Leads (full height, its term)" } span.key.follower { "Follows" }
                span.key.other { "Candidate or other" } span.key.silent { "No answer (nothing drawn)" }
            }
        }
    }
}

fn drawing(
    input: &ReportInput<'_>,
    size: Size,
    nodes: &BTreeSet<NodeId>,
    from: u64,
    to: u64,
) -> Markup {
    let samples = &input.facts.roles;
    let strip = FaultStrip::new(&input.results.fault_windows);
    let height = LANE * nodes.len() as f64;
    let frame = Frame::new(size, from, to, &strip).with_plot_height(height);
    let id = format!("roles-{}", size.class());
    let terms: BTreeSet<u64> =
        samples.iter().flat_map(|sample| sample.nodes.values().map(|role| role.term)).collect();
    let words = format!(
        "{} over {}.",
        words::counted(nodes.len() as u64, "node"),
        words::counted(terms.len() as u64, "term")
    );
    html! {
        svg class={ "chart roles " (size.class()) } viewBox={ "0 0 " (px(frame.width)) " " (px(frame.height)) }
            role="img" aria-labelledby={ (id) "-title " (id) "-desc" } {
            title id={ (id) "-title" } { "Role and term of each node over time" }
            desc id={ (id) "-desc" } { (words) }
            (frame.faults(&strip))
            @for (lane, &node) in nodes.iter().enumerate() {
                @let y = frame.top + LANE * lane as f64;
                text.name x=(px(frame.left - 8.0)) y=(px(y + 14.0)) text-anchor="end" { (node) }
                @for stay in stays(samples, node) {
                    @if let Some(role) = stay.role { (bar(&frame, &stay, role, node, y)) }
                }
            }
            (frame.time_axis())
        }
    }
}

fn bar(frame: &Frame, stay: &Stay<'_>, role: &NodeRole, node: NodeId, y: f64) -> Markup {
    if stay.to <= frame.from || stay.from >= frame.to {
        return html! {};
    }
    let (x, end) = (frame.x(stay.from), frame.x(stay.to));
    let width = (end - x).max(1.0);
    let (class, inset) = match role.role.as_str() {
        "leader" => ("leader", 2.0),
        "follower" => ("follower", 7.0),
        _ => ("other", 5.0),
    };
    let label = role.term.to_string();
    let fits = class == "leader" && width > 7.0 * label.len() as f64 + 6.0;
    html! {
        g class={ "stay " (class) } {
            title {
                (node) ": " (role.role) " in term " (role.term) ", "
                (words::moment(stay.from)) " to " (words::moment(stay.to))
                @if let Some(committed) = role.committed { ", committed up to " (words::count(committed)) }
            }
            rect x=(px(x)) y=(px(y + inset)) width=(px(width)) height=(px(LANE - 2.0 * inset)) rx="2" {}
            @if fits { text x=(px(x + 4.0)) y=(px(y + 14.0)) { (label) } }
        }
    }
}

/// Looks that say the same are one stay, up to the look that says something else.
fn stays(samples: &[RoleSample], node: NodeId) -> Vec<Stay<'_>> {
    let mut stays: Vec<Stay<'_>> = Vec::new();
    for sample in samples {
        let role = sample.nodes.get(&node);
        let said = |role: Option<&NodeRole>| role.map(|it| (it.role.clone(), it.term));
        if let Some(last) = stays.last_mut() {
            last.to = sample.time.min(last.to + GAP_MAX);
            if said(last.role) == said(role) && last.to == sample.time {
                // The newest look knows how far the log is committed.
                last.role = role;
                continue;
            }
        }
        stays.push(Stay { from: sample.time, to: sample.time, role });
    }
    stays
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(time: u64, role: Option<(&str, u64)>) -> RoleSample {
        let nodes = role
            .map(|(role, term)| {
                (NodeId(1), NodeRole { role: role.to_owned(), term, committed: None })
            })
            .into_iter()
            .collect();
        RoleSample { time: time * 1_000_000_000, nodes }
    }

    #[test]
    fn looks_that_say_the_same_are_one_stay_and_silence_is_a_gap() {
        let samples = [
            sample(1, Some(("leader", 2))),
            sample(2, Some(("leader", 2))),
            sample(3, None),
            sample(4, Some(("follower", 3))),
            sample(5, Some(("follower", 3))),
        ];
        let stays: Vec<(u64, u64, bool)> = stays(&samples, NodeId(1))
            .iter()
            .map(|stay| (stay.from / 1_000_000_000, stay.to / 1_000_000_000, stay.role.is_some()))
            .collect();
        assert_eq!(stays, [(1, 3, true), (3, 4, false), (4, 5, true)]);
    }
}

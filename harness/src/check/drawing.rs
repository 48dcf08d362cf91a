//! Drawings of evidence in text: operations as bars in time, and cycles.

use std::collections::BTreeMap;

use workloads::checker::{Anomaly, Counterexample, CounterexampleOperation};
use workloads::history::Operation;

use crate::report::words;

/// Columns of the time axis, at least and at most.
const AXIS_MIN: usize = 24;
const AXIS_MAX: usize = 72;
/// Operations that are drawn.
const OPERATIONS_MAX: usize = 40;

/// When operations began and ended, by the order of events: times may be equal, or unknown.
pub(super) struct Moments<'a> {
    by_index: BTreeMap<u64, &'a Operation>,
}

impl<'a> Moments<'a> {
    /// Of these operations of a history.
    pub(super) fn new(operations: &'a [Operation]) -> Moments<'a> {
        Moments { by_index: operations.iter().map(|it| (it.invoke_index, it)).collect() }
    }

    /// Index of the completion; none if it never surely completed.
    fn end(&self, operation: &CounterexampleOperation) -> Option<u64> {
        operation.complete_time?;
        self.by_index.get(&operation.invoke_index)?.complete_index
    }
}

/// Bars over a common axis, one line an operation; `remark` is put behind the bar.
pub(super) fn bars(
    operations: &[CounterexampleOperation],
    moments: &Moments<'_>,
    width: usize,
    remark: impl Fn(usize) -> String,
) -> Vec<String> {
    let shown = &operations[..operations.len().min(OPERATIONS_MAX)];
    let mut indices: Vec<u64> = shown
        .iter()
        .flat_map(|operation| [Some(operation.invoke_index), moments.end(operation)])
        .flatten()
        .collect();
    indices.sort_unstable();
    indices.dedup();
    let names: Vec<String> =
        shown.iter().map(|it| format!("{}  {}", it.label, words::shorten(&it.text, 44))).collect();
    let name_width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let process_width = shown.iter().map(|it| it.process.to_string().len()).max().unwrap_or(1) + 1;
    let room = width.saturating_sub(name_width + process_width + 8).clamp(AXIS_MIN, AXIS_MAX);
    let gap = (room / indices.len().max(1)).clamp(2, 8);
    let column = |index: u64| indices.partition_point(|&it| it < index) * gap;
    let axis = indices.len() * gap;
    let mut lines = Vec::new();
    for (position, (operation, name)) in shown.iter().zip(&names).enumerate() {
        let start = column(operation.invoke_index);
        let (end, cap) = match moments.end(operation) {
            Some(end) => (column(end), '┤'),
            None => (axis, '▶'),
        };
        let bar =
            format!("{}├{}{cap}", " ".repeat(start), "─".repeat((end - start).saturating_sub(1)));
        let process = format!("p{}", operation.process);
        let pad = " ".repeat(name_width - name.chars().count());
        let tail = " ".repeat((axis + 1).saturating_sub(bar.chars().count()));
        let line =
            format!("{name}{pad}  {process:<process_width$} {bar}{tail} {}", remark(position));
        lines.push(line.trim_end().to_owned());
    }
    if operations.len() > shown.len() {
        lines.push(format!("and {} more", operations.len() - shown.len()));
    }
    lines
}

/// A counterexample: bars, then an order that makes sense for as long as any does, and why it ends.
pub(super) fn counterexample(
    counterexample: &Counterexample,
    moments: &Moments<'_>,
    width: usize,
) -> Vec<String> {
    let operations = &counterexample.operations;
    let remark = |position: usize| {
        if counterexample.stuck.iter().any(|stuck| stuck.operation == position) {
            return "✗ cannot come next".to_owned();
        }
        let step = counterexample.longest_prefix.iter().position(|it| it.operation == position);
        step.map_or(String::new(), |step| {
            format!("({}) then {}", step + 1, counterexample.longest_prefix[step].state)
        })
    };
    let mut lines = bars(operations, moments, width, remark);
    let label = |position: usize| operations.get(position).map_or("?", |it| it.label.as_str());
    let order: Vec<String> = counterexample
        .longest_prefix
        .iter()
        .map(|step| format!("{} (then {})", label(step.operation), step.state))
        .collect();
    if !order.is_empty() {
        lines.push(format!("makes sense so far: {}", order.join(", ")));
    }
    for stuck in &counterexample.stuck {
        lines.push(format!("✗ {} cannot come next: {}", label(stuck.operation), stuck.why));
    }
    if operations.iter().any(|operation| moments.end(operation).is_none()) {
        lines.push("─▶ nobody knows when it acted, or whether".to_owned());
    }
    lines
}

/// An anomaly: a cycle from top to bottom, or the operations that show it as bars.
pub(super) fn anomaly(anomaly: &Anomaly, moments: &Moments<'_>, width: usize) -> Vec<String> {
    if anomaly.edges.is_empty() {
        let remark = |position: usize| match anomaly.wrong.contains(&position) {
            true => "✗ contradicts the others".to_owned(),
            false => String::new(),
        };
        return bars(&anomaly.operations, moments, width, remark);
    }
    let name = |position: usize| match anomaly.operations.get(position) {
        Some(it) => {
            let text = words::shorten(&it.text, width.saturating_sub(24));
            format!("{}  {text}  (process {})", it.label, it.process)
        }
        None => "?".to_owned(),
    };
    let mut lines = Vec::new();
    for (position, edge) in anomaly.edges.iter().enumerate() {
        lines.push(format!("{} {}", if position == 0 { "┌─▶" } else { "│  " }, name(edge.from)));
        lines.push(format!("│   │ {}: {}", edge.kind, edge.reason));
        if position + 1 < anomaly.edges.len() {
            lines.push("│   ▼".to_owned());
        }
    }
    lines.push("└───┘ back to the first: a contradiction".to_owned());
    lines
}

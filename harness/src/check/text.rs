//! A check in words, for a terminal.

use workloads::checker::{Anomaly, Check, Counterexample, Verdict};
use workloads::history::{Operation, Value};

use super::drawing::{self, Moments};
use super::judging::Judged;
use crate::plural::{count, counted};
use crate::report::terminal::{Colour, check_text};

/// Anomalies that are told in full.
const ANOMALIES_MAX: usize = 3;
/// Steps of an explanation before the drawing.
const STEPS_MAX: usize = 12;

/// The verdict, why in words, and the drawing.
pub(super) fn judged(name: &str, judged: &Judged, colour: Colour, width: usize) -> String {
    let check = &judged.check;
    let mut lines = vec![format!("{name}: {}", check_text(check, colour))];
    lines.extend(partitions(check));
    if check.verdict == Verdict::Invalid || !check.anomalies.is_empty() {
        lines.extend(evidence(check, &judged.operations, width));
    }
    if !check.broken.is_empty() {
        lines.push(format!("  broken: {}", check.broken.join(", ")));
    }
    for measurement in &check.measurements {
        lines.push(format!("  {}: {}", measurement.name, plain(&measurement.value)));
    }
    if let Some(contradiction) = &judged.contradiction {
        lines.push(format!("  DEFECT OF THE CHECKER: {contradiction}"));
    }
    lines.push(String::new());
    lines.join("\n")
}

/// What is known of the objects, where it is not the same of all.
fn partitions(check: &Check) -> Option<String> {
    let counts = check.partitions?;
    let kinds = [counts.valid, counts.unknown, counts.invalid];
    (kinds.iter().filter(|&&number| number > 0).count() > 1).then(|| {
        format!(
            "  {} valid, {} unknown, {} invalid",
            counted(counts.valid as u64, "key"),
            count(counts.unknown as u64),
            count(counts.invalid as u64)
        )
    })
}

fn evidence(check: &Check, operations: &[Operation], width: usize) -> Vec<String> {
    let moments = Moments::new(operations);
    let mut lines = Vec::new();
    if let Some(first) = check.counterexamples.first() {
        lines.extend(told(&heading(first), &first.explanation));
        lines.push(String::new());
        lines.extend(indented(drawing::counterexample(first, &moments, width)));
        if check.counterexamples.len() > 1 {
            lines.push(format!("  ({} more with --json)", check.counterexamples.len() - 1));
        }
    }
    for anomaly in check.anomalies.iter().take(ANOMALIES_MAX) {
        lines.extend(told(&title(anomaly), &anomaly.explanation));
        if !anomaly.operations.is_empty() {
            lines.push(String::new());
            lines.extend(indented(drawing::anomaly(anomaly, &moments, width)));
        }
    }
    if check.anomalies.len() > ANOMALIES_MAX {
        let rest = check.anomalies.len() - ANOMALIES_MAX;
        lines.push(format!("  ({} more with --json)", counted(rest as u64, "anomaly")));
    }
    lines
}

fn heading(counterexample: &Counterexample) -> String {
    let operations = counted(counterexample.operations.len() as u64, "operation");
    match &counterexample.key {
        Some(key) => format!("  {operations} on key {} that no order explains:", plain(key)),
        None => format!("  {operations} that no order explains:"),
    }
}

fn title(anomaly: &Anomaly) -> String {
    match &anomaly.key {
        Some(key) => format!("  {} on key {}:", anomaly.kind, plain(key)),
        None => format!("  {}:", anomaly.kind),
    }
}

/// A heading and numbered steps.
fn told(heading: &str, explanation: &[String]) -> Vec<String> {
    let mut lines = vec![heading.to_owned()];
    for (number, step) in (1..).zip(explanation.iter().take(STEPS_MAX)) {
        lines.push(format!("  {number}. {step}"));
    }
    if explanation.len() > STEPS_MAX {
        lines.push(format!("  ({} more with --json)", explanation.len() - STEPS_MAX));
    }
    lines
}

fn indented(lines: Vec<String>) -> impl Iterator<Item = String> {
    lines.into_iter().map(|line| format!("    {line}"))
}

/// A value without quotes around plain words.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

//! What the timelines mean.

use super::timeline::{Element, Timeline};
use crate::checker::findings::{Findings, Spending, brief, label, measured, text};
use crate::checker::order::by_key;
use crate::checker::{Budget, Check, CheckOptions, Measurement, Verdict};
use crate::history::{Float, Operation, Value};
use crate::model::{Initial, UnsuitableOperation};
use crate::moments::duration;
use crate::plural::counted;

/// Of the latencies, as shares of all elements.
const QUANTILES: [(&str, f64); 5] =
    [("shortest", 0.0), ("median", 0.5), ("95 %", 0.95), ("99 %", 0.99), ("longest", 1.0)];

#[derive(Default)]
struct Tally {
    attempts: u64,
    stable: u64,
    never_read: u64,
    stale: u64,
    /// How long after it was known each stable element was missed for the last time, nanoseconds.
    until_stable: Vec<u64>,
    /// How long after it was known each lost element was found for the last time, nanoseconds.
    until_lost: Vec<u64>,
}

/// Checks that no element is lost, duplicated, or comes from nowhere.
///
/// Operations: `add` (an element), `read` (a list of all elements). Each key is a set of its own.
pub(in crate::checker) fn check(
    operations: &[Operation],
    options: &CheckOptions,
    budget: &dyn Budget,
) -> Result<Check, UnsuitableOperation> {
    let mut findings = Findings::new(operations);
    let mut spending = Spending::new(budget);
    let mut tally = Tally::default();
    let mut spent = None;
    for (key, members) in by_key(operations) {
        let mut timeline = Timeline::new(operations, &members)?;
        if let Err(reason) = timeline.find_absences(operations, &mut spending) {
            spent = Some(reason);
            break;
        }
        let mut judge = Judge { operations, key, findings: &mut findings, tally: &mut tally };
        for element in &timeline.elements {
            judge.element(element, options.initial.as_ref());
        }
    }
    let measurements = measurements(&mut tally, &findings);
    let valid =
        || format!("{} stable, {} never read", counted(tally.stable, "element"), tally.never_read);
    let mut check = findings.check("set-full", spent, valid, measurements);
    if check.verdict == Verdict::Valid && tally.stable == 0 {
        let reason = "no element was ever seen to stay, so the history proves nothing".to_owned();
        check.verdict = Verdict::Unknown;
        check.summary.clone_from(&reason);
        check.reason = Some(reason);
    }
    Ok(check)
}

struct Judge<'a, 'f> {
    operations: &'a [Operation],
    key: Option<&'a Value>,
    findings: &'f mut Findings<'a>,
    tally: &'f mut Tally,
}

impl Judge<'_, '_> {
    fn element(&mut self, element: &Element<'_>, initial: Option<&Initial>) {
        let Some(value) = element.value else { return };
        if element.added.is_some() || element.failed.is_some() {
            self.tally.attempts += 1;
        }
        self.origin(element, value, initial);
        if let Some((read, times)) = element.repeated {
            self.findings.add("duplicate-element", self.key, &[read], || {
                vec![format!("A has {} {times} times; a set has an element once.", brief(value))]
            });
        }
        let began = |position: usize| self.operations[position].invoke_index;
        let present = element.present.map(began);
        let absent = element.absent.map(began);
        let lost = match (element.known, absent) {
            (Some((known, _)), Some(absent)) => known < absent && present < Some(absent),
            (None, _) | (_, None) => false,
        };
        if lost {
            self.lost(element, value);
        } else if present > absent {
            self.stable(element);
        } else if element.added.is_some() {
            self.tally.never_read += 1;
        }
    }

    /// Where an element that was read can have come from.
    fn origin(&mut self, element: &Element<'_>, value: &Value, initial: Option<&Initial>) {
        let Some(found) = element.present else { return };
        match initial {
            Some(Initial::Any) => return,
            Some(Initial::Value(Value::List(list))) if list.contains(value) => return,
            Some(Initial::Value(_)) | None => {}
        }
        let name = brief(value);
        match (element.added, element.failed, element.known) {
            (None, Some(failed), _) => {
                self.findings.add("failed-add-visible", self.key, &[failed, found], || {
                    vec![
                        format!("A, the only addition of {name}, failed."),
                        format!("B found {name}: what failed must have no effect."),
                    ]
                });
            }
            (None, None, _) => self.findings.add("unexpected-element", self.key, &[found], || {
                vec![format!("A found {name}, which nobody tried to add.")]
            }),
            (Some(added), _, Some((known, reader)))
                if known < self.operations[added].invoke_index =>
            {
                self.findings.add("unexpected-element", self.key, &[reader, added], || {
                    vec![format!("A found {name} and ended before B, its first addition, began.")]
                });
            }
            (Some(_), _, _) => {}
        }
    }

    fn lost(&mut self, element: &Element<'_>, value: &Value) {
        let (Some((_, witness)), Some(missed)) = (element.known, element.absent) else {
            return;
        };
        let name = brief(value);
        let operations = self.operations;
        let known_at = operations[witness].complete_time.unwrap_or(0);
        let found_at = element.present.map_or(0, |it| operations[it].invoke_time + 1);
        self.tally.until_lost.push(found_at.saturating_sub(known_at));
        let last_found = element.present.filter(|&present| present != witness);
        let involved: Vec<usize> =
            [Some(witness), last_found, Some(missed)].into_iter().flatten().collect();
        let wrong = involved.len() - 1;
        let text = |operation: &Operation| read_with_or_without(operation, value);
        self.findings.add_told("lost-element", self.key, &involved, &[wrong], text, || {
            let how = match operations[witness].f.as_str() {
                "add" => format!("A added {name}, which was acknowledged."),
                _ => format!("A found {name}, so it was there when A ended."),
            };
            let last = match element.present {
                None => format!("No read ever found {name}."),
                Some(present) if present == witness => {
                    format!("No read that began later than A found {name}.")
                }
                Some(_) => format!("B was the last read to find {name}."),
            };
            let missed = format!(
                "{} began {} after A ended, and did not find {name}; nor did any read after it. \
                 Nothing removes elements, so it was lost.",
                label(wrong),
                duration(operations[missed].invoke_time.saturating_sub(known_at))
            );
            vec![how, last, missed]
        });
    }

    fn stable(&mut self, element: &Element<'_>) {
        self.tally.stable += 1;
        let Some((known, witness)) = element.known else { return };
        let known_at = self.operations[witness].complete_time.unwrap_or(0);
        let latency = element.absent.map_or(0, |missed| {
            let missed = &self.operations[missed];
            if missed.invoke_index > known {
                self.tally.stale += 1;
            }
            (missed.invoke_time + 1).saturating_sub(known_at)
        });
        self.tally.until_stable.push(latency);
    }
}

/// A read of many elements, as far as it is about one of them.
fn read_with_or_without(operation: &Operation, element: &Value) -> String {
    match operation.result.as_list() {
        Some(list) if operation.f == "read" => {
            let has = if list.contains(element) { "with" } else { "without" };
            let count = counted(list.len() as u64, "element");
            format!("read -> {count}, {has} {}", brief(element))
        }
        _ => text(operation),
    }
}

fn measurements(tally: &mut Tally, findings: &Findings<'_>) -> Vec<Measurement> {
    let mut measurements = vec![
        measured("attempted", tally.attempts),
        measured("stable", tally.stable),
        measured("lost", findings.count("lost-element")),
        measured("never read", tally.never_read),
        measured("stale", tally.stale),
        measured("duplicated", findings.count("duplicate-element")),
    ];
    for (what, latencies) in
        [("until stable", &mut tally.until_stable), ("until lost", &mut tally.until_lost)]
    {
        latencies.sort_unstable();
        // Where all were seen at once there is nothing to tell.
        if latencies.last().is_none_or(|longest| *longest == 0) {
            continue;
        }
        for (name, share) in QUANTILES {
            if let Some(latency) = quantile(latencies, share) {
                let millis = (latency as f64 / 1e3).round() / 1e3;
                let millis = Value::Float(Float(millis));
                measurements.push(measured(&format!("{what}, {name}, ms"), millis));
            }
        }
    }
    measurements
}

/// The latency that a share of all is below, as Jepsen takes it.
fn quantile(sorted: &[u64], share: f64) -> Option<u64> {
    let position = (sorted.len() as f64 * share).floor() as usize;
    sorted.get(position.min(sorted.len().checked_sub(1)?)).copied()
}

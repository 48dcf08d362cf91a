//! Bounded staleness: how old may what is read be at most, so that the history has an order?
//!
//! This is the Δ of Golab, Li & Shah (2011): the least time by which all reads must be allowed to begin
//! earlier than they did, so that the history is linearizable. It is found by halving, because a
//! history that is explained with some Δ is explained with any greater one.
//!
//! Only operations that change nothing may be stale. A lost update, or a value that was read before it
//! was written, is not explained by any Δ; then there is no bound.

use super::findings::seconds;
use super::linearizable::{Meter, decide, partition};
use super::{Anomaly, Budget, Check, CheckOptions, Measurement, PartitionCounts, Verdict};
use crate::history::{Operation, Value};
use crate::model::{Decision, Entry, Model, ObjectModel, UnsuitableOperation};

/// Differences of less than this count as none: 1 µs.
const RESOLUTION_NS: u64 = 1_000;

/// How stale the reads of one object are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Staleness {
    /// By this much at most, in nanoseconds.
    AtMost(u64),
    /// No bound explains what was read.
    Unbounded,
}

/// Finds out how stale the reads of each key of the model `M` are at most.
pub fn check_staleness<M: ObjectModel>(
    operations: &[Operation],
    options: &CheckOptions,
    budget: &dyn Budget,
) -> Result<Check, UnsuitableOperation> {
    let name = "bounded-staleness";
    let initial = options.initial.clone().unwrap_or_else(M::usual_initial);
    let mut partitions = PartitionCounts::default();
    let (mut reason, mut anomalies, mut worst) = (None, Vec::new(), 0);
    for (key, operations) in partition(operations) {
        let (model, entries) = M::encode(&operations, &initial)?;
        let mut meter = Meter::new(budget);
        match meter.ask(0).and_then(|()| staleness(&model, &operations, &entries, &mut meter)) {
            Ok(Staleness::AtMost(time)) => {
                partitions.valid += 1;
                worst = worst.max(time);
            }
            Ok(Staleness::Unbounded) => {
                partitions.invalid += 1;
                anomalies.push(Anomaly {
                    kind: "unbounded-staleness".to_owned(),
                    key,
                    operations: Vec::new(),
                    edges: Vec::new(),
                    wrong: Vec::new(),
                    explanation: vec![
                        "Even if every read may return any older value, there is no order."
                            .to_owned(),
                        "So an update was lost, or a value was read that was not written yet."
                            .to_owned(),
                    ],
                });
            }
            Err(spent) => {
                partitions.unknown += 1;
                reason.get_or_insert_with(|| match key {
                    Some(key) => format!("key {key}: {spent}"),
                    None => spent,
                });
            }
        }
    }
    let (verdict, summary) = match partitions {
        PartitionCounts { invalid, .. } if invalid > 0 => {
            (Verdict::Invalid, format!("{invalid} keys are not explained by stale reads"))
        }
        PartitionCounts { unknown, .. } if unknown > 0 => {
            (Verdict::Unknown, format!("{unknown} keys could not be decided"))
        }
        _ => (Verdict::Valid, format!("every read is {}", at_most(worst))),
    };
    let value = Value::from(worst as f64 / 1e6);
    Ok(Check {
        reason,
        partitions: Some(partitions),
        anomalies,
        measurements: vec![Measurement { name: "staleness, at most, in ms".to_owned(), value }],
        ..Check::new(name, verdict, summary)
    })
}

/// A bound in words, such as `at most 0.12 s stale`.
pub(super) fn at_most(time: u64) -> String {
    match time {
        0 => "fresh".to_owned(),
        _ => format!("at most {} stale", seconds(time)),
    }
}

/// The bound of one object; `id` of an entry is the position of its operation. The error is the budget
/// that ran out.
pub(super) fn staleness<M: Model>(
    model: &M,
    operations: &[&Operation],
    entries: &[Entry<M::Op>],
    meter: &mut Meter<'_>,
) -> Result<Staleness, String> {
    let clock = Clock::new(operations);
    let mut holds = |time: u64| {
        let shifted: Vec<Entry<M::Op>> = entries
            .iter()
            .map(|entry| {
                let mut entry = entry.clone();
                if model.is_read_only(&entry.op) {
                    let begun = operations[entry.id].invoke_time.saturating_sub(time);
                    entry.invoked = entry.invoked.min(clock.moment(begun));
                }
                entry
            })
            .collect();
        meter.ask(shifted.len() * size_of::<Entry<M::Op>>())?;
        decide(model, &shifted, meter).map(|decision| decision != Decision::Impossible)
    };
    if holds(0)? {
        return Ok(Staleness::AtMost(0));
    }
    let (mut low, mut high) = (0, clock.end().saturating_add(1));
    if !holds(high)? {
        return Ok(Staleness::Unbounded);
    }
    while high - low > RESOLUTION_NS {
        let middle = low + (high - low) / 2;
        if holds(middle)? {
            high = middle;
        } else {
            low = middle;
        }
    }
    Ok(Staleness::AtMost(high))
}

/// Moments by time.
struct Clock {
    /// Times of events, made to ascend, with their moments.
    times: Vec<(u64, u64)>,
}

impl Clock {
    fn new(operations: &[&Operation]) -> Self {
        let mut times: Vec<(u64, u64)> = Vec::with_capacity(2 * operations.len());
        for operation in operations {
            times.push((2 * operation.invoke_index, operation.invoke_time));
            if let (Some(index), Some(time)) = (operation.complete_index, operation.complete_time) {
                times.push((2 * index + 1, time));
            }
        }
        times.sort_unstable();
        let mut latest = 0;
        for entry in &mut times {
            latest = latest.max(entry.1);
            *entry = (latest, entry.0);
        }
        Self { times }
    }

    /// The first event at this time or later.
    fn moment(&self, time: u64) -> u64 {
        let at = self.times.partition_point(|&(other, _)| other < time);
        self.times.get(at).map_or(u64::MAX, |&(_, moment)| moment & !1)
    }

    fn end(&self) -> u64 {
        self.times.last().map_or(0, |&(time, _)| time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checker::linearizable::Unlimited;
    use crate::history::{notation, operations};
    use crate::model::Register;

    #[track_caller]
    fn staleness_ms(text: &str) -> Option<f64> {
        let operations = operations(&notation::parse(text).unwrap()).unwrap();
        let options = CheckOptions::default();
        let check = check_staleness::<Register>(&operations, &options, &Unlimited).unwrap();
        match (check.verdict, &check.measurements[0].value) {
            (Verdict::Valid, Value::Float(time)) => Some(time.0),
            _ => None,
        }
    }

    #[test]
    fn a_stale_read_is_as_old_as_the_write_that_it_missed() {
        assert_eq!(staleness_ms("p0 w1 ; p1 r1"), Some(0.0));
        // Written at 2 to 3 ms, missed at 6 ms: it must be allowed to begin by 3 ms.
        let time = staleness_ms("p0 w1 ; p1 w2 ; p0 r2 ; p1 r1").unwrap();
        assert!((2.9..3.1).contains(&time), "{time}");
        let older = staleness_ms("p0 w1 ; p1 w2 ; p0 r2 ; p0 r2 ; p1 r1").unwrap();
        assert!((4.9..5.1).contains(&older), "{older}");
    }

    #[test]
    fn what_no_staleness_explains_has_no_bound() {
        assert_eq!(staleness_ms("p0 w1 ; p1 c1:2 ; p2 c1:3"), None);
        assert_eq!(staleness_ms("p1 r1 ; p0 w1"), None);
        assert_eq!(staleness_ms("p1 r7"), None);
    }
}

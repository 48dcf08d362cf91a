//! Sequential consistency (Lamport 1979) of single objects: is there an order of the operations that
//! the model accepts and that keeps the order of each process? Real time does not count.
//!
//! ```text
//! entries ── linearizable? ──> that order is one                                     ──> Valid
//!         └─ saturate: who must come before whom, until that is a circle (unique values) ──> Invalid
//!         └─ search over how far each process has come                      ──> Valid, Invalid
//!                                                                   spent   ──> Unknown
//! ```
//!
//! It is judged key by key. That is weaker than to ask it of the history as a whole: sequential
//! consistency is not local (Herlihy & Wing 1990, section 3.3), so each key may have its order while
//! there is none for all of them together. To decide it takes exponential time in the worst case, even
//! if it is known which write each read saw (Gibbons & Korach 1997).

mod saturation;
mod search;

#[cfg(test)]
mod tests;

#[cfg(test)]
pub(super) use tests::history;

use super::linearizable::{Meter, decide, partition};
use super::{Anomaly, Budget, Check, CheckOptions, PartitionCounts, Verdict, Witness};
use crate::history::Operation;
use crate::model::{Decision, Entry, Model, ObjectModel, UnsuitableOperation};

/// Steps that the question for linearizability may take.
const LINEARIZABLE_STEPS: u64 = 100_000;

/// Checks that each key of the history is a sequentially consistent object of the model `M`.
pub fn check_sequential<M: ObjectModel>(
    operations: &[Operation],
    options: &CheckOptions,
    budget: &dyn Budget,
) -> Result<Check, UnsuitableOperation> {
    let initial = options.initial.clone().unwrap_or_else(M::usual_initial);
    let mut partitions = PartitionCounts::default();
    let (mut reason, mut anomalies, mut witness) = (None, Vec::new(), Vec::new());
    for (key, operations) in partition(operations) {
        let (model, entries) = M::encode(&operations, &initial)?;
        let mut meter = Meter::new(budget);
        let decision =
            meter.ask(0).and_then(|()| sequential(&model, &operations, &entries, &mut meter));
        match decision {
            Ok(Decision::Order(order)) => {
                partitions.valid += 1;
                if options.witness {
                    let order = order.iter().map(|&id| operations[id].invoke_index).collect();
                    witness.push(Witness { key, order });
                }
            }
            Ok(Decision::Impossible) => {
                partitions.invalid += 1;
                anomalies.push(Anomaly {
                    kind: "not-sequential".to_owned(),
                    key,
                    operations: Vec::new(),
                    edges: Vec::new(),
                    wrong: Vec::new(),
                    explanation: vec![
                        format!("{} operations were looked at.", entries.len()),
                        format!(
                            "No order of them keeps the order of each process and gives what they \
                             returned, if the {} is one object.",
                            model.noun()
                        ),
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
    let total = partitions.valid + partitions.unknown + partitions.invalid;
    let objects = if total == 1 { "key" } else { "keys" };
    let (verdict, summary) = match partitions {
        PartitionCounts { invalid, .. } if invalid > 0 => (
            Verdict::Invalid,
            format!("{invalid} of {total} {objects} have no order that keeps that of each process"),
        ),
        PartitionCounts { unknown, .. } if unknown > 0 => {
            (Verdict::Unknown, format!("{unknown} of {total} {objects} could not be decided"))
        }
        _ => (
            Verdict::Valid,
            format!("{total} {objects}, each with an order that keeps that of each process"),
        ),
    };
    Ok(Check {
        reason,
        partitions: Some(partitions),
        anomalies,
        witness,
        ..Check::new("sequential", verdict, summary)
    })
}

/// An order that keeps that of each process, if there is one; `id` of an entry is the position of its
/// operation. The error is the budget that ran out.
pub(super) fn sequential<M: Model>(
    model: &M,
    operations: &[&Operation],
    entries: &[Entry<M::Op>],
    meter: &mut Meter<'_>,
) -> Result<Decision, String> {
    let mut attempt = meter.attempt(LINEARIZABLE_STEPS);
    if let Ok(Decision::Order(order)) = decide(model, entries, &mut attempt) {
        return Ok(Decision::Order(order));
    }
    let processes = processes(operations, entries);
    if saturation::is_impossible(model, &processes, meter)? {
        return Ok(Decision::Impossible);
    }
    search::search(model, &processes, meter)
}

/// The entries of each process, in its order. A crashed one is the last of its process.
fn processes<'a, O>(operations: &[&Operation], entries: &'a [Entry<O>]) -> Vec<Vec<&'a Entry<O>>> {
    let mut numbers = rustc_hash::FxHashMap::default();
    let mut processes: Vec<Vec<&Entry<O>>> = Vec::new();
    let mut sorted: Vec<&Entry<O>> = entries.iter().collect();
    sorted.sort_by_key(|entry| entry.invoked);
    for entry in sorted {
        let number = *numbers.entry(operations[entry.id].process).or_insert(processes.len());
        if number == processes.len() {
            processes.push(Vec::new());
        }
        processes[number].push(entry);
    }
    processes
}

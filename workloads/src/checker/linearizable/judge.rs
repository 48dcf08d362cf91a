//! The check as a whole: keys, threads, and the verdict.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustc_hash::FxHashMap;

use super::counterexample::counterexample;
use super::decide::decide;
use super::meter::Meter;
use super::minimise::minimise;
use super::search::search;
use super::still::still_holds;
use super::verify::verify;
use crate::checker::table::checker;
use crate::checker::{
    Budget, Check, CheckOptions, Counterexample, Method, PartitionCounts, Verdict, Witness,
};
use crate::history::{Operation, Value};
use crate::model::{Decision, Entry, Initial, ModelInfo, ObjectModel, UnsuitableOperation};
use crate::plural::{count, counted};

/// The name of the check.
const NAME: &str = "linearizable";

/// Counterexamples shown; further keys are only counted.
const COUNTEREXAMPLES_MAX: usize = 8;

/// What the check is told apart from the history.
#[derive(Debug, Clone)]
pub struct LinearizableOptions {
    /// What each object holds before the first operation.
    pub initial: Initial,
    /// Keys judged at the same time; the result does not depend on it.
    pub threads: usize,
}

/// What is known about one key.
enum KeyVerdict {
    /// With the order that explains it, if it was asked for.
    Valid(Option<Vec<u64>>),
    Unknown(String),
    /// Boxed, because most keys are valid.
    Invalid(Box<Counterexample>),
}

/// Checks that each key of the history is a linearizable object of `model`.
pub fn check(
    operations: &[Operation],
    model: &ModelInfo,
    options: &LinearizableOptions,
    budget: &dyn Budget,
) -> Result<Check, UnsuitableOperation> {
    let info = checker(model.name, Some(NAME)).expect("every model has a judge (see the test)");
    let options = CheckOptions {
        initial: Some(options.initial.clone()),
        threads: options.threads,
        ..CheckOptions::default()
    };
    (info.check)(operations, &options, budget)
}

/// Checks that each key of the history is a linearizable object of the model `M`; what the table of
/// checkers names.
pub fn check_object<M: ObjectModel>(
    operations: &[Operation],
    options: &CheckOptions,
    budget: &dyn Budget,
) -> Result<Check, UnsuitableOperation> {
    let initial = options.initial.clone().unwrap_or_else(M::usual_initial);
    let keys = partition(operations);
    let next = AtomicUsize::new(0);
    let verdicts: Mutex<Vec<Option<Result<KeyVerdict, UnsuitableOperation>>>> =
        Mutex::new(keys.iter().map(|_| None).collect());
    let work = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some((key, operations)) = keys.get(number) else { return };
            let verdict = judge_object::<M>(key, operations, &initial, options, budget);
            verdicts.lock().expect("no thread panics while it holds this")[number] = Some(verdict);
        }
    };
    let threads = options.threads.clamp(1, keys.len().max(1));
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(work);
        }
        work();
    });
    let verdicts = verdicts.into_inner().expect("no thread panics while it holds this");
    let verdicts: Vec<KeyVerdict> = verdicts
        .into_iter()
        .map(|verdict| verdict.expect("every key was judged"))
        .collect::<Result<_, _>>()?;
    let is_invalid = |verdict: &KeyVerdict| matches!(verdict, KeyVerdict::Invalid(_));
    let invalid: Vec<&[&Operation]> = keys
        .iter()
        .zip(&verdicts)
        .filter(|(_, verdict)| is_invalid(verdict))
        .map(|((_, operations), _)| operations.as_slice())
        .collect();
    let still = still_holds::<M>(&invalid, &initial, budget)?;
    let mut check = summarise(&keys, verdicts, operations.len());
    if let Some(still) = still {
        check.summary.push_str(&still);
    }
    Ok(check)
}

/// The operations of each key, keys in order of first appearance.
pub fn partition(operations: &[Operation]) -> Vec<(Option<Value>, Vec<&Operation>)> {
    let mut numbers: FxHashMap<Option<&Value>, usize> = FxHashMap::default();
    let mut keys: Vec<(Option<Value>, Vec<&Operation>)> = Vec::new();
    for operation in operations {
        let number = *numbers.entry(operation.key.as_ref()).or_insert(keys.len());
        if number == keys.len() {
            keys.push((operation.key.clone(), Vec::new()));
        }
        keys[number].1.push(operation);
    }
    keys
}

fn judge_object<M: ObjectModel>(
    key: &Option<Value>,
    operations: &[&Operation],
    initial: &Initial,
    options: &CheckOptions,
    budget: &dyn Budget,
) -> Result<KeyVerdict, UnsuitableOperation> {
    let (model, entries) = M::encode(operations, initial)?;
    let mut meter = Meter::new(budget);
    // What is known without search takes a few words for each entry.
    let first = meter.ask(entries.len() * (size_of::<Entry<M::Op>>() * 2 + 48));
    let decision = match (first, options.method) {
        (Ok(()), Method::Fastest) => decide(&model, &entries, &mut meter),
        (Ok(()), Method::Search) => search(&model, &entries, &mut meter),
        (Err(spent), _) => Err(spent),
    };
    Ok(match decision {
        Err(spent) => KeyVerdict::Unknown(spent),
        Ok(Decision::Order(order)) => match verify(&model, &entries, &order) {
            Ok(()) => KeyVerdict::Valid(
                options
                    .witness
                    .then(|| order.iter().map(|&id| operations[id].invoke_index).collect()),
            ),
            Err(error) => {
                KeyVerdict::Unknown(format!("the witness order does not verify: {error} (a bug)"))
            }
        },
        Ok(Decision::Impossible) => {
            let small = minimise(&model, &entries, &meter);
            match counterexample(&model, key, operations, &entries, &small, &meter) {
                Some(counterexample) => KeyVerdict::Invalid(Box::new(counterexample)),
                None => KeyVerdict::Unknown(
                    "the counterexample does not verify: an order explains it (a bug)".to_owned(),
                ),
            }
        }
    })
}

fn summarise(
    keys: &[(Option<Value>, Vec<&Operation>)],
    verdicts: Vec<KeyVerdict>,
    operations: usize,
) -> Check {
    let mut counts = PartitionCounts::default();
    let mut reason = None;
    let mut counterexamples = Vec::new();
    let mut witness = Vec::new();
    for ((key, _), verdict) in keys.iter().zip(verdicts) {
        match verdict {
            KeyVerdict::Valid(order) => {
                counts.valid += 1;
                witness.extend(order.map(|order| Witness { key: key.clone(), order }));
            }
            KeyVerdict::Unknown(spent) => {
                counts.unknown += 1;
                reason.get_or_insert_with(|| match key {
                    Some(key) => format!("key {key}: {spent}"),
                    None => spent,
                });
            }
            KeyVerdict::Invalid(counterexample) => {
                counts.invalid += 1;
                counterexamples.push(*counterexample);
            }
        }
    }
    // The simplest first, and of those the earliest.
    counterexamples.sort_by_key(|it: &Counterexample| {
        let last = it.operations.iter().map(|operation| operation.invoke_time).max();
        (it.operations.len(), last)
    });
    counterexamples.truncate(COUNTEREXAMPLES_MAX);
    let total = counted(keys.len() as u64, "key");
    let (verdict, summary) = if counts.invalid > 0 {
        let invalid = count(counts.invalid as u64);
        (Verdict::Invalid, format!("{invalid} of {total} cannot be explained by any order"))
    } else if counts.unknown > 0 {
        (
            Verdict::Unknown,
            format!("{} of {total} could not be decided", count(counts.unknown as u64)),
        )
    } else {
        let operations = counted(operations as u64, "operation");
        (Verdict::Valid, format!("{operations} on {total} fit in a legal order"))
    };
    Check {
        reason,
        partitions: Some(counts),
        counterexamples,
        witness,
        ..Check::new(NAME, verdict, summary)
    }
}

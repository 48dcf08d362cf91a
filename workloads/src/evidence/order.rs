//! An order of operations: replayed from the start.

use std::collections::{BTreeMap, BTreeSet};

use super::Object;
use super::verify::{History, Outcome};
use crate::checker::Witness;
use crate::history::{Operation, Outcome as Ended, Value};

/// Which order of the history an order must keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// What ended before another began comes before it.
    RealTime,
    /// The operations of each process.
    Process,
    /// None.
    Nothing,
}

impl Kept {
    /// Whether `one` must come before `other`.
    pub(super) fn precedes(self, one: &Operation, other: &Operation) -> bool {
        let over = one.complete_index.filter(|_| one.outcome == Ended::Ok);
        match self {
            Kept::RealTime => over.is_some_and(|end| end < other.invoke_index),
            Kept::Process => one.process == other.process && one.invoke_index < other.invoke_index,
            Kept::Nothing => false,
        }
    }

    /// What the orders of a property keep; none if an order proves nothing about it.
    pub(super) fn of_property(property: &str) -> Option<Kept> {
        match property {
            "linearizable" | "strict-serializable" => Some(Kept::RealTime),
            "sequential" | "session-serializable" | "strong-session-serializable" => {
                Some(Kept::Process)
            }
            "serializable" => Some(Kept::Nothing),
            _ => None,
        }
    }
}

/// Whether the orders together explain all of the history.
pub(super) fn verify_orders(
    orders: &[Witness],
    start: &Object,
    kept: Kept,
    history: &History<'_>,
) -> Outcome {
    let mut seen = BTreeSet::new();
    let mut keys = BTreeSet::new();
    for witness in orders {
        // Each replay begins with what there was at first, so that halves of an order prove nothing.
        if !keys.insert(&witness.key) {
            return Outcome::Refuted("there are two orders of one object".to_owned());
        }
        let of_one_object = orders.len() > 1 || witness.key.is_some();
        let stray = witness.order.iter().find(|&&index| {
            of_one_object && history.get(index).is_some_and(|it| it.key != witness.key)
        });
        if let Some(index) = stray {
            return Outcome::Refuted(format!("event {index} is on another key"));
        }
        if let Err(why) = replay(witness, start, kept, history, &mut seen) {
            let key = witness.key.as_ref().map_or(String::new(), |key| format!("key {key}: "));
            return Outcome::Refuted(format!("{key}{why}"));
        }
    }
    let is_missing = |it: &&Operation| it.outcome == Ended::Ok && !seen.contains(&it.invoke_index);
    match history.operations.iter().find(is_missing) {
        Some(missing) => Outcome::Refuted(format!(
            "event {} was acknowledged, but is in no order",
            missing.invoke_index
        )),
        None => Outcome::Confirmed,
    }
}

fn replay(
    witness: &Witness,
    start: &Object,
    kept: Kept,
    history: &History<'_>,
    seen: &mut BTreeSet<u64>,
) -> Result<(), String> {
    let mut states: BTreeMap<Option<&Value>, Object> = BTreeMap::new();
    let mut latest_invocation = 0;
    let mut latest_of_process: BTreeMap<u64, u64> = BTreeMap::new();
    for &index in &witness.order {
        let operation = history.get(index).ok_or(format!("event {index} invokes nothing"))?;
        if operation.outcome == Ended::Fail {
            return Err(format!("event {index} failed, so that it had no effect"));
        }
        if !seen.insert(index) {
            return Err(format!("event {index} occurs twice"));
        }
        let completed = operation.complete_index.filter(|_| operation.outcome == Ended::Ok);
        if kept == Kept::RealTime && completed.is_some_and(|end| end < latest_invocation) {
            return Err(format!("event {index} ended before an operation that it follows began"));
        }
        latest_invocation = latest_invocation.max(index);
        let before = latest_of_process.insert(operation.process, index);
        if kept == Kept::Process && before.is_some_and(|before| before > index) {
            return Err(format!("event {index} follows a later one of its process"));
        }
        let state = states.entry(operation.key.as_ref()).or_insert_with(|| start.clone());
        state.apply(operation).map_err(|why| format!("event {index}: {why}"))?;
    }
    Ok(())
}

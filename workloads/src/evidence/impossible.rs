//! A few operations that no order explains: all orders are tried.

use std::collections::HashSet;

use super::Object;
use super::closure::{Closed, close};
use super::document::ImpossibleSet;
use super::verify::{History, Outcome};
use crate::history::{Operation, Outcome as Ended};

/// Operations that can be tried in all orders: as many as an integer has bits.
const OPERATIONS_MAX: usize = 64;
/// Situations that are looked at before giving up.
const SITUATIONS_MAX: usize = 2_000_000;

/// Whether no order explains the operations of a set, and so none the history.
pub(super) fn verify_impossible(
    set: &ImpossibleSet,
    model: &str,
    start: &Object,
    history: &History<'_>,
) -> Outcome {
    let mut few = Vec::new();
    for &index in &set.operations {
        match history.get(index) {
            Some(operation) if operation.key != set.key => {
                return Outcome::Refuted(format!("event {index} is on another key"));
            }
            Some(operation) => few.push(operation),
            None => return Outcome::Refuted(format!("event {index} invokes nothing")),
        }
    }
    if few.len() > OPERATIONS_MAX {
        return Outcome::Unproved(format!("more than {OPERATIONS_MAX} operations"));
    }
    let all: Vec<&Operation> =
        history.operations.iter().filter(|operation| operation.key == set.key).collect();
    let closed = match close(model, history.initial, &few, &all) {
        Ok(closed) => closed,
        Err(why) => {
            return Outcome::Unproved(format!("the set does not speak for the history: {why}"));
        }
    };
    few.retain(|operation| operation.outcome != Ended::Fail);
    match explained(&few, &closed, start) {
        Some(true) => Outcome::Refuted("an order explains the operations".to_owned()),
        Some(false) => Outcome::Confirmed,
        None => Outcome::Unproved(format!("more than {SITUATIONS_MAX} situations")),
    }
}

/// Whether some order explains the operations. None if there are too many to try.
fn explained(few: &[&Operation], closed: &Closed, start: &Object) -> Option<bool> {
    let acknowledged = few
        .iter()
        .enumerate()
        .filter(|(_, operation)| operation.outcome == Ended::Ok)
        .fold(0_u64, |bits, (position, _)| bits | 1 << position);
    let mut seen: HashSet<(u64, Object)> = HashSet::new();
    let mut open = vec![(0_u64, start.clone())];
    while let Some((done, state)) = open.pop() {
        if done & acknowledged == acknowledged {
            return Some(true);
        }
        if seen.len() > SITUATIONS_MAX {
            return None;
        }
        for (position, operation) in few.iter().enumerate() {
            let bit = 1 << position;
            // Whoever ended before this one began must have acted.
            let too_early = few.iter().enumerate().any(|(other, before)| {
                done & (1 << other) == 0
                    && before.outcome == Ended::Ok
                    && before.complete_index.is_some_and(|end| end < operation.invoke_index)
            });
            if done & bit != 0 || too_early {
                continue;
            }
            let mut after = state.clone();
            let applied = if closed.as_writes.contains(&operation.invoke_index) {
                after = Object::Register(Some(operation.invoked[1].clone()));
                Ok(())
            } else {
                after.apply(operation)
            };
            if applied.is_ok() && seen.insert((done | bit, after.clone())) {
                open.push((done | bit, after));
            }
        }
    }
    Some(false)
}

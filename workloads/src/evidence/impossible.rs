//! A few operations that no order explains: all orders are tried.

use std::collections::{BTreeSet, HashSet};

use super::closure::{Closed, close};
use super::document::ImpossibleSet;
use super::verify::{History, Outcome};
use super::{Kept, Object};
use crate::history::{Operation, Outcome as Ended};

/// Operations that can be tried in all orders: as many as an integer has bits.
const OPERATIONS_MAX: usize = 64;
/// Operations on an object that are all tried, where a set of them does not speak for the others.
const SHORT: usize = 24;
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
        Err(_) if all_explained(&all, start, Kept::RealTime) == Some(false) => {
            return Outcome::Confirmed;
        }
        Err(why) => {
            return Outcome::Unproved(format!("the set does not speak for the history: {why}"));
        }
    };
    few.retain(|operation| operation.outcome != Ended::Fail);
    match search(&few, &closed, start, Kept::RealTime) {
        Some(true) => Outcome::Refuted("an order explains the operations".to_owned()),
        Some(false) => Outcome::Confirmed,
        None => Outcome::Unproved(format!("more than {SITUATIONS_MAX} situations")),
    }
}

/// Whether some order explains all operations on an object, with nothing left out. None if there are
/// too many to try.
pub(super) fn all_explained(all: &[&Operation], start: &Object, kept: Kept) -> Option<bool> {
    if all.len() > SHORT {
        return None;
    }
    let few: Vec<&Operation> = all.iter().copied().filter(|it| it.outcome != Ended::Fail).collect();
    search(&few, &Closed { as_writes: BTreeSet::new() }, start, kept)
}

/// Whether some order explains all of these operations on one object, or on all objects of a
/// transactional store. None if there are too many to try.
pub fn explained(operations: &[Operation], start: &Object, kept: Kept) -> Option<bool> {
    let few: Vec<&Operation> =
        operations.iter().filter(|operation| operation.outcome != Ended::Fail).collect();
    let closed = Closed { as_writes: BTreeSet::new() };
    if few.len() > OPERATIONS_MAX { None } else { search(&few, &closed, start, kept) }
}

/// Tries all orders.
fn search(few: &[&Operation], closed: &Closed, start: &Object, kept: Kept) -> Option<bool> {
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
            let too_early = few.iter().enumerate().any(|(other, before)| {
                done & (1 << other) == 0 && kept.precedes(before, operation)
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

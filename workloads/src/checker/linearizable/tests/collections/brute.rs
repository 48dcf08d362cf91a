//! A checker of collections so simple that it must be right: all orders, and all that crashed removals
//! may have taken.

use std::collections::BTreeSet;

use crate::model::{CollectionOp, Entry, LogOp, SetOp};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Queue,
    Stack,
    Bag,
    PriorityQueue,
}

/// Whether some order explains the entries, given the states that may come after each operation.
pub(super) fn is_linearizable<O, S>(
    entries: &[Entry<O>],
    initial: &S,
    outcomes: &impl Fn(&S, &O) -> Vec<S>,
) -> bool {
    extend(entries, &mut vec![false; entries.len()], initial, outcomes)
}

fn extend<O, S>(
    entries: &[Entry<O>],
    done: &mut [bool],
    state: &S,
    outcomes: &impl Fn(&S, &O) -> Vec<S>,
) -> bool {
    if entries.iter().zip(&*done).all(|(entry, &done)| done || entry.is_crashed()) {
        return true;
    }
    for next in 0..entries.len() {
        let must_wait = (0..entries.len())
            .any(|other| !done[other] && entries[other].completed < entries[next].invoked);
        if done[next] || must_wait {
            continue;
        }
        for after in outcomes(state, &entries[next].op) {
            done[next] = true;
            let explained = extend(entries, done, &after, outcomes);
            done[next] = false;
            if explained {
                return true;
            }
        }
    }
    false
}

/// The states of a collection that may come after `op`.
pub(super) fn collection(kind: Kind, state: &[u32], op: CollectionOp) -> Vec<Vec<u32>> {
    let next: Vec<usize> = match kind {
        Kind::Queue => (0..state.len()).take(1).collect(),
        Kind::Stack => (0..state.len()).rev().take(1).collect(),
        Kind::Bag => (0..state.len()).collect(),
        Kind::PriorityQueue => (0..state.len()).min_by_key(|&at| state[at]).into_iter().collect(),
    };
    let without = |at: usize| {
        let mut after = state.to_vec();
        after.remove(at);
        after
    };
    match op {
        CollectionOp::Insert(value) => vec![[state, &[value]].concat()],
        CollectionOp::Remove(value) => {
            next.into_iter().filter(|&at| state[at] == value).map(without).collect()
        }
        CollectionOp::Peek(value) => {
            let seen = next.iter().any(|&at| state[at] == value);
            seen.then(|| state.to_vec()).into_iter().collect()
        }
        CollectionOp::Empty => state.is_empty().then(Vec::new).into_iter().collect(),
        CollectionOp::RemoveUnknown => next.into_iter().map(without).collect(),
    }
}

/// The states of a set that may come after `op`: one, or none.
pub(super) fn set(state: &BTreeSet<u32>, op: &SetOp) -> Vec<BTreeSet<u32>> {
    let mut after = state.clone();
    let possible = match op {
        SetOp::Add(element, new) => {
            let was_new = after.insert(*element);
            new.is_none_or(|new| new == was_new)
        }
        SetOp::Remove(element, found) => {
            let was_there = after.remove(element);
            found.is_none_or(|found| found == was_there)
        }
        SetOp::Contains(element, present) => state.contains(element) == *present,
        SetOp::Read(elements) => state.iter().eq(elements.iter()),
        SetOp::Twice(_) => false,
        SetOp::Saw(elements) => elements.iter().all(|(it, seen)| state.contains(it) == *seen),
    };
    possible.then_some(after).into_iter().collect()
}

/// The states of a log that may come after `op`: one, or none.
pub(super) fn log(state: &[u32], op: &LogOp) -> Vec<Vec<u32>> {
    let length = state.len();
    match op {
        LogOp::Append { value, offset, .. } => {
            let possible = offset.is_none_or(|offset| offset as usize == length);
            possible.then(|| [state, &[*value]].concat()).into_iter().collect()
        }
        LogOp::Read(offset, values) => {
            let tail = state.get(*offset as usize..).unwrap_or_default();
            tail.starts_with(values).then(|| state.to_vec()).into_iter().collect()
        }
        LogOp::Nothing(offset) => {
            (length as u64 <= *offset).then(|| state.to_vec()).into_iter().collect()
        }
    }
}

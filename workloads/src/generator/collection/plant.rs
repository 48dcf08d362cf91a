//! Violations in histories that were valid.

use rustc_hash::FxHashMap;

use super::CollectionKind;
use crate::history::{Operation, Outcome, Value};

/// What is wrong with a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Violation {
    /// A value is observed that nobody inserted.
    Phantom,
    /// A value is removed twice.
    Duplicate,
    /// An element is not there while it must be.
    Lost,
    /// Two elements leave in the wrong order.
    Order,
}

/// Plants a violation as late as possible; false if there is no place where it would surely be one.
pub fn plant(kind: CollectionKind, violation: Violation, operations: &mut [Operation]) -> bool {
    match violation {
        Violation::Phantom => plant_phantom(kind, operations),
        Violation::Duplicate => plant_duplicate(kind, operations),
        Violation::Lost => plant_lost(kind, operations),
        Violation::Order => plant_order(kind, operations),
    }
}

fn is_removal(operation: &Operation) -> bool {
    operation.outcome == Outcome::Ok
        && matches!(operation.f.as_str(), "dequeue" | "pop" | "delete-min")
}

fn precedes(a: &Operation, b: &Operation) -> bool {
    a.outcome == Outcome::Ok && a.complete_index.is_some_and(|index| index < b.invoke_index)
}

fn plant_phantom(kind: CollectionKind, operations: &mut [Operation]) -> bool {
    let phantom = Value::from(-1);
    let taken = operations.iter_mut().rev().find(|operation| match kind {
        CollectionKind::Set => operation.f == "contains" && operation.outcome == Outcome::Ok,
        CollectionKind::GrowOnlySet | CollectionKind::Log => {
            operation.f == "read" && operation.outcome == Outcome::Ok
        }
        CollectionKind::Queue
        | CollectionKind::Bag
        | CollectionKind::Stack
        | CollectionKind::PriorityQueue => is_removal(operation),
    });
    let Some(taken) = taken else { return false };
    match kind {
        CollectionKind::Set => {
            let element = Value::list([phantom.clone(), Value::Null]);
            taken.invoked = element;
            taken.result = Value::list([phantom, Value::from(true)]);
        }
        CollectionKind::GrowOnlySet => taken.result = Value::list([phantom]),
        _ => taken.result = phantom,
    }
    true
}

fn plant_duplicate(kind: CollectionKind, operations: &mut [Operation]) -> bool {
    let removals: Vec<usize> = (0..operations.len())
        .rev()
        .filter(|&at| is_removal(&operations[at]) && !operations[at].result.is_null())
        .take(2)
        .collect();
    let collection = matches!(
        kind,
        CollectionKind::Queue
            | CollectionKind::Bag
            | CollectionKind::Stack
            | CollectionKind::PriorityQueue
    );
    let &[second, first] = removals.as_slice() else { return false };
    operations[second].result = operations[first].result.clone();
    collection
}

/// The moments at which acknowledged insertions of each integer ended and removals began.
fn stays(operations: &[Operation]) -> FxHashMap<i64, (u64, u64, u64)> {
    let mut stays = FxHashMap::default();
    for operation in operations {
        let inserts = matches!(operation.f.as_str(), "enqueue" | "push" | "insert");
        if inserts
            && operation.outcome == Outcome::Ok
            && let (Some(value), Some(index)) =
                (operation.invoked.as_i64(), operation.complete_index)
        {
            stays.insert(value, (operation.invoke_index, index, u64::MAX));
        }
    }
    for operation in operations.iter().filter(|operation| is_removal(operation)) {
        if let Some(stay) = operation.result.as_i64().and_then(|value| stays.get_mut(&value)) {
            stay.2 = operation.invoke_index;
        }
    }
    stays
}

/// An observation of emptiness, or that an element is absent, while one is surely inside.
fn plant_lost(kind: CollectionKind, operations: &mut [Operation]) -> bool {
    if kind == CollectionKind::Set {
        // The element is never removed, or only after the observation was over.
        let mut removed = FxHashMap::default();
        let mut added = FxHashMap::default();
        for operation in operations.iter() {
            match operation.f.as_str() {
                "remove" => {
                    removed.entry(operation.invoked[0].clone()).or_insert(operation.invoke_index);
                }
                "add" if operation.outcome == Outcome::Ok => {
                    added.insert(operation.invoked[0].clone(), operation.complete_index);
                }
                _ => {}
            }
        }
        let read = operations.iter_mut().rev().find(|operation| {
            let element = &operation.invoked[0];
            operation.f == "contains"
                && operation.outcome == Outcome::Ok
                && added
                    .get(element)
                    .copied()
                    .flatten()
                    .is_some_and(|it| it < operation.invoke_index)
                && removed.get(element).is_none_or(|&it| Some(it) > operation.complete_index)
        });
        let Some(read) = read else { return false };
        read.result = Value::list([read.invoked[0].clone(), Value::from(false)]);
        return true;
    }
    if kind == CollectionKind::GrowOnlySet {
        let Some(read) = (0..operations.len())
            .rev()
            .find(|&at| operations[at].f == "read" && operations[at].outcome == Outcome::Ok)
        else {
            return false;
        };
        let Some(add) = (0..read)
            .rev()
            .find(|&at| operations[at].f == "add" && precedes(&operations[at], &operations[read]))
        else {
            return false;
        };
        let lost = operations[add].invoked.clone();
        let kept = operations[read].result.as_list().unwrap_or_default();
        let kept: Vec<Value> = kept.iter().filter(|value| **value != lost).cloned().collect();
        operations[read].result = Value::from(kept);
        return true;
    }
    let stays = stays(operations);
    // With crashed removals, the element that nobody saw leave may be gone.
    let mut by_end: Vec<(u64, u64)> = stays
        .values()
        .filter(|(.., out)| *out != u64::MAX)
        .map(|&(_, inside, out)| (inside, out))
        .collect();
    by_end.sort_unstable();
    let mut latest = Vec::with_capacity(by_end.len());
    let mut most = 0;
    for &(_, out) in &by_end {
        most = most.max(out);
        latest.push(most);
    }
    let empty = (0..operations.len()).rev().find(|&at| {
        let operation = &operations[at];
        let before = by_end.partition_point(|&(inside, _)| inside < operation.invoke_index);
        is_removal(operation)
            && before > 0
            && operation.complete_index.is_some_and(|over| latest[before - 1] > over)
    });
    if let Some(empty) = empty {
        // What it took stays inside, which only adds to it.
        operations[empty].result = Value::Null;
    }
    empty.is_some()
}

/// Exchanges the results of two removals.
fn plant_order(kind: CollectionKind, operations: &mut [Operation]) -> bool {
    let stays = stays(operations);
    let stay = |operation: &Operation| {
        operation.result.as_i64().and_then(|value| Some((value, *stays.get(&value)?)))
    };
    let removals: Vec<usize> =
        (0..operations.len()).rev().filter(|&at| is_removal(&operations[at])).collect();
    for (place, &second) in removals.iter().enumerate() {
        let Some((late, (late_from, late_in, _))) = stay(&operations[second]) else { continue };
        for &first in removals[place + 1..].iter().take(200) {
            let Some((early, (early_from, early_in, _))) = stay(&operations[first]) else {
                continue;
            };
            if !precedes(&operations[first], &operations[second]) {
                continue;
            }
            let began = operations[first].invoke_index;
            let wrong = match kind {
                CollectionKind::Queue => early_in < late_from,
                CollectionKind::Stack => late_in < early_from && early_in < began,
                CollectionKind::PriorityQueue => {
                    early < late && early_in < began && late_in < began
                }
                CollectionKind::Bag
                | CollectionKind::Set
                | CollectionKind::GrowOnlySet
                | CollectionKind::Log => false,
            };
            if wrong {
                let result = operations[first].result.clone();
                operations[first].result = operations[second].result.clone();
                operations[second].result = result;
                return true;
            }
        }
    }
    false
}

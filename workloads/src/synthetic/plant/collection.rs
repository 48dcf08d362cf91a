//! Violations of queues, stacks, priority queues and sets. Elements are put in once.

use rand_chacha::ChaCha8Rng;
use rustc_hash::FxHashMap;

use super::{acknowledged, before, from, is_ok};
use crate::history::{Operation, Outcome, Value};

/// Operations that are looked at after the first of a pair.
const NEARBY: usize = 4000;

fn takes(operation: &Operation) -> bool {
    matches!(operation.f.as_str(), "dequeue" | "pop" | "delete-min")
}

fn puts(operation: &Operation) -> bool {
    matches!(operation.f.as_str(), "enqueue" | "push" | "insert")
}

/// Acknowledged removals of an element, from a share of the history on.
fn removals(operations: &[Operation], at: f64) -> Vec<usize> {
    let removes = |it: &usize| {
        let it = &operations[*it];
        takes(it) && it.outcome == Outcome::Ok && !it.result.is_null()
    };
    from(operations, at).filter(removes).collect()
}

/// Where each element was put in.
fn origins(operations: &[Operation]) -> FxHashMap<(Option<&Value>, &Value), usize> {
    operations
        .iter()
        .enumerate()
        .filter(|(_, it)| puts(it))
        .map(|(position, it)| ((it.key.as_ref(), &it.invoked), position))
        .collect()
}

/// An element comes out that nobody put in.
pub(in crate::synthetic) fn phantom(
    operations: &mut [Operation],
    at: f64,
    _random: &mut ChaCha8Rng,
) -> Option<String> {
    let position = *removals(operations, at).first()?;
    operations[position].result = Value::from(-7);
    Some(format!(
        "the {} at {} returns -7",
        operations[position].f, operations[position].invoke_index
    ))
}

/// An element comes out again that came out before, and was put in once.
pub(in crate::synthetic) fn duplicate(
    operations: &mut [Operation],
    at: f64,
    _random: &mut ChaCha8Rng,
) -> Option<String> {
    let removals = removals(operations, at);
    let first = *removals.first()?;
    let second = removals
        .into_iter()
        .find(|&it| it > first && operations[it].key == operations[first].key)?;
    operations[second].result = operations[first].result.clone();
    Some(format!("{} comes out twice", operations[first].result))
}

/// A removal finds nothing, while an element is inside all the time: it was put in before the removal
/// began, and the only one who took it out, acknowledged, began after that ended.
pub(in crate::synthetic) fn false_empty(
    operations: &mut [Operation],
    at: f64,
    _random: &mut ChaCha8Rng,
) -> Option<String> {
    let origins = origins(operations);
    let removals = removals(operations, at);
    let mut found = None;
    'search: for (number, &empty) in removals.iter().enumerate().take(500) {
        let Some(ended) = acknowledged(&operations[empty]) else { continue };
        for &later in removals[number + 1..].iter().take(200) {
            let it = &operations[later];
            let Some(&origin) = origins.get(&(it.key.as_ref(), &it.result)) else { continue };
            if it.key == operations[empty].key
                && it.invoke_index > ended
                && before(&operations[origin], &operations[empty])
            {
                found = Some((empty, it.result.clone()));
                break 'search;
            }
        }
    }
    let (empty, inside) = found?;
    operations[empty].result = Value::Null;
    let (f, index) = (&operations[empty].f, operations[empty].invoke_index);
    Some(format!("the {f} at {index} finds nothing although {inside} is inside"))
}

/// How two elements that leave in the wrong order got in.
#[derive(Clone, Copy)]
enum Swap {
    /// v went in before w, and w comes out before v.
    Queue,
    /// w went in on top of v, and v comes out before w.
    Stack,
    /// Both are inside, and the greater comes out before the lesser.
    Priority,
}

/// Of a queue: v was put in before w was, and w comes out before v does.
pub(in crate::synthetic) fn order_swap_queue(
    operations: &mut [Operation],
    at: f64,
    _random: &mut ChaCha8Rng,
) -> Option<String> {
    swap(operations, at, Swap::Queue)
}

/// Of a stack: w was put in after v and before v comes out, and comes out after v.
pub(in crate::synthetic) fn order_swap_stack(
    operations: &mut [Operation],
    at: f64,
    _random: &mut ChaCha8Rng,
) -> Option<String> {
    swap(operations, at, Swap::Stack)
}

/// Of a priority queue: the lesser w was put in before v comes out, and comes out after v.
pub(in crate::synthetic) fn order_swap_priority(
    operations: &mut [Operation],
    at: f64,
    _random: &mut ChaCha8Rng,
) -> Option<String> {
    swap(operations, at, Swap::Priority)
}

/// Two removals, of which the first ended before the second began, exchange their elements.
fn swap(operations: &mut [Operation], at: f64, kind: Swap) -> Option<String> {
    let origins = origins(operations);
    let removals = removals(operations, at);
    let mut found = None;
    'search: for (number, &first) in removals.iter().enumerate().take(500) {
        for &second in removals[number + 1..].iter().take(NEARBY / 10) {
            let (one, two) = (&operations[first], &operations[second]);
            if one.key != two.key || !before(one, two) {
                continue;
            }
            let origin = |it: &Operation| origins.get(&(it.key.as_ref(), &it.result)).copied();
            let (Some(first_in), Some(second_in)) = (origin(one), origin(two)) else { continue };
            let (first_in, second_in) = (&operations[first_in], &operations[second_in]);
            let certain = match kind {
                Swap::Queue => before(first_in, second_in),
                Swap::Stack => before(second_in, first_in) && before(first_in, one),
                Swap::Priority => {
                    one.result < two.result && before(first_in, one) && before(second_in, one)
                }
            };
            if certain {
                found = Some((first, second));
                break 'search;
            }
        }
    }
    let (first, second) = found?;
    let result = operations[first].result.clone();
    operations[first].result = std::mem::replace(&mut operations[second].result, result);
    Some(format!("{} comes out before {}", operations[first].result, operations[second].result))
}

/// `contains` says no, although the element was added before it began and nobody tried to remove it
/// before it ended.
pub(in crate::synthetic) fn lost_add(
    operations: &mut [Operation],
    at: f64,
    _random: &mut ChaCha8Rng,
) -> Option<String> {
    answer(operations, at, "add", false)
}

/// `contains` says yes, although the element was removed before it began; it is never added again.
pub(in crate::synthetic) fn stale_contains(
    operations: &mut [Operation],
    at: f64,
    _random: &mut ChaCha8Rng,
) -> Option<String> {
    answer(operations, at, "remove", true)
}

fn answer(operations: &mut [Operation], at: f64, after: &str, says: bool) -> Option<String> {
    let element = |it: &Operation| match it.f.as_str() {
        "add" => it.invoked.clone(),
        _ => it.invoked[0].clone(),
    };
    for position in from(operations, at).filter(|&it| is_ok(&operations[it], "contains")).take(300)
    {
        let asks = &operations[position];
        let wanted = element(asks);
        let same = || operations.iter().filter(|it| it.key == asks.key && element(it) == wanted);
        let done = same().any(|it| {
            it.f == after
                && before(it, asks)
                && (after == "add" || it.result[1] == Value::Bool(true))
        });
        let ended = acknowledged(asks).unwrap_or(u64::MAX);
        let removed = same()
            .any(|it| it.f == "remove" && it.outcome != Outcome::Fail && it.invoke_index < ended);
        if !done || (after == "add" && removed) {
            continue;
        }
        operations[position].result = Value::list([wanted.clone(), Value::from(says)]);
        return Some(format!("contains {wanted} is {says} after its {after}"));
    }
    None
}

/// All reads of a set that begin after an addition ended miss its element, and there is one.
pub(in crate::synthetic) fn lost_element(
    operations: &mut [Operation],
    at: f64,
    _random: &mut ChaCha8Rng,
) -> Option<String> {
    hide(operations, at, usize::MAX)
}

/// One read of a set that begins after an addition ended misses its element.
pub(in crate::synthetic) fn stale_set(
    operations: &mut [Operation],
    at: f64,
    _random: &mut ChaCha8Rng,
) -> Option<String> {
    hide(operations, at, 1)
}

fn hide(operations: &mut [Operation], at: f64, limit: usize) -> Option<String> {
    for add in from(operations, at).filter(|&it| is_ok(&operations[it], "add")).take(300) {
        let adding = &operations[add];
        let reads: Vec<usize> = (add..operations.len())
            .filter(|&it| operations[it].key == adding.key && is_ok(&operations[it], "read"))
            .filter(|&it| before(adding, &operations[it]))
            .take(limit)
            .collect();
        if reads.is_empty() {
            continue;
        }
        let element = adding.invoked.clone();
        for &read in &reads {
            let kept = operations[read].result.as_list().unwrap_or(&[]);
            let kept = kept.iter().filter(|it| **it != element).cloned();
            operations[read].result = Value::list(kept);
        }
        return Some(format!("{} reads miss {element} after it was added", reads.len()));
    }
    None
}

/// Of a queue that is drained, more elements never come out than crashed removals can have taken.
pub(in crate::synthetic) fn lost_enqueues(
    operations: &mut [Operation],
    at: f64,
    _random: &mut ChaCha8Rng,
) -> Option<String> {
    let removals = removals(operations, at);
    let key = operations[*removals.first()?].key.clone();
    let crashed = operations
        .iter()
        .filter(|it| it.key == key && takes(it) && it.outcome == Outcome::Info)
        .count();
    // Only what was acknowledged is missed.
    let origins = origins(operations);
    let lost: Vec<usize> = removals
        .iter()
        .copied()
        .filter(|&it| operations[it].key == key)
        .filter(|&it| {
            let origin = origins.get(&(key.as_ref(), &operations[it].result));
            origin.is_some_and(|&origin| operations[origin].outcome == Outcome::Ok)
        })
        .take(crashed + 1)
        .collect();
    if lost.len() <= crashed {
        return None;
    }
    for &position in &lost {
        operations[position].result = Value::Null;
    }
    Some(format!("{} elements never come out, and {crashed} removals crashed", lost.len()))
}

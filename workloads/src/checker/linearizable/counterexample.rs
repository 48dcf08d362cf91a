//! From a small impossible set of entries to evidence that a person can follow.

use std::collections::HashSet;

use serde_json::Value;

use super::contradiction::contradiction;
use super::meter::Meter;
use super::narrate::{Narrator, label};
use crate::checker::{Counterexample, CounterexampleOperation, PrefixStep, StuckOperation};
use crate::history::{EventKind, Operation};
use crate::model::{Entry, Model};

/// Steps that the plain search for the longest prefix may take.
const STEPS_MAX: u64 = 200_000;

/// Puts a counterexample together from `small`, positions in `entries` by invocation.
///
/// A plain search over the small set, which uses none of the rules of the main search, confirms
/// that no order explains it. None if one does.
pub(super) fn counterexample<M: Model>(
    model: &M,
    key: &Option<Value>,
    operations: &[&Operation],
    entries: &[Entry<M::Op>],
    small: &[usize],
    meter: &Meter<'_>,
) -> Option<Counterexample> {
    let subset: Vec<Entry<M::Op>> =
        small.iter().map(|&position| entries[position].clone()).collect();
    let prefix = longest_prefix(model, &subset, &mut meter.attempt(STEPS_MAX))?;
    let described: Vec<CounterexampleOperation> = subset
        .iter()
        .enumerate()
        .map(|(number, entry)| describe(model, number, entry, operations[entry.id]))
        .collect();
    let mut state = model.initial();
    let mut steps = Vec::new();
    for &operation in &prefix {
        state = model.step(&state, &subset[operation].op).unwrap_or(state);
        steps.push(PrefixStep { operation, state: model.describe_state(&state) });
    }
    let narrator = Narrator { model, entries, subset: &subset, operations: &described };
    let stuck = stuck(model, &subset, &prefix, &state);
    let explanation = narrator.explain(&contradiction(model, entries, &subset), &steps, &stuck);
    Some(Counterexample {
        key: key.clone(),
        operations: described,
        longest_prefix: steps,
        stuck,
        explanation,
    })
}

fn describe<M: Model>(
    model: &M,
    number: usize,
    entry: &Entry<M::Op>,
    operation: &Operation,
) -> CounterexampleOperation {
    let text = model.describe_op(&entry.op);
    let crashed = entry.is_crashed();
    CounterexampleOperation {
        label: label(number),
        process: operation.process,
        node: operation.node.clone(),
        f: operation.f.clone(),
        text: if crashed { format!("{text} (unknown outcome)") } else { text },
        outcome: if crashed { EventKind::Info } else { EventKind::Ok },
        invoke_index: operation.invoke_index,
        invoke_time: operation.invoke_time,
        complete_time: operation.complete_time.filter(|_| !crashed),
    }
}

/// The longest order of a subset that the model accepts and that keeps real-time order. None if
/// it explains the whole subset.
fn longest_prefix<M: Model>(
    model: &M,
    subset: &[Entry<M::Op>],
    meter: &mut Meter<'_>,
) -> Option<Vec<usize>> {
    let mut best = Vec::new();
    let mut visited: HashSet<(Vec<bool>, M::State)> = HashSet::new();
    let mut stack = vec![(Vec::new(), vec![false; subset.len()], model.initial())];
    while let Some((order, done, state)) = stack.pop() {
        if subset.iter().zip(&done).all(|(entry, &done)| done || entry.is_crashed()) {
            return None;
        }
        if order.len() > best.len() {
            best.clone_from(&order);
        }
        if meter.step(|| 0).is_err() {
            break;
        }
        for next in (0..subset.len()).rev().filter(|&next| may_come_next(subset, &done, next)) {
            if let Some(state) = model.step(&state, &subset[next].op) {
                let mut done = done.clone();
                done[next] = true;
                if visited.insert((done.clone(), state.clone())) {
                    let mut order: Vec<usize> = order.clone();
                    order.push(next);
                    stack.push((order, done, state));
                }
            }
        }
    }
    Some(best)
}

/// Whether everything that completed before `next` was invoked is done, but not `next`.
fn may_come_next<O>(subset: &[Entry<O>], done: &[bool], next: usize) -> bool {
    !done[next] && first_missing(subset, done, next).is_none()
}

fn first_missing<O>(subset: &[Entry<O>], done: &[bool], next: usize) -> Option<usize> {
    (0..subset.len()).find(|&other| !done[other] && subset[other].completed < subset[next].invoked)
}

/// Why none of the rest can follow the longest prefix.
fn stuck<M: Model>(
    model: &M,
    subset: &[Entry<M::Op>],
    prefix: &[usize],
    state: &M::State,
) -> Vec<StuckOperation> {
    let mut done = vec![false; subset.len()];
    for &operation in prefix {
        done[operation] = true;
    }
    (0..subset.len())
        .filter(|&operation| !done[operation])
        .filter_map(|operation| {
            let why = match first_missing(subset, &done, operation) {
                Some(missing) => {
                    format!(
                        "it began after {} had completed, which must come first",
                        label(missing)
                    )
                }
                None if model.step(state, &subset[operation].op).is_none() => {
                    model.describe_refusal(state, &subset[operation].op)
                }
                None => return None,
            };
            Some(StuckOperation { operation, why })
        })
        .collect()
}

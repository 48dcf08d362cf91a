//! From a small impossible set of entries to evidence that a person can follow.

use std::collections::HashSet;

use super::contradiction::contradiction;
use super::meter::Meter;
use super::narrate::{Narrator, label};
use crate::checker::{Counterexample, CounterexampleOperation, PrefixStep, StuckOperation};
use crate::history::{EventKind, Operation, Outcome, Value};
use crate::model::{Entry, Model};

/// Steps that the plain search for the longest prefix may take.
const STEPS_MAX: u64 = 200_000;

/// Bytes that it may take, about.
const BYTES_MAX: u64 = 32 << 20;

/// Puts a counterexample together from `subset`, which is in order of invocation.
///
/// A plain search over the small set, which uses none of the rules of the main search, confirms
/// that no order explains it. None if one does.
pub(super) fn counterexample<M: Model>(
    model: &M,
    key: &Option<Value>,
    operations: &[&Operation],
    entries: &[Entry<M::Op>],
    subset: &[Entry<M::Op>],
    meter: &Meter<'_>,
) -> Option<Counterexample> {
    let steps_max = STEPS_MAX.min(BYTES_MAX / (subset.len() as u64 * 2 + 64));
    let prefix = longest_prefix(model, subset, &mut meter.attempt(steps_max))?;
    let described: Vec<CounterexampleOperation> = subset
        .iter()
        .enumerate()
        .filter_map(|(number, entry)| {
            let exact = entries.iter().find(|exact| exact.id == entry.id)?;
            Some(describe(model, number, entry, &exact.op, operations[entry.id]))
        })
        .collect();
    let mut state = model.initial();
    let mut steps = Vec::new();
    for &operation in &prefix {
        state = model.step(&state, &subset[operation].op).unwrap_or(state);
        steps.push(PrefixStep { operation, state: model.describe_state(&state) });
    }
    let narrator = Narrator { model, entries, subset, operations: &described };
    let stuck = stuck(model, subset, &prefix, &state);
    let mut explanation = narrator.explain(&contradiction(model, entries, subset), &steps, &stuck);
    explanation.extend(refused_writes(operations, subset));
    Some(Counterexample {
        key: key.clone(),
        operations: described,
        longest_prefix: steps,
        stuck,
        explanation,
    })
}

/// Writes of an observed value that were reported as failed, where nothing else wrote that value: the
/// value did not come from nowhere, but from an operation that should have had no effect.
fn refused_writes<O>(operations: &[&Operation], subset: &[Entry<O>]) -> Vec<String> {
    let seen_by = |operation: &Operation| match &operation.invoked {
        Value::List(cas) => cas.first().cloned(),
        _ if operation.f == "read" => Some(operation.result.clone()),
        _ => None,
    };
    let written_by = |operation: &Operation| match &operation.invoked {
        Value::List(cas) => cas.get(1).cloned(),
        value if operation.f != "read" => Some(value.clone()),
        _ => None,
    };
    let mut steps = Vec::new();
    for value in subset.iter().filter_map(|entry| seen_by(operations[entry.id])) {
        let mut writers =
            operations.iter().filter(|operation| written_by(operation).as_ref() == Some(&value));
        let Some(refused) = writers.clone().find(|writer| writer.outcome == Outcome::Fail) else {
            continue;
        };
        if writers.any(|writer| writer.outcome != Outcome::Fail) {
            continue;
        }
        let step = format!(
            "Process {} did ask for it ({} of {value}{}), but was told that its {} had failed: an \
             operation that failed must have no effect.",
            refused.process,
            refused.f,
            refused.node.as_ref().map_or_else(String::new, |node| format!(" on {node}")),
            refused.f,
        );
        if !steps.contains(&step) {
            steps.push(step);
        }
    }
    steps
}

/// The operation of an entry for people, as the `number`th of a few.
pub(in crate::checker) fn describe_operation<M: Model>(
    model: &M,
    number: usize,
    entry: &Entry<M::Op>,
    operation: &Operation,
) -> CounterexampleOperation {
    describe(model, number, entry, &entry.op, operation)
}

/// `exact` is what the operation was before it was weakened.
fn describe<M: Model>(
    model: &M,
    number: usize,
    entry: &Entry<M::Op>,
    exact: &M::Op,
    operation: &Operation,
) -> CounterexampleOperation {
    let text = model.describe_op(&entry.op);
    let crashed = entry.is_crashed();
    CounterexampleOperation {
        label: label(number),
        process: operation.process,
        node: operation.node.as_ref().map(ToString::to_string),
        f: operation.f.to_string(),
        text: match crashed {
            true if *exact != entry.op => {
                format!("{} (unknown outcome; taken as {text})", model.describe_op(exact))
            }
            true => format!("{text} (unknown outcome)"),
            false => text,
        },
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
    !done[next]
        && (0..subset.len())
            .all(|other| done[other] || subset[other].completed >= subset[next].invoked)
}

/// Why none of those whose turn it is can follow the longest prefix.
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
        .filter(|&operation| may_come_next(subset, &done, operation))
        .filter(|&operation| model.step(state, &subset[operation].op).is_none())
        .map(|operation| {
            let why = model.describe_refusal(state, &subset[operation].op);
            StuckOperation { operation, why }
        })
        .collect()
}

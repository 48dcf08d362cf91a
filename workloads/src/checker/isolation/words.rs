//! Evidence in words: transactions as T1, T2, ..., and sentences about them.

use super::kind::{Class, Kind, Variant};
use super::level::{Level, Levels};
use super::transactions::{Model, Transactions, shortened};
use crate::checker::{Anomaly, CounterexampleOperation, DependencyEdge};
use crate::history::{EventKind, Operation, Outcome, Value};

/// The most characters of a value that are shown.
const VALUE_SHOWN: usize = 60;
/// The last elements of a long list that are shown.
const ELEMENTS_SHOWN: usize = 4;

/// A longer transaction is not shown in full.
const STEPS_SHOWN: usize = 10;

/// The name of the transaction at this position of an anomaly: T1, T2, ...
pub(super) fn label(position: usize) -> String {
    format!("T{}", position + 1)
}

/// A key or value: text without quotation marks.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::Text(text) => shortened(text, VALUE_SHOWN),
        other => shortened(&other.to_string(), VALUE_SHOWN),
    }
}

/// A list that was read, such as `[1, 2]` or `[…, 8, 9, 10, 11] (11 elements)`.
pub(super) fn list(elements: &[Value]) -> String {
    let shown = elements.len().saturating_sub(ELEMENTS_SHOWN);
    let shown = if shown <= 2 { 0 } else { shown };
    let texts: Vec<String> = elements[shown..].iter().map(plain).collect();
    match shown {
        0 => format!("[{}]", texts.join(", ")),
        _ => format!("[…, {}] ({} elements)", texts.join(", "), elements.len()),
    }
}

/// What a transaction did, such as `append 3 to x, read y = [1, 2]`; of a long one only what it did to
/// these keys.
fn deeds(operation: &Operation, model: Model, keys: &[&Value]) -> String {
    let steps = match operation.outcome {
        Outcome::Ok => operation.result.as_list().or(operation.invoked.as_list()),
        Outcome::Fail | Outcome::Info => operation.invoked.as_list().or(operation.result.as_list()),
    };
    let steps = steps.unwrap_or_default();
    let long = steps.len() > STEPS_SHOWN;
    let matters = |step: &&Value| {
        !long || keys.is_empty() || keys.iter().any(|&key| *key == step[1] || key[1] == step[1])
    };
    let of_interest = steps.iter().filter(matters).take(2 * STEPS_SHOWN);
    let mut texts: Vec<String> = of_interest
        .map(|step| {
            let (key, value) = (plain(&step[1]), &step[2]);
            match step[0].as_str() {
                Some("append") => format!("append {} to {key}", plain(value)),
                Some("w" | "write") => format!("write {key} = {}", plain(value)),
                _ if operation.outcome != Outcome::Ok => format!("read {key}"),
                _ => match value {
                    Value::List(elements) => format!("read {key} = {}", list(elements)),
                    Value::Null if model == Model::ListAppend => format!("read {key} = []"),
                    other => format!("read {key} = {}", plain(other)),
                },
            }
        })
        .collect();
    if texts.len() < steps.len() {
        texts.push(format!("and {} other steps", steps.len() - texts.len()));
    }
    let text = if texts.is_empty() { "nothing".to_owned() } else { texts.join(", ") };
    match operation.outcome {
        Outcome::Ok => text,
        Outcome::Fail => format!("{text} (failed)"),
        Outcome::Info => format!("{text} (unknown outcome)"),
    }
}

fn shown(
    transactions: &Transactions<'_>,
    transaction: u32,
    keys: &[&Value],
    label: String,
) -> CounterexampleOperation {
    let operation = &transactions.operations[transaction as usize];
    CounterexampleOperation {
        label,
        process: operation.process,
        node: operation.node.as_ref().map(ToString::to_string),
        f: operation.f.to_string(),
        text: deeds(operation, transactions.model, keys),
        outcome: match operation.outcome {
            Outcome::Ok => EventKind::Ok,
            Outcome::Fail => EventKind::Fail,
            Outcome::Info => EventKind::Info,
        },
        invoke_index: operation.invoke_index,
        invoke_time: operation.invoke_time,
        complete_time: operation.complete_time.filter(|_| operation.outcome == Outcome::Ok),
    }
}

/// An anomaly about these keys, with its transactions in this order, which are T1, T2, ... in the
/// explanation.
pub(super) fn anomaly(
    transactions: &Transactions<'_>,
    kind: Kind,
    keys: &[u32],
    of: &[u32],
    edges: Vec<DependencyEdge>,
    mut explanation: Vec<String>,
) -> Anomaly {
    explanation.push(verdict(kind));
    let keys: Vec<&Value> = keys.iter().map(|&key| &transactions.keys[key as usize]).collect();
    let operations = of
        .iter()
        .enumerate()
        .map(|(position, &transaction)| shown(transactions, transaction, &keys, label(position)));
    Anomaly {
        kind: kind.to_string(),
        key: keys.first().filter(|_| keys.len() == 1).map(|&key| key.clone()),
        operations: operations.collect(),
        edges,
        wrong: Vec::new(),
        explanation,
    }
}

/// What it is, and which levels rule it out.
fn verdict(kind: Kind) -> String {
    let levels: Vec<&str> = Levels::broken([kind]).weakest().map(Level::name).collect();
    format!(
        "This is {kind} ({}): {} and all stronger levels rule it out.",
        gloss(kind),
        levels.join(", ")
    )
}

/// A kind in plain words.
pub(super) fn gloss(kind: Kind) -> &'static str {
    match kind {
        Kind::DuplicateElements => "an element is in a list twice",
        Kind::NonMonotonicRead => "who had seen a transaction then missed it",
        Kind::ThinAirRead => "somebody read what nobody wrote",
        Kind::G1a => "aborted read: what was taken back was seen",
        Kind::G1b => "intermediate read: what was not finished was seen",
        Kind::FutureRead => "a transaction read what it only writes later",
        Kind::DirtyUpdate => "a write builds upon one that was taken back",
        Kind::IncompatibleOrder => "elements were read in an order that cannot be",
        Kind::Internal => "a transaction contradicts itself",
        Kind::FracturedRead => "one write of a transaction was seen and another missed",
        Kind::CausalityViolation => "a read misses what its causes knew",
        Kind::LostUpdate => "two transactions changed the same version",
        Kind::LongFork => "two readers saw two writes in opposite orders",
        Kind::NoSnapshotOrder => "no order of commits and no snapshots explain the reads",
        Kind::NoSerialOrder => "no order of transactions explains the reads",
        Kind::NoSnapshotOrderProcess => {
            "no order of commits that keeps the order of each process explains the reads"
        }
        Kind::NoSerialOrderProcess => {
            "no order of transactions that keeps the order of each process explains the reads"
        }
        Kind::NotPrefix => "no order of commits explains what was seen",
        Kind::Cycle(class, variant) => match (class, variant) {
            (Class::G0, Variant::Plain) => "dirty write: writes are interleaved",
            (Class::G1c, Variant::Plain) => "circular information flow",
            (Class::GSingle, Variant::Plain) => {
                "read skew: one read missed a write that it should know"
            }
            (Class::GNonadjacent, Variant::Plain) => "a cycle that snapshots do not allow",
            (Class::G2Item, Variant::Plain) => "write skew: reads missed each other's writes",
            (Class::G0, Variant::Process) => "writes against the order of a process",
            (Class::G0, Variant::Realtime) => "writes against the order of real time",
            (Class::G1c, Variant::Process) => "information flows against the order of a process",
            (Class::G1c, Variant::Realtime) => "information flows against the order of real time",
            (_, Variant::Process) => "stale read: a process missed what it knew before",
            (Class::GSingle, Variant::Realtime) => {
                "stale read: a read missed a write that had ended"
            }
            (_, Variant::Realtime) => "reads missed writes, against the order of real time",
        },
    }
}

//! A cycle of transactions: every edge is found again in the history.
//!
//! Each rule is a fact about serial executions: if the transactions had run one after the other, then
//! `from` must have run before `to`, whatever else happened.

use super::document::{Cycle, CycleEdge};
use super::object::{pieces, stated};
use super::verify::{History, Outcome};
use crate::history::{Operation, Outcome as Ended, Value};
use crate::model::Initial;

/// One part of a transaction.
pub(super) struct Part<'a> {
    pub(super) read: bool,
    pub(super) key: &'a Value,
    pub(super) value: &'a Value,
}

/// Whether a cycle is in the history, and is one that the property forbids.
pub(super) fn verify_cycle(
    cycle: &Cycle,
    model: &str,
    property: &str,
    history: &History<'_>,
) -> Outcome {
    let edges = &cycle.edges;
    let Some(last) = edges.last() else { return Outcome::Refuted("it has no edges".to_owned()) };
    let mut before = last.to;
    for edge in edges {
        if edge.from != before {
            return Outcome::Refuted(format!("it is not closed at event {}", edge.from));
        }
        before = edge.to;
    }
    for edge in edges {
        match verify_edge(edge, model, history) {
            Outcome::Confirmed => {}
            Outcome::Refuted(why) => return Outcome::Refuted(told(edge, &why)),
            Outcome::Unproved(why) => return Outcome::Unproved(told(edge, &why)),
        }
    }
    match is_forbidden(edges, property) {
        Some(true) => Outcome::Confirmed,
        // It may have been seen besides what breaks the property.
        Some(false) => Outcome::Unproved(format!("{property} does not forbid such a cycle")),
        None => Outcome::Unproved(format!(
            "its edges are right, but the verifier does not know which cycles {property} forbids"
        )),
    }
}

fn told(edge: &CycleEdge, why: &str) -> String {
    format!("the {} edge from event {} to event {}: {why}", edge.kind, edge.from, edge.to)
}

/// Whether a property forbids a cycle of these kinds of edges (Adya 1999; Cerone et al. 2015).
fn is_forbidden(edges: &[CycleEdge], property: &str) -> Option<bool> {
    let has = |kind: &str| edges.iter().any(|edge| edge.kind == kind);
    let is_rw = |edge: &CycleEdge| edge.kind == "rw";
    let adjacent_rw = (0..edges.len())
        .any(|position| is_rw(&edges[position]) && is_rw(&edges[(position + 1) % edges.len()]));
    let (realtime, process) = (has("realtime"), has("process"));
    Some(match property {
        "strict-serializable" | "linearizable" => true,
        "strong-session-serializable" | "session-serializable" => !realtime,
        "serializable" => !realtime && !process,
        "strong-snapshot-isolation" => !adjacent_rw,
        "strong-session-snapshot-isolation" => !adjacent_rw && !realtime,
        "snapshot-isolation" => !adjacent_rw && !realtime && !process,
        "read-committed" => !has("rw") && !realtime && !process,
        "read-uncommitted" => !has("rw") && !has("wr") && !realtime && !process,
        _ => return None,
    })
}

fn verify_edge(edge: &CycleEdge, model: &str, history: &History<'_>) -> Outcome {
    let (Some(from), Some(to)) = (history.get(edge.from), history.get(edge.to)) else {
        return Outcome::Refuted("it joins events that invoke nothing".to_owned());
    };
    if from.outcome == Ended::Fail || to.outcome == Ended::Fail {
        return Outcome::Refuted("a failed operation had no effect".to_owned());
    }
    let holds = |holds: bool, otherwise: &str| match holds {
        true => Outcome::Confirmed,
        false => Outcome::Refuted(otherwise.to_owned()),
    };
    match (edge.kind.as_str(), model) {
        ("realtime", _) => holds(
            from.outcome == Ended::Ok
                && from.complete_index.is_some_and(|end| end < to.invoke_index),
            "the first was not over when the second began",
        ),
        ("process", _) => holds(
            from.process == to.process && from.invoke_index < to.invoke_index,
            "they are not by one process in this order",
        ),
        ("wr", "list-append") => holds(list_wr(from, to), "nothing appended was read"),
        ("ww", "list-append") if list_ww(from, to, history) => Outcome::Confirmed,
        ("rw", "list-append") if list_rw(from, to, history) => Outcome::Confirmed,
        ("ww" | "rw", "list-append") if writes(to).any(|it| disagree(it.key, history)) => {
            Outcome::Unproved("reads of the list disagree, so that it has no order".to_owned())
        }
        ("ww", "list-append") => Outcome::Refuted("no read shows the order".to_owned()),
        ("rw", "list-append") => Outcome::Refuted("no read missed an append".to_owned()),
        ("wr", "rw-register") if history.initial == Some(&Initial::Any) => {
            Outcome::Unproved("what was read may have been there at first".to_owned())
        }
        ("wr", "rw-register") => holds(register_wr(from, to, history), "no value tells the writer"),
        // Versions may also have been ordered by rules that are not known here.
        ("ww", "rw-register") if register_ww(from, to, history) => Outcome::Confirmed,
        ("rw", "rw-register") if register_rw(from, to, history) => Outcome::Confirmed,
        ("ww" | "rw", "rw-register") => {
            Outcome::Unproved("the order of the values does not follow from reads alone".to_owned())
        }
        _ => Outcome::Unproved(format!("there is no rule for such edges of {model}")),
    }
}

/// The parts of a transaction whose values are known.
pub(super) fn parts(operation: &Operation) -> impl DoubleEndedIterator<Item = Part<'_>> {
    let (parts, told) = stated(operation).unwrap_or_default();
    parts.iter().filter_map(pieces).filter_map(move |(f, key, value)| match f.as_str() {
        Some("r" | "read") if told => Some(Part { read: true, key, value }),
        Some("w" | "write" | "append") => Some(Part { read: false, key, value }),
        _ => None,
    })
}

pub(super) fn reads(operation: &Operation) -> impl Iterator<Item = Part<'_>> {
    parts(operation).filter(|part| part.read)
}

pub(super) fn writes(operation: &Operation) -> impl DoubleEndedIterator<Item = Part<'_>> {
    parts(operation).filter(|part| !part.read)
}

pub(super) fn elements(list: &Value) -> &[Value] {
    list.as_list().unwrap_or_default()
}

/// All reads of the history that were acknowledged.
fn all_reads<'a>(history: &'a History<'_>) -> impl Iterator<Item = Part<'a>> {
    history.operations.iter().filter(|it| it.outcome == Ended::Ok).flat_map(reads)
}

/// `to` read something that `from` appended.
fn list_wr(from: &Operation, to: &Operation) -> bool {
    writes(from).any(|write| {
        reads(to).any(|read| read.key == write.key && elements(read.value).contains(write.value))
    })
}

/// Somebody read what `from` appended in front of what `to` appended, or without it: lists only grow.
fn list_ww(from: &Operation, to: &Operation, history: &History<'_>) -> bool {
    writes(from).any(|first| {
        writes(to).filter(|second| second.key == first.key).any(|second| {
            all_reads(history).filter(|read| read.key == first.key).any(|read| {
                let place = |value| elements(read.value).iter().position(|it| it == value);
                match (place(first.value), place(second.value)) {
                    (Some(first), Some(second)) => first < second,
                    (Some(_), None) => happened(to, history),
                    (None, _) => false,
                }
            })
        })
    })
}

/// Whether a transaction is known to have taken effect, all of it.
fn happened(transaction: &Operation, history: &History<'_>) -> bool {
    transaction.outcome == Ended::Ok
        || writes(transaction).any(|write| {
            all_reads(history)
                .any(|it| it.key == write.key && elements(it.value).contains(write.value))
        })
}

/// Whether not every read of a list begins with every shorter one, or an element is in one twice.
fn disagree(key: &Value, history: &History<'_>) -> bool {
    let of_key = || all_reads(history).filter(|read| read.key == key).map(|it| elements(it.value));
    let longest = of_key().max_by_key(|list| list.len()).unwrap_or_default();
    let distinct: std::collections::BTreeSet<&Value> = longest.iter().collect();
    distinct.len() < longest.len() || of_key().any(|list| !longest.starts_with(list))
}

/// `from` did not see what `to` appended for certain: lists only grow.
fn list_rw(from: &Operation, to: &Operation, history: &History<'_>) -> bool {
    reads(from).any(|read| {
        writes(to)
            .filter(|write| write.key == read.key)
            .any(|write| happened(to, history) && !elements(read.value).contains(write.value))
    })
}

/// Reads of a key before the transaction's own first write of it.
fn external_reads(operation: &Operation) -> impl Iterator<Item = Part<'_>> {
    let parts: Vec<Part<'_>> = parts(operation).collect();
    let first_write = |key: &Value| parts.iter().position(|it| !it.read && it.key == key);
    let limits: Vec<Option<usize>> = parts.iter().map(|part| first_write(part.key)).collect();
    parts.into_iter().enumerate().filter_map(move |(position, part)| {
        (part.read && limits[position].is_none_or(|limit| position < limit)).then_some(part)
    })
}

/// Whether exactly one operation that may have happened wrote this value, and it was not there at first.
fn written_once(key: &Value, value: &Value, history: &History<'_>) -> bool {
    let may_be_initial = match history.initial {
        None => value.is_null(),
        Some(Initial::Value(initial)) => initial == value,
        Some(Initial::Any) => true,
    };
    let writers = history
        .operations
        .iter()
        .filter(|it| it.outcome != Ended::Fail)
        .filter(|it| writes(it).any(|write| write.key == key && write.value == value));
    !may_be_initial && writers.count() == 1
}

/// `to` read a value that only `from` wrote.
fn register_wr(from: &Operation, to: &Operation, history: &History<'_>) -> bool {
    writes(from).any(|write| {
        reads(to).any(|read| read.key == write.key && read.value == write.value)
            && written_once(write.key, write.value, history)
    })
}

/// Whether `after` replaced `before` at some time: transactions that read one and wrote another lead
/// from one to the other, and no value was written twice.
fn leads(key: &Value, before: &Value, after: &Value, history: &History<'_>) -> bool {
    let mut seen: Vec<&Value> = Vec::new();
    let mut open: Vec<&Value> = vec![before];
    while let Some(value) = open.pop() {
        let nobody_else =
            value == before && is_initial(before, history) || written_once(key, value, history);
        if !nobody_else {
            continue;
        }
        for operation in history.operations.iter().filter(|it| it.outcome == Ended::Ok) {
            if !external_reads(operation).any(|read| read.key == key && read.value == value) {
                continue;
            }
            for write in writes(operation).filter(|write| write.key == key) {
                if write.value == after {
                    return true;
                }
                if !seen.contains(&write.value) {
                    seen.push(write.value);
                    open.push(write.value);
                }
            }
        }
    }
    false
}

/// Whether a value is the one before the first operation, and nobody writes it.
fn is_initial(value: &Value, history: &History<'_>) -> bool {
    match history.initial {
        None => value.is_null(),
        Some(Initial::Value(initial)) => initial == value,
        Some(Initial::Any) => false,
    }
}

/// What `to` wrote replaced what `from` wrote.
fn register_ww(from: &Operation, to: &Operation, history: &History<'_>) -> bool {
    writes(from).any(|first| {
        writes(to)
            .filter(|second| second.key == first.key && second.value != first.value)
            .any(|second| leads(first.key, first.value, second.value, history))
    })
}

/// `from` read what `to` replaced.
fn register_rw(from: &Operation, to: &Operation, history: &History<'_>) -> bool {
    let nobody_writes = |key: &Value, value: &Value| {
        history.operations.iter().all(|it| !writes(it).any(|w| w.key == key && w.value == value))
    };
    external_reads(from).any(|read| {
        writes(to).filter(|write| write.key == read.key && write.value != read.value).any(|write| {
            let first = is_initial(read.value, history)
                && nobody_writes(read.key, read.value)
                && (to.outcome == Ended::Ok
                    || all_reads(history).any(|it| it.key == write.key && it.value == write.value));
            first || leads(read.key, read.value, write.value, history)
        })
    })
}

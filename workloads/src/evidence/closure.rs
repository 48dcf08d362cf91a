//! Whether a few operations speak for the whole history.
//!
//! That no order explains a few operations says something about the history only if nothing that
//! was left out could have helped them. Each rule below says when: if some order explains the history,
//! then the same order, without what was left out, explains the few.

use std::collections::BTreeSet;

use super::object::{element, role};
use crate::history::{Operation, Outcome, Value};
use crate::model::Initial;

/// How operations of a set are to be taken.
pub(super) struct Closed {
    /// Indices of crashed cas operations of which only the write counts, because what they expect
    /// may have been left out. They can do more like that, so that an impossibility proves more.
    pub(super) as_writes: BTreeSet<u64>,
}

/// Whether `set` speaks for `all` operations of its object; the error says what is left out.
pub(super) fn close(
    model: &str,
    initial: Option<&Initial>,
    set: &[&Operation],
    all: &[&Operation],
) -> Result<Closed, String> {
    match model {
        "register" | "cas-register" | "kv" => close_register(initial, set, all),
        "queue" | "fifo-queue" | "unordered-queue" | "bag" | "stack" | "priority-queue"
        | "max-priority-queue" => {
            close_collection(set, all, passed, |it| role(&it.f) == Some("peek"))
        }
        "set" | "grow-only-set" if !set.iter().any(|it| is_whole_read(it)) => {
            let only_looks: fn(&Operation) -> bool =
                |it| matches!(it.f.as_str(), "contains" | "member" | "has" | "exists" | "read");
            close_collection(set, all, member, only_looks)
        }
        _ => close_prefix(set, all),
    }
}

fn includes(set: &[&Operation], operation: &Operation) -> bool {
    set.iter().any(|it| it.invoke_index == operation.invoke_index)
}

/// When the last of the set was over.
fn end_of(set: &[&Operation]) -> u64 {
    let ends = set.iter().filter(|it| it.outcome == Outcome::Ok).filter_map(|it| it.complete_index);
    ends.max().unwrap_or(0)
}

fn left_out(operation: &Operation) -> String {
    format!("event {} ({} {}) is left out", operation.invoke_index, operation.f, operation.invoked)
}

/// A register holds what was written last. Without some writes in between, a read finds the same
/// value, as long as all writes of this value are still there that it may have found.
fn close_register(
    initial: Option<&Initial>,
    set: &[&Operation],
    all: &[&Operation],
) -> Result<Closed, String> {
    let mut as_writes = BTreeSet::new();
    let able = able_writers(initial, all);
    for observer in set {
        let value = match (observer.f.as_str(), observer.outcome) {
            (_, Outcome::Fail) | ("read", Outcome::Info) => continue,
            ("read", Outcome::Ok) => &observer.result,
            ("cas", _) => &observer.invoked[0],
            _ => continue,
        };
        let too_late = observer.complete_index.filter(|_| observer.outcome == Outcome::Ok);
        let missing = able.iter().find(|writer| {
            written(writer) == Some(value)
                && writer.outcome != Outcome::Fail
                && too_late.is_none_or(|end| writer.invoke_index < end)
                && !includes(set, writer)
                && !replaced(writer, observer, all)
        });
        match missing {
            Some(_) if observer.outcome == Outcome::Info => {
                as_writes.insert(observer.invoke_index);
            }
            Some(missing) => return Err(left_out(missing)),
            None => {}
        }
    }
    Ok(Closed { as_writes })
}

/// Operations that may have written: not failed, and no cas that expects what was never there.
fn able_writers<'a>(initial: Option<&Initial>, all: &[&'a Operation]) -> Vec<&'a Operation> {
    let (mut able, mut waiting): (Vec<&Operation>, Vec<&Operation>) = all
        .iter()
        .filter(|it| it.outcome != Outcome::Fail && written(it).is_some())
        .partition(|it| it.f != "cas" || initial == Some(&Initial::Any));
    let is_initial = |value: &Value| match initial {
        Some(Initial::Value(initial)) => initial == value,
        Some(Initial::Any) => true,
        None => value.is_null(),
    };
    loop {
        let there: BTreeSet<&Value> = able.iter().filter_map(|it| written(it)).collect();
        let (now, later): (Vec<&Operation>, Vec<&Operation>) = waiting
            .iter()
            .partition(|it| is_initial(&it.invoked[0]) || there.contains(&it.invoked[0]));
        if now.is_empty() {
            return able;
        }
        able.extend(now);
        waiting = later;
    }
}

/// The value that an operation brings in. A cas from a value to itself finds it there.
fn written(operation: &Operation) -> Option<&Value> {
    match operation.f.as_str() {
        "write" => Some(&operation.invoked),
        "delete" => Some(&Value::Null),
        "cas" => Some(&operation.invoked[1]).filter(|new| **new != operation.invoked[0]),
        _ => None,
    }
}

/// Whether something else was surely written after `writer` and before `observer`.
fn replaced(writer: &Operation, observer: &Operation, all: &[&Operation]) -> bool {
    let over = |operation: &Operation| {
        operation.complete_index.filter(|_| operation.outcome == Outcome::Ok)
    };
    all.iter().filter(|it| written(it).is_some()).any(|between| {
        over(writer).is_some_and(|end| end < between.invoke_index)
            && over(between).is_some_and(|end| end < observer.invoke_index)
    })
}

/// Elements of a collection can be left out altogether: queues and stacks keep the order of the
/// others. A removal of unknown result may have been about any element, and one that found nothing
/// changed nothing.
fn close_collection(
    set: &[&Operation],
    all: &[&Operation],
    element_of: fn(&Operation) -> Option<&Value>,
    only_looks: fn(&Operation) -> bool,
) -> Result<Closed, String> {
    let elements: BTreeSet<&Value> = set.iter().filter_map(|it| element_of(it)).collect();
    let end = end_of(set);
    let missing = all.iter().find(|operation| {
        let matters = match element_of(operation) {
            Some(element) => elements.contains(element),
            None => operation.outcome == Outcome::Info,
        };
        matters
            // What has begun after everything else was over could not help.
            && operation.invoke_index < end
            && !only_looks(operation)
            && operation.outcome != Outcome::Fail
            && !includes(set, operation)
    });
    match missing {
        Some(missing) => Err(left_out(missing)),
        None => Ok(Closed { as_writes: BTreeSet::new() }),
    }
}

/// The element that an operation on a queue or a stack is known to be about.
fn passed(operation: &Operation) -> Option<&Value> {
    let element = match role(&operation.f) {
        Some("insert") => &operation.invoked,
        _ if operation.outcome == Outcome::Ok => &operation.result,
        _ => &Value::Null,
    };
    (!element.is_null()).then_some(element)
}

/// The element that an operation on a set is about.
fn member(operation: &Operation) -> Option<&Value> {
    Some(element(&operation.invoked)).filter(|element| !element.is_null())
}

fn is_whole_read(operation: &Operation) -> bool {
    matches!(operation.f.as_str(), "read" | "list" | "members")
}

/// In general only the beginning of a history speaks for it, and what only reads may be left out.
fn close_prefix(set: &[&Operation], all: &[&Operation]) -> Result<Closed, String> {
    let end = end_of(set);
    let missing = all.iter().find(|it| {
        it.f != "read" && it.outcome != Outcome::Fail && it.invoke_index < end && !includes(set, it)
    });
    match missing {
        Some(missing) => Err(left_out(missing)),
        None => Ok(Closed { as_writes: BTreeSet::new() }),
    }
}

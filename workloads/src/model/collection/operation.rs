//! Operations of collections, and what tools call them.

use super::discipline::Discipline;
use crate::history::{Operation, Outcome, Value};
use crate::model::UnsuitableOperation;

/// An operation on a collection. Values are numbers that stand for JSON values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CollectionOp {
    /// It puts the value in.
    Insert(u32),
    /// It took the value out.
    Remove(u32),
    /// It found nothing to take or to look at.
    Empty,
    /// It saw that the value is next, and left it there.
    Peek(u32),
    /// It takes out what is next, if anything; nobody knows what it was.
    RemoveUnknown,
}

/// What a function does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Function {
    Insert,
    Remove,
    Peek,
}

const INSERT: &[&str] =
    &["enqueue", "enq", "push", "insert", "add", "offer", "put", "send", "produce", "publish"];
const REMOVE: &[&str] =
    &["dequeue", "deq", "pop", "remove", "poll", "take", "get", "receive", "consume"];
const PEEK: &[&str] = &["peek", "top", "front", "head", "first"];

/// What the function of an operation does, by any of the names that tools use.
fn function<D: Discipline>(operation: &Operation) -> Result<Function, UnsuitableOperation> {
    let name = operation.f.as_str();
    let is_in = |names: &[&str]| {
        names.iter().any(|other| {
            other.len() == name.len()
                && other
                    .bytes()
                    .zip(name.bytes())
                    .all(|(a, b)| a == b.to_ascii_lowercase() || (a == b'-' && b == b'_'))
        })
    };
    if is_in(INSERT) {
        Ok(Function::Insert)
    } else if is_in(REMOVE) || is_in(D::REMOVE_NAMES) {
        Ok(Function::Remove)
    } else if is_in(PEEK) {
        Ok(Function::Peek)
    } else {
        Err(UnsuitableOperation {
            index: operation.invoke_index,
            expected: D::FUNCTIONS,
            got: format!("`{name}`"),
        })
    }
}

/// What the operation does; none if it had no effect, or if its effect and result are unknown and it
/// can always be left out. `number` gives values their numbers.
pub(super) fn read<D: Discipline>(
    operation: &Operation,
    number: impl FnOnce(&Value) -> u32,
) -> Result<Option<CollectionOp>, UnsuitableOperation> {
    let function = function::<D>(operation)?;
    if function == Function::Insert && operation.invoked.is_null() {
        return Err(UnsuitableOperation {
            index: operation.invoke_index,
            expected: "a value to put in",
            got: "null".to_owned(),
        });
    }
    Ok(match (function, operation.outcome) {
        (_, Outcome::Fail) => None,
        (Function::Insert, Outcome::Ok | Outcome::Info) => {
            Some(CollectionOp::Insert(number(&operation.invoked)))
        }
        (Function::Remove | Function::Peek, Outcome::Ok) if operation.result.is_null() => {
            Some(CollectionOp::Empty)
        }
        (Function::Remove, Outcome::Ok) => Some(CollectionOp::Remove(number(&operation.result))),
        (Function::Peek, Outcome::Ok) => Some(CollectionOp::Peek(number(&operation.result))),
        (Function::Remove, Outcome::Info) => Some(CollectionOp::RemoveUnknown),
        (Function::Peek, Outcome::Info) => None,
    })
}

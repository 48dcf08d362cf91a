//! Operations of sets, and what tools call them.

use std::sync::Arc;

use crate::history::{Operation, Outcome, Value};
use crate::model::{Numbers, UnsuitableOperation};

/// An operation on a set. Elements are numbers that stand for JSON values.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SetOp {
    /// It puts the element in; it says whether it was new, if that is known.
    Add(u32, Option<bool>),
    /// It takes the element out; it says whether it was there, if that is known.
    Remove(u32, Option<bool>),
    /// Whether the element was there.
    Contains(u32, bool),
    /// It returned these elements, sorted, and no other.
    Read(Arc<Vec<u32>>),
    /// It returned the element more than once, which no set does.
    Twice(u32),
    /// It returned some of these elements, and others not: all that counts of a read.
    Saw(Arc<Vec<(u32, bool)>>),
}

const FUNCTIONS: &str = "a function of a set: add, remove, contains or read";

impl SetOp {
    /// The element, unless it is about several.
    pub(super) fn element(&self) -> Option<u32> {
        match self {
            SetOp::Add(element, _)
            | SetOp::Remove(element, _)
            | SetOp::Contains(element, _)
            | SetOp::Twice(element) => Some(*element),
            SetOp::Read(_) | SetOp::Saw(_) => None,
        }
    }

    /// Whether it may put its element in.
    pub(super) fn may_add(&self) -> bool {
        matches!(self, SetOp::Add(_, None | Some(true)))
    }

    /// Whether it may take its element out.
    pub(super) fn may_remove(&self) -> bool {
        matches!(self, SetOp::Remove(_, None | Some(true)))
    }
}

/// What the operation does; none if it had no effect, or can always be explained.
pub(super) fn read(
    operation: &Operation,
    numbers: &mut Numbers,
) -> Result<Option<SetOp>, UnsuitableOperation> {
    let known = operation.outcome == Outcome::Ok && operation.complete_index.is_some();
    if operation.outcome == Outcome::Fail {
        return Ok(None);
    }
    let changed = |element: &Value| -> Result<Option<bool>, UnsuitableOperation> {
        match &operation.result {
            _ if !known => Ok(None),
            Value::Bool(changed) if !matches!(element, Value::Bool(_)) => Ok(Some(*changed)),
            Value::List(pair) if pair.len() == 2 && pair[0] == *element => match pair[1] {
                Value::Bool(changed) => Ok(Some(changed)),
                Value::Null => Ok(None),
                _ => Err(UnsuitableOperation::value(
                    operation,
                    "a result [element, true or false]",
                    &operation.result,
                )),
            },
            Value::Null => Ok(None),
            same if same == element => Ok(None),
            other => {
                let expected = "a result such as true, or [element, true], or the element";
                Err(UnsuitableOperation::value(operation, expected, other))
            }
        }
    };
    let element = match operation.invoked.as_list() {
        Some([element, Value::Null | Value::Bool(_)]) => element,
        _ => &operation.invoked,
    };
    match operation.f.as_str() {
        "add" | "insert" | "put" => {
            let changed = changed(element)?;
            Ok(Some(SetOp::Add(numbers.number(element), changed)))
        }
        "remove" | "delete" | "discard" => {
            let changed = changed(element)?;
            Ok(Some(SetOp::Remove(numbers.number(element), changed)))
        }
        "contains" | "member" | "has" | "exists" => match changed(element)? {
            Some(present) => Ok(Some(SetOp::Contains(numbers.number(element), present))),
            None if !known => Ok(None),
            None => Err(UnsuitableOperation::value(
                operation,
                "a result of contains: true or false, or [element, true or false]",
                &operation.result,
            )),
        },
        "read" | "list" | "members" if !known => Ok(None),
        "read" | "list" | "members" => {
            let elements = match &operation.result {
                Value::Null => &[],
                Value::List(list) => &list[..],
                other => {
                    let expected = "a result of read: a list of elements";
                    return Err(UnsuitableOperation::value(operation, expected, other));
                }
            };
            let mut elements: Vec<u32> =
                elements.iter().map(|element| numbers.number(element)).collect();
            elements.sort_unstable();
            Ok(Some(match elements.windows(2).find(|pair| pair[0] == pair[1]) {
                Some(pair) => SetOp::Twice(pair[0]),
                None => SetOp::Read(elements.into()),
            }))
        }
        _ => Err(UnsuitableOperation::function(operation, FUNCTIONS)),
    }
}

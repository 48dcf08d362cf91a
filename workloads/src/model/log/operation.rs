//! Operations of logs, and what tools call them.

use std::sync::Arc;

use crate::history::{Operation, Outcome, Value};
use crate::model::{Numbers, UnsuitableOperation};

/// An operation on a log. Values are numbers that stand for JSON values; offsets count from 0.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum LogOp {
    /// It puts the value at the end.
    Append {
        /// What it appends.
        value: u32,
        /// Where it was put, if that is known.
        offset: Option<u64>,
        /// Whether the log must be as long as the offset, not shorter.
        exact: bool,
    },
    /// It found these values at this offset and behind it; there may be more.
    Read(u64, Arc<[u32]>),
    /// It found nothing at this offset: the log was not longer.
    Nothing(u64),
}

/// Offsets stay below, so that nothing overflows.
const OFFSET_MAX: u64 = 1 << 48;

const FUNCTIONS: &str = "a function of a log: append, read or poll";

/// What the operation does; none if it had no effect, or can always be explained.
pub(super) fn read(
    operation: &Operation,
    numbers: &mut Numbers,
) -> Result<Option<LogOp>, UnsuitableOperation> {
    if operation.outcome == Outcome::Fail {
        return Ok(None);
    }
    let known = operation.outcome == Outcome::Ok && operation.complete_index.is_some();
    // Both [argument, null] -> [argument, result] and argument -> result are understood.
    let pair = |value: &Value| -> Option<(Value, Value)> {
        match value.as_list() {
            Some([argument, result]) => Some((argument.clone(), result.clone())),
            _ => None,
        }
    };
    let (argument, result) = match pair(&operation.invoked) {
        Some((argument, Value::Null)) => match pair(&operation.result) {
            Some((same, result)) if same == argument => (argument, result),
            _ if !known => (argument, Value::Null),
            _ => {
                let expected = "a result [argument, result], like the argument";
                return Err(UnsuitableOperation::value(operation, expected, &operation.result));
            }
        },
        _ => (operation.invoked.clone(), operation.result.clone()),
    };
    match operation.f.as_str() {
        "append" | "send" | "produce" => {
            let offset = match (known, result.as_u64()) {
                (false, _) => None,
                (true, Some(offset)) if offset < OFFSET_MAX => Some(offset),
                (true, _) => {
                    let expected = "the offset, as the result of append";
                    return Err(UnsuitableOperation::value(operation, expected, &result));
                }
            };
            Ok(Some(LogOp::Append { value: numbers.number(&argument), offset, exact: true }))
        }
        "read" | "get" | "poll" | "fetch" => {
            let Some(offset) = argument.as_u64().filter(|&offset| offset < OFFSET_MAX) else {
                let expected = "an offset, as the argument of a read or poll";
                return Err(UnsuitableOperation::value(operation, expected, &argument));
            };
            let polls = matches!(operation.f.as_str(), "poll" | "fetch");
            Ok(match &result {
                _ if !known => None,
                Value::Null => Some(LogOp::Nothing(offset)),
                Value::List(values) if polls && values.is_empty() => Some(LogOp::Nothing(offset)),
                Value::List(values) if polls => {
                    let values = values.iter().map(|value| numbers.number(value));
                    Some(LogOp::Read(offset, values.collect()))
                }
                other if polls => {
                    let expected = "a list of values, as the result of a poll";
                    return Err(UnsuitableOperation::value(operation, expected, other));
                }
                value => Some(LogOp::Read(offset, [numbers.number(value)].into())),
            })
        }
        _ => Err(UnsuitableOperation::function(operation, FUNCTIONS)),
    }
}

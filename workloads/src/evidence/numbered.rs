//! Objects whose store numbers what it does: revisions of a register, tokens of a lock.

use crate::history::{Operation, Outcome, Value};
use crate::model::Initial;

/// The last number that was given, or the least that it can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Last {
    number: i64,
    exact: bool,
}

impl Last {
    /// Gives the next number; false if `given`, where it is known, does not grow.
    fn give(&mut self, given: Option<i64>) -> bool {
        let Some(least) = self.number.checked_add(1) else { return false };
        let grows = given.is_none_or(|given| given >= least);
        *self = Last { number: given.unwrap_or(least), exact: given.is_some() };
        grows
    }

    /// Learns that this is the number; false if it cannot be.
    fn is(&mut self, number: i64) -> bool {
        let fits = if self.exact { number == self.number } else { number >= self.number };
        *self = Last { number, exact: true };
        fits
    }
}

/// A register whose changes have revisions that grow. Results are `[revision, value]`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Revisions {
    last: Last,
    start: Last,
    /// None is a value that nobody told us.
    held: Option<Value>,
}

impl Revisions {
    /// A register that nobody changed; without an initial value it holds null at revision 0.
    pub(super) fn new(initial: Option<&Initial>) -> Revisions {
        let (number, exact, held) = match initial {
            None => (0, true, Some(Value::Null)),
            Some(Initial::Any) => (i64::MIN, false, None),
            Some(Initial::Value(value)) => match value.as_list() {
                Some([Value::Int(revision), value]) => (*revision, true, Some(value.clone())),
                Some([Value::Null, value]) => (0, true, Some(value.clone())),
                _ => (0, true, Some(value.clone())),
            },
        };
        let last = Last { number, exact };
        Revisions { last, start: last, held }
    }

    /// Lets an operation act; false if it cannot have returned what it did, none if it is no
    /// operation of such a register.
    pub(super) fn apply(&mut self, operation: &Operation) -> Option<bool> {
        let known = operation.outcome == Outcome::Ok;
        let revision = match operation.result.as_list() {
            Some([Value::Int(revision), _]) if known => Some(*revision),
            _ => None,
        };
        let argument = plain(&operation.invoked);
        match operation.f.as_str() {
            "read" if !known => Some(true),
            "read" => {
                let value = plain(&operation.result);
                let revision = match operation.result {
                    Value::Null => self.start.exact.then_some(self.start.number),
                    _ => revision,
                };
                let held = self.held.get_or_insert_with(|| value.clone()) == value;
                Some(held && revision.is_none_or(|revision| self.last.is(revision)))
            }
            "write" => {
                self.held = Some(argument.clone());
                Some(self.last.give(revision))
            }
            "cas" => {
                let [expected, new] = argument.as_list()? else { return None };
                let held = self.held.as_ref().is_none_or(|held| held == expected);
                self.held = Some(new.clone());
                Some(held && self.last.give(revision))
            }
            _ => None,
        }
    }
}

/// The value of `[revision, value]`.
fn plain(value: &Value) -> &Value {
    match value.as_list() {
        Some([Value::Int(_) | Value::Null, value]) => value,
        _ => value,
    }
}

/// A lock whose holders get tokens that grow.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Tokens {
    held: bool,
    last: Last,
}

impl Tokens {
    /// A lock that is free; an integer is the last token that was given.
    pub(super) fn new(initial: Option<&Initial>) -> Tokens {
        let number = match initial {
            Some(Initial::Value(value)) => value.as_i64(),
            _ => None,
        };
        Tokens { held: false, last: Last { number: number.unwrap_or(i64::MIN), exact: true } }
    }

    /// Lets an operation act; false if it cannot have returned what it did, none if it is no
    /// operation of such a lock.
    pub(super) fn apply(&mut self, operation: &Operation) -> Option<bool> {
        let known = operation.outcome == Outcome::Ok;
        match operation.f.as_str() {
            "acquire" => {
                let token = operation.result.as_i64().filter(|_| known);
                let was_free = !std::mem::replace(&mut self.held, true);
                Some(was_free && self.last.give(token))
            }
            "release" => {
                let was_held = std::mem::replace(&mut self.held, false);
                let fits = operation.invoked.as_i64().is_none_or(|token| self.last.is(token));
                Some(was_held && fits)
            }
            _ => None,
        }
    }
}

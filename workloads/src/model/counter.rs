//! A number that is added to.

use super::{Encoded, Entry, Initial, Model, OPEN, ObjectModel, UnsuitableOperation, completion};
use crate::history::{Operation, Outcome};
use crate::model::nearby::nearby;

/// A counter.
#[derive(Debug, Clone)]
pub struct Counter {
    initial: CounterState,
}

/// What a counter holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CounterState {
    /// This number.
    Holds(i64),
    /// What it held at first, which nobody told us, and this number.
    Added(i64),
}

/// An operation on a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CounterOp {
    /// Adds the number, which may be negative.
    Add(i64),
    /// It returned the number.
    Read(i64),
}

impl ObjectModel for Counter {
    fn usual_initial() -> Initial {
        Initial::Value(0.into())
    }

    /// Crashed reads say nothing and are left out, and so are crashed additions of nothing. Those that were
    /// acknowledged are in every order, as evidence has to be.
    fn encode(
        operations: &[&Operation],
        initial: &Initial,
    ) -> Result<Encoded<Self>, UnsuitableOperation> {
        let initial = match initial {
            Initial::Value(value) => CounterState::Holds(value.as_i64().unwrap_or(0)),
            Initial::Any => CounterState::Added(0),
        };
        let mut entries = Vec::with_capacity(operations.len());
        for (id, operation) in nearby(operations) {
            let completed = completion(operation);
            let number = match operation.f.as_str() {
                "add" => &operation.invoked,
                "read" => &operation.result,
                _ => {
                    let expected = "a function of a counter: add or read";
                    return Err(UnsuitableOperation::function(operation, expected));
                }
            };
            let is_read = operation.f == "read";
            if operation.outcome == Outcome::Fail || is_read && completed == OPEN {
                continue;
            }
            let Some(number) = number.as_i64() else {
                let expected = "an integer as the value of add, and as what read returned";
                return Err(UnsuitableOperation::value(operation, expected, number));
            };
            let op = if is_read { CounterOp::Read(number) } else { CounterOp::Add(number) };
            if op != CounterOp::Add(0) || completed != OPEN {
                entries.push(Entry { id, op, invoked: 2 * operation.invoke_index, completed });
            }
        }
        Ok((Counter { initial }, entries))
    }
}

impl Model for Counter {
    type Op = CounterOp;
    type State = CounterState;

    fn initial(&self) -> CounterState {
        self.initial
    }

    fn step(&self, state: &CounterState, op: &CounterOp) -> Option<CounterState> {
        match (*op, *state) {
            (CounterOp::Add(number), CounterState::Holds(held)) => {
                held.checked_add(number).map(CounterState::Holds)
            }
            (CounterOp::Add(number), CounterState::Added(added)) => {
                added.checked_add(number).map(CounterState::Added)
            }
            (CounterOp::Read(number), CounterState::Holds(held)) => {
                (number == held).then_some(*state)
            }
            // The first to read an unknown number tells what it was.
            (CounterOp::Read(number), CounterState::Added(_)) => Some(CounterState::Holds(number)),
        }
    }

    fn is_read_only(&self, op: &CounterOp) -> bool {
        matches!(op, CounterOp::Read(_) | CounterOp::Add(0))
    }

    fn describe_op(&self, op: &CounterOp) -> String {
        match op {
            CounterOp::Add(number) => format!("add {number}"),
            CounterOp::Read(number) => format!("read -> {number}"),
        }
    }

    fn describe_state(&self, state: &CounterState) -> String {
        match state {
            CounterState::Holds(number) => number.to_string(),
            CounterState::Added(0) => "an unknown number".to_owned(),
            CounterState::Added(number) => format!("an unknown number and {number}"),
        }
    }

    fn describe_refusal(&self, state: &CounterState, op: &CounterOp) -> String {
        match op {
            CounterOp::Read(number) => {
                format!("it read {number}, but the counter holds {}", self.describe_state(state))
            }
            CounterOp::Add(_) => "the sum is too large".to_owned(),
        }
    }

    fn noun(&self) -> &'static str {
        "counter"
    }
}

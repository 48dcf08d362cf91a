//! A lock: acquire and release, whoever does it.

use super::{Encoded, Entry, Initial, Model, ObjectModel, UnsuitableOperation, completion};
use crate::history::{Operation, Outcome, Value};
use crate::model::nearby::nearby;

/// A lock that is free or held.
#[derive(Debug, Clone)]
pub struct Mutex {
    initial: MutexState,
}

/// Whether the lock is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MutexState {
    /// Nobody holds it.
    Free,
    /// Somebody holds it.
    Held,
    /// Nobody told us; the first operation shows it.
    Unknown,
}

/// An operation on a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MutexOp {
    /// Takes the lock, which must be free.
    Acquire,
    /// Gives it back, so it must be held.
    Release,
}

impl ObjectModel for Mutex {
    /// Null, false or `unlocked` is free; true or `locked` is held.
    fn encode(
        operations: &[&Operation],
        initial: &Initial,
    ) -> Result<Encoded<Self>, UnsuitableOperation> {
        let initial = match initial {
            Initial::Any => MutexState::Unknown,
            Initial::Value(Value::Bool(true)) => MutexState::Held,
            Initial::Value(value) if value.as_str() == Some("locked") => MutexState::Held,
            Initial::Value(_) => MutexState::Free,
        };
        let mut entries = Vec::with_capacity(operations.len());
        for (id, operation) in nearby(operations) {
            let op = match operation.f.as_str() {
                "acquire" => MutexOp::Acquire,
                "release" => MutexOp::Release,
                _ => {
                    let expected = "a function of a lock: acquire or release";
                    return Err(UnsuitableOperation::function(operation, expected));
                }
            };
            if operation.outcome != Outcome::Fail {
                let invoked = 2 * operation.invoke_index;
                entries.push(Entry { id, op, invoked, completed: completion(operation) });
            }
        }
        Ok((Mutex { initial }, entries))
    }
}

impl Model for Mutex {
    type Op = MutexOp;
    type State = MutexState;

    fn initial(&self) -> MutexState {
        self.initial
    }

    fn step(&self, state: &MutexState, op: &MutexOp) -> Option<MutexState> {
        match (op, state) {
            (MutexOp::Acquire, MutexState::Free | MutexState::Unknown) => Some(MutexState::Held),
            (MutexOp::Release, MutexState::Held | MutexState::Unknown) => Some(MutexState::Free),
            (MutexOp::Acquire, MutexState::Held) | (MutexOp::Release, MutexState::Free) => None,
        }
    }

    fn is_read_only(&self, _op: &MutexOp) -> bool {
        false
    }

    fn describe_op(&self, op: &MutexOp) -> String {
        match op {
            MutexOp::Acquire => "acquire".to_owned(),
            MutexOp::Release => "release".to_owned(),
        }
    }

    fn describe_state(&self, state: &MutexState) -> String {
        match state {
            MutexState::Free => "free".to_owned(),
            MutexState::Held => "held".to_owned(),
            MutexState::Unknown => "free or held, nobody told".to_owned(),
        }
    }

    fn describe_holding(&self, state: &MutexState) -> String {
        format!("the lock is {}", self.describe_state(state))
    }

    fn describe_refusal(&self, _state: &MutexState, op: &MutexOp) -> String {
        match op {
            MutexOp::Acquire => "it got the lock, but somebody else holds it".to_owned(),
            MutexOp::Release => "it gave the lock back, but nobody holds it".to_owned(),
        }
    }

    fn noun(&self) -> &'static str {
        "lock"
    }
}

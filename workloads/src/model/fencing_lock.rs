//! A lock whose every holder gets a token that is greater than all before it.
//!
//! Storage that refuses requests with an old token is then safe from a holder that only thinks that
//! it still has the lock (Kleppmann 2016, "How to do distributed locking").

use super::{Encoded, Entry, Initial, Model, ObjectModel, UnsuitableOperation, completion};
use crate::history::{Operation, Outcome, Value};
use crate::model::nearby::nearby;

/// A lock with tokens, which are integers.
#[derive(Debug, Clone)]
pub struct FencingLock {
    initial: FencingLockState,
}

/// The last token, and whether its holder still has the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FencingLockState {
    /// Whether somebody holds it.
    pub held: bool,
    /// The last token, or the least that it can be.
    pub token: i64,
    /// Whether that is the token, not only the least.
    pub exact: bool,
}

/// An operation on a lock with tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FencingLockOp {
    /// Takes the lock, which must be free, and returns a token, unless nobody learned it.
    Acquire(Option<i64>),
    /// Gives it back, so it must be held, with this token if it names one.
    Release(Option<i64>),
}

impl ObjectModel for FencingLock {
    /// The lock is free at first; an integer is the last token that was given.
    fn encode(
        operations: &[&Operation],
        initial: &Initial,
    ) -> Result<Encoded<Self>, UnsuitableOperation> {
        let token = match initial {
            Initial::Value(value) => value.as_i64().unwrap_or(i64::MIN),
            Initial::Any => i64::MIN,
        };
        let token_of = |operation: &Operation, value: &Value| match value {
            Value::Null => Ok(None),
            Value::Int(token) => Ok(Some(*token)),
            other => Err(UnsuitableOperation::value(operation, "an integer as the token", other)),
        };
        let mut entries = Vec::with_capacity(operations.len());
        for (id, operation) in nearby(operations) {
            let op = match operation.f.as_str() {
                "acquire" if operation.outcome == Outcome::Ok => {
                    FencingLockOp::Acquire(token_of(operation, &operation.result)?)
                }
                "acquire" => FencingLockOp::Acquire(None),
                "release" => FencingLockOp::Release(token_of(operation, &operation.invoked)?),
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
        let initial = FencingLockState { held: false, token, exact: true };
        Ok((FencingLock { initial }, entries))
    }
}

impl Model for FencingLock {
    type Op = FencingLockOp;
    type State = FencingLockState;

    fn initial(&self) -> FencingLockState {
        self.initial
    }

    /// A token that nobody learned is taken to be the next one: the least leaves the most room.
    fn step(&self, state: &FencingLockState, op: &FencingLockOp) -> Option<FencingLockState> {
        match *op {
            FencingLockOp::Acquire(Some(token)) => (!state.held && token > state.token)
                .then_some(FencingLockState { held: true, token, exact: true }),
            FencingLockOp::Acquire(None) => {
                let next = state.token.checked_add(1).filter(|_| !state.held);
                next.map(|token| FencingLockState { held: true, token, exact: false })
            }
            FencingLockOp::Release(token) => {
                let token = match token {
                    Some(token) if state.exact => (token == state.token).then_some(token),
                    Some(token) => (token >= state.token).then_some(token),
                    None => Some(state.token),
                };
                let exact = state.exact || matches!(op, FencingLockOp::Release(Some(_)));
                token.filter(|_| state.held).map(|token| FencingLockState {
                    held: false,
                    token,
                    exact,
                })
            }
        }
    }

    fn is_read_only(&self, _op: &FencingLockOp) -> bool {
        false
    }

    fn describe_op(&self, op: &FencingLockOp) -> String {
        match op {
            FencingLockOp::Acquire(Some(token)) => format!("acquire -> token {token}"),
            FencingLockOp::Acquire(None) => "acquire".to_owned(),
            FencingLockOp::Release(Some(token)) => format!("release token {token}"),
            FencingLockOp::Release(None) => "release".to_owned(),
        }
    }

    fn describe_state(&self, state: &FencingLockState) -> String {
        let token = match (state.token, state.exact) {
            (i64::MIN, _) => "no token given yet".to_owned(),
            (token, true) => format!("last token {token}"),
            (token, false) => format!("last token {token} or greater"),
        };
        format!("{}, {token}", if state.held { "held" } else { "free" })
    }

    fn describe_holding(&self, state: &FencingLockState) -> String {
        format!("the lock is {}", self.describe_state(state))
    }

    fn describe_refusal(&self, state: &FencingLockState, op: &FencingLockOp) -> String {
        match op {
            FencingLockOp::Acquire(_) if state.held => {
                "it got the lock, but somebody else holds it".to_owned()
            }
            FencingLockOp::Acquire(Some(token)) => {
                format!("it got token {token}, which is not above {}", state.token)
            }
            FencingLockOp::Acquire(None) => "there is no greater token".to_owned(),
            FencingLockOp::Release(_) if !state.held => {
                "it gave the lock back, but nobody holds it".to_owned()
            }
            FencingLockOp::Release(_) => {
                format!("it gave the lock back, but the holder has token {}", state.token)
            }
        }
    }

    fn noun(&self) -> &'static str {
        "lock"
    }
}

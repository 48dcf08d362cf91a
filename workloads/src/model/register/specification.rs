//! The sequential specification, and how operations of a history become its operations.

use super::{blocks, simplify, support};
use crate::history::{Operation, Outcome, Value};
use crate::model::nearby::nearby;
use crate::model::{
    Decision, Encoded, Entry, Initial, Model, Numbers, OPEN, ObjectModel, UnsuitableOperation,
    completion,
};

/// What a register holds. Values are numbers that stand for JSON values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RegisterState {
    /// This value.
    Holds(u32),
    /// The unknown initial value.
    Unknown,
    /// A value that nobody is going to observe.
    Unobservable,
}

/// An operation on a register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RegisterOp {
    /// It returned the value.
    Read(u32),
    /// It sets the value.
    Write(u32),
    /// It sets `new` if the register holds `expected`, and otherwise has no effect.
    Cas {
        /// What it expects.
        expected: u32,
        /// What it sets.
        new: u32,
    },
}

/// A register with the values of one history.
#[derive(Debug, Clone)]
pub struct Register {
    values: Numbers,
    initial: RegisterState,
}

impl Register {
    /// A register that starts with `initial`.
    pub fn new(initial: &Initial) -> Self {
        let mut register = Self { values: Numbers::default(), initial: RegisterState::Unknown };
        if let Initial::Value(value) = initial {
            register.initial = RegisterState::Holds(register.values.number(value));
        }
        register
    }

    fn op(&mut self, operation: &Operation) -> Result<RegisterOp, UnsuitableOperation> {
        match operation.f.as_str() {
            "read" => Ok(RegisterOp::Read(self.values.number(&operation.result))),
            "write" => Ok(RegisterOp::Write(self.values.number(&operation.invoked))),
            "delete" => Ok(RegisterOp::Write(self.values.number(&Value::Null))),
            "cas" => match operation.invoked.as_list() {
                Some([expected, new]) => Ok(RegisterOp::Cas {
                    expected: self.values.number(expected),
                    new: self.values.number(new),
                }),
                _ => Err(UnsuitableOperation {
                    index: operation.invoke_index,
                    expected: "a cas with value [expected, new]",
                    got: operation.invoked.to_string(),
                }),
            },
            other => Err(UnsuitableOperation {
                index: operation.invoke_index,
                expected: "a function of a register: read, write, cas or delete",
                got: format!("`{other}`"),
            }),
        }
    }
}

impl RegisterState {
    /// The state after `op`, or none if `op` cannot have its result in this state.
    pub(in crate::model) fn step(self, op: RegisterOp) -> Option<RegisterState> {
        use RegisterState::{Holds, Unknown, Unobservable};
        match (op, self) {
            (RegisterOp::Write(value), Holds(_) | Unknown | Unobservable) => Some(Holds(value)),
            (RegisterOp::Read(value), Holds(held)) => (held == value).then_some(self),
            // The first to observe an unknown initial value tells what it was.
            (RegisterOp::Read(value), Unknown) => Some(Holds(value)),
            (RegisterOp::Cas { expected, new }, Holds(held)) => {
                (held == expected).then_some(Holds(new))
            }
            (RegisterOp::Cas { new, .. }, Unknown) => Some(Holds(new)),
            (RegisterOp::Read(_) | RegisterOp::Cas { .. }, Unobservable) => None,
        }
    }
}

impl ObjectModel for Register {
    /// Failed operations had no effect and are left out; so are reads of unknown result, which can
    /// always be explained, and crashed cas operations that expect what nobody can have written.
    fn encode(
        operations: &[&Operation],
        initial: &Initial,
    ) -> Result<Encoded<Self>, UnsuitableOperation> {
        let mut register = Register::new(initial);
        let mut entries = Vec::with_capacity(operations.len());
        for (id, operation) in nearby(operations) {
            let op = register.op(operation)?;
            let completed = completion(operation);
            let is_moot = operation.outcome == Outcome::Fail
                || completed == OPEN && matches!(op, RegisterOp::Read(_));
            if is_moot {
                continue;
            }
            entries.push(Entry { id, op, invoked: 2 * operation.invoke_index, completed });
        }
        let entries = simplify::without_inert(register.values.len(), register.initial, entries);
        Ok((register, entries))
    }
}

impl Model for Register {
    type Op = RegisterOp;
    type State = RegisterState;

    fn initial(&self) -> RegisterState {
        self.initial
    }

    fn step(&self, state: &RegisterState, op: &RegisterOp) -> Option<RegisterState> {
        state.step(*op)
    }

    fn is_read_only(&self, op: &RegisterOp) -> bool {
        matches!(op, RegisterOp::Read(_))
    }

    fn values(&self) -> usize {
        self.values.len()
    }

    fn observes(&self, op: &RegisterOp) -> Option<u32> {
        op.observes()
    }

    fn writes(&self, op: &RegisterOp) -> Option<u32> {
        op.writes()
    }

    fn held(&self, state: &RegisterState) -> Option<u32> {
        match *state {
            RegisterState::Holds(value) => Some(value),
            RegisterState::Unknown | RegisterState::Unobservable => None,
        }
    }

    fn unobservable(&self) -> Option<RegisterState> {
        Some(RegisterState::Unobservable)
    }

    fn simplify(&self, entries: Vec<Entry<RegisterOp>>) -> Vec<Entry<RegisterOp>> {
        simplify::simplify(self.values.len(), self.initial, entries)
    }

    fn decide(&self, entries: &[Entry<RegisterOp>]) -> Option<Decision> {
        blocks::decide(self.values.len(), self.initial, entries)
    }

    fn conflict(&self, entries: &[Entry<RegisterOp>]) -> Option<Vec<usize>> {
        super::conflict(self.values.len(), self.initial, entries)
    }

    fn support(&self, entries: &[Entry<RegisterOp>]) -> Vec<Vec<usize>> {
        support::support(self.values.len(), self.initial, entries)
    }

    fn weaken(&self, op: &RegisterOp) -> RegisterOp {
        match *op {
            RegisterOp::Cas { new, .. } => RegisterOp::Write(new),
            RegisterOp::Read(_) | RegisterOp::Write(_) => *op,
        }
    }

    fn describe_op(&self, op: &RegisterOp) -> String {
        match *op {
            RegisterOp::Read(value) => format!("read -> {}", self.describe_value(value)),
            RegisterOp::Write(value) => format!("write {}", self.describe_value(value)),
            RegisterOp::Cas { expected, new } => {
                format!("cas {} -> {}", self.describe_value(expected), self.describe_value(new))
            }
        }
    }

    fn describe_state(&self, state: &RegisterState) -> String {
        match *state {
            RegisterState::Holds(value) => self.describe_value(value),
            RegisterState::Unknown => "an unknown initial value".to_owned(),
            RegisterState::Unobservable => "a value that nobody observes".to_owned(),
        }
    }

    fn describe_refusal(&self, state: &RegisterState, op: &RegisterOp) -> String {
        let holds = self.describe_state(state);
        match *op {
            RegisterOp::Read(value) => {
                format!("it read {}, but the register holds {holds}", self.describe_value(value))
            }
            RegisterOp::Cas { expected, .. } => format!(
                "it succeeded in replacing {}, but the register holds {holds}",
                self.describe_value(expected)
            ),
            RegisterOp::Write(_) => "a write is always possible".to_owned(),
        }
    }

    fn describe_value(&self, value: u32) -> String {
        match self.values.value(value) {
            Value::Null => "nothing".to_owned(),
            other => other.to_string(),
        }
    }

    fn noun(&self) -> &'static str {
        "register"
    }
}

impl RegisterOp {
    /// The value that it must find.
    pub(in crate::model) fn observes(self) -> Option<u32> {
        match self {
            RegisterOp::Read(value) => Some(value),
            RegisterOp::Cas { expected, .. } => Some(expected),
            RegisterOp::Write(_) => None,
        }
    }

    /// The value that it leaves.
    pub(in crate::model) fn writes(self) -> Option<u32> {
        match self {
            RegisterOp::Write(value) => Some(value),
            RegisterOp::Cas { new, .. } => Some(new),
            RegisterOp::Read(_) => None,
        }
    }
}

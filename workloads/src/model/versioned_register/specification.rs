//! The sequential specification.

use super::revisions;
use crate::history::{Operation, Outcome, Value};
use crate::model::nearby::nearby;
use crate::model::{
    Decision, Encoded, Entry, Initial, Model, Numbers, OPEN, ObjectModel, UnsuitableOperation,
    completion,
};

/// A register with revisions, and the values of one history.
#[derive(Debug, Clone)]
pub struct VersionedRegister {
    values: Numbers,
    initial: VersionedRegisterState,
}

/// What the register holds, and since which revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct VersionedRegisterState {
    /// The revision, or the least that it can be.
    pub revision: i64,
    /// Whether that is the revision, not only the least.
    pub exact: bool,
    /// The value, by number; none if nobody told what it was at first.
    pub value: Option<u32>,
}

/// An operation, with the revision at which it acted, if that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VersionedRegisterOp {
    /// It returned the value, which was there since the revision.
    Read {
        /// Since when the value was there.
        revision: Option<i64>,
        /// The value.
        value: u32,
    },
    /// It set the value.
    Write {
        /// The revision that it made.
        revision: Option<i64>,
        /// The value.
        value: u32,
    },
    /// It replaced `expected`.
    Cas {
        /// The revision that it made.
        revision: Option<i64>,
        /// What must be there.
        expected: u32,
        /// What it sets.
        new: u32,
    },
}

impl VersionedRegisterOp {
    /// The revision that it made or saw.
    pub(super) fn revision(self) -> Option<i64> {
        match self {
            Self::Read { revision, .. }
            | Self::Write { revision, .. }
            | Self::Cas { revision, .. } => revision,
        }
    }

    /// The value that it leaves.
    pub(super) fn writes(self) -> Option<u32> {
        match self {
            Self::Write { value, .. } => Some(value),
            Self::Cas { new, .. } => Some(new),
            Self::Read { .. } => None,
        }
    }
}

/// Takes `[revision, value]` apart; anything else is a value without a revision.
fn versioned(value: &Value) -> (Option<i64>, &Value) {
    match value.as_list() {
        Some([Value::Int(revision), value]) => (Some(*revision), value),
        Some([Value::Null, value]) => (None, value),
        _ => (None, value),
    }
}

impl VersionedRegister {
    fn op(&mut self, operation: &Operation) -> Result<VersionedRegisterOp, UnsuitableOperation> {
        let is_known = operation.outcome == Outcome::Ok;
        let result = if is_known { &operation.result } else { &operation.invoked };
        let (revision, value) = versioned(result);
        let revision = revision.filter(|_| is_known);
        match operation.f.as_str() {
            // The key is not there, so that it has no revision either.
            "read" if result.is_null() => Ok(VersionedRegisterOp::Read {
                revision: self.initial.exact.then_some(self.initial.revision),
                value: self.values.number(&Value::Null),
            }),
            "read" => Ok(VersionedRegisterOp::Read { revision, value: self.values.number(value) }),
            // What was asked for is written, whatever an answer says besides the revision.
            "write" => {
                let value = versioned(&operation.invoked).1;
                Ok(VersionedRegisterOp::Write { revision, value: self.values.number(value) })
            }
            "cas" => match versioned(&operation.invoked).1.as_list() {
                Some([expected, new]) => Ok(VersionedRegisterOp::Cas {
                    revision,
                    expected: self.values.number(expected),
                    new: self.values.number(new),
                }),
                _ => {
                    let expected = "a cas with value [null, [expected, new]]";
                    Err(UnsuitableOperation::value(operation, expected, &operation.invoked))
                }
            },
            _ => {
                let expected = "a function of a register: read, write or cas";
                Err(UnsuitableOperation::function(operation, expected))
            }
        }
    }
}

impl ObjectModel for VersionedRegister {
    /// The initial value is `[revision, value]`, or a value at revision 0.
    fn encode(
        operations: &[&Operation],
        initial: &Initial,
    ) -> Result<Encoded<Self>, UnsuitableOperation> {
        let mut values = Numbers::default();
        let initial = match initial {
            Initial::Value(value) => {
                let (revision, value) = versioned(value);
                let value = Some(values.number(value));
                VersionedRegisterState { revision: revision.unwrap_or(0), exact: true, value }
            }
            Initial::Any => {
                VersionedRegisterState { revision: i64::MIN, exact: false, value: None }
            }
        };
        let mut model = VersionedRegister { values, initial };
        let mut entries = Vec::with_capacity(operations.len());
        for (id, operation) in nearby(operations) {
            if operation.outcome == Outcome::Fail {
                continue;
            }
            let op = model.op(operation)?;
            let completed = completion(operation);
            if completed != OPEN || op.writes().is_some() {
                entries.push(Entry { id, op, invoked: 2 * operation.invoke_index, completed });
            }
        }
        Ok((model, entries))
    }
}

impl VersionedRegisterState {
    /// The state after a change to `value` at `revision`.
    fn changed(self, revision: Option<i64>, value: u32) -> Option<Self> {
        let next = self.revision.checked_add(1)?;
        let exact = revision.is_some();
        let revision = revision.unwrap_or(next);
        (revision >= next).then_some(Self { revision, exact, value: Some(value) })
    }
}

impl Model for VersionedRegister {
    type Op = VersionedRegisterOp;
    type State = VersionedRegisterState;

    fn initial(&self) -> VersionedRegisterState {
        self.initial
    }

    /// A change of unknown revision is taken to have the next one: the least leaves the most room.
    fn step(
        &self,
        state: &VersionedRegisterState,
        op: &VersionedRegisterOp,
    ) -> Option<VersionedRegisterState> {
        match *op {
            VersionedRegisterOp::Read { revision, value } => {
                let fits = match revision {
                    Some(revision) if state.exact => revision == state.revision,
                    Some(revision) => revision >= state.revision,
                    None => true,
                };
                let value = state.value.is_none_or(|held| held == value).then_some(value)?;
                fits.then_some(VersionedRegisterState {
                    revision: revision.unwrap_or(state.revision),
                    exact: state.exact || revision.is_some(),
                    value: Some(value),
                })
            }
            VersionedRegisterOp::Write { revision, value } => state.changed(revision, value),
            VersionedRegisterOp::Cas { revision, expected, new } => state
                .value
                .is_none_or(|held| held == expected)
                .then(|| state.changed(revision, new))
                .flatten(),
        }
    }

    fn is_read_only(&self, op: &VersionedRegisterOp) -> bool {
        matches!(op, VersionedRegisterOp::Read { .. })
    }

    fn decide(&self, entries: &[Entry<VersionedRegisterOp>]) -> Option<Decision> {
        revisions::decide(self.initial, entries)
    }

    fn conflict(&self, entries: &[Entry<VersionedRegisterOp>]) -> Option<Vec<usize>> {
        revisions::conflict(self.initial, entries)
    }

    fn support(&self, entries: &[Entry<VersionedRegisterOp>]) -> Vec<Vec<usize>> {
        revisions::support(entries)
    }

    fn describe_op(&self, op: &VersionedRegisterOp) -> String {
        let at = |revision: Option<i64>| match revision {
            Some(revision) => format!(" (revision {revision})"),
            None => String::new(),
        };
        match *op {
            VersionedRegisterOp::Read { revision, value } => {
                format!("read -> {}{}", self.describe_value(value), at(revision))
            }
            VersionedRegisterOp::Write { revision, value } => {
                format!("write {}{}", self.describe_value(value), at(revision))
            }
            VersionedRegisterOp::Cas { revision, expected, new } => format!(
                "cas {} -> {}{}",
                self.describe_value(expected),
                self.describe_value(new),
                at(revision)
            ),
        }
    }

    fn describe_state(&self, state: &VersionedRegisterState) -> String {
        let value = match state.value {
            Some(value) => self.describe_value(value),
            None => "an unknown value".to_owned(),
        };
        match (state.revision, state.exact) {
            (i64::MIN, _) => value,
            (revision, true) => format!("{value} at revision {revision}"),
            (revision, false) => format!("{value} at revision {revision} or later"),
        }
    }

    fn describe_refusal(&self, state: &VersionedRegisterState, op: &VersionedRegisterOp) -> String {
        let holds = self.describe_state(state);
        let op_text = self.describe_op(op);
        match op {
            VersionedRegisterOp::Read { .. } => {
                format!("{op_text} does not fit, because the register holds {holds}")
            }
            VersionedRegisterOp::Write { .. } | VersionedRegisterOp::Cas { .. } => {
                format!("{op_text} would have to follow it, but the register holds {holds}")
            }
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

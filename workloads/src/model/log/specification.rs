//! The sequential specification of a log, and whom its operations owe their results to.

use rustc_hash::FxHashMap;

use super::decide::judge;
use super::{LogOp, operation};
use crate::history::Operation;
use crate::model::entry::entries;
use crate::model::specification::earlier_changes;
use crate::model::{
    Decision, Encoded, Entry, Initial, Model, Numbers, ObjectModel, UnsuitableOperation,
};

/// Values that are listed when a state is described: the last ones.
const SHOWN: usize = 8;

/// Offsets that a narrowed append may leave out; more are not worth a counterexample.
const GAP_MAX: u64 = 1 << 24;

/// Conflicts with more operations are not narrowed.
const NARROWED_MAX: usize = 8;

/// A log with the values of one history. It starts empty.
#[derive(Debug, Clone)]
pub struct Log {
    values: Numbers,
}

impl ObjectModel for Log {
    fn may_hold_less() -> bool {
        false
    }

    /// Reads of unknown result go. The log starts empty, whatever `initial` says.
    fn encode(
        operations: &[&Operation],
        _initial: &Initial,
    ) -> Result<Encoded<Self>, UnsuitableOperation> {
        let mut values = Numbers::default();
        let entries = entries(operations, |it| operation::read(it, &mut values))?;
        Ok((Self { values }, entries))
    }
}

impl Model for Log {
    type Op = LogOp;
    /// The values; none where a narrowed append left some out.
    type State = Vec<Option<u32>>;

    fn initial(&self) -> Self::State {
        Vec::new()
    }

    fn step(&self, state: &Self::State, op: &LogOp) -> Option<Self::State> {
        let mut after = state.clone();
        self.apply(&mut after, op).then_some(after)
    }

    fn apply(&self, state: &mut Self::State, op: &LogOp) -> bool {
        let length = state.len() as u64;
        match op {
            LogOp::Append { value, offset: Some(offset), exact: false } => {
                let fits = length <= *offset && offset - length < GAP_MAX;
                if fits {
                    state.resize(state.len() + (offset - length) as usize, None);
                    state.push(Some(*value));
                }
                fits
            }
            LogOp::Append { value, offset, .. } => {
                let fits = offset.is_none_or(|offset| offset == length);
                if fits {
                    state.push(Some(*value));
                }
                fits
            }
            LogOp::Read(offset, values) => {
                let from = usize::try_from(*offset).unwrap_or(usize::MAX);
                let there = state.get(from..).and_then(|tail| tail.get(..values.len()));
                there.is_some_and(|there| {
                    there
                        .iter()
                        .zip(&**values)
                        .all(|(has, read)| has.is_none_or(|has| has == *read))
                })
            }
            LogOp::Nothing(offset) => length <= *offset,
        }
    }

    fn is_read_only(&self, op: &LogOp) -> bool {
        match op {
            LogOp::Append { .. } => false,
            LogOp::Read(..) | LogOp::Nothing(_) => true,
        }
    }

    fn state_bytes(&self, state: &Self::State) -> usize {
        size_of::<Self::State>() + state.capacity() * size_of::<Option<u32>>()
    }

    fn decide(&self, entries: &[Entry<LogOp>]) -> Option<Decision> {
        judge(entries).decision(entries)
    }

    fn conflict(&self, entries: &[Entry<LogOp>]) -> Option<Vec<usize>> {
        judge(entries).conflict()
    }

    /// Of an append, it only counts that the log was not longer than its offset before, and was longer
    /// after. A crashed append whose value was read was at the offset of that read.
    fn narrow(&self, mut conflict: Vec<Entry<LogOp>>) -> Vec<Entry<LogOp>> {
        let mut read_at: FxHashMap<u32, u64> = FxHashMap::default();
        for entry in &conflict {
            if let LogOp::Read(offset, values) = &entry.op {
                read_at.extend(values.iter().zip(*offset..).map(|(&value, at)| (value, at)));
            }
        }
        let narrowed: Option<Vec<LogOp>> = conflict
            .iter()
            .map(|entry| match entry.op {
                LogOp::Append { value, offset, .. } => {
                    let offset = offset.or_else(|| read_at.get(&value).copied());
                    offset.map(|at| LogOp::Append { value, offset: Some(at), exact: false })
                }
                LogOp::Read(..) | LogOp::Nothing(_) => Some(entry.op.clone()),
            })
            .collect();
        let Some(narrowed) = narrowed.filter(|ops| ops.len() <= NARROWED_MAX) else {
            return conflict;
        };
        let exact = conflict.clone();
        for (entry, op) in conflict.iter_mut().zip(narrowed) {
            entry.op = op;
        }
        // Where it counts how many appends there are, they must not be narrowed.
        let explained =
            self.is_explained(&conflict, &mut vec![false; conflict.len()], &self.initial());
        if explained { exact } else { conflict }
    }

    /// Offsets count all appends, so each operation owes its result to all that came before; unless the
    /// appends are narrowed: then a read owes it to the append of the last value that it saw.
    fn support(&self, entries: &[Entry<LogOp>]) -> Vec<Vec<usize>> {
        let exact = |entry: &Entry<LogOp>| matches!(entry.op, LogOp::Append { exact: true, .. });
        if entries.iter().any(exact) {
            return earlier_changes(self, entries);
        }
        let source = |last: u64| {
            entries.iter().position(
                |it| matches!(it.op, LogOp::Append { offset: Some(offset), .. } if offset == last),
            )
        };
        let support = entries.iter().map(|entry| match &entry.op {
            LogOp::Read(offset, values) => {
                source(offset + values.len() as u64 - 1).into_iter().collect()
            }
            LogOp::Append { .. } | LogOp::Nothing(_) => Vec::new(),
        });
        support.collect()
    }

    fn noun(&self) -> &'static str {
        "log"
    }

    fn describe_op(&self, op: &LogOp) -> String {
        match op {
            LogOp::Append { value, offset: Some(offset), .. } => {
                format!("append {} -> offset {offset}", self.describe_value(*value))
            }
            LogOp::Append { value, offset: None, .. } => {
                format!("append {}", self.describe_value(*value))
            }
            LogOp::Read(offset, values) => {
                let values: Vec<String> =
                    values.iter().map(|&value| self.describe_value(value)).collect();
                format!("read at {offset} -> {}", values.join(", "))
            }
            LogOp::Nothing(offset) => format!("read at {offset} -> nothing"),
        }
    }

    fn describe_state(&self, state: &Self::State) -> String {
        if state.is_empty() {
            return "nothing".to_owned();
        }
        let left_out = state.len().saturating_sub(SHOWN);
        let shown: Vec<String> = state[left_out..]
            .iter()
            .map(|value| value.map_or_else(|| "?".to_owned(), |value| self.describe_value(value)))
            .collect();
        match left_out {
            0 => shown.join(", "),
            _ => format!("{left_out} values, then {}", shown.join(", ")),
        }
    }

    fn describe_refusal(&self, state: &Self::State, op: &LogOp) -> String {
        match op {
            LogOp::Append { offset: Some(offset), .. } => {
                format!("it was put at offset {offset}, but the log has {} values", state.len())
            }
            LogOp::Append { offset: None, .. } => "a log always takes more".to_owned(),
            LogOp::Read(..) | LogOp::Nothing(_) => format!(
                "it {}, but the log has {} values: {}",
                self.describe_op(op),
                state.len(),
                self.describe_state(state)
            ),
        }
    }

    fn describe_value(&self, value: u32) -> String {
        self.values.value(value).to_string()
    }
}

impl Log {
    /// Whether some order explains a few operations, of which some are done.
    fn is_explained(
        &self,
        entries: &[Entry<LogOp>],
        done: &mut [bool],
        state: &[Option<u32>],
    ) -> bool {
        if entries.iter().zip(&*done).all(|(entry, &done)| done || entry.is_crashed()) {
            return true;
        }
        let left = || (0..entries.len()).filter(|&at| !done[at]);
        let first_end = left().map(|at| entries[at].completed).min().unwrap_or(u64::MAX);
        let open: Vec<usize> = left().filter(|&at| entries[at].invoked < first_end).collect();
        open.into_iter().any(|at| {
            let mut after = state.to_vec();
            if !self.apply(&mut after, &entries[at].op) {
                return false;
            }
            done[at] = true;
            let explained = self.is_explained(entries, done, &after);
            done[at] = false;
            explained
        })
    }
}

//! An operation as a checker sees it.

use super::UnsuitableOperation;
use crate::history::{Operation, Outcome};
use crate::model::nearby::nearby;

/// The completion of an entry that never surely completed.
pub const OPEN: u64 = u64::MAX;

/// An operation of a model with its interval in the history.
///
/// Moments are positions in the history: invocations are even and completions are odd, so that a
/// deadline can be put between two events. `a` precedes `b` if `a.completed < b.invoked`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry<O> {
    /// Position in the list of operations that the entry came from.
    pub id: usize,
    /// What it does.
    pub op: O,
    /// When it started.
    pub invoked: u64,
    /// When it was over, or [`OPEN`]: then it may take effect at any time, or never.
    pub completed: u64,
}

impl<O> Entry<O> {
    /// Whether it may have had no effect.
    pub fn is_crashed(&self) -> bool {
        self.completed == OPEN
    }
}

/// The moment when an operation was over; [`OPEN`] if nobody learned whether it happened.
pub fn completion(operation: &Operation) -> u64 {
    match operation.outcome {
        Outcome::Ok => operation.complete_index.map_or(OPEN, |index| 2 * index + 1),
        Outcome::Fail | Outcome::Info => OPEN,
    }
}

/// The entries of those operations that `read` makes something of, in the order of invocation.
pub(super) fn entries<O>(
    operations: &[&Operation],
    mut read: impl FnMut(&Operation) -> Result<Option<O>, UnsuitableOperation>,
) -> Result<Vec<Entry<O>>, UnsuitableOperation> {
    let mut entries = Vec::with_capacity(operations.len());
    for (id, operation) in nearby(operations) {
        let Some(op) = read(operation)? else { continue };
        let (invoked, completed) = (2 * operation.invoke_index, completion(operation));
        entries.push(Entry { id, op, invoked, completed });
    }
    entries.sort_by_key(|entry| entry.invoked);
    Ok(entries)
}

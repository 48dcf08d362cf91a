//! Transactions: comparisons, and two lists of steps of which one is performed, as a whole or not at
//! all.

use std::cmp::Ordering;

use super::keys::appended;
use super::overlay::{Overlay, Staged};
use super::store::{StateStore, StateStoreError};
use crate::bug::Bug;
use crate::command::{Append, Comparison, Delete, Operand, Outcome, OutcomeKind, Put, Relation};
use crate::command::{StepResult, Txn, TxnStep, Versioned};

pub(super) fn perform<S: StateStore>(
    overlay: &mut Overlay<'_, S>,
    txn: Txn,
) -> Result<Outcome, StateStoreError> {
    let mut kind = OutcomeKind::Done;
    for comparison in &txn.compare {
        if !holds(comparison, overlay.key(&comparison.key)?.as_ref()) {
            kind = OutcomeKind::Mismatch;
            break;
        }
        if overlay.has(Bug::TxnOneCondition) {
            break;
        }
    }
    let steps = if kind == OutcomeKind::Done { txn.then } else { txn.otherwise };
    let mut staged = Staged::default();
    let mut results = Vec::with_capacity(steps.len());
    for operation in steps {
        match step(overlay, &mut staged, operation.step)? {
            Ok(found) => results.push(StepResult { found }),
            Err(refusal) => return Ok(overlay.outcome(refusal)),
        }
    }
    overlay.replace_all(staged);
    Ok(Outcome { results, ..overlay.outcome(kind) })
}

/// Stages one step. Returns what its key held before, or why the transaction cannot be performed.
fn step<S: StateStore>(
    overlay: &Overlay<'_, S>,
    staged: &mut Staged,
    step: Option<TxnStep>,
) -> Result<Result<Option<Versioned>, OutcomeKind>, StateStoreError> {
    match step {
        // The API lets no such step pass; all replicas must do the same with it if one gets here.
        None => Ok(Ok(None)),
        Some(TxnStep::Get(key)) => Ok(Ok(overlay.staged_key(staged, &key)?)),
        Some(TxnStep::Put(Put { key, value, lease })) => {
            if lease != 0 && !overlay.lease_lives(lease)? {
                return Ok(Err(OutcomeKind::LeaseNotFound));
            }
            let before = overlay.staged_key(staged, &key)?;
            let is_dropped = overlay.has(Bug::TxnWritesDropped) && staged.keys().count() >= 4
                || overlay.has(Bug::TxnFirstWriteWins) && staged.keys().any(|it| *it == key);
            if is_dropped {
                return Ok(Ok(before));
            }
            let mut now = overlay.written(value, lease, before.as_ref());
            if overlay.has(Bug::TxnOldRevision) && now.revision % 2 == 0 {
                now.revision = now.revision.saturating_sub(16).max(1);
            }
            staged.replace(key, before.clone(), Some(now));
            Ok(Ok(before))
        }
        Some(TxnStep::Delete(Delete { key })) => {
            let before = overlay.staged_key(staged, &key)?;
            if overlay.has(Bug::TxnDeleteLost) && overlay.revision() % 8 == 0 {
                return Ok(Ok(before));
            }
            staged.replace(key, before.clone(), None);
            Ok(Ok(before))
        }
        Some(TxnStep::Append(append)) => {
            let before = overlay.staged_key(staged, &append.key)?;
            let Some(value) = appended(before.as_ref(), &append) else {
                return Ok(Err(OutcomeKind::ValueTooLong));
            };
            let lease = before.as_ref().map_or(0, |before| before.lease);
            let now = overlay.written(value, lease, before.as_ref());
            let Append { key, .. } = append;
            staged.replace(key, before.clone(), Some(now));
            Ok(Ok(before))
        }
    }
}

/// Does what a key holds relate to the right side as it must? Without a right side nothing does.
fn holds(comparison: &Comparison, found: Option<&Versioned>) -> bool {
    let ordering = match &comparison.right {
        None => return false,
        Some(Operand::Value(value)) => {
            found.map_or(&[][..], |found| &found.value[..]).cmp(&value[..])
        }
        Some(Operand::Revision(revision)) => found.map_or(0, |found| found.revision).cmp(revision),
        Some(Operand::Version(version)) => found.map_or(0, |found| found.version).cmp(version),
    };
    match comparison.relation() {
        Relation::Equal => ordering == Ordering::Equal,
        Relation::NotEqual => ordering != Ordering::Equal,
        Relation::Less => ordering == Ordering::Less,
        Relation::Greater => ordering == Ordering::Greater,
    }
}

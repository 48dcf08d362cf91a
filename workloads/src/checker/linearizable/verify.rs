//! An independent verifier of witness orders. It shares no code with the search.

use thiserror::Error;

use crate::model::{Entry, Model};

/// Why an order does not explain a history. Operations are named by their ids.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WitnessError {
    /// The order names an operation that the history does not have.
    #[error("operation {0} is not in the history")]
    Foreign(usize),
    /// An operation takes effect twice.
    #[error("operation {0} occurs twice")]
    Repeated(usize),
    /// An acknowledged operation has no effect.
    #[error("operation {0} was acknowledged but does not occur")]
    Missing(usize),
    /// An operation is put behind one that was invoked after it had completed.
    #[error(
        "operation {0} completed before an operation that precedes it in the order was invoked"
    )]
    RealTime(usize),
    /// The model does not allow it there.
    #[error("operation {0} is impossible at its place")]
    Refused(usize),
}

/// Checks that `order` explains `entries`: each acknowledged operation once, each crashed one at
/// most once, real-time order kept, and every step allowed by the model.
pub fn verify<M: Model>(
    model: &M,
    entries: &[Entry<M::Op>],
    order: &[usize],
) -> Result<(), WitnessError> {
    let mut by_id: Vec<Option<&Entry<M::Op>>> = Vec::new();
    for entry in entries {
        if by_id.len() <= entry.id {
            by_id.resize(entry.id + 1, None);
        }
        by_id[entry.id] = Some(entry);
    }
    let mut occurs = vec![false; by_id.len()];
    let mut state = model.initial();
    let mut latest_invocation = 0;
    for &id in order {
        let entry = by_id.get(id).copied().flatten().ok_or(WitnessError::Foreign(id))?;
        if std::mem::replace(&mut occurs[id], true) {
            return Err(WitnessError::Repeated(id));
        }
        if entry.completed < latest_invocation {
            return Err(WitnessError::RealTime(id));
        }
        latest_invocation = latest_invocation.max(entry.invoked);
        if !model.apply(&mut state, &entry.op) {
            return Err(WitnessError::Refused(id));
        }
    }
    match entries.iter().find(|entry| !entry.is_crashed() && !occurs[entry.id]) {
        Some(entry) => Err(WitnessError::Missing(entry.id)),
        None => Ok(()),
    }
}

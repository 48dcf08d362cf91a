//! The state is a function of the applied log prefix: two replicas that have applied the same entries
//! have the same state, whether they applied them or took it from a snapshot (Raft §7).

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

use server::types::{LogIndex, NodeId};

use super::violation::{InvariantViolation, ensure};
use crate::simulation::trace::StableHasher;

/// The first state seen at each index; only at the ends of batches, which differ between nodes.
#[derive(Debug, Default)]
pub(super) struct EqualStates {
    states: BTreeMap<LogIndex, u64>,
}

impl EqualStates {
    /// `node` has applied everything up to `index`, and this is its state.
    pub(super) fn has(
        &mut self,
        node: NodeId,
        index: LogIndex,
        state: &impl Hash,
    ) -> Result<(), InvariantViolation> {
        let mut hasher = StableHasher::default();
        state.hash(&mut hasher);
        let mine = hasher.finish();
        let first = *self.states.entry(index).or_insert(mine);
        ensure(first == mine, "equal-states", || {
            format!("node {node} has another state as of entry {index} than others")
        })
    }
}

//! State machine safety: if a server has applied an entry at a given index, no other server ever
//! applies a different one there (Raft §5.4.3, figure 3).

use std::hash::{Hash, Hasher};

use server::replica::CommittedEntry;
use server::types::NodeId;

use super::violation::{InvariantViolation, ensure};
use crate::simulation::trace::StableHasher;

/// What was applied at each index, by whoever was first.
#[derive(Debug, Default)]
pub(super) struct StateMachineSafety {
    applied: Vec<(u64, u64)>,
}

impl StateMachineSafety {
    /// `node` applies `entry`.
    pub(super) fn applies(
        &mut self,
        node: NodeId,
        entry: &CommittedEntry,
    ) -> Result<(), InvariantViolation> {
        let mut hasher = StableHasher::default();
        hasher.write(&entry.data);
        entry.configuration.hash(&mut hasher);
        let mine = (entry.term.0, hasher.finish());
        let position = entry.index.0 as usize - 1;
        if position == self.applied.len() {
            self.applied.push(mine);
        }
        ensure(self.applied.get(position) == Some(&mine), "state-machine-safety", || {
            format!("node {node} applies another command at index {} than others", entry.index)
        })
    }
}

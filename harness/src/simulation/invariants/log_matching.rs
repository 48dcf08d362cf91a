//! Log matching: if two logs contain an entry with the same index and term, then they are identical
//! in all entries up through that index (Raft §5.3, figure 3).

use std::collections::BTreeMap;

use server::types::NodeId;

use super::violation::{InvariantViolation, ensure};
use crate::simulation::log_digest::LogDigest;

/// The first prefix seen for each (index, term).
#[derive(Debug, Default)]
pub(super) struct LogMatching {
    prefixes: BTreeMap<(u64, u64), u64>,
}

impl LogMatching {
    /// The log of `node` was changed from `first` on.
    pub(super) fn appended(
        &mut self,
        node: NodeId,
        log: &LogDigest,
        first: u64,
    ) -> Result<(), InvariantViolation> {
        for index in first..=log.len() {
            let Some(entry) = log.get(index) else { continue };
            let prefix = *self.prefixes.entry((index, entry.term)).or_insert(entry.prefix);
            ensure(prefix == entry.prefix, "log-matching", || {
                let term = entry.term;
                format!("node {node} has an entry {index} of term {term} after another prefix")
            })?;
        }
        Ok(())
    }
}

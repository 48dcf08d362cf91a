//! Leader completeness: if an entry is committed in a given term, then it is present in the logs of
//! the leaders of all higher-numbered terms (Raft §5.4.3, figure 3).

use std::collections::BTreeMap;

use server::types::{NodeId, Term};

use super::violation::{InvariantViolation, ensure};
use crate::simulation::log_digest::{EntryDigest, LogDigest};

/// How far the log was committed in each term, and the digest there.
#[derive(Debug, Default)]
pub(super) struct LeaderCompleteness {
    committed: BTreeMap<Term, (u64, EntryDigest)>,
    last: u64,
}

impl LeaderCompleteness {
    /// `leader` has committed up to `index` in `term`.
    pub(super) fn committed(&mut self, term: Term, index: u64, log: &LogDigest) {
        // Followers learn of a commit later, perhaps in a later term; the leader's word is first.
        if index > self.last
            && let Some(digest) = log.get(index)
        {
            self.last = index;
            self.committed.insert(term, (index, digest));
        }
    }

    /// `node` became leader of `term`.
    pub(super) fn elected(
        &self,
        node: NodeId,
        term: Term,
        log: &LogDigest,
    ) -> Result<(), InvariantViolation> {
        // A leader of an old term that was elected late need not have what later terms committed.
        let Some((_, (index, digest))) = self.committed.range(..term).next_back() else {
            return Ok(());
        };
        let has = log.covers(*index) || log.get(*index) == Some(*digest);
        ensure(has, "leader-completeness", || {
            format!(
                "node {node} leads term {term} without entry {index}, which was committed before"
            )
        })
    }
}

//! Terms never go back, nor does the commit index of a running process, and nothing is applied
//! before it is committed (thesis §3.8). The commit index need not survive a restart.

use server::types::{LogIndex, NodeId, Term};

use super::violation::{InvariantViolation, ensure};

/// The last values seen of one node.
#[derive(Debug, Clone, Default)]
pub(super) struct Monotonic {
    term: Term,
    committed: LogIndex,
    /// The newest term under which the node has sent anything: it must have been durable.
    term_sent: Term,
}

impl Monotonic {
    pub(super) fn sent(&mut self, term: Term) {
        self.term_sent = self.term_sent.max(term);
    }

    /// A new process started.
    pub(super) fn restarted(&mut self, node: NodeId, term: Term) -> Result<(), InvariantViolation> {
        self.term = term;
        self.committed = LogIndex(0);
        let sent = self.term_sent;
        ensure(term >= sent, "monotonic-term", || {
            format!("node {node} restarts in term {term} after it spoke in term {sent}")
        })
    }

    pub(super) fn step(
        &mut self,
        node: NodeId,
        term: Term,
        committed: LogIndex,
        applied: LogIndex,
    ) -> Result<(), InvariantViolation> {
        ensure(term >= self.term, "monotonic-term", || {
            format!("node {node} went from term {} to {term}", self.term)
        })?;
        ensure(committed >= self.committed, "monotonic-commit", || {
            format!("node {node} went from commit index {} to {committed}", self.committed)
        })?;
        ensure(applied <= committed, "applied-is-committed", || {
            format!("node {node} applied {applied}, but only {committed} is committed")
        })?;
        self.term = term;
        self.committed = committed;
        Ok(())
    }
}

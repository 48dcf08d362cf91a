//! A server votes for at most one candidate in a given term (Raft §5.2), also across restarts: the
//! vote must be durable before it is sent (thesis §3.8).

use std::collections::BTreeMap;

use server::types::{NodeId, Term};

use super::violation::{InvariantViolation, ensure};

/// Every vote that was seen leaving a node.
#[derive(Debug, Default)]
pub(super) struct OneVoteATerm {
    votes: BTreeMap<(NodeId, Term), NodeId>,
}

impl OneVoteATerm {
    /// `voter` sends its vote for `candidate`.
    pub(super) fn votes(
        &mut self,
        voter: NodeId,
        term: Term,
        candidate: NodeId,
    ) -> Result<(), InvariantViolation> {
        let first = *self.votes.entry((voter, term)).or_insert(candidate);
        ensure(first == candidate, "one-vote-a-term", || {
            format!("node {voter} voted for {first} and for {candidate} in term {term}")
        })
    }
}

//! All invariants of one run, fed by the world.

use std::hash::Hash;

use raft::eraftpb::{Message, MessageType};
use server::membership::Configuration;
use server::replica::CommittedEntry;
use server::types::{LogIndex, NodeId, Role, Term};

use super::durable_at_acknowledgement;
use super::election_safety::ElectionSafety;
use super::equal_states::EqualStates;
use super::leader_completeness::LeaderCompleteness;
use super::lease_kept::LeaseKept;
use super::log_matching::LogMatching;
use super::monotonic::Monotonic;
use super::one_vote_a_term::OneVoteATerm;
use super::state_machine_safety::StateMachineSafety;
use super::violation::InvariantViolation;
use crate::simulation::log_digest::LogDigest;

/// What the invariants see of a node after a step.
#[derive(Debug, Clone, Copy)]
pub(in crate::simulation) struct NodeView<'a> {
    pub(in crate::simulation) id: NodeId,
    pub(in crate::simulation) role: Role,
    pub(in crate::simulation) term: Term,
    pub(in crate::simulation) committed: LogIndex,
    pub(in crate::simulation) applied: LogIndex,
    pub(in crate::simulation) log: &'a LogDigest,
    /// Was it something else than a leader at the last look?
    pub(in crate::simulation) newly_elected: bool,
}

/// The invariants and what they remember.
#[derive(Debug)]
pub(in crate::simulation) struct Watch {
    election_safety: ElectionSafety,
    one_vote_a_term: OneVoteATerm,
    log_matching: LogMatching,
    leader_completeness: LeaderCompleteness,
    state_machine_safety: StateMachineSafety,
    equal_states: EqualStates,
    pub(in crate::simulation) lease_kept: LeaseKept,
    monotonic: Vec<Monotonic>,
}

impl Watch {
    pub(in crate::simulation) fn new(nodes: usize) -> Watch {
        Watch {
            election_safety: ElectionSafety::default(),
            one_vote_a_term: OneVoteATerm::default(),
            log_matching: LogMatching::default(),
            leader_completeness: LeaderCompleteness::default(),
            state_machine_safety: StateMachineSafety::default(),
            equal_states: EqualStates::default(),
            lease_kept: LeaseKept::default(),
            monotonic: vec![Monotonic::default(); nodes],
        }
    }

    /// A node took a step.
    pub(in crate::simulation) fn stepped(
        &mut self,
        view: NodeView<'_>,
    ) -> Result<(), InvariantViolation> {
        let NodeView { id, term, committed, log, .. } = view;
        self.of(id).step(id, term, committed, view.applied)?;
        if view.role == Role::Leader {
            self.election_safety.leads(id, term)?;
            if view.newly_elected {
                self.leader_completeness.elected(id, term, log)?;
            }
        }
        self.leader_completeness.committed(term, committed.0, log);
        Ok(())
    }

    /// A node started a new process.
    pub(in crate::simulation) fn restarted(
        &mut self,
        id: NodeId,
        term: Term,
    ) -> Result<(), InvariantViolation> {
        self.of(id).restarted(id, term)
    }

    /// A node's log was changed from `first` on.
    pub(in crate::simulation) fn appended(
        &mut self,
        id: NodeId,
        log: &LogDigest,
        first: u64,
    ) -> Result<(), InvariantViolation> {
        self.log_matching.appended(id, log, first)
    }

    /// A message leaves its node.
    pub(in crate::simulation) fn sent(
        &mut self,
        message: &Message,
    ) -> Result<(), InvariantViolation> {
        let (from, term) = (NodeId(message.from), Term(message.term));
        match message.get_msg_type() {
            // Pre-votes name a term that nobody is in yet (thesis §9.6).
            MessageType::MsgRequestPreVote | MessageType::MsgRequestPreVoteResponse => Ok(()),
            kind => {
                self.of(from).sent(term);
                match kind {
                    MessageType::MsgRequestVoteResponse if !message.reject => {
                        self.one_vote_a_term.votes(from, term, NodeId(message.to))
                    }
                    // A candidate votes for itself.
                    MessageType::MsgRequestVote => self.one_vote_a_term.votes(from, term, from),
                    _ => Ok(()),
                }
            }
        }
    }

    /// A node applies an entry.
    pub(in crate::simulation) fn applies(
        &mut self,
        id: NodeId,
        entry: &CommittedEntry,
    ) -> Result<(), InvariantViolation> {
        self.state_machine_safety.applies(id, entry)
    }

    /// A node's state is this one, as of `index`.
    pub(in crate::simulation) fn has_state(
        &mut self,
        id: NodeId,
        index: LogIndex,
        state: &impl Hash,
    ) -> Result<(), InvariantViolation> {
        self.equal_states.has(id, index, state)
    }

    /// A node lost everything that it had, after it was removed from the group.
    pub(in crate::simulation) fn wiped(&mut self, id: NodeId) {
        *self.of(id) = Monotonic::default();
    }

    /// A client is told that the entry at `index` of `log` took effect.
    pub(in crate::simulation) fn acknowledged<'a>(
        &self,
        index: LogIndex,
        log: &LogDigest,
        configuration: &Configuration,
        durable: impl Iterator<Item = (NodeId, &'a LogDigest)>,
    ) -> Result<(), InvariantViolation> {
        durable_at_acknowledgement::acknowledged(index, log, configuration, durable)
    }

    fn of(&mut self, id: NodeId) -> &mut Monotonic {
        &mut self.monotonic[id.0 as usize - 1]
    }
}

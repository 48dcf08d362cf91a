//! Who belongs to the group: requests of operators, and what a leader does to complete changes.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

use super::change::{MemberChange, MemberError};
use super::effects::{Rejection, Reply};
use super::plan::{self, Goal, Step};
use super::status::{MemberProgress, MemberRole, MemberStatus};
use crate::consensus::{Engine, EngineKind};
use crate::types::{LogIndex, NodeId, RequestId, Term};

/// Requests that may wait at once.
const REQUESTS_MAX: usize = 16;
/// A learner has caught up when it lacks at most so many entries ...
const CAUGHT_UP_LAG_MAX: u64 = 512;
/// ... for so many ticks.
const CAUGHT_UP_TICKS: u64 = 3;

/// A change that an operator waits for.
#[derive(Debug, Clone, Copy, Hash)]
struct Pending {
    request: RequestId,
    goal: Goal,
    /// The term in which it was asked for.
    term: Term,
    /// Tick at which the operator is told that it takes longer.
    deadline: u64,
}

/// The membership of one replica's group.
#[derive(Debug)]
pub(super) struct Members {
    /// A member that was not heard of for longer is not active (ticks).
    silence_max: u64,
    pending: Vec<Pending>,
    /// For how many ticks each joining learner has been close.
    close: BTreeMap<NodeId, u64>,
    /// The tick of each member's last message.
    heard: BTreeMap<NodeId, u64>,
}

impl Members {
    pub(super) fn new(election_ticks: usize) -> Members {
        Members {
            silence_max: 2 * election_ticks as u64,
            pending: Vec::new(),
            close: BTreeMap::new(),
            heard: BTreeMap::new(),
        }
    }

    /// A message of this node arrived.
    pub(super) fn heard_of(&mut self, node: NodeId, ticks: u64) {
        // Strangers are not remembered for long, and there are few: the transport knows its peers.
        if self.heard.len() < 2 * plan::MEMBERS_MAX || self.heard.contains_key(&node) {
            self.heard.insert(node, ticks);
        }
    }

    /// An operator wants a change; it starts now, or is refused.
    pub(super) fn change(
        &mut self,
        engine: &mut Engine,
        request: RequestId,
        change: &MemberChange,
        now: u64,
        deadline: u64,
    ) -> Result<(), Rejection> {
        if !engine.is_leader() {
            return Err(Rejection::NotLeader { leader: engine.leader() });
        }
        if engine.kind() == EngineKind::Solo {
            return Err(MemberError::SingleMode.into());
        }
        if self.pending.len() >= REQUESTS_MAX {
            return Err(Rejection::Busy);
        }
        let configuration = engine.configuration();
        if configuration.is_joint() || !engine.can_change() {
            return Err(MemberError::ChangeInProgress.into());
        }
        let (step, goal) = plan::first_step(configuration, change)?;
        if let MemberChange::Promote { node } = *change
            && let Some(lag) = lag(engine, node)
            && !is_close(engine, node)
        {
            return Err(MemberError::LearnerLags { node, lag }.into());
        }
        self.keeps_quorum(engine, &step, now)?;
        if engine.propose_change(step.change, &step.result).is_err() {
            return Err(Rejection::Busy);
        }
        self.pending.push(Pending { request, goal, term: engine.term(), deadline });
        Ok(())
    }

    /// A tick passed: who has caught up?
    pub(super) fn tick(&mut self, engine: &Engine) {
        let joining = &engine.configuration().joining;
        self.close.retain(|node, _| joining.contains_key(&node.0));
        for node in joining.keys().map(|node| NodeId(*node)) {
            let ticks = self.close.entry(node).or_default();
            *ticks = if is_close(engine, node) { *ticks + 1 } else { 0 };
        }
    }

    /// Proposes what is next on the way of a change, if this replica leads.
    pub(super) fn drive(&mut self, engine: &mut Engine, now: u64) {
        let configuration = engine.configuration();
        if (configuration.joining.is_empty() && !configuration.is_joint()) || !engine.can_change() {
            return;
        }
        let step = if configuration.is_joint() {
            plan::leave(configuration)
        } else {
            let caught_up = |node: &u64| {
                self.close.get(&NodeId(*node)).is_some_and(|ticks| *ticks >= CAUGHT_UP_TICKS)
            };
            let ready = configuration.joining.iter().find(|(node, _)| caught_up(node));
            let Some((node, old)) = ready else { return };
            let old = Some(NodeId(*old)).filter(|old| old.0 != 0);
            let step = plan::promote(configuration, NodeId(*node), old);
            if self.keeps_quorum(engine, &step, now).is_err() {
                return;
            }
            step
        };
        // If it is dropped, the next round proposes it again.
        let _ = engine.propose_change(step.change, &step.result);
    }

    /// The requests that are over.
    pub(super) fn settle(
        &mut self,
        engine: &Engine,
        applied: LogIndex,
        now: u64,
    ) -> Vec<(RequestId, Reply)> {
        let configuration = engine.configuration();
        let mut replies = Vec::new();
        self.pending.retain(|pending| {
            let leads = engine.is_leader() && engine.term() == pending.term;
            // When it is applied, the next change can be asked for. One that removed this replica
            // ended its leadership at once.
            let in_force = applied >= engine.configuration_index() || !leads;
            let reply = if in_force && pending.goal.is_reached(configuration) {
                Reply::MembersChanged { configuration: configuration.clone() }
            } else if !leads {
                Reply::Rejected(Rejection::Uncertain)
            } else if pending.deadline <= now {
                Reply::Rejected(Rejection::Timeout)
            } else {
                return true;
            };
            replies.push((pending.request, reply));
            false
        });
        replies
    }

    /// Was this member heard of lately?
    pub(super) fn is_active(&self, engine: &Engine, node: NodeId, now: u64) -> bool {
        node == engine.id()
            || self.heard.get(&node).is_some_and(|tick| now - tick <= self.silence_max)
    }

    /// All members, ascending.
    pub(super) fn status(&self, engine: &Engine, now: u64) -> Vec<MemberStatus> {
        let configuration = engine.configuration();
        let last = engine.last_index();
        let members = configuration.members().into_iter();
        members
            .map(|node| {
                let incoming = configuration.voters.contains(&node.0);
                let outgoing = configuration.voters_outgoing.contains(&node.0);
                let role = match (incoming, outgoing, configuration.is_joint()) {
                    (false, false, _) => MemberRole::Learner,
                    _ if engine.leader() == Some(node) => MemberRole::Leader,
                    (true, true, _) | (true, false, false) => MemberRole::Voter,
                    (true, false, true) => MemberRole::IncomingVoter,
                    (false, true, _) => MemberRole::OutgoingVoter,
                };
                let progress = engine.progress(node).map(|progress| MemberProgress {
                    match_index: progress.matched,
                    lag: last.0.saturating_sub(progress.matched.0),
                    active: self.is_active(engine, node, now),
                    snapshot: progress.snapshot.is_some(),
                });
                let address = configuration.addresses.get(&node.0).cloned().unwrap_or_default();
                MemberStatus { node, address, role, progress }
            })
            .collect()
    }

    /// Feeds everything that can influence what is done next to `hasher`, except for who was heard of:
    /// that counts for changes that operators ask for, which models do not have.
    pub(super) fn fingerprint(&self, hasher: &mut impl Hasher) {
        (&self.pending, &self.close).hash(hasher);
    }

    /// Refuses a step after which too few voters would answer to decide anything, the step back
    /// included.
    fn keeps_quorum(&self, engine: &Engine, step: &Step, now: u64) -> Result<(), MemberError> {
        let voters = plan::voters_after(engine.configuration(), step);
        let active = voters.iter().filter(|node| self.is_active(engine, **node, now)).count();
        match active > voters.len() / 2 {
            true => Ok(()),
            false => Err(MemberError::WouldLoseQuorum { active, voters: voters.len() }),
        }
    }
}

/// How many entries a member may lack.
fn lag(engine: &Engine, node: NodeId) -> Option<u64> {
    let matched = engine.progress(node)?.matched;
    Some(engine.last_index().0.saturating_sub(matched.0))
}

/// Has this member, by what is known, all but the last entries?
fn is_close(engine: &Engine, node: NodeId) -> bool {
    let Some(progress) = engine.progress(node) else { return false };
    let has_begun = progress.matched > LogIndex(0) && progress.snapshot.is_none();
    has_begun && lag(engine, node).is_some_and(|lag| lag <= CAUGHT_UP_LAG_MAX)
}

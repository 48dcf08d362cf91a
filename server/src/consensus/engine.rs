//! Whichever engine a replica has, behind one door.
//!
//! The door is an enum and not a trait: there are two engines, both known here, so that a call costs
//! one comparison that is always predicted, and nothing above has a type parameter. That both engines
//! have every method, with one meaning, is what the compiler checks.

use std::hash::Hasher;

use raft::eraftpb::{ConfChangeV2, Message};

use super::engine_ready::EngineReady;
use super::log_cache::LogCache;
use super::raft_engine::{EngineConfig, PeerProgress, ProposeError, RaftEngine};
use super::solo_engine::SoloEngine;
use crate::log_store::{LogPosition, RecoveredLog};
use crate::membership::Configuration;
use crate::replica::{AppliedState, ReplicaError};
use crate::types::{LogIndex, NodeId, PersistNumber, Role, Term};

/// How the members of a group agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EngineKind {
    /// By Raft.
    Raft,
    /// There is one member, so there is nothing to agree on.
    Solo,
}

/// An engine of one group.
#[derive(Debug)]
pub enum Engine {
    /// A Raft participant.
    Raft(Box<RaftEngine>),
    /// The only member.
    Solo(Box<SoloEngine>),
}

/// Calls a method of the engine that it is.
macro_rules! either {
    ($engine:expr, $it:ident => $call:expr) => {
        match $engine {
            Engine::Raft($it) => $call,
            Engine::Solo($it) => $call,
        }
    };
}

impl Engine {
    /// Resumes from what the log store and the state store held, which fit together. With `reset`,
    /// the log store is told to begin anew at `recovered.base`.
    pub fn new(
        kind: EngineKind,
        config: &EngineConfig,
        recovered: RecoveredLog,
        state: &AppliedState,
        reset: bool,
    ) -> Result<Engine, ReplicaError> {
        Ok(match kind {
            EngineKind::Raft => {
                Engine::Raft(Box::new(RaftEngine::new(config, recovered, state, reset)?))
            }
            EngineKind::Solo => {
                Engine::Solo(Box::new(SoloEngine::new(config.id, recovered, state, reset)?))
            }
        })
    }

    /// Which one is it?
    pub fn kind(&self) -> EngineKind {
        match self {
            Engine::Raft(_) => EngineKind::Raft,
            Engine::Solo(_) => EngineKind::Solo,
        }
    }

    /// One tick of the clock.
    pub fn tick(&mut self) {
        match self {
            Engine::Raft(raft) => raft.tick(),
            // It waits for nobody.
            Engine::Solo(_) => {}
        }
    }

    /// A message of a peer. What does not fit is dropped, as a network may.
    pub fn message(&mut self, message: Message) {
        match self {
            Engine::Raft(raft) => raft.message(message),
            // It has no peers.
            Engine::Solo(_) => {}
        }
    }

    /// Appends an entry, if this replica leads. Returns where.
    pub fn propose(&mut self, data: Vec<u8>) -> Result<(LogIndex, Term), ProposeError> {
        either!(self, it => it.propose(data))
    }

    /// Can a change of the configuration be proposed?
    pub fn can_change(&self) -> bool {
        match self {
            Engine::Raft(raft) => raft.can_change(),
            Engine::Solo(_) => false,
        }
    }

    /// Appends a change of the configuration; `result` is what it leads to.
    pub fn propose_change(
        &mut self,
        change: ConfChangeV2,
        result: &Configuration,
    ) -> Result<(), ProposeError> {
        match self {
            Engine::Raft(raft) => raft.propose_change(change, result),
            Engine::Solo(_) => Err(ProposeError::Dropped),
        }
    }

    /// Can a ReadIndex be asked for?
    pub fn can_read_index(&self) -> bool {
        match self {
            Engine::Raft(raft) => raft.can_read_index(),
            Engine::Solo(_) => true,
        }
    }

    /// Asks for a ReadIndex. The context must never have been used before, by any process.
    pub fn read_index(&mut self, context: Vec<u8>) {
        either!(self, it => it.read_index(context));
    }

    /// Is there something committed that followers may not know to be?
    pub fn has_unannounced_commit(&self) -> bool {
        match self {
            Engine::Raft(raft) => raft.has_unannounced_commit(),
            Engine::Solo(_) => false,
        }
    }

    /// Tells the followers what is committed.
    pub fn announce_commit(&mut self) {
        match self {
            Engine::Raft(raft) => raft.announce_commit(),
            Engine::Solo(_) => {}
        }
    }

    /// Everything up to `number` is durable. What waited for it comes with [`Self::take_ready`].
    pub fn persisted(&mut self, number: PersistNumber) {
        either!(self, it => it.persisted(number));
    }

    /// The state machine applied everything up to `index`.
    pub fn applied(&mut self, index: LogIndex) {
        either!(self, it => it.applied(index));
    }

    /// The state was switched to the snapshot that was handed out last.
    pub fn installed(&mut self) {
        match self {
            Engine::Raft(raft) => raft.installed(),
            Engine::Solo(_) => {}
        }
    }

    /// Is a snapshot being installed?
    pub fn is_installing(&self) -> bool {
        match self {
            Engine::Raft(raft) => raft.is_installing(),
            Engine::Solo(_) => false,
        }
    }

    /// Messages to this peer are being lost.
    pub fn unreachable(&mut self, peer: NodeId) {
        match self {
            Engine::Raft(raft) => raft.unreachable(peer),
            Engine::Solo(_) => {}
        }
    }

    /// A snapshot was taken. Returns false if a newer one is known.
    pub fn snapshot_taken(&mut self, position: LogPosition, configuration: Configuration) -> bool {
        either!(self, it => it.snapshot_taken(position, configuration))
    }

    /// Forgets entries up to `index`, which the state machine must have applied.
    pub fn compact(&mut self, index: LogIndex) {
        either!(self, it => it.compact(index));
    }

    /// A snapshot was sent, or could not be.
    pub fn snapshot_sent(&mut self, to: NodeId, ok: bool) {
        match self {
            Engine::Raft(raft) => raft.snapshot_sent(to, ok),
            Engine::Solo(_) => {}
        }
    }

    /// Did a follower need a snapshot that there is not, since the last call?
    pub fn take_snapshot_wanted(&self) -> bool {
        match self {
            Engine::Raft(raft) => raft.take_snapshot_wanted(),
            Engine::Solo(_) => false,
        }
    }

    /// The newest snapshot.
    pub fn newest_snapshot(&self) -> Option<LogPosition> {
        self.log().newest_snapshot().map(|(position, _)| *position)
    }

    /// Hands leadership to a voter, within an election timeout.
    pub fn transfer_leader(&mut self, to: NodeId) {
        match self {
            Engine::Raft(raft) => raft.transfer_leader(to),
            // It leads already, and nobody else can.
            Engine::Solo(_) => {}
        }
    }

    /// To whom is leadership being handed over?
    pub fn transferee(&self) -> Option<NodeId> {
        match self {
            Engine::Raft(raft) => raft.transferee(),
            Engine::Solo(_) => None,
        }
    }

    /// This replica.
    pub fn id(&self) -> NodeId {
        either!(self, it => it.id())
    }

    /// Does this replica believe that it leads?
    pub fn is_leader(&self) -> bool {
        match self {
            Engine::Raft(raft) => raft.is_leader(),
            Engine::Solo(_) => true,
        }
    }

    /// The current term.
    pub fn term(&self) -> Term {
        either!(self, it => it.term())
    }

    /// What this replica is.
    pub fn role(&self) -> Role {
        match self {
            Engine::Raft(raft) => raft.role(),
            Engine::Solo(_) => Role::Leader,
        }
    }

    /// Who leads, as far as this replica knows.
    pub fn leader(&self) -> Option<NodeId> {
        match self {
            Engine::Raft(raft) => raft.leader(),
            Engine::Solo(solo) => Some(solo.id()),
        }
    }

    /// The commit index.
    pub fn committed(&self) -> LogIndex {
        either!(self, it => it.committed())
    }

    /// The last durable entry.
    pub fn persisted_index(&self) -> LogIndex {
        match self {
            Engine::Raft(raft) => raft.persisted_index(),
            Engine::Solo(solo) => solo.committed(),
        }
    }

    /// The last entry, durable or not.
    pub fn last_index(&self) -> LogIndex {
        either!(self, it => it.last_index())
    }

    /// The configuration in force.
    pub fn configuration(&self) -> &Configuration {
        either!(self, it => it.configuration())
    }

    /// The entry (or snapshot) by which it came into force.
    pub fn configuration_index(&self) -> LogIndex {
        either!(self, it => it.configuration_index())
    }

    /// What this replica, if it leads, knows of a member.
    pub fn progress(&self, member: NodeId) -> Option<PeerProgress> {
        match self {
            Engine::Raft(raft) => raft.progress(member),
            Engine::Solo(solo) => (member == solo.id())
                .then(|| PeerProgress { matched: solo.committed(), snapshot: None }),
        }
    }

    /// The voter, other than this replica, that has most of the log, of those that `may` lead.
    pub fn furthest_voter(&self, may: impl Fn(NodeId) -> bool) -> Option<NodeId> {
        match self {
            Engine::Raft(raft) => raft.furthest_voter(may),
            Engine::Solo(_) => None,
        }
    }

    /// Where the log begins.
    pub fn base(&self) -> LogPosition {
        self.log().base()
    }

    /// The entries that were handed out for persistence and are not compacted.
    pub(crate) fn log(&self) -> &LogCache {
        either!(self, it => it.log())
    }

    /// From now on every election timeout is this long, for a model checker that makes ticks itself.
    pub fn pin_election_timeout(&mut self, ticks: usize) {
        match self {
            Engine::Raft(raft) => raft.pin_election_timeout(ticks),
            Engine::Solo(_) => {}
        }
    }

    /// Ticks since the last sign of a leader, or of a leader's last quorum check.
    pub fn election_elapsed(&self) -> usize {
        match self {
            Engine::Raft(raft) => raft.election_elapsed(),
            Engine::Solo(_) => 0,
        }
    }

    /// Everything to be done since the last call.
    pub fn take_ready(&mut self) -> EngineReady {
        either!(self, it => it.take_ready())
    }

    /// Feeds everything that can influence what this engine does next to `hasher`; see
    /// [`RaftEngine::fingerprint`].
    pub fn fingerprint(&self, hasher: &mut impl Hasher) {
        either!(self, it => it.fingerprint(hasher));
    }
}

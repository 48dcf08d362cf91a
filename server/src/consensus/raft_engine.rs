//! raft-rs 0.7 behind a narrow door.
//!
//! What the door hides:
//! - pre-vote and check-quorum are on, ReadIndex is `Safe`;
//! - election timeouts are drawn from the replica's seed. raft-rs draws them from the thread's
//!   generator, so the engine puts its own value back after every call that may have redrawn it;
//! - persistence is asynchronous: the leader's messages leave at once, so that its sync overlaps the
//!   followers' (Raft thesis §10.2.1), everybody else's leave after theirs;
//! - a replica campaigns only when its log is durable and no snapshot is being installed: raft-rs
//!   asserts the first, and would read compacted entries in the second case;
//! - a replica without a configuration is new in its group. The log alone would not tell it who the
//!   first voters were, so it asks for a snapshot, whatever the leader sends, and votes for nobody;
//! - a voter never gets a snapshot by asking: it had a configuration, so it lost its data, and with
//!   it what it voted and acknowledged. It has to be removed and added again.

use raft::eraftpb::{ConfChangeV2, HardState, Message};
use raft::{ProgressState, RawNode, ReadOnlyOption, SnapshotStatus, StateRole};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use prost::Message as _;

use super::log_cache::LogCache;
use super::persistence::{Done, Persistence};
use crate::bug::{Bug, Bugs};
use crate::bug_state;
use crate::log_store::{LogPosition, RecoveredLog};
use crate::membership::Configuration;
use crate::replica::{AppliedState, Persist};
use crate::types::{LogIndex, NodeId, PersistNumber, Role, Term};

/// Entries of one append message; one entry always fits (bytes).
const APPEND_BYTES_MAX: u64 = 1 << 20;
/// Append messages to one follower without an answer.
const APPENDS_INFLIGHT_MAX: usize = 256;
/// Proposed entries that are not committed yet (bytes); beyond it proposals are refused.
pub(super) const UNCOMMITTED_BYTES_MAX: u64 = 64 << 20;
/// Entries given to the state machine at once (bytes).
const COMMITTED_BYTES_MAX: u64 = 4 << 20;
/// A new replica wants any snapshot: one of at least this index.
const ANY_SNAPSHOT: u64 = 1;

/// How an engine behaves.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// This replica.
    pub id: NodeId,
    /// Ticks without a leader after which an election starts, drawn from `[n, 2n)`.
    pub election_ticks: usize,
    /// Ticks between heartbeats of a leader.
    pub heartbeat_ticks: usize,
    /// Seed of the election timeouts.
    pub seed: u64,
    /// The defect planted in it, if any.
    pub bugs: Bugs,
    /// Where raft-rs logs to.
    pub logger: slog::Logger,
}

/// A proposal was not accepted, and surely never will be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProposeError {
    /// This replica does not lead.
    NotLeader,
    /// Too much is uncommitted, or leadership is being handed over.
    Dropped,
}

/// What a leader knows of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerProgress {
    /// The last entry that it surely has.
    pub matched: LogIndex,
    /// A snapshot is on its way: it will have everything up to here.
    pub snapshot: Option<LogIndex>,
}

/// A Raft participant of one group, on raft-rs.
pub struct RaftEngine {
    pub(super) node: RawNode<LogCache>,
    pub(super) election_ticks: usize,
    pub(super) rng: ChaCha8Rng,
    pub(super) election_timeout: usize,
    /// Term and role at the last look; a change redraws the election timeout.
    seen: (u64, StateRole),
    /// Set by a model checker: every draw gives this.
    election_timeout_pinned: Option<usize>,
    pub(super) persistence: Persistence,
    /// A commit index that moved and is not written yet; it goes with what is written next, because
    /// nothing depends on it: what is applied is committed, and the rest is found out again.
    pub(super) unwritten: Option<HardState>,
    /// The commit index that every follower was told.
    announced: u64,
    /// Messages that may leave.
    pub(super) outbox: Vec<Message>,
    /// A leader's word to campaign at once, which came before that was possible, and for how many
    /// ticks it is still good.
    pub(super) deferred: Option<(Message, usize)>,
    /// As of the last entry that changed it and was handed out, ...
    pub(super) configuration: Configuration,
    /// ... and that entry's index, or the one of the snapshot that it came with.
    pub(super) configuration_index: LogIndex,
    pub(super) bugs: Bugs,
}

impl RaftEngine {
    /// Resumes from what the log store and the state store held, which fit together. With `reset`,
    /// the log store is told to begin anew at `recovered.base`.
    pub fn new(
        config: &EngineConfig,
        mut recovered: RecoveredLog,
        state: &AppliedState,
        reset: bool,
    ) -> Result<RaftEngine, raft::Error> {
        let applied = state.position.index.0;
        // The commit index is not synced, the state machine may be: what is applied is committed.
        recovered.hard_state.commit = recovered.hard_state.commit.max(applied);
        let mut persistence = Persistence::default();
        if reset {
            persistence.write(Persist {
                reset: Some(recovered.base),
                hard_state: Some(recovered.hard_state.clone()),
                must_sync: true,
                ..Persist::default()
            });
        }
        let raft_config = raft::Config {
            id: config.id.0,
            election_tick: config.election_ticks,
            heartbeat_tick: config.heartbeat_ticks,
            applied,
            max_size_per_msg: APPEND_BYTES_MAX,
            // Not `batch_append`: raft-rs 0.7 adds entries to a waiting empty append without comparing
            // where they begin, and the follower then acknowledges what it does not have.
            // Followers learn it with the next entries, a heartbeat, or `announce_commit`.
            skip_bcast_commit: true,
            max_inflight_msgs: APPENDS_INFLIGHT_MAX,
            check_quorum: true,
            pre_vote: true,
            read_only_option: match config.bugs.has(Bug::LeaseReads) {
                false => ReadOnlyOption::Safe,
                true => ReadOnlyOption::LeaseBased,
            },
            max_uncommitted_size: UNCOMMITTED_BYTES_MAX,
            max_committed_size_per_ready: COMMITTED_BYTES_MAX,
            ..raft::Config::default()
        };
        let configuration = state.configuration.clone();
        let base = recovered.base;
        let snapshot = state.snapshot.clone().filter(|(position, _)| *position >= base);
        let cache = LogCache::new(recovered, configuration.to_conf_state(), snapshot);
        let node = RawNode::new(&raft_config, cache, &config.logger)?;
        let mut engine = RaftEngine {
            seen: (node.raft.term, node.raft.state),
            node,
            election_ticks: config.election_ticks,
            rng: ChaCha8Rng::seed_from_u64(config.seed),
            election_timeout: 0,
            election_timeout_pinned: None,
            persistence,
            unwritten: None,
            announced: 0,
            outbox: Vec::new(),
            deferred: None,
            configuration,
            configuration_index: state.position.index,
            bugs: config.bugs,
        };
        engine.draw_election_timeout();
        engine.after_call();
        Ok(engine)
    }

    /// One tick of the clock.
    pub fn tick(&mut self) {
        if self.bugs.has(Bug::KnockReads) && bug_state::majority_opens() {
            let peers = self.node.raft.mut_prs().iter_mut();
            peers.for_each(|(_, progress)| progress.recent_active = true);
        }
        if self.is_leader() || self.may_campaign() {
            self.node.tick();
        } else {
            self.node.raft.election_elapsed += 1;
        }
        self.deferred =
            self.deferred.take().and_then(|(it, left)| Some((it, left.checked_sub(1)?)));
        self.after_call();
    }

    /// A message of a peer. What does not fit is dropped, as a network may.
    pub fn message(&mut self, mut message: Message) {
        if self.admits(&mut message) {
            let _ = self.node.step(message);
            self.after_call();
        }
    }

    /// Appends an entry, if this replica leads. Returns where.
    pub fn propose(&mut self, data: Vec<u8>) -> Result<(LogIndex, Term), ProposeError> {
        if !self.is_leader() {
            return Err(ProposeError::NotLeader);
        }
        let result = self.node.propose(Vec::new(), data);
        self.after_call();
        match result {
            Ok(()) => Ok((self.last_index(), self.term())),
            Err(_) => Err(ProposeError::Dropped),
        }
    }

    /// Can a change of the configuration be proposed? Otherwise raft-rs would replace it by an empty
    /// entry, without a word.
    pub fn can_change(&self) -> bool {
        self.can_read_index()
            && !self.node.raft.has_pending_conf()
            && self.node.raft.lead_transferee.is_none()
    }

    /// Appends a change of the configuration; `result` is what it leads to.
    pub fn propose_change(
        &mut self,
        change: ConfChangeV2,
        result: &Configuration,
    ) -> Result<(), ProposeError> {
        if !self.can_change() {
            return Err(ProposeError::Dropped);
        }
        let proposed = self.node.propose_conf_change(result.encode_to_vec(), change);
        self.after_call();
        proposed.map_err(|_| ProposeError::Dropped)
    }

    /// Can a ReadIndex be asked for? Not before the leader committed an entry of its term (Raft §8).
    pub fn can_read_index(&self) -> bool {
        self.is_leader() && self.node.raft.commit_to_current_term()
    }

    /// Asks for a ReadIndex. The context must never have been used before, by any process.
    pub fn read_index(&mut self, context: Vec<u8>) {
        self.node.read_index(context);
        self.after_call();
    }

    /// Is there something committed that followers may not know to be?
    pub fn has_unannounced_commit(&self) -> bool {
        self.is_leader() && self.node.raft.raft_log.committed > self.announced
    }

    /// Tells the followers what is committed. While entries flow this would double the messages.
    pub fn announce_commit(&mut self) {
        if self.has_unannounced_commit() {
            self.announced = self.node.raft.raft_log.committed;
            self.node.raft.bcast_append();
            self.after_call();
        }
    }

    /// Everything up to `number` is durable. What waited for it leaves with [`Self::take_ready`].
    pub fn persisted(&mut self, number: PersistNumber) {
        if let Some(done) = self.persistence.done(number) {
            self.on_done(done);
        }
    }

    /// Readies became durable.
    pub(super) fn on_done(&mut self, done: Done) {
        self.node.on_persist_ready(done.ready);
        if let Some(index) = done.reset {
            // The state was switched before the log was reset.
            self.node.advance_apply_to(index);
        }
        self.after_call();
        self.campaign_if_told();
        self.outbox.extend(done.messages);
    }

    /// The state machine applied everything up to `index`.
    pub fn applied(&mut self, index: LogIndex) {
        self.node.advance_apply_to(index.0);
        self.after_call();
        self.campaign_if_told();
    }

    /// The state was switched to the snapshot that was handed out last.
    pub fn installed(&mut self) {
        self.persistence.release();
    }

    /// Is a snapshot being installed?
    pub fn is_installing(&self) -> bool {
        self.persistence.is_installing()
    }

    /// Messages to this peer are being lost.
    pub fn unreachable(&mut self, peer: NodeId) {
        self.node.report_unreachable(peer.0);
        self.after_call();
    }

    /// A snapshot was taken. Returns false if a newer one is known.
    pub fn snapshot_taken(&mut self, position: LogPosition, configuration: Configuration) -> bool {
        self.node.mut_store().snapshot_taken((position, configuration))
    }

    /// Forgets entries up to `index`, which the state machine must have applied.
    pub fn compact(&mut self, index: LogIndex) {
        let index = index.0.min(self.node.raft.raft_log.applied());
        let compact = self.node.mut_store().compact(index);
        if compact.is_some() {
            self.persistence.write(Persist { compact, ..Persist::default() });
        }
    }

    /// A snapshot was sent, or could not be.
    pub fn snapshot_sent(&mut self, to: NodeId, ok: bool) {
        let status = if ok { SnapshotStatus::Finish } else { SnapshotStatus::Failure };
        self.node.report_snapshot(to.0, status);
        self.after_call();
    }

    /// Did a follower need a snapshot that there is not, since the last call?
    pub fn take_snapshot_wanted(&self) -> bool {
        self.node.store().take_snapshot_wanted()
    }

    /// Hands leadership to a voter, within an election timeout.
    pub fn transfer_leader(&mut self, to: NodeId) {
        self.node.transfer_leader(to.0);
        self.after_call();
    }

    /// To whom is leadership being handed over?
    pub fn transferee(&self) -> Option<NodeId> {
        self.node.raft.lead_transferee.map(NodeId)
    }

    /// This replica.
    pub fn id(&self) -> NodeId {
        NodeId(self.node.raft.id)
    }

    /// Does this replica believe that it leads?
    pub fn is_leader(&self) -> bool {
        self.node.raft.state == StateRole::Leader
    }

    /// The current term.
    pub fn term(&self) -> Term {
        Term(self.node.raft.term)
    }

    /// What this replica is.
    pub fn role(&self) -> Role {
        match self.node.raft.state {
            StateRole::Leader => Role::Leader,
            StateRole::Follower => Role::Follower,
            StateRole::Candidate => Role::Candidate,
            StateRole::PreCandidate => Role::PreCandidate,
        }
    }

    /// Who leads, as far as this replica knows.
    pub fn leader(&self) -> Option<NodeId> {
        Some(self.node.raft.leader_id).filter(|&id| id != 0).map(NodeId)
    }

    /// The commit index.
    pub fn committed(&self) -> LogIndex {
        LogIndex(self.node.raft.raft_log.committed)
    }

    /// The last durable entry.
    pub fn persisted_index(&self) -> LogIndex {
        LogIndex(self.node.raft.raft_log.persisted)
    }

    /// The last entry, durable or not.
    pub fn last_index(&self) -> LogIndex {
        LogIndex(self.node.raft.raft_log.last_index())
    }

    /// The configuration in force.
    pub fn configuration(&self) -> &Configuration {
        &self.configuration
    }

    /// The entry (or snapshot) by which it came into force.
    pub fn configuration_index(&self) -> LogIndex {
        self.configuration_index
    }

    /// What this replica, if it leads, knows of a member.
    pub fn progress(&self, member: NodeId) -> Option<PeerProgress> {
        let progress = self.node.raft.prs().get(member.0).filter(|_| self.is_leader())?;
        Some(PeerProgress {
            matched: LogIndex(progress.matched),
            snapshot: (progress.state == ProgressState::Snapshot)
                .then_some(LogIndex(progress.pending_snapshot)),
        })
    }

    /// The entries that were handed out for persistence and are not compacted.
    pub(crate) fn log(&self) -> &LogCache {
        self.node.store()
    }

    /// From now on every election timeout is this long, for a model checker that makes ticks itself.
    pub fn pin_election_timeout(&mut self, ticks: usize) {
        assert!((self.election_ticks..2 * self.election_ticks).contains(&ticks));
        self.election_timeout_pinned = Some(ticks);
        self.election_timeout = ticks;
        self.after_call();
    }

    /// Ticks since the last sign of a leader, or of a leader's last quorum check.
    pub fn election_elapsed(&self) -> usize {
        self.node.raft.election_elapsed
    }

    /// Has this replica never been told who belongs to its group?
    pub(super) fn is_new(&self) -> bool {
        self.node.raft.prs().iter().len() == 0
    }

    /// Keeps raft-rs from using randomness of its own; see the module's head.
    pub(super) fn after_call(&mut self) {
        let now = (self.node.raft.term, self.node.raft.state);
        if now != self.seen {
            self.seen = now;
            self.draw_election_timeout();
        }
        self.node.raft.set_randomized_election_timeout(self.election_timeout);
        if self.is_new() {
            self.node.raft.pending_request_snapshot = ANY_SNAPSHOT;
        }
        if self.bugs.has(Bug::SelfDoubleCount) && self.is_leader() {
            self.commit_counting_itself_twice();
        }
    }

    /// Commits what a majority has if this replica is two of it.
    fn commit_counting_itself_twice(&mut self) {
        let raft = &mut self.node.raft;
        let has = |id: u64| raft.prs().get(id).map(|progress| progress.matched);
        let voters = self.configuration.voters.iter().copied();
        let mut matched: Vec<u64> = voters.chain([raft.id]).filter_map(has).collect();
        matched.sort_unstable_by(|a, b| b.cmp(a));
        let majority = self.configuration.voters.len() / 2;
        let (Some(index), term) = (matched.get(majority).copied(), raft.term) else { return };
        if raft.raft_log.maybe_commit(index, term) {
            raft.bcast_append();
        }
    }

    fn draw_election_timeout(&mut self) {
        self.election_timeout = match self.election_timeout_pinned {
            Some(ticks) => ticks,
            None => self.rng.random_range(self.election_ticks..2 * self.election_ticks),
        };
    }
}

impl std::fmt::Debug for RaftEngine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RaftEngine")
            .field("id", &self.node.raft.id)
            .field("role", &self.role())
            .field("term", &self.node.raft.term)
            .field("committed", &self.node.raft.raft_log.committed)
            .finish_non_exhaustive()
    }
}

//! raft-rs 0.7 behind a narrow door.
//!
//! What the door hides:
//! - pre-vote and check-quorum are on, ReadIndex is `Safe`;
//! - election timeouts are drawn from the replica's seed. raft-rs draws them from the thread's
//!   generator, so the engine puts its own value back after every call that may have redrawn it;
//! - persistence is asynchronous: the leader's messages leave at once, so that its sync overlaps the
//!   followers' (Raft thesis §10.2.1), everybody else's leave after theirs.

use std::collections::{BTreeMap, VecDeque};
use std::hash::{Hash, Hasher};

use protobuf::Message as _;
use raft::eraftpb::{ConfState, Entry, Message, MessageType};
use raft::{Progress, RawNode, ReadOnlyOption, StateRole};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::log_cache::LogCache;
use crate::log_store::RecoveredLog;
use crate::replica::Persist;
use crate::types::{LogIndex, NodeId, PersistNumber, Role, Term};

/// Entries of one append message; one entry always fits (bytes).
const APPEND_BYTES_MAX: u64 = 1 << 20;
/// Append messages to one follower without an answer.
const APPENDS_INFLIGHT_MAX: usize = 256;
/// Proposed entries that are not committed yet (bytes); beyond it proposals are refused.
const UNCOMMITTED_BYTES_MAX: u64 = 64 << 20;
/// Entries given to the state machine at once (bytes).
const COMMITTED_BYTES_MAX: u64 = 4 << 20;

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
    /// Trust a lease for reads; wrong by design, for a planted bug.
    pub lease_reads: bool,
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

/// What the engine wants done.
#[derive(Debug, Default)]
pub struct EngineReady {
    /// Safe to send now.
    pub messages: Vec<Message>,
    /// To be written, in order.
    pub persist: Vec<Persist>,
    /// Committed and durable here, in order.
    pub committed: Vec<Entry>,
    /// Confirmed reads: the context and the index to wait for.
    pub reads: Vec<(Vec<u8>, LogIndex)>,
}

/// A batch that raft-rs handed out and that is not durable yet.
struct PendingReady {
    number: u64,
    has_writes: bool,
    /// Index and term of its last entry, as raft-rs remembers them until the batch is durable.
    last_entry: Option<(u64, u64)>,
    /// These leave when the batch is durable.
    messages: Vec<Message>,
}

/// A Raft participant of one group, on raft-rs.
pub struct RaftEngine {
    node: RawNode<LogCache>,
    election_ticks: usize,
    rng: ChaCha8Rng,
    election_timeout: usize,
    /// Term and role at the last look; a change redraws the election timeout.
    seen: (u64, StateRole),
    /// Set by a model checker: every draw gives this.
    election_timeout_pinned: Option<usize>,
    pending: VecDeque<PendingReady>,
}

impl RaftEngine {
    /// Resumes from what the log store held. `applied` is the state machine's.
    pub fn new(
        config: &EngineConfig,
        recovered: RecoveredLog,
        applied: LogIndex,
    ) -> Result<RaftEngine, raft::Error> {
        let configuration = recovered.configuration.clone().unwrap_or_default();
        let mut recovered = recovered;
        // The commit index is not synced, the state machine may be: what is applied is committed.
        recovered.hard_state.commit = recovered.hard_state.commit.max(applied.0);
        let raft_config = raft::Config {
            id: config.id.0,
            election_tick: config.election_ticks,
            heartbeat_tick: config.heartbeat_ticks,
            applied: applied.0,
            max_size_per_msg: APPEND_BYTES_MAX,
            max_inflight_msgs: APPENDS_INFLIGHT_MAX,
            check_quorum: true,
            pre_vote: true,
            read_only_option: match config.lease_reads {
                false => ReadOnlyOption::Safe,
                true => ReadOnlyOption::LeaseBased,
            },
            max_uncommitted_size: UNCOMMITTED_BYTES_MAX,
            max_committed_size_per_ready: COMMITTED_BYTES_MAX,
            ..raft::Config::default()
        };
        let node =
            RawNode::new(&raft_config, LogCache::new(recovered, configuration), &config.logger)?;
        let mut engine = RaftEngine {
            seen: (node.raft.term, node.raft.state),
            node,
            election_ticks: config.election_ticks,
            rng: ChaCha8Rng::seed_from_u64(config.seed),
            election_timeout: 0,
            election_timeout_pinned: None,
            pending: VecDeque::new(),
        };
        engine.draw_election_timeout();
        engine.after_call();
        Ok(engine)
    }

    /// One tick of the clock.
    pub fn tick(&mut self) {
        self.node.tick();
        self.after_call();
    }

    /// A message of a peer. What does not fit is dropped, as a network may.
    pub fn message(&mut self, message: Message) {
        // Proposals and reads are never forwarded between engines: the driver forwards requests.
        match message.get_msg_type() {
            MessageType::MsgPropose | MessageType::MsgReadIndex => return,
            _ => {}
        }
        let _ = self.node.step(message);
        self.after_call();
    }

    /// Appends an entry, if this replica leads. Returns where.
    pub fn propose(&mut self, data: Vec<u8>) -> Result<(LogIndex, Term), ProposeError> {
        if !self.is_leader() {
            return Err(ProposeError::NotLeader);
        }
        let result = self.node.propose(Vec::new(), data);
        self.after_call();
        match result {
            Ok(()) => Ok((LogIndex(self.node.raft.raft_log.last_index()), self.term())),
            Err(_) => Err(ProposeError::Dropped),
        }
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

    /// Everything up to `number` is durable; its messages leave with the next [`Self::take_ready`].
    pub fn persisted(&mut self, number: PersistNumber) -> Vec<Message> {
        let mut messages = Vec::new();
        let mut last = None;
        while let Some(front) = self.pending.front() {
            if front.number > number.0 && front.has_writes {
                break;
            }
            let front = self.pending.pop_front().expect("the front was there a moment ago");
            last = Some(front.number);
            messages.extend(front.messages);
        }
        if let Some(last) = last {
            self.node.on_persist_ready(last);
            self.after_call();
        }
        messages
    }

    /// The state machine applied everything up to `index`.
    pub fn applied(&mut self, index: LogIndex) {
        self.node.advance_apply_to(index.0);
        self.after_call();
    }

    /// Messages to this peer are being lost.
    pub fn unreachable(&mut self, peer: NodeId) {
        self.node.report_unreachable(peer.0);
        self.after_call();
    }

    /// Everything to be done since the last call.
    pub fn take_ready(&mut self) -> EngineReady {
        let mut out = EngineReady::default();
        while self.node.has_ready() {
            let mut ready = self.node.ready();
            let number = ready.number();
            out.messages.append(&mut ready.take_messages());
            out.committed.append(&mut ready.take_committed_entries());
            out.reads.extend(
                ready
                    .take_read_states()
                    .into_iter()
                    .map(|state| (state.request_ctx, LogIndex(state.index))),
            );
            let entries = ready.take_entries();
            let hard_state = ready.hs().cloned();
            let must_sync = ready.must_sync();
            let messages = ready.take_persisted_messages();
            self.node.mut_store().append(&entries);
            self.node.advance_append_async(ready);

            let last_entry = entries.last().map(|entry| (entry.index, entry.term));
            let has_writes = !entries.is_empty() || hard_state.is_some();
            if has_writes {
                let number = PersistNumber(number);
                out.persist.push(Persist { number, hard_state, entries, must_sync });
            }
            self.pending.push_back(PendingReady { number, has_writes, last_entry, messages });
            if self.pending.iter().all(|pending| !pending.has_writes) {
                let mut messages = self.persisted(PersistNumber(number));
                out.messages.append(&mut messages);
            }
        }
        self.after_call();
        out
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

    /// The voters of the current configuration, ascending.
    pub fn voters(&self) -> Vec<NodeId> {
        let mut configuration: ConfState = self.node.raft.prs().conf().to_conf_state();
        let mut voters: Vec<u64> = configuration.take_voters();
        voters.sort_unstable();
        voters.into_iter().map(NodeId).collect()
    }

    /// Entries by which each other node is behind, as the leader knows; empty elsewhere.
    pub fn lags(&self) -> BTreeMap<NodeId, u64> {
        if self.role() != Role::Leader {
            return BTreeMap::new();
        }
        let (own, last) = (self.node.raft.id, self.node.raft.raft_log.last_index());
        let others = self.node.raft.prs().iter().filter(|(node, _)| **node != own);
        others.map(|(node, it)| (NodeId(*node), last.saturating_sub(it.matched))).collect()
    }

    /// Entries that were handed out for persistence, from index 1.
    pub fn log(&self) -> &[Entry] {
        self.node.store().entries_slice()
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

    /// Feeds everything that can influence what this engine does next to `hasher`. To be called
    /// when nothing is left for [`Self::take_ready`].
    ///
    /// What of raft-rs' state is not fed, and why that is sound:
    /// - `heartbeat_elapsed` is private; it is always 0 if `heartbeat_ticks` is 1;
    /// - `uncommitted_state` is private; it acts only beyond [`UNCOMMITTED_BYTES_MAX`];
    /// - messages, read states and unstable entries are empty after `take_ready`, and the last soft
    ///   and hard state are then the current ones;
    /// - the index from which committed entries are handed out is then min(committed, persisted);
    /// - numbers of pending batches are compared with each other only, so their order is enough.
    pub fn fingerprint(&self, hasher: &mut impl Hasher) {
        let raft = &self.node.raft;
        (raft.term, raft.vote, raft.leader_id, self.role()).hash(hasher);
        (raft.election_elapsed, self.election_timeout, raft.pending_conf_index).hash(hasher);
        (raft.raft_log.committed, raft.raft_log.persisted, raft.raft_log.applied()).hash(hasher);
        (raft.lead_transferee, raft.pending_request_snapshot).hash(hasher);
        let mut votes: Vec<_> = raft.prs().votes().iter().collect();
        votes.sort_unstable();
        votes.hash(hasher);
        (self.log().len(), raft.raft_log.unstable_entries().len()).hash(hasher);
        for entry in self.log().iter().chain(raft.raft_log.unstable_entries()) {
            (entry.index, entry.term, &entry.data[..]).hash(hasher);
        }
        let mut progress: Vec<_> = raft.prs().iter().collect();
        progress.sort_unstable_by_key(|(id, _)| **id);
        for (id, progress) in progress {
            id.hash(hasher);
            fingerprint_progress(progress, hasher);
        }
        raft.read_only.read_index_queue.len().hash(hasher);
        for context in &raft.read_only.read_index_queue {
            context.hash(hasher);
            if let Some(status) = raft.read_only.pending_read_index.get(context) {
                let mut acks: Vec<_> = status.acks.iter().collect();
                acks.sort_unstable();
                (status.index, acks).hash(hasher);
            }
        }
        self.pending.len().hash(hasher);
        for pending in &self.pending {
            (pending.has_writes, pending.last_entry, pending.messages.len()).hash(hasher);
            for message in &pending.messages {
                let bytes = message.write_to_bytes().expect("a message in memory can be encoded");
                bytes.hash(hasher);
            }
        }
        self.rng.get_word_pos().hash(hasher);
    }

    /// Keeps raft-rs from using randomness of its own; see the module's head.
    fn after_call(&mut self) {
        let now = (self.node.raft.term, self.node.raft.state);
        if now != self.seen {
            self.seen = now;
            self.draw_election_timeout();
        }
        self.node.raft.set_randomized_election_timeout(self.election_timeout);
    }

    fn draw_election_timeout(&mut self) {
        self.election_timeout = match self.election_timeout_pinned {
            Some(ticks) => ticks,
            None => self.rng.random_range(self.election_ticks..2 * self.election_ticks),
        };
    }
}

/// What a leader knows of a follower. Only a replicating one has appends in flight; how many of them
/// each acknowledged index would free says which they are.
fn fingerprint_progress(progress: &Progress, hasher: &mut impl Hasher) {
    (progress.matched, progress.next_idx, progress.state as u8, progress.paused).hash(hasher);
    (progress.pending_snapshot, progress.pending_request_snapshot).hash(hasher);
    (progress.recent_active, progress.committed_index, progress.ins.count()).hash(hasher);
    if progress.ins.count() > 0 {
        let mut inflights = progress.ins.clone();
        for index in 0..=progress.next_idx {
            inflights.free_to(index);
            inflights.count().hash(hasher);
        }
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

//! The replica: engine, proposals and reads.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

use super::effects::{CommittedEntry, Effects, Rejection, Reply};
use super::input::Input;
use super::proposals::Proposals;
use super::reads::Reads;
use crate::bug::{Bug, Bugs};
use crate::command::{Command, LogCommand, Outcome, OutcomeKind};
use crate::consensus::{EngineConfig, ProposeError, RaftEngine};
use crate::log_store::RecoveredLog;
use crate::types::{LogIndex, NodeId, PersistNumber, RequestId, Role, Term};

/// How a replica behaves. All limits are explicit.
#[derive(Debug, Clone)]
pub struct ReplicaConfig {
    /// This replica.
    pub id: NodeId,
    /// Ticks without a leader after which an election starts, drawn from `[n, 2n)`.
    pub election_ticks: usize,
    /// Ticks between heartbeats of a leader.
    pub heartbeat_ticks: usize,
    /// Seed of the election timeouts.
    pub seed: u64,
    /// A number that no other process of this replica ever used; part of every ReadIndex context.
    pub boot: u64,
    /// Ticks after which a request without an answer is given up.
    pub request_timeout_ticks: u64,
    /// Writes that may wait at once.
    pub pending_writes_max: usize,
    /// Reads that may wait at once.
    pub pending_reads_max: usize,
    /// The defect planted in this replica, if any.
    pub bugs: Bugs,
    /// Where the engine logs to.
    pub logger: slog::Logger,
}

/// A replica cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ReplicaError {
    /// The log has no configuration: the group was never bootstrapped here.
    #[error("the group has no configuration; it was never bootstrapped here")]
    NotBootstrapped,
    /// The engine refused the configuration or the recovered log.
    #[error("start consensus: {0}")]
    Engine(#[from] raft::Error),
    /// The state machine is ahead of the log: the log was lost or belongs to another state.
    #[error("the state has applied {applied} entries, but the log ends at {last}")]
    LogBehindState {
        /// The state machine's applied index.
        applied: LogIndex,
        /// The log's last index.
        last: LogIndex,
    },
}

/// What a replica looks like from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicaStatus {
    /// This replica.
    pub id: NodeId,
    /// What it is.
    pub role: Role,
    /// Its term.
    pub term: Term,
    /// Who leads, as far as it knows.
    pub leader: Option<NodeId>,
    /// The commit index.
    pub committed: LogIndex,
    /// What the state machine applied.
    pub applied: LogIndex,
    /// The last durable entry.
    pub persisted: LogIndex,
    /// The last entry.
    pub last_index: LogIndex,
    /// The voters, ascending.
    pub voters: Vec<NodeId>,
}

/// One replica of one group. See the module's head for its contract.
#[derive(Debug)]
pub struct Replica {
    config: ReplicaConfig,
    engine: RaftEngine,
    proposals: Proposals,
    reads: Reads,
    applied: LogIndex,
    ticks: u64,
    effects: Effects,
}

impl Replica {
    /// Resumes a replica from what its log store and state machine held.
    pub fn new(
        config: ReplicaConfig,
        recovered: RecoveredLog,
        applied: LogIndex,
    ) -> Result<Replica, ReplicaError> {
        if recovered.configuration.is_none() {
            return Err(ReplicaError::NotBootstrapped);
        }
        let last = LogIndex(recovered.entries.len() as u64);
        if applied > last {
            return Err(ReplicaError::LogBehindState { applied, last });
        }
        let engine_config = EngineConfig {
            id: config.id,
            election_ticks: config.election_ticks,
            heartbeat_ticks: config.heartbeat_ticks,
            seed: config.seed,
            lease_reads: config.bugs.has(Bug::LeaseReads),
            logger: config.logger.clone(),
        };
        Ok(Replica {
            engine: RaftEngine::new(&engine_config, recovered, applied)?,
            proposals: Proposals::default(),
            reads: Reads::new(config.boot),
            applied,
            ticks: 0,
            effects: Effects::default(),
            config,
        })
    }

    /// Takes in one thing that happened.
    pub fn step(&mut self, input: Input) {
        match input {
            Input::Tick => self.tick(),
            Input::Message(message) => self.engine.message(message),
            Input::Write { request, command } => self.write(request, &command),
            Input::Read { request } => self.read(request),
            Input::Persisted(number) => self.persisted(number),
            Input::Applied { index, entries, leases: _ } => {
                self.applied = index;
                self.engine.applied(index);
                self.effects.replies.extend(self.proposals.applied(index, entries));
            }
            Input::Unreachable(peer) => self.engine.unreachable(peer),
        }
    }

    /// Everything that should be done because of the inputs so far.
    pub fn take_effects(&mut self) -> Effects {
        self.settle_reads();
        let ready = self.engine.take_ready();
        self.effects.messages.extend(ready.messages);
        self.effects.persist.extend(ready.persist);
        self.effects.committed.extend(ready.committed.into_iter().map(|entry| CommittedEntry {
            index: LogIndex(entry.index),
            term: Term(entry.term),
            data: entry.data,
            configuration: None,
        }));
        for (context, index) in ready.reads {
            let index = match self.config.bugs.has(Bug::ReadBeforeApply) {
                false => index,
                true => LogIndex(0),
            };
            self.reads.confirm(&context, index);
        }
        self.effects.reads.extend(self.reads.release(self.applied));
        std::mem::take(&mut self.effects)
    }

    /// What this replica looks like from outside.
    pub fn status(&self) -> ReplicaStatus {
        ReplicaStatus {
            id: self.config.id,
            role: self.engine.role(),
            term: self.engine.term(),
            leader: self.engine.leader(),
            committed: self.engine.committed(),
            applied: self.applied,
            persisted: self.engine.persisted_index(),
            last_index: self.engine.last_index(),
            voters: self.engine.voters(),
        }
    }

    /// Entries by which each other node is behind, as the leader knows; empty elsewhere.
    pub fn lags(&self) -> BTreeMap<NodeId, u64> {
        self.engine.lags()
    }

    /// What it is; cheap, unlike [`Self::status`].
    pub fn role(&self) -> Role {
        self.engine.role()
    }

    /// Its term.
    pub fn term(&self) -> Term {
        self.engine.term()
    }

    /// The commit index.
    pub fn committed(&self) -> LogIndex {
        self.engine.committed()
    }

    /// Ticks since the last sign of a leader, or of a leader's last quorum check.
    pub fn election_elapsed(&self) -> usize {
        self.engine.election_elapsed()
    }

    /// From now on every election timeout is this long, for a model checker that makes ticks itself.
    pub fn pin_election_timeout(&mut self, ticks: usize) {
        self.engine.pin_election_timeout(ticks);
    }

    /// The entries this replica holds, from index 1, as (term, data); for the invariants of tests.
    pub fn log(&self) -> impl Iterator<Item = (Term, &[u8])> {
        self.engine.log().iter().map(|entry| (Term(entry.term), &entry.data[..]))
    }

    /// Feeds everything that can influence this replica's future to `hasher`.
    ///
    /// Two replicas with the same fingerprint behave alike from here on, provided `heartbeat_ticks`
    /// is 1 (see [`RaftEngine::fingerprint`]) and requests never time out.
    pub fn fingerprint(&self, hasher: &mut impl Hasher) {
        self.engine.fingerprint(hasher);
        self.proposals.hash(hasher);
        self.reads.hash(hasher);
        self.applied.hash(hasher);
    }

    fn tick(&mut self) {
        self.ticks += 1;
        self.engine.tick();
        let expired = self.proposals.expire(self.ticks);
        self.effects.replies.extend(expired);
        let expired = self.reads.expire(self.ticks);
        self.effects.replies.extend(expired);
    }

    fn write(&mut self, request: RequestId, command: &LogCommand) {
        let rejection = if self.proposals.len() >= self.config.pending_writes_max {
            Rejection::Busy
        } else {
            match self.engine.propose(command.encode_entry()) {
                Ok((index, term)) => {
                    if self.config.bugs.has(Bug::EarlyAck) && acknowledge_early(command) {
                        let outcome = Outcome {
                            revision: index.0,
                            kind: OutcomeKind::Done as i32,
                            ..Outcome::default()
                        };
                        let reply = Reply::Applied { term, outcome };
                        self.effects.replies.push((request, reply));
                        return;
                    }
                    let deadline = self.ticks.saturating_add(self.config.request_timeout_ticks);
                    let older = self.proposals.insert(index, term, request, deadline);
                    self.effects.replies.extend(older);
                    return;
                }
                Err(ProposeError::NotLeader) => {
                    Rejection::NotLeader { leader: self.engine.leader() }
                }
                Err(ProposeError::Dropped) => Rejection::Busy,
            }
        };
        self.effects.replies.push((request, Reply::Rejected(rejection)));
    }

    fn read(&mut self, request: RequestId) {
        if self.config.bugs.has(Bug::LocalReads) {
            self.effects.reads.push(request);
            return;
        }
        let rejection = if !self.engine.is_leader() {
            Rejection::NotLeader { leader: self.engine.leader() }
        } else if self.reads.len() >= self.config.pending_reads_max {
            Rejection::Busy
        } else {
            self.reads.push(request, self.ticks.saturating_add(self.config.request_timeout_ticks));
            return;
        };
        self.effects.replies.push((request, Reply::Rejected(rejection)));
    }

    fn persisted(&mut self, number: PersistNumber) {
        let messages = self.engine.persisted(number);
        self.effects.messages.extend(messages);
    }

    /// Refuses reads that lost their leader, and sends the queued ones off.
    fn settle_reads(&mut self) {
        let refused = self.reads.leadership(
            self.engine.is_leader(),
            self.engine.term(),
            self.engine.leader(),
        );
        self.effects.replies.extend(refused);
        if self.engine.can_read_index() {
            let reuse = self.config.bugs.has(Bug::ReusedReadContext);
            if let Some(context) = self.reads.next_batch(self.engine.term(), reuse) {
                self.engine.read_index(context);
            }
        }
    }
}

/// Only answers that need no state can be given before the entry is applied.
fn acknowledge_early(command: &LogCommand) -> bool {
    matches!(command.command, Some(Command::Put(_) | Command::Delete(_)))
}

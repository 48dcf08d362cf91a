//! One simulated node: a process that may run, and a disk that outlives it.

use std::collections::BTreeMap;

use raft::eraftpb::ConfState;
use server::bug::{Bug, Bugs};
use server::replica::{CommittedEntry, Replica, ReplicaConfig, ReplicaError};
use server::state_machine::{
    MemoryStateStore, StateMachine, StateMachineConfig, StateMachineError, StateStore,
};
use server::types::{NodeId, RequestId, Role};

use super::disk::{Disk, SyncMode};
use super::log_digest::LogDigest;

/// Ticks of 10 ms, as in a server with short timeouts.
pub(super) const TICK: u64 = 10_000;
const ELECTION_TICKS: usize = 10;
const HEARTBEAT_TICKS: usize = 2;
const REQUEST_TIMEOUT_TICKS: u64 = 60;

/// Where an answer goes: a client and the number of its attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ticket {
    pub(super) client: usize,
    pub(super) attempt: u64,
    /// The register, for a read.
    pub(super) key: u64,
}

/// A process of the store.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) replica: Replica,
    pub(super) machine: StateMachine<MemoryStateStore>,
    /// Committed entries on their way to the state machine.
    pub(super) to_apply: Vec<CommittedEntry>,
    pub(super) applying: bool,
    /// Is the loop going to look at its effects?
    pub(super) awake: bool,
    pub(super) requests: BTreeMap<RequestId, Ticket>,
    pub(super) request_last: u64,
    /// The log as it was handed out for persistence, durable or not.
    pub(super) log: LogDigest,
    pub(super) role: Role,
}

/// A node cannot start.
#[derive(Debug, thiserror::Error)]
pub(super) enum StartError {
    #[error("start the replica: {0}")]
    Replica(#[from] ReplicaError),
    #[error("start the state machine: {0}")]
    Machine(#[from] StateMachineError),
}

/// A node. Indices are from 0, [`NodeId`]s from 1.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) id: NodeId,
    pub(super) running: Option<Running>,
    pub(super) disk: Disk,
    /// What the state store wrote to disk: some earlier state, because its own log is off.
    pub(super) flushed: MemoryStateStore,
    /// Counts the processes of this node, from 1; events name the process that they are for.
    pub(super) boot: u64,
    /// Stopped until then (virtual microseconds).
    pub(super) paused_until: u64,
    /// How much later it then reads the socket of each node.
    pub(super) backlog_jitter: Vec<u64>,
    /// Slow until then.
    pub(super) disk_slow_until: u64,
    pub(super) apply_slow_until: u64,
    bugs: Bugs,
    seed: u64,
}

impl Node {
    pub(super) fn new(id: NodeId, voters: ConfState, seed: u64, bugs: Bugs) -> Node {
        let mode = if bugs.has(Bug::MissingFsync) {
            SyncMode::NoSync
        } else if bugs.has(Bug::VolatileLog) {
            SyncMode::Volatile
        } else {
            SyncMode::Sync
        };
        Node {
            id,
            running: None,
            disk: Disk::new(voters, mode),
            flushed: MemoryStateStore::default(),
            boot: 0,
            paused_until: 0,
            backlog_jitter: Vec::new(),
            disk_slow_until: 0,
            apply_slow_until: 0,
            bugs,
            seed,
        }
    }

    /// Starts a process on what the disk holds.
    pub(super) fn start(&mut self, logger: &slog::Logger) -> Result<(), StartError> {
        self.boot += 1;
        let config = ReplicaConfig {
            id: self.id,
            election_ticks: ELECTION_TICKS,
            heartbeat_ticks: HEARTBEAT_TICKS,
            seed: self.seed ^ (self.id.0 << 32) ^ self.boot,
            boot: (self.id.0 << 32) | self.boot,
            request_timeout_ticks: REQUEST_TIMEOUT_TICKS,
            pending_writes_max: 64,
            pending_reads_max: 64,
            bugs: self.bugs,
            logger: logger.clone(),
        };
        let machine_config = StateMachineConfig { sessions_max: 10_000, bugs: self.bugs };
        let machine = StateMachine::new(self.flushed.clone(), machine_config)?;
        let replica = Replica::new(config, self.disk.recover(), machine.applied().index)?;
        self.running = Some(Running {
            role: replica.role(),
            replica,
            machine,
            to_apply: Vec::new(),
            applying: false,
            awake: false,
            requests: BTreeMap::new(),
            request_last: 0,
            log: self.disk.durable().clone(),
        });
        Ok(())
    }

    /// The state store writes its memory to disk.
    pub(super) fn flush_state(&mut self) {
        if let Some(running) = &self.running {
            self.flushed = running.machine.store().clone();
        }
    }

    /// Would a start now find a state that is older than the log?
    pub(super) fn state_is_stale(&self) -> bool {
        self.flushed.applied().index.0 < self.disk.durable().len()
    }
}

impl Running {
    /// A name for a request in this process.
    pub(super) fn request(&mut self, ticket: Ticket) -> RequestId {
        self.request_last += 1;
        let request = RequestId(self.request_last);
        self.requests.insert(request, ticket);
        request
    }
}

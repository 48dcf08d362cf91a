//! One simulated node: a process that may run, and a disk that outlives it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use raft::eraftpb::ConfState;
use server::bug::{Bug, Bugs};
use server::consensus::EngineKind;
use server::log_store::LogPosition;
use server::membership::Configuration;
use server::replica::{
    AppliedState, CommittedEntry, CompactionConfig, InstallSnapshot, Replica, ReplicaConfig,
    ReplicaError,
};
use server::state_machine::{
    MemoryStateStore, StateMachine, StateMachineConfig, StateMachineError, StateStore,
};
use server::types::{NodeId, RequestId, Role};

use super::disk::{Disk, SyncMode};
use super::log_digest::{EntryDigest, LogDigest};
use super::snapshots::StateSnapshot;

/// Ticks of 10 ms, as in a server with short timeouts.
pub(super) const TICK: u64 = 10_000;
const ELECTION_TICKS: usize = 10;
const HEARTBEAT_TICKS: usize = 2;
const REQUEST_TIMEOUT_TICKS: u64 = 60;

/// Snapshots of its own state that a node keeps.
const SNAPSHOTS_KEPT: usize = 2;

/// Where an answer goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ticket {
    Client(ClientTicket),
    /// The operator counts what becomes of its requests.
    Operator,
}

/// A client (or a holder of leases, behind the clients) and the number of its attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ClientTicket {
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
    /// A snapshot to be switched to once everything before it is applied.
    pub(super) install: Option<InstallSnapshot>,
    /// Snapshots of leaders, all of their files.
    pub(super) received: VecDeque<Arc<StateSnapshot>>,
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
    /// The snapshot that the state was switched to last.
    pub(super) installed: Option<(LogPosition, EntryDigest)>,
    /// The newest snapshots of this node's state, oldest first.
    pub(super) snapshots: VecDeque<Arc<StateSnapshot>>,
    /// Counts how often it lost everything; what was sent before that never arrives after it.
    pub(super) lives: u64,
    /// Ticks that it slept through.
    pub(super) ticks_missed: u64,
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
    compaction: CompactionConfig,
    seed: u64,
}

impl Node {
    /// A node with an empty disk; `voters` are none if it is not part of the first configuration.
    pub(super) fn new(
        id: NodeId,
        voters: Option<ConfState>,
        seed: u64,
        bugs: Bugs,
        compaction: CompactionConfig,
    ) -> Node {
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
            installed: None,
            snapshots: VecDeque::new(),
            lives: 0,
            ticks_missed: 0,
            boot: 0,
            paused_until: 0,
            backlog_jitter: Vec::new(),
            disk_slow_until: 0,
            apply_slow_until: 0,
            bugs,
            compaction,
            seed,
        }
    }

    /// Loses everything, as a node that gets a new disk does.
    pub(super) fn wipe(&mut self) {
        let fresh = Node::new(self.id, None, self.seed, self.bugs, self.compaction);
        *self = Node { boot: self.boot, lives: self.lives + 1, ..fresh };
    }

    /// The group's configuration as of `state`, or the first one.
    pub(super) fn configuration_of(&self, state: &MemoryStateStore) -> Configuration {
        state.configuration().cloned().unwrap_or_else(|| {
            let first = self.disk.recover().configuration.unwrap_or_default();
            Configuration::from_conf_state(&first, &BTreeMap::new())
        })
    }

    /// Starts a process on what the disk holds.
    pub(super) fn start(&mut self, logger: &slog::Logger) -> Result<(), StartError> {
        self.boot += 1;
        let config = ReplicaConfig {
            id: self.id,
            engine: EngineKind::Raft,
            election_ticks: ELECTION_TICKS,
            heartbeat_ticks: HEARTBEAT_TICKS,
            seed: self.seed ^ (self.id.0 << 32) ^ self.boot,
            boot: (self.id.0 << 32) | self.boot,
            request_timeout_ticks: REQUEST_TIMEOUT_TICKS,
            pending_writes_max: 64,
            pending_reads_max: 64,
            leases_max: 1_000,
            compaction: self.compaction,
            bugs: self.bugs,
            logger: logger.clone(),
        };
        let machine_config = StateMachineConfig { sessions_max: 10_000, bugs: self.bugs };
        let machine = StateMachine::new(self.flushed.clone(), machine_config)?;
        let newest = self.snapshots.back();
        let state = AppliedState {
            position: machine.applied(),
            configuration: self.configuration_of(&self.flushed),
            installed: self.installed.map(|(position, _)| position),
            leases: machine.living_leases()?,
            snapshot: newest.map(|it| (it.position, it.configuration.clone())),
        };
        let replica = Replica::new(config, self.disk.recover(), &state)?;
        self.running = Some(Running {
            role: replica.role(),
            replica,
            machine,
            to_apply: Vec::new(),
            applying: false,
            install: None,
            received: VecDeque::new(),
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

    /// Keeps a snapshot, durably; taking it writes the state to disk too.
    pub(super) fn keep_snapshot(&mut self, snapshot: Arc<StateSnapshot>) {
        self.flushed = snapshot.state.clone();
        self.snapshots.push_back(snapshot);
        while self.snapshots.len() > SNAPSHOTS_KEPT {
            self.snapshots.pop_front();
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

//! What a replica starts from.

use crate::bug::Bugs;
use crate::consensus::EngineKind;
use crate::log_store::LogPosition;
use crate::membership::Configuration;
use crate::state_machine::LeaseChange;
use crate::types::{LogIndex, NodeId, Term};

/// How a replica behaves. All limits are explicit.
#[derive(Debug, Clone)]
pub struct ReplicaConfig {
    /// This replica.
    pub id: NodeId,
    /// How it agrees with the other members, if there may be any.
    pub engine: EngineKind,
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
    /// Leases that may live at once.
    pub leases_max: usize,
    /// When the log is compacted.
    pub compaction: CompactionConfig,
    /// The defect planted in this replica, if any.
    pub bugs: Bugs,
    /// Where the engine logs to.
    pub logger: slog::Logger,
}

/// When snapshots are taken, and how much of the log stays behind them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompactionConfig {
    /// A snapshot is taken when so many entries were applied since the last one ...
    pub snapshot_entries: u64,
    /// ... or so many bytes of them.
    pub snapshot_bytes: u64,
    /// Entries that stay in the log behind a snapshot, for followers that are a little behind.
    pub tail_entries: u64,
    /// The log in memory (bytes); beyond it new writes are refused.
    pub log_bytes_max: u64,
}

impl CompactionConfig {
    /// The log is kept whole.
    pub const NEVER: CompactionConfig = CompactionConfig {
        snapshot_entries: u64::MAX,
        snapshot_bytes: u64::MAX,
        tail_entries: u64::MAX,
        log_bytes_max: u64::MAX,
    };

    /// For ordinary use.
    pub const STANDARD: CompactionConfig = CompactionConfig {
        snapshot_entries: 10_000,
        snapshot_bytes: 64 << 20,
        tail_entries: 1_000,
        log_bytes_max: 512 << 20,
    };
}

/// What the state store held when the process started.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AppliedState {
    /// The last entry that is in it.
    pub position: LogPosition,
    /// The group's configuration as of that entry. Empty on a node that is to be added to a group:
    /// it never votes nor campaigns before a leader has sent it a snapshot.
    pub configuration: Configuration,
    /// The snapshot that it was switched to last, if any.
    pub installed: Option<LogPosition>,
    /// The living leases, as granted.
    pub leases: Vec<LeaseChange>,
    /// The newest snapshot that can be sent to others, and the configuration in it.
    pub snapshot: Option<(LogPosition, Configuration)>,
}

/// A replica cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ReplicaError {
    /// A group of several members cannot be run by one of them alone.
    #[error(
        "node {node} cannot run alone, because the group's members are {}\n\
         hint: start it with --mode replicated; once it is the only member that is left, mode \
         single will do",
        names(members)
    )]
    NotAlone {
        /// This replica.
        node: NodeId,
        /// All members, ascending; none if the node waits to be added.
        members: Vec<NodeId>,
    },
    /// The log changes the members, and the state does not know it yet.
    #[error(
        "the members changed lately, so that it is not sure that the node is the only one\n\
         hint: start it with --mode replicated, take a snapshot (`server ctl snapshot`), and try \
         again"
    )]
    MembersUnsettled,
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
    /// Entries that the state machine lacks were compacted: the state was lost, or is an older one.
    #[error(
        "the state has applied {applied} entries, but the log begins after {base}\n\
         hint: remove the node from its group, delete its data, and add it again"
    )]
    StateBehindLog {
        /// The state machine's applied index.
        applied: LogIndex,
        /// The last compacted entry.
        base: LogIndex,
    },
    /// State and log are of different histories.
    #[error(
        "the state has applied entry {index} of term {applied}, but the log has one of {found}"
    )]
    LogContradictsState {
        /// The state machine's applied index.
        index: LogIndex,
        /// The term of the entry that it applied.
        applied: Term,
        /// The term of the entry in the log.
        found: Term,
    },
}

fn names(members: &[NodeId]) -> String {
    match members {
        [] => "not known yet".to_owned(),
        _ => members.iter().map(NodeId::to_string).collect::<Vec<_>>().join(", "),
    }
}

//! What the threads say to each other about groups.

use std::sync::Arc;

use tokio::sync::oneshot;

use crate::log_store::{LogPosition, LogStoreError, RecoveredLog};
use crate::membership::Configuration;
use crate::replica::{AppliedEntry, AppliedState, CommittedEntry, Persist};
use crate::snapshot::{ReceivedSnapshot, SnapshotSource, SnapshotStaging};
use crate::state_machine::{LeaseChange, StateMachineError};
use crate::types::{GroupId, LogIndex, NodeId, PersistNumber};
use crate::watch::WatchHub;

use super::inbox::PendingRead;

/// A change of the groups that a node hosts was refused, or failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GroupError {
    /// It has a replica of the group already.
    #[error("this node has a replica of group {} already", .0.0)]
    Hosted(GroupId),
    /// It has no replica of the group.
    #[error("this node has no replica of group {}", .0.0)]
    NotHosted(GroupId),
    /// The group is just being added or removed.
    #[error("group {} is just being added or removed\nhint: try again in a moment", .0.0)]
    Changing(GroupId),
    /// Too many groups wait to be added or removed.
    #[error("{max} groups wait to be added or removed already")]
    Busy {
        /// How many may.
        max: usize,
    },
    /// Too many groups.
    #[error("a node has no room for more than {max} groups")]
    TooMany {
        /// How many it may have.
        max: usize,
    },
    /// The stores or the consensus refused. Nothing of the group is left here.
    #[error("add group {}: {reason}", .group.0)]
    Failed {
        /// The group.
        group: GroupId,
        /// In their words.
        reason: String,
    },
    /// The node shut down before it was done.
    #[error("the node is shutting down")]
    Stopping,
}

/// Who waits for a change.
pub(super) type ChangeReply = oneshot::Sender<Result<(), GroupError>>;

/// A change of the hosted groups.
#[derive(Debug)]
pub(super) enum GroupChange {
    Add { group: GroupId, configuration: Configuration, reply: ChangeReply },
    Remove { group: GroupId, reply: ChangeReply },
}

/// What the log thread is to do, in order.
#[derive(Debug)]
pub(super) enum LogTask {
    /// What one turn of the core wants persisted, of all groups.
    Write(Vec<(GroupId, Persist)>),
    /// Make room for a new group.
    Add { group: GroupId, configuration: Configuration },
    /// Forget a group.
    Remove { group: GroupId },
}

/// What the apply thread is to do; in order for each group.
#[derive(Debug)]
pub(super) enum ApplyTask {
    /// Apply these. `bytes`: what they take in memory. `urgent`: does anyone wait for it?
    Entries { group: GroupId, entries: Vec<CommittedEntry>, bytes: usize, urgent: bool },
    /// Answer these from the state as it is then.
    Reads { group: GroupId, reads: Vec<PendingRead> },
    /// Switch to this state.
    Install { group: GroupId, received: ReceivedSnapshot },
    /// Take a snapshot of the state as it is then; `first` is the group's first configuration.
    TakeSnapshot { group: GroupId, first: Configuration },
    /// Open an empty state.
    Add { group: GroupId },
    /// Close and delete a state.
    Remove { group: GroupId },
}

/// What another thread has done.
#[derive(Debug)]
pub(super) enum Completion {
    /// Every batch of these groups up to these numbers is durable. `bytes`: what they took.
    Persisted {
        numbers: Vec<(GroupId, PersistNumber)>,
        bytes: usize,
    },
    /// The group's state machine applied everything up to `index`. `bytes`: what it took.
    Applied {
        group: GroupId,
        index: LogIndex,
        entries: Vec<AppliedEntry>,
        leases: Vec<LeaseChange>,
        bytes: usize,
    },
    Installed {
        group: GroupId,
        position: LogPosition,
        leases: Vec<LeaseChange>,
    },
    /// A snapshot was taken; all that are kept, newest first.
    SnapshotTaken {
        group: GroupId,
        snapshots: Vec<Arc<dyn SnapshotSource>>,
    },
    SnapshotFailed {
        group: GroupId,
    },
    SnapshotSent {
        group: GroupId,
        to: NodeId,
        ok: bool,
    },
    LogAdded {
        group: GroupId,
        result: Result<RecoveredLog, LogStoreError>,
    },
    StateAdded {
        group: GroupId,
        result: Result<Box<AddedState>, StateMachineError>,
    },
    LogRemoved {
        group: GroupId,
    },
    StateRemoved {
        group: GroupId,
    },
}

/// A new state machine.
#[derive(Debug)]
pub(super) struct AddedState {
    pub(super) state: AppliedState,
    pub(super) watches: WatchHub,
    /// The snapshots that are kept, newest first.
    pub(super) snapshots: Vec<Arc<dyn SnapshotSource>>,
    /// Where snapshots are received.
    pub(super) staging: Arc<dyn SnapshotStaging>,
}

/// Roughly what a batch takes in memory.
pub(super) fn persist_bytes(persist: &Persist) -> usize {
    64 + persist.entries.iter().map(|entry| 64 + entry.data.len()).sum::<usize>()
}

/// Roughly what committed entries take in memory.
pub(super) fn committed_bytes(entries: &[CommittedEntry]) -> usize {
    entries.iter().map(|entry| 64 + entry.data.len()).sum()
}

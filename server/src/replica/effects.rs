//! What a replica wants done.

use raft::eraftpb;

use super::change::{MemberError, TransferError};
use crate::command::Outcome;
use crate::log_store::LogPosition;
use crate::membership::Configuration;
use crate::types::{LogIndex, NodeId, PersistNumber, RequestId, Term};

/// What to do since the last call of `take_effects`. Lists are in the order in which they arose.
#[derive(Debug, Default)]
pub struct Effects {
    /// Send these; `to` names the receiver. Safe to send at once.
    pub messages: Vec<eraftpb::Message>,
    /// Send these with the files of their snapshots.
    pub snapshots: Vec<SendSnapshot>,
    /// Write these, in order.
    pub persist: Vec<Persist>,
    /// Apply these, in order.
    pub committed: Vec<CommittedEntry>,
    /// After `committed`: switch to this state.
    pub install: Option<InstallSnapshot>,
    /// After `install`: these reads may be answered from the state as it is after everything that
    /// was reported as applied.
    pub reads: Vec<RequestId>,
    /// After `install`: take a snapshot of the state as it is then, and report
    /// [`super::Input::SnapshotTaken`] or [`super::Input::SnapshotFailed`]. It is not asked for
    /// again before that.
    pub take_snapshot: bool,
    /// These requests are answered.
    pub replies: Vec<(RequestId, Reply)>,
}

/// A batch of writes to the log store. Its parts are written in the order of the fields.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Persist {
    /// To be named in [`super::Input::Persisted`].
    pub number: PersistNumber,
    /// Forget all entries; the log goes on after this position.
    pub reset: Option<LogPosition>,
    /// Term, vote and commit index, if they changed.
    pub hard_state: Option<eraftpb::HardState>,
    /// New entries; they replace everything from the first one's index on.
    pub entries: Vec<eraftpb::Entry>,
    /// Entries up to this one may be forgotten.
    pub compact: Option<LogPosition>,
    /// Must it be durable before it is reported? Otherwise it may be lost without harm.
    pub must_sync: bool,
}

/// A snapshot for a follower whose next entries are compacted.
#[derive(Debug, Clone, PartialEq)]
pub struct SendSnapshot {
    /// The receiver.
    pub to: NodeId,
    /// To be given to the receiver's replica when it has all files.
    pub message: eraftpb::Message,
    /// Which snapshot: one that was reported with [`super::Input::SnapshotTaken`]. If it is gone, the
    /// sending failed.
    pub position: LogPosition,
}

/// A snapshot that a leader sent, to be switched to.
///
/// The switch is atomic and durable: after a crash there is the old state or the new one, and the
/// new one knows that it was installed at `position`, until the next one is. The log is reset after
/// the switch was reported: until then the replica holds back everything that is to be persisted.
/// So a crash leaves one of three things: the old state and the old log; the new state and the old
/// log, which [`super::Replica::new`] resets; or the new state and the new log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstallSnapshot {
    /// The last entry that is in it.
    pub position: LogPosition,
    /// The group's configuration as of that entry.
    pub configuration: Configuration,
}

/// An entry that is committed and durable here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommittedEntry {
    /// Its position.
    pub index: LogIndex,
    /// The term in which it was proposed.
    pub term: Term,
    /// An encoded [`crate::command::LogCommand`]; empty for the first entry of a leader, and for an
    /// entry that changes the configuration.
    pub data: bytes::Bytes,
    /// The group's configuration as of this entry, if the entry changes it.
    pub configuration: Option<Configuration>,
}

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Reply {
    /// The command was applied.
    Applied {
        /// The term in which it was proposed.
        term: Term,
        /// Its answer.
        outcome: Outcome,
    },
    /// The lease lives this long, counted from when the request was sent.
    KeptAlive {
        /// Its time to live.
        ttl_ticks: u64,
    },
    /// The members are these now.
    MembersChanged {
        /// The configuration in force.
        configuration: Configuration,
    },
    /// Another replica leads now.
    LeaderTransferred {
        /// Who.
        leader: NodeId,
    },
    /// A snapshot was taken.
    SnapshotTaken {
        /// The last entry that is in it.
        position: LogPosition,
    },
    /// It was refused, or its fate is unknown.
    Rejected(Rejection),
}

/// Why a request has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Rejection {
    /// Another node leads, or none that is known.
    #[error("not the leader")]
    NotLeader {
        /// The believed leader.
        leader: Option<NodeId>,
    },
    /// Leadership is being handed over, or too much is not committed yet.
    #[error("too many requests are waiting")]
    Busy,
    /// As much waits, or is kept, as is allowed.
    #[error("the limit {limit} of {max} is reached")]
    AtLimit {
        /// Which limit, such as `proposals`.
        limit: &'static str,
        /// What is allowed.
        max: u64,
    },
    /// Another leader's entry was committed in its place.
    #[error("the log entry was overwritten")]
    Overwritten,
    /// Leadership was lost before its fate was known.
    #[error("leadership was lost before the entry was committed")]
    Uncertain,
    /// It waited too long.
    #[error("no answer in time")]
    Timeout,
    /// The lease ended, is about to end, or never was.
    #[error("the lease does not exist")]
    LeaseNotFound,
    /// The change of members is refused.
    #[error(transparent)]
    Members(#[from] MemberError),
    /// Leadership is not handed over.
    #[error(transparent)]
    Transfer(#[from] TransferError),
    /// The snapshot could not be taken.
    #[error("the snapshot could not be taken\nhint: the server's log says why")]
    SnapshotFailed,
}

impl Rejection {
    /// May a write that was answered so have taken effect, now or later? (A read never has an effect.)
    pub fn is_indefinite(self) -> bool {
        match self {
            Rejection::NotLeader { .. }
            | Rejection::Busy
            | Rejection::AtLimit { .. }
            | Rejection::Overwritten
            | Rejection::LeaseNotFound
            | Rejection::Members(_)
            | Rejection::Transfer(_)
            | Rejection::SnapshotFailed => false,
            Rejection::Uncertain | Rejection::Timeout => true,
        }
    }
}

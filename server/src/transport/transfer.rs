//! A snapshot to be sent: how, to whom, and what can go wrong.

use std::sync::Arc;
use std::time::Duration;

use raft::eraftpb;
use tokio::task::JoinError;
use tonic::{Code, Status};

use crate::snapshot::{SnapshotError, SnapshotSource};
use crate::types::{GroupId, NodeId};

/// How snapshots are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransferOptions {
    /// Bytes of a chunk, at most 1 MiB.
    pub chunk_bytes: usize,
    /// Transfers at once, to all peers.
    pub transfers_max: usize,
    /// How long a transfer may wait for others to end.
    pub turn_timeout: Duration,
    /// Attempts at one transfer. Each goes on where the last one ended.
    pub attempts_max: u32,
    /// The pause after the first failed attempt; then it doubles ...
    pub backoff_min: Duration,
    /// ... up to this.
    pub backoff_max: Duration,
    /// How long connecting, an answer, or room for the next chunk may take.
    pub step_timeout: Duration,
    /// How long the receiver may take to verify the files and to make them durable.
    pub verify_timeout: Duration,
    /// Bytes a second of each transfer at most, if it is limited.
    pub bytes_per_second_max: Option<u64>,
}

impl TransferOptions {
    /// For ordinary use.
    pub const STANDARD: TransferOptions = TransferOptions {
        chunk_bytes: 512 << 10,
        transfers_max: 2,
        turn_timeout: Duration::from_secs(60),
        attempts_max: 8,
        backoff_min: Duration::from_millis(100),
        backoff_max: Duration::from_secs(3),
        step_timeout: Duration::from_secs(10),
        verify_timeout: Duration::from_secs(120),
        bytes_per_second_max: None,
    };
}

/// A snapshot on its way to a peer.
#[derive(Debug)]
pub struct Transfer {
    /// The receiver.
    pub to: NodeId,
    /// Whose state it is.
    pub group: GroupId,
    /// Delivered to the receiver's replica when it has all files.
    pub message: eraftpb::Message,
    /// The snapshot.
    pub source: Arc<dyn SnapshotSource>,
}

/// A snapshot could not be sent.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// One at a time.
    #[error("another snapshot of the group is on its way to the peer")]
    UnderWay,
    /// Others took too long.
    #[error("no turn within {0:?}, because of other transfers")]
    NoTurn(Duration),
    /// Nobody knows where the peer is.
    #[error("the peer has no address")]
    NoAddress,
    /// The snapshot cannot be read.
    #[error("read the snapshot: {0}")]
    Source(#[from] SnapshotError),
    /// The peer cannot be reached.
    #[error("connect: {0}")]
    Connect(#[source] tonic::transport::Error),
    /// The peer refused it, or the stream broke.
    #[error("{} ({:?})", .0.message(), .0.code())]
    Peer(Box<Status>),
    /// The peer does not keep to the protocol.
    #[error("the peer gave an odd answer")]
    OddAnswer,
    /// Something did not happen in time.
    #[error("{what} took longer than {limit:?}")]
    Timeout {
        /// What did not happen.
        what: &'static str,
        /// How long it was waited for.
        limit: Duration,
    },
    /// The sender was dropped.
    #[error("the node is shutting down")]
    Stopping,
    /// A task of this process failed.
    #[error("run a task: {0}")]
    Task(#[from] JoinError),
}

impl TransferError {
    /// May the same transfer succeed soon?
    pub(super) fn is_transient(&self) -> bool {
        match self {
            TransferError::Connect(_) | TransferError::Timeout { .. } => true,
            TransferError::Peer(status) => !matches!(
                status.code(),
                Code::FailedPrecondition
                    | Code::InvalidArgument
                    | Code::NotFound
                    | Code::PermissionDenied
                    | Code::Unauthenticated
                    | Code::Unimplemented
            ),
            TransferError::UnderWay
            | TransferError::NoTurn(_)
            | TransferError::NoAddress
            | TransferError::Source(_)
            | TransferError::OddAnswer
            | TransferError::Stopping
            | TransferError::Task(_) => false,
        }
    }
}

impl From<Status> for TransferError {
    fn from(status: Status) -> TransferError {
        TransferError::Peer(Box::new(status))
    }
}

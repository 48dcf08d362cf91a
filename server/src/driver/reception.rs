//! What the driver needs of the transport for snapshots, and how received ones enter.

use std::fmt;
use std::sync::Arc;

use raft::eraftpb;

use crate::snapshot::{ReceivedSnapshot, SnapshotSource};
use crate::types::{GroupId, NodeId};

/// A snapshot that a replica wants sent.
#[derive(Debug)]
pub struct OutgoingSnapshot {
    /// The group whose state it is.
    pub group: GroupId,
    /// The receiver.
    pub to: NodeId,
    /// To be given to the receiver's replica when it has all files.
    pub message: eraftpb::Message,
    /// The snapshot.
    pub source: Arc<dyn SnapshotSource>,
}

/// Called once when a snapshot was sent, or could not be; from any thread.
pub type SentSnapshot = Box<dyn FnOnce(bool) + Send>;

/// A verified snapshot that a peer sent, with the message that announced it.
pub(super) struct IncomingSnapshot {
    pub(super) message: eraftpb::Message,
    pub(super) received: ReceivedSnapshot,
}

impl fmt::Debug for IncomingSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IncomingSnapshot").field("from", &self.message.from).finish_non_exhaustive()
    }
}

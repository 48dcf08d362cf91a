//! What is going to happen, and in which order.

use std::cmp::Ordering;

use raft::eraftpb::Message;

use super::client::{Request, Response};
use super::nemesis::FaultId;
use super::network::Flight;
use super::snapshots::Sending;

/// Something that is going to happen. Nodes and clients are numbered from 0.
#[derive(Debug)]
pub(super) enum Event {
    Tick {
        node: usize,
    },
    Arrive {
        from: usize,
        to: usize,
        /// Of sender and receiver: what was sent to or by a node before it was wiped is lost.
        lives: [u64; 2],
        flight: Flight,
        message: Box<Message>,
    },
    SnapshotArrives {
        flight: Flight,
        sending: Sending,
    },
    /// The sender of a snapshot learns what became of it.
    SnapshotSent {
        node: usize,
        boot: u64,
        to: usize,
        ok: bool,
    },
    TakeSnapshot {
        node: usize,
        boot: u64,
    },
    Request {
        node: usize,
        request: Request,
    },
    Response {
        client: usize,
        attempt: u64,
        node: usize,
        response: Response,
    },
    /// The node's loop looks at the replica's effects.
    Wake {
        node: usize,
        boot: u64,
    },
    DiskDone {
        node: usize,
        boot: u64,
    },
    ApplyDone {
        node: usize,
        boot: u64,
    },
    FlushState {
        node: usize,
    },
    /// A client's wait is over: an attempt timed out, or it thought long enough.
    Client {
        client: usize,
        attempt: u64,
    },
    /// As [`Event::Client`], for a holder of leases.
    LeaseHolder {
        holder: usize,
        attempt: u64,
    },
    Operate,
    Strike,
    Isolate {
        node: usize,
        duration: u64,
    },
    Undo(FaultId),
    Heal,
}

/// An event and when it happens.
#[derive(Debug)]
pub(super) struct Scheduled {
    pub(super) time: u64,
    pub(super) order: u64,
    pub(super) event: Event,
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Scheduled {}

impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Scheduled {
    /// Earliest first; among equals in the order in which they were scheduled.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.time, other.order).cmp(&(self.time, self.order))
    }
}

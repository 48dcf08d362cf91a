//! Requests of a stream that have no reply yet.

use std::collections::HashMap;
use std::time::Instant;

use proto::kv::pipelined_request::Request;

use crate::types::{GroupId, NodeId};

use super::super::router::Patience;

/// A request without a reply.
#[derive(Debug)]
pub(super) struct Flight {
    /// The client's name for it. Clients may do foolish things, such as using one twice.
    pub(super) id: u64,
    pub(super) request: Request,
    pub(super) group: GroupId,
    pub(super) patience: Patience,
    /// When it was read.
    pub(super) began: Instant,
    pub(super) whereabouts: Whereabouts,
}

/// Where a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whereabouts {
    /// It waits for its next attempt.
    Parked,
    /// With this node.
    Here,
    /// With the leader that it was sent on to.
    Leader(NodeId),
    /// In all groups.
    Everywhere,
}

/// All requests of a stream that have no reply yet, by tag. Tags are never used twice, so that an
/// answer that comes too late meets nobody.
#[derive(Debug, Default)]
pub(super) struct Flights {
    last_tag: u64,
    by_tag: HashMap<u64, Flight>,
}

impl Flights {
    pub(super) fn len(&self) -> usize {
        self.by_tag.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_tag.is_empty()
    }

    pub(super) fn insert(&mut self, flight: Flight) -> u64 {
        self.last_tag += 1;
        self.by_tag.insert(self.last_tag, flight);
        self.last_tag
    }

    pub(super) fn get_mut(&mut self, tag: u64) -> Option<&mut Flight> {
        self.by_tag.get_mut(&tag)
    }

    pub(super) fn remove(&mut self, tag: u64) -> Option<Flight> {
        self.by_tag.remove(&tag)
    }

    /// The tags of those whose time is up, and of those that wait for another attempt; in order.
    pub(super) fn late_and_parked(&self, now: Instant) -> (Vec<u64>, Vec<u64>) {
        let (mut late, mut parked) = (Vec::new(), Vec::new());
        for (tag, flight) in &self.by_tag {
            if flight.patience.deadline <= now {
                late.push(*tag);
            } else if flight.whereabouts == Whereabouts::Parked {
                parked.push(*tag);
            }
        }
        late.sort_unstable();
        parked.sort_unstable();
        (late, parked)
    }
}

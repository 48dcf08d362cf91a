//! What there is to count and to measure.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use crate::types::NodeId;

use super::instruments::{Counter, Gauge, Histogram};

/// What clients ask for, as a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    OpenSession,
    Get,
    Put,
    Delete,
    CompareAndSet,
    Append,
    Txn,
    Scan,
    GrantLease,
    KeepAlive,
    RevokeLease,
    Lock,
    Unlock,
}

/// Every operation and its label, in the order of their numbers.
pub const OPERATIONS: &[(Operation, &str)] = &[
    (Operation::OpenSession, "open-session"),
    (Operation::Get, "get"),
    (Operation::Put, "put"),
    (Operation::Delete, "delete"),
    (Operation::CompareAndSet, "compare-and-set"),
    (Operation::Append, "append"),
    (Operation::Txn, "txn"),
    (Operation::Scan, "scan"),
    (Operation::GrantLease, "grant-lease"),
    (Operation::KeepAlive, "keep-alive"),
    (Operation::RevokeLease, "revoke-lease"),
    (Operation::Lock, "lock"),
    (Operation::Unlock, "unlock"),
];

/// What was turned away at the rim, as a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// A connection over the limit.
    Connection,
    /// A TLS handshake that failed: no certificate, one of another CA, or no TLS at all.
    Handshake,
    /// No token, or an unknown one.
    Token,
    /// A token whose role does not allow what was asked for.
    Permission,
    /// Someone who spoke the peers' protocol and is no peer of this node.
    Peer,
}

/// Every refusal and its label, in the order of their numbers.
pub const REFUSALS: &[(Refused, &str)] = &[
    (Refused::Connection, "connection"),
    (Refused::Handshake, "handshake"),
    (Refused::Token, "token"),
    (Refused::Permission, "permission"),
    (Refused::Peer, "peer"),
];

/// Names of limits, as they travel in `ErrorDetail.limit`; what is none of them counts as the last.
pub const LIMITS: &[&str] = &[
    "key-bytes",
    "value-bytes",
    "message-bytes",
    "reply-bytes",
    "txn-operations",
    "txn-bytes",
    "scan-keys",
    "requests-in-flight",
    "proposals",
    "reads",
    "leases",
    "log-bytes",
    "watches",
    "lease-ttl-ms",
    "lease-ttl-ms-min",
    "other",
];

/// What one group's operations took.
#[derive(Debug, Default)]
pub struct GroupMetrics {
    latencies: [Histogram; OPERATIONS.len()],
    failures: [Counter; OPERATIONS.len()],
    /// Sessions that its state machine remembers.
    pub sessions: Gauge,
    /// Entries by which each follower is behind, as the leader knows; empty elsewhere.
    lags: RwLock<BTreeMap<NodeId, u64>>,
}

impl GroupMetrics {
    /// An operation was answered.
    pub fn operation(&self, operation: Operation, latency: Duration) {
        self.latencies[operation as usize].observe(latency);
    }

    /// An operation was refused or given up.
    pub fn failure(&self, operation: Operation) {
        self.failures[operation as usize].increment();
    }

    /// How far behind the followers are, in entries; empty if this node does not lead the group.
    pub fn set_lags(&self, lags: BTreeMap<NodeId, u64>) {
        *self.lags.write().unwrap_or_else(PoisonError::into_inner) = lags;
    }

    pub(super) fn lags(&self) -> BTreeMap<NodeId, u64> {
        self.lags.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn latency(&self, operation: Operation) -> &Histogram {
        &self.latencies[operation as usize]
    }

    pub(super) fn failures(&self, operation: Operation) -> u64 {
        self.failures[operation as usize].get()
    }
}

/// The way to one peer.
#[derive(Debug, Default)]
pub struct PeerMetrics {
    /// 1 while there is a stream to it.
    pub connected: Gauge,
    /// Bytes of messages that wait for the stream.
    pub queue_bytes: Gauge,
    /// Messages that were dropped, because there was no stream or too much waited.
    pub dropped: Counter,
}

/// Everything a node counts and measures. Shared as an `Arc`.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Open connections of clients and peers.
    pub connections: Gauge,
    /// From the call of the log store to its return, with the sync.
    pub fsync: Histogram,
    /// Requests that wait for the core thread.
    pub inbox_requests: Gauge,
    /// Peers' messages that wait for the core thread.
    pub inbox_messages: Gauge,
    /// Bytes of entries that wait for the log thread.
    pub log_queue_bytes: Gauge,
    /// Bytes of entries that wait for the apply thread.
    pub apply_queue_bytes: Gauge,
    /// Snapshots that this node took.
    pub snapshots_taken: Counter,
    /// Snapshots that a follower has got from this node, whole.
    pub snapshots_sent: Counter,
    /// Snapshots that this node has installed.
    pub snapshots_installed: Counter,
    /// Snapshots that could not be taken, sent or installed.
    pub snapshots_failed: Counter,
    /// How often a group's log was cut.
    pub compactions: Counter,
    /// Watches that are open.
    pub watchers: Gauge,
    refused: [Counter; REFUSALS.len()],
    limits: [Counter; LIMITS.len()],
    groups: RwLock<BTreeMap<u32, Arc<GroupMetrics>>>,
    peers: RwLock<BTreeMap<NodeId, Arc<PeerMetrics>>>,
}

impl Metrics {
    /// Counts someone who was turned away.
    pub fn refused(&self, what: Refused) {
        self.refused[what as usize].increment();
    }

    /// How many were turned away so.
    pub fn refusals(&self, what: Refused) -> u64 {
        self.refused[what as usize].get()
    }

    /// Counts a request that went over the limit of this name.
    pub fn limit_hit(&self, limit: &str) {
        let known = LIMITS.iter().position(|name| *name == limit);
        self.limits[known.unwrap_or(LIMITS.len() - 1)].increment();
    }

    /// How many requests went over the limit of this name; 0 for a name that is none.
    pub fn limit_hits(&self, limit: &str) -> u64 {
        let known = LIMITS.iter().position(|name| *name == limit);
        known.map_or(0, |limit| self.limits[limit].get())
    }

    /// What is measured of a group.
    pub fn group(&self, group: u32) -> Arc<GroupMetrics> {
        of(&self.groups, group)
    }

    /// What is measured of the way to a peer.
    pub fn peer(&self, peer: NodeId) -> Arc<PeerMetrics> {
        of(&self.peers, peer)
    }

    pub(super) fn peers(&self) -> Vec<(NodeId, Arc<PeerMetrics>)> {
        let peers = self.peers.read().unwrap_or_else(PoisonError::into_inner);
        peers.iter().map(|(peer, metrics)| (*peer, Arc::clone(metrics))).collect()
    }
}

/// The value of a key, made when it is first asked for. Keys are groups and nodes, which are few.
fn of<K: Ord + Copy, V: Default>(map: &RwLock<BTreeMap<K, Arc<V>>>, key: K) -> Arc<V> {
    if let Some(found) = map.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
        return Arc::clone(found);
    }
    Arc::clone(map.write().unwrap_or_else(PoisonError::into_inner).entry(key).or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_in_the_order_of_their_numbers() {
        for (number, (operation, _)) in OPERATIONS.iter().enumerate() {
            assert_eq!(*operation as usize, number);
        }
        for (number, (refused, _)) in REFUSALS.iter().enumerate() {
            assert_eq!(*refused as usize, number);
        }
    }

    #[test]
    fn an_unknown_limit_counts_as_other() {
        let metrics = Metrics::default();
        metrics.limit_hit("value-bytes");
        metrics.limit_hit("a name that a client made up");
        assert_eq!((metrics.limit_hits("value-bytes"), metrics.limit_hits("other")), (1, 1));
    }
}

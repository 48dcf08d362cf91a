//! Questions to the state machine. They change nothing.

use std::ops::Bound;

use bytes::Bytes;

use crate::command::Versioned;

/// What to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Query {
    /// What a key holds.
    Get {
        /// The key.
        key: Bytes,
    },
    /// What the keys of a range hold, in the order of their bytes.
    Scan {
        /// Which keys.
        range: KeyRange,
        /// At most so many keys.
        limit: usize,
        /// At most so many bytes of keys and values, but at least one key.
        bytes_max: usize,
    },
    /// What is known of a lease.
    Lease {
        /// The lease: the log index of its grant.
        id: u64,
    },
}

/// A range of keys in the order of their bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRange {
    /// Where it begins.
    pub start: Bound<Bytes>,
    /// Where it ends.
    pub end: Bound<Bytes>,
}

/// The answer to a [`Query`] of the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueryReply {
    /// What the key holds, if it exists.
    Get(Option<Versioned>),
    /// The keys of the range.
    Scan {
        /// Keys and what they hold, in order.
        found: Vec<(Bytes, Versioned)>,
        /// Are there more keys in the range behind the last one?
        more: bool,
    },
    /// The lease, if it lives.
    Lease(Option<LeaseStatus>),
}

/// A living lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseStatus {
    /// Its time to live, in ticks.
    pub ttl_ticks: u64,
    /// The keys that end with it.
    pub keys: Vec<Bytes>,
    /// The locks that are freed when it ends.
    pub locks: Vec<Bytes>,
}

/// A lease began or ended. The leader's replica counts its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LeaseChange {
    /// It was granted.
    Granted {
        /// The lease: the log index of its grant.
        id: u64,
        /// Its time to live, in ticks.
        ttl_ticks: u64,
    },
    /// It ended.
    Ended {
        /// The lease.
        id: u64,
    },
}

/// A key changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeEvent {
    /// The log index of the change.
    pub revision: u64,
    /// The key.
    pub key: Bytes,
    /// What it holds now; none: it was deleted.
    pub now: Option<Versioned>,
    /// What it held before.
    pub previous: Option<Versioned>,
}

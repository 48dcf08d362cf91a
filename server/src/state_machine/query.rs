//! Questions to the state machine. They change nothing.

use std::ops::Bound;

use bytes::Bytes;

use crate::command::{ShardQuery, ShardReply, Versioned};

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
    /// Something about shards, which only nodes ask.
    Shards(ShardQuery),
}

/// A range of keys in the order of their bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRange {
    /// Where it begins.
    pub start: Bound<Bytes>,
    /// Where it ends.
    pub end: Bound<Bytes>,
}

impl KeyRange {
    /// Every key.
    pub fn all() -> KeyRange {
        KeyRange { start: Bound::Unbounded, end: Bound::Unbounded }
    }

    /// The keys that begin with these bytes.
    pub fn prefix(prefix: &[u8]) -> KeyRange {
        let start = Bound::Included(Bytes::copy_from_slice(prefix));
        // The next greater byte string of at most this length, if there is one.
        let Some(last) = prefix.iter().rposition(|byte| *byte != u8::MAX) else {
            return KeyRange { start, end: Bound::Unbounded };
        };
        let mut end = prefix[..=last].to_vec();
        end[last] += 1;
        KeyRange { start, end: Bound::Excluded(Bytes::from(end)) }
    }

    /// Does this key lie in it?
    pub fn contains(&self, key: &[u8]) -> bool {
        let behind_start = match &self.start {
            Bound::Included(start) => key >= &start[..],
            Bound::Excluded(start) => key > &start[..],
            Bound::Unbounded => true,
        };
        let before_end = match &self.end {
            Bound::Included(end) => key <= &end[..],
            Bound::Excluded(end) => key < &end[..],
            Bound::Unbounded => true,
        };
        behind_start && before_end
    }

    /// Does it end before any key can lie in it? (Between a key and itself with a zero byte there is
    /// no other; such a range is not called empty here, and has no keys all the same.)
    pub fn is_empty(&self) -> bool {
        match (&self.start, &self.end) {
            (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
            (Bound::Included(start), Bound::Included(end)) => start > end,
            (Bound::Included(start) | Bound::Excluded(start), Bound::Excluded(end))
            | (Bound::Excluded(start), Bound::Included(end)) => start >= end,
        }
    }
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
    /// What was asked about shards.
    Shards(ShardReply),
    /// The group does not serve the key, or not all keys of the range.
    WrongGroup,
}

impl QueryReply {
    /// What the key of a [`Query::Get`] holds.
    pub fn into_key(self) -> Option<Versioned> {
        match self {
            QueryReply::Get(found) => found,
            QueryReply::Scan { .. }
            | QueryReply::Lease(_)
            | QueryReply::Shards(_)
            | QueryReply::WrongGroup => None,
        }
    }
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

/// A key changed. There is at most one event of a key and a revision: what several steps of one
/// transaction did to a key is one change, and none if the key existed neither before nor after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeEvent {
    /// The revision of the change.
    pub revision: u64,
    /// The key.
    pub key: Bytes,
    /// What it holds now; none: it was deleted.
    pub now: Option<Versioned>,
    /// What it held before.
    pub previous: Option<Versioned>,
}

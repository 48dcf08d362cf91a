//! Where the state lives.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::Message;

use super::query::KeyRange;
use crate::command::{LockHolder, Outcome, Versioned};
use crate::log_store::LogPosition;
use crate::membership::Configuration;
use crate::shard::Sharding;
use crate::snapshot::SnapshotError;

/// A place for the state of one group.
///
/// All of it changes through [`Self::write`] alone, or is replaced by a snapshot, so that at every
/// moment it is the state as of [`Self::applied`], whole.
pub trait StateStore: Send {
    /// What a key holds.
    fn get(&self, key: &[u8]) -> Result<Option<Versioned>, StateStoreError>;

    /// What the keys of a range hold, in the order of their bytes: at most `limit` keys, and at most
    /// `bytes_max` bytes of keys and values, but at least one key if the limit allows it.
    fn scan(
        &self,
        range: &KeyRange,
        limit: usize,
        bytes_max: usize,
    ) -> Result<Page, StateStoreError>;

    /// A session, if it is open.
    fn session(&self, id: u64) -> Result<Option<Session>, StateStoreError>;

    /// All open sessions, by id; called once at start.
    fn sessions(&self) -> Result<Vec<(u64, Session)>, StateStoreError>;

    /// A lease, if it lives.
    fn lease(&self, id: u64) -> Result<Option<Lease>, StateStoreError>;

    /// All living leases, by id.
    fn leases(&self) -> Result<Vec<(u64, Lease)>, StateStoreError>;

    /// The keys that end with a lease, in order.
    fn lease_keys(&self, id: u64) -> Result<Vec<Bytes>, StateStoreError>;

    /// Who holds a lock.
    fn lock(&self, name: &[u8]) -> Result<Option<LockHolder>, StateStoreError>;

    /// The locks that are freed when a lease ends, in order.
    fn lease_locks(&self, id: u64) -> Result<Vec<Bytes>, StateStoreError>;

    /// The last applied entry; (0, 0) for an empty state. Changes with the state, atomically.
    fn applied(&self) -> LogPosition;

    /// The group's configuration as of the last applied entry; none if no entry has changed it yet.
    fn configuration(&self) -> Option<&Configuration>;

    /// What the group knows of shards.
    fn sharding(&self) -> &Sharding;

    /// Performs all changes atomically. They need not be durable: the log is replayed after a crash.
    fn write(&mut self, changes: Changes) -> Result<(), StateStoreError>;
}

/// Changes of a run of log entries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// The last of these entries.
    pub applied: LogPosition,
    /// The configuration, if it changed.
    pub configuration: Option<Configuration>,
    /// What the group knows of shards, if it changed.
    pub sharding: Option<Sharding>,
    /// Keys set (some) and removed (none).
    pub keys: BTreeMap<Bytes, Option<Versioned>>,
    /// Sessions changed (some) and expired (none).
    pub sessions: BTreeMap<u64, Option<Session>>,
    /// Leases granted (some) and ended (none).
    pub leases: BTreeMap<u64, Option<Lease>>,
    /// Locks taken (some) and freed (none).
    pub locks: BTreeMap<Bytes, Option<LockHolder>>,
    /// Does this key end with this lease from now on? Always says the same as `keys`.
    pub lease_keys: BTreeMap<(u64, Bytes), bool>,
    /// Is this lock freed when this lease ends? Always says the same as `locks`.
    pub lease_locks: BTreeMap<(u64, Bytes), bool>,
}

/// Some keys of a range.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// Keys and what they hold, in order.
    pub found: Vec<(Bytes, Versioned)>,
    /// Are there more keys in the range behind the last one?
    pub more: bool,
}

/// Fills a [`Page`] up to its limits.
#[derive(Debug)]
pub(super) struct PageFiller {
    page: Page,
    keys_left: usize,
    bytes_left: usize,
}

impl PageFiller {
    pub(super) fn new(limit: usize, bytes_max: usize) -> PageFiller {
        PageFiller { page: Page::default(), keys_left: limit, bytes_left: bytes_max }
    }

    /// Is there room for the next key? If not, the page is done.
    pub(super) fn admits(&mut self, key: &[u8], value: &[u8]) -> bool {
        let bytes = key.len() + value.len();
        let first = self.page.found.is_empty();
        self.page.more = self.keys_left == 0 || (bytes > self.bytes_left && !first);
        !self.page.more
    }

    /// Adds a key that was admitted.
    pub(super) fn push(&mut self, key: Bytes, versioned: Versioned) {
        self.keys_left -= 1;
        self.bytes_left = self.bytes_left.saturating_sub(key.len() + versioned.value.len());
        self.page.found.push((key, versioned));
    }

    pub(super) fn finish(self) -> Page {
        self.page
    }
}

/// What is remembered of a client's session.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct Session {
    /// The last sequence number that was applied; 0 before the first.
    #[prost(uint64, tag = "1")]
    pub sequence: u64,
    /// What it answered.
    #[prost(message, optional, tag = "2")]
    pub outcome: Option<Outcome>,
    /// Log index of the last use; the least recently used session is expired when there are too many.
    #[prost(uint64, tag = "3")]
    pub last_used: u64,
}

/// What is remembered of a lease. How much of its time has passed is not: the leader counts it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Message)]
pub struct Lease {
    /// Its time to live, in ticks of the leader's clock.
    #[prost(uint64, tag = "1")]
    pub ttl_ticks: u64,
}

/// The state store failed.
#[derive(Debug, thiserror::Error)]
pub enum StateStoreError {
    /// The storage engine failed.
    #[error("{what}: {reason}")]
    Engine {
        /// What was attempted, as a verb phrase.
        what: &'static str,
        /// The engine's words.
        reason: String,
    },
    /// The stored state is damaged.
    #[error("corrupt state: {0}")]
    Corrupt(String),
    /// A snapshot, or the directory of the state, cannot be used.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
}

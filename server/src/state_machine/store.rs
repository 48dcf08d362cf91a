//! Where the state lives.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::Message;

use crate::command::{Outcome, Versioned};
use crate::types::LogIndex;

/// A place for the state of one group.
pub trait StateStore: Send {
    /// What a key holds.
    fn get(&self, key: &[u8]) -> Result<Option<Versioned>, StateStoreError>;

    /// A session, if it is open.
    fn session(&self, id: u64) -> Result<Option<Session>, StateStoreError>;

    /// All open sessions, by id; called once at start.
    fn sessions(&self) -> Result<Vec<(u64, Session)>, StateStoreError>;

    /// The last applied entry; 0 for an empty state. Changes with the state, atomically.
    fn applied(&self) -> LogIndex;

    /// Performs all changes atomically. They need not be durable: the log is replayed after a crash.
    fn write(&mut self, changes: Changes) -> Result<(), StateStoreError>;
}

/// Changes of a run of log entries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// The last of these entries.
    pub applied: LogIndex,
    /// Keys set (some) and removed (none).
    pub keys: BTreeMap<Bytes, Option<Versioned>>,
    /// Sessions changed (some) and expired (none).
    pub sessions: BTreeMap<u64, Option<Session>>,
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
}

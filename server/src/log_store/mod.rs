//! Where the Raft log and hard state live.
//!
//! A store keeps, for each group: the configuration it was bootstrapped with, the hard state, and
//! entries. [`LogStore::write`] takes batches of several groups so that one sync serves all.

mod memory;
#[cfg(feature = "rocksdb")]
mod rocksdb;

use raft::eraftpb;

use crate::types::{GroupId, LogIndex, Term};

pub use memory::MemoryLogStore;
#[cfg(feature = "rocksdb")]
pub use rocksdb::RocksdbLogStore;

/// A place for the log. Calls block; the driver makes them from a thread of its own.
pub trait LogStore: Send {
    /// The groups that were bootstrapped here and not removed, ascending.
    fn groups(&mut self) -> Result<Vec<GroupId>, LogStoreError>;

    /// Everything that was written for the group. A group that was never bootstrapped is empty.
    fn load(&mut self, group: GroupId) -> Result<RecoveredLog, LogStoreError>;

    /// Stores the first configuration of a group, durably. Refused if it has one already.
    fn bootstrap(
        &mut self,
        group: GroupId,
        configuration: &eraftpb::ConfState,
    ) -> Result<(), LogStoreError>;

    /// Writes all batches in order, atomically; durable on return if `sync`.
    fn write(&mut self, batches: &[LogBatch], sync: bool) -> Result<(), LogStoreError>;

    /// Forgets everything of a group, its configuration included, durably.
    fn remove(&mut self, group: GroupId) -> Result<(), LogStoreError>;
}

/// Changes of one group's log. They are made in the order of the fields.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LogBatch {
    /// The group.
    pub group: GroupId,
    /// Forget every entry; the log goes on after this position, because a snapshot holds the state
    /// as of it.
    pub reset: Option<LogPosition>,
    /// New hard state, if it changed.
    pub hard_state: Option<eraftpb::HardState>,
    /// Entries that replace everything from the first one's index on; without gaps.
    pub entries: Vec<eraftpb::Entry>,
    /// Entries up to this one are not needed any more, and may be forgotten at once or later.
    pub compact: Option<LogPosition>,
}

/// A place in the log: an entry's index and term, or (0, 0) before the first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LogPosition {
    /// The entry's index.
    pub index: LogIndex,
    /// The entry's term.
    pub term: Term,
}

/// What a group's log held when the process started.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RecoveredLog {
    /// None if the group was never bootstrapped here.
    pub configuration: Option<eraftpb::ConfState>,
    /// Term, vote, commit index.
    pub hard_state: eraftpb::HardState,
    /// The entry before the first one that is left: everything up to it was compacted.
    pub base: LogPosition,
    /// All entries after the base, without gaps.
    pub entries: Vec<eraftpb::Entry>,
}

impl RecoveredLog {
    /// The last index, which is the base's if there are no entries.
    pub fn last_index(&self) -> LogIndex {
        LogIndex(self.base.index.0 + self.entries.len() as u64)
    }
}

/// The log store failed, or holds something that it must not.
#[derive(Debug, thiserror::Error)]
pub enum LogStoreError {
    /// The storage engine failed.
    #[error("{what}: {reason}")]
    Engine {
        /// What was attempted, as a verb phrase.
        what: &'static str,
        /// The engine's words.
        reason: String,
    },
    /// The stored log is damaged in a way that no crash explains.
    #[error("corrupt log: {0}")]
    Corrupt(String),
    /// A second bootstrap of one group.
    #[error("group {} is already bootstrapped", .0.0)]
    AlreadyBootstrapped(GroupId),
}

/// The group's last index after this batch. Refuses a gap, which is a defect of the caller, before
/// it can reach the disk.
fn check_entries(batch: &LogBatch, last: u64) -> Result<u64, LogStoreError> {
    let Some(first) = batch.entries.first() else { return Ok(last) };
    if first.index == 0 || first.index > last + 1 {
        let first = first.index;
        return Err(LogStoreError::Corrupt(format!("entry {first} cannot follow entry {last}")));
    }
    for (entry, index) in batch.entries.iter().zip(first.index..) {
        if entry.index != index {
            let found = entry.index;
            return Err(LogStoreError::Corrupt(format!("entry {found} instead of entry {index}")));
        }
    }
    Ok(first.index + batch.entries.len() as u64 - 1)
}

#[cfg(test)]
mod tests;

//! The log as raft-rs reads it: in memory, so that no read ever waits for a disk.
//!
//! Everything that was handed to the log store is here at once, durable or not; raft-rs keeps
//! track of what is durable. The cache holds the whole log: compaction will cut it.

use raft::eraftpb::{ConfState, Entry, HardState, Snapshot};
use raft::{GetEntriesContext, RaftState, StorageError};

use crate::log_store::RecoveredLog;

/// Entries 1..=last of one group.
#[derive(Debug)]
pub(crate) struct LogCache {
    configuration: ConfState,
    /// As recovered; raft-rs asks for it once.
    hard_state: HardState,
    entries: Vec<Entry>,
}

impl LogCache {
    pub(crate) fn new(recovered: RecoveredLog, configuration: ConfState) -> LogCache {
        LogCache { configuration, hard_state: recovered.hard_state, entries: recovered.entries }
    }

    pub(crate) fn last(&self) -> u64 {
        self.entries.len() as u64
    }

    /// Replaces everything from the first new entry's index on.
    pub(crate) fn append(&mut self, entries: &[Entry]) {
        let Some(first) = entries.first() else { return };
        assert!(first.index <= self.last() + 1, "append leaves a gap before {}", first.index);
        self.entries.truncate(first.index as usize - 1);
        self.entries.extend_from_slice(entries);
    }

    /// Index and term of every entry, for the invariants of tests and the model checker.
    pub(crate) fn entries_slice(&self) -> &[Entry] {
        &self.entries
    }
}

impl raft::Storage for LogCache {
    fn initial_state(&self) -> raft::Result<RaftState> {
        Ok(RaftState::new(self.hard_state.clone(), self.configuration.clone()))
    }

    fn entries(
        &self,
        low: u64,
        high: u64,
        max_size: impl Into<Option<u64>>,
        _context: GetEntriesContext,
    ) -> raft::Result<Vec<Entry>> {
        if low == 0 {
            return Err(raft::Error::Store(StorageError::Compacted));
        }
        if high > self.last() + 1 || low > high {
            return Err(raft::Error::Store(StorageError::Unavailable));
        }
        let mut entries = self.entries[low as usize - 1..high as usize - 1].to_vec();
        raft::util::limit_size(&mut entries, max_size.into());
        Ok(entries)
    }

    fn term(&self, index: u64) -> raft::Result<u64> {
        if index == 0 {
            return Ok(0);
        }
        self.entries
            .get(index as usize - 1)
            .map(|entry| entry.term)
            .ok_or(raft::Error::Store(StorageError::Unavailable))
    }

    fn first_index(&self) -> raft::Result<u64> {
        Ok(1)
    }

    fn last_index(&self) -> raft::Result<u64> {
        Ok(self.last())
    }

    fn snapshot(&self, _request_index: u64, _to: u64) -> raft::Result<Snapshot> {
        // The log is never compacted yet, so no follower ever needs a snapshot.
        Err(raft::Error::Store(StorageError::SnapshotTemporarilyUnavailable))
    }
}

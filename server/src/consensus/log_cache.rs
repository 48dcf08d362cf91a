//! The log as raft-rs reads it: in memory, so that no read ever waits for a disk.
//!
//! Everything that was handed to the log store is here at once, durable or not; raft-rs keeps
//! track of what is durable. What was compacted is gone: a follower that needs it is sent a snapshot.
//!
//! ```text
//!   1 ... base | base+1 ... snapshot ... last
//!   compacted  | tail ──────────┘ entries since
//! ```

use std::cell::Cell;

use prost::Message as _;
use protobuf::Message as _;
use raft::eraftpb::{ConfState, Entry, HardState, Snapshot};
use raft::{GetEntriesContext, RaftState, StorageError};

use crate::log_store::{LogPosition, RecoveredLog};
use crate::membership::Configuration;
use crate::types::{LogIndex, NodeId, Term};

/// What an entry takes beside its data (bytes, roughly).
const ENTRY_BYTES: u64 = 96;

/// Entries after `base` of one group.
#[derive(Debug)]
pub(crate) struct LogCache {
    configuration: ConfState,
    /// As recovered; raft-rs asks for it once.
    hard_state: HardState,
    base: LogPosition,
    entries: Vec<Entry>,
    bytes: u64,
    /// The newest snapshot that can be sent.
    snapshot: Option<(LogPosition, Configuration)>,
    /// Did raft-rs ask for a snapshot that there is not?
    snapshot_wanted: Cell<bool>,
}

impl LogCache {
    pub(crate) fn new(
        recovered: RecoveredLog,
        configuration: ConfState,
        snapshot: Option<(LogPosition, Configuration)>,
    ) -> LogCache {
        LogCache {
            configuration,
            hard_state: recovered.hard_state,
            base: recovered.base,
            bytes: recovered.entries.iter().map(bytes).sum(),
            entries: recovered.entries,
            snapshot,
            snapshot_wanted: Cell::new(false),
        }
    }

    /// The last compacted entry.
    pub(crate) fn base(&self) -> LogPosition {
        self.base
    }

    pub(crate) fn last(&self) -> u64 {
        self.base.index.0 + self.entries.len() as u64
    }

    /// What the entries take in memory, roughly.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What the entries after `index` take in memory, up to `last`.
    pub(crate) fn bytes_between(&self, index: u64, last: u64) -> u64 {
        let from = self.offset(index + 1).unwrap_or(0).min(self.entries.len());
        let to = self.offset(last + 1).unwrap_or(0).min(self.entries.len());
        self.entries.get(from..to).unwrap_or_default().iter().map(bytes).sum()
    }

    /// The entries after the base, for the invariants of tests and the model checker.
    pub(crate) fn entries_slice(&self) -> &[Entry] {
        &self.entries
    }

    /// The newest snapshot that can be sent.
    pub(crate) fn newest_snapshot(&self) -> Option<&(LogPosition, Configuration)> {
        self.snapshot.as_ref()
    }

    /// Replaces everything from the first new entry's index on.
    pub(crate) fn append(&mut self, entries: &[Entry]) {
        let Some(first) = entries.first() else { return };
        let keep = self.offset(first.index).filter(|keep| *keep <= self.entries.len());
        let keep = keep.unwrap_or_else(|| {
            panic!("entry {} cannot follow {}..={}", first.index, self.base.index, self.last())
        });
        self.bytes -= self.entries[keep..].iter().map(bytes).sum::<u64>();
        self.entries.truncate(keep);
        self.bytes += entries.iter().map(bytes).sum::<u64>();
        self.entries.extend_from_slice(entries);
    }

    /// Forgets everything; the log goes on after `position`.
    pub(crate) fn reset(&mut self, position: LogPosition) {
        self.entries.clear();
        self.bytes = 0;
        self.base = position;
        // An older one could not be followed by the entries that are left.
        self.snapshot = None;
    }

    /// From now on this snapshot can be sent. Returns false if a newer one is known.
    pub(crate) fn snapshot_taken(&mut self, snapshot: (LogPosition, Configuration)) -> bool {
        let newest = self.snapshot.as_ref().map_or(self.base, |(position, _)| *position);
        let is_new = snapshot.0 >= newest;
        if is_new {
            self.snapshot = Some(snapshot);
        }
        is_new
    }

    /// Did raft-rs ask for a snapshot that there is not, since the last call?
    pub(crate) fn take_snapshot_wanted(&self) -> bool {
        self.snapshot_wanted.take()
    }

    /// Forgets entries up to `index`. Returns the new base, if that changed anything.
    pub(crate) fn compact(&mut self, index: u64) -> Option<LogPosition> {
        let count = index.checked_sub(self.base.index.0).filter(|count| *count > 0)? as usize;
        let last = self.entries.get(count - 1)?;
        self.base = LogPosition { index: LogIndex(last.index), term: Term(last.term) };
        self.bytes -= self.entries.drain(..count).map(|entry| bytes(&entry)).sum::<u64>();
        Some(self.base)
    }

    /// Where the entry is in `entries`, or would be; none if it is compacted.
    fn offset(&self, index: u64) -> Option<usize> {
        index.checked_sub(self.base.index.0 + 1).map(|offset| offset as usize)
    }
}

fn bytes(entry: &Entry) -> u64 {
    ENTRY_BYTES + entry.data.len() as u64 + entry.context.len() as u64
}

/// A snapshot as it travels in a message: the configuration is its data, the state comes as files.
fn message_of((position, configuration): &(LogPosition, Configuration)) -> Snapshot {
    let mut snapshot = Snapshot::default();
    let metadata = snapshot.mut_metadata();
    metadata.index = position.index.0;
    metadata.term = position.term.0;
    metadata.set_conf_state(configuration.to_conf_state());
    snapshot.data = configuration.encode_to_vec().into();
    snapshot
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
        let Some(from) = self.offset(low) else {
            return Err(raft::Error::Store(StorageError::Compacted));
        };
        if high > self.last() + 1 || low > high {
            return Err(raft::Error::Store(StorageError::Unavailable));
        }
        let range = &self.entries[from..from + (high - low) as usize];
        // As many as fit, but at least one; the others are not even cloned.
        let max_size = max_size.into().unwrap_or(u64::MAX);
        let mut size = 0u64;
        let fit = range.iter().take_while(|entry| {
            let first = size == 0;
            size = size.saturating_add(u64::from(entry.compute_size()));
            first || size <= max_size
        });
        Ok(fit.cloned().collect())
    }

    fn term(&self, index: u64) -> raft::Result<u64> {
        if index == self.base.index.0 {
            return Ok(self.base.term.0);
        }
        let Some(offset) = self.offset(index) else {
            return Err(raft::Error::Store(StorageError::Compacted));
        };
        self.entries
            .get(offset)
            .map(|entry| entry.term)
            .ok_or(raft::Error::Store(StorageError::Unavailable))
    }

    fn first_index(&self) -> raft::Result<u64> {
        Ok(self.base.index.0 + 1)
    }

    fn last_index(&self) -> raft::Result<u64> {
        Ok(self.last())
    }

    /// The newest snapshot, if `to` is a member in it: a node that is not would refuse it.
    fn snapshot(&self, request_index: u64, to: u64) -> raft::Result<Snapshot> {
        match &self.snapshot {
            Some(snapshot)
                if snapshot.0.index.0 >= request_index
                    && snapshot.1.members().contains(&NodeId(to)) =>
            {
                Ok(message_of(snapshot))
            }
            _ => {
                self.snapshot_wanted.set(true);
                Err(raft::Error::Store(StorageError::SnapshotTemporarilyUnavailable))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use raft::Storage as _;

    use super::*;

    fn entry(index: u64, term: u64) -> Entry {
        Entry { index, term, data: vec![7; 10].into(), ..Entry::default() }
    }

    fn position(index: u64, term: u64) -> LogPosition {
        LogPosition { index: LogIndex(index), term: Term(term) }
    }

    fn cache(base: LogPosition, last: u64) -> LogCache {
        let entries = (base.index.0 + 1..=last).map(|index| entry(index, 2)).collect();
        let recovered = RecoveredLog { base, entries, ..RecoveredLog::default() };
        LogCache::new(recovered, ConfState::default(), None)
    }

    #[test]
    fn compaction_leaves_the_term_of_the_last_entry_that_it_forgot() {
        let mut cache = cache(position(0, 0), 10);
        assert_eq!(cache.compact(4), Some(position(4, 2)));
        assert_eq!(cache.first_index(), Ok(5));
        assert_eq!(cache.term(4), Ok(2));
        assert_eq!(cache.term(3), Err(raft::Error::Store(StorageError::Compacted)));
        let context = GetEntriesContext::empty(false);
        assert_eq!(
            cache.entries(4, 6, None, context),
            Err(raft::Error::Store(StorageError::Compacted))
        );
        assert_eq!(cache.compact(3), None, "nothing is left to forget");
        assert_eq!(cache.compact(11), None, "entries that are not there cannot be forgotten");
        cache.append(&[entry(7, 3)]);
        assert_eq!((cache.last(), cache.term(7)), (7, Ok(3)));
    }

    #[test]
    fn bytes_are_counted_through_every_change() {
        let mut cache = cache(position(0, 0), 10);
        let one = cache.bytes() / 10;
        cache.append(&[entry(9, 3), entry(10, 3), entry(11, 3)]);
        assert_eq!(cache.bytes(), 11 * one);
        cache.compact(5);
        assert_eq!(cache.bytes(), 6 * one);
        assert_eq!(cache.bytes_between(7, 9), 2 * one);
        assert_eq!(cache.bytes_between(0, 99), 6 * one);
        cache.reset(position(20, 4));
        assert_eq!((cache.bytes(), cache.last(), cache.term(20)), (0, 20, Ok(4)));
    }

    #[test]
    fn a_page_of_entries_has_at_least_one() {
        let cache = cache(position(3, 1), 10);
        let page = |max| {
            let context = GetEntriesContext::empty(false);
            cache.entries(4, 11, Some(max), context).map(|entries| entries.len())
        };
        assert_eq!(page(0), Ok(1));
        assert_eq!(page(u64::MAX), Ok(7));
        let size = u64::from(entry(4, 2).compute_size());
        assert_eq!(page(3 * size), Ok(3));
    }

    #[test]
    fn a_snapshot_is_for_its_members_only() {
        let mut cache = cache(position(0, 0), 10);
        assert!(cache.snapshot(0, 1).is_err());
        assert!(cache.take_snapshot_wanted());
        let configuration = Configuration { voters: vec![1, 2], ..Configuration::default() };
        assert!(cache.snapshot_taken((position(8, 2), configuration.clone())));
        assert!(!cache.snapshot_taken((position(7, 2), configuration)), "an older one");
        assert_eq!(cache.snapshot(0, 2).map(|it| it.get_metadata().index), Ok(8));
        assert!(!cache.take_snapshot_wanted());
        assert!(cache.snapshot(0, 3).is_err());
        assert!(cache.take_snapshot_wanted());
    }
}

//! A log as the invariants see it: the term of each entry and a hash of everything up to it.

use std::hash::Hasher;

use raft::eraftpb::Entry;

use super::trace::StableHasher;

/// One entry: two logs with equal `prefix` at an index are equal up to that index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EntryDigest {
    pub(super) term: u64,
    pub(super) prefix: u64,
}

/// Digests of the entries of a log, of those that were compacted too. A log that was reset to a
/// snapshot begins after it.
#[derive(Debug, Clone, Default)]
pub(super) struct LogDigest {
    base: u64,
    /// Of the last entry in the snapshot, as its first owner had it.
    base_digest: Option<EntryDigest>,
    entries: Vec<EntryDigest>,
}

impl LogDigest {
    /// The last index.
    pub(super) fn len(&self) -> u64 {
        self.base + self.entries.len() as u64
    }

    /// The entry at `index`, from 1; none if the log has none, or is known from there on only.
    pub(super) fn get(&self, index: u64) -> Option<EntryDigest> {
        match index.checked_sub(self.base)? {
            0 => self.base_digest,
            offset => self.entries.get(offset as usize - 1).copied(),
        }
    }

    /// Does a snapshot stand for this entry?
    pub(super) fn covers(&self, index: u64) -> bool {
        index <= self.base
    }

    /// Begins anew after a snapshot.
    pub(super) fn reset(&mut self, index: u64, digest: EntryDigest) {
        *self = LogDigest { base: index, base_digest: Some(digest), entries: Vec::new() };
    }

    /// Replaces everything from the first entry's index on. Returns how many entries that dropped.
    pub(super) fn append(&mut self, entries: &[Entry]) -> usize {
        let Some(first) = entries.first() else { return 0 };
        let keep = (first.index - 1 - self.base) as usize;
        let dropped = self.entries.len().saturating_sub(keep);
        self.entries.truncate(keep);
        for entry in entries {
            let before = self.entries.last().copied().or(self.base_digest);
            let mut hasher = StableHasher::default();
            hasher.write_u64(before.map_or(0, |digest| digest.prefix));
            hasher.write_u64(entry.term);
            hasher.write(&entry.data);
            self.entries.push(EntryDigest { term: entry.term, prefix: hasher.finish() });
        }
        dropped
    }
}

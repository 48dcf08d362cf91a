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

/// Digests of entries 1..=len.
#[derive(Debug, Clone, Default)]
pub(super) struct LogDigest {
    entries: Vec<EntryDigest>,
}

impl LogDigest {
    pub(super) fn len(&self) -> u64 {
        self.entries.len() as u64
    }

    /// The entry at `index`, from 1.
    pub(super) fn get(&self, index: u64) -> Option<EntryDigest> {
        self.entries.get(usize::try_from(index).ok()?.checked_sub(1)?).copied()
    }

    /// Replaces everything from the first entry's index on. Returns how many entries that dropped.
    pub(super) fn append(&mut self, entries: &[Entry]) -> usize {
        let Some(first) = entries.first() else { return 0 };
        let keep = first.index as usize - 1;
        let dropped = self.entries.len().saturating_sub(keep);
        self.entries.truncate(keep);
        for entry in entries {
            let before = self.entries.last().map_or(0, |digest| digest.prefix);
            let mut hasher = StableHasher::default();
            hasher.write_u64(before);
            hasher.write_u64(entry.term);
            hasher.write(&entry.data);
            self.entries.push(EntryDigest { term: entry.term, prefix: hasher.finish() });
        }
        dropped
    }
}

//! What the store knows of each group's log, and which segments are needed for it.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

use raft::eraftpb;

use crate::log_store::{Extent, LogBatch, LogPosition};

use super::files::Slot;
use super::item::Piece;

/// Where an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Location {
    /// The segment's number.
    pub(super) segment: u64,
    /// Where in the file.
    pub(super) piece: Piece,
}

/// A group's log, without the entries themselves.
#[derive(Debug, Default, PartialEq)]
pub(super) struct GroupLog {
    pub(super) configuration: Option<eraftpb::ConfState>,
    pub(super) hard_state: eraftpb::HardState,
    pub(super) base: LogPosition,
    /// Of the entry after the base, and of all that follow.
    pub(super) entries: VecDeque<Location>,
}

/// The files in use, by number of segment.
#[derive(Default)]
pub(super) struct Segments(pub(super) BTreeMap<u64, Segment>);

/// A file in use.
pub(super) struct Segment {
    pub(super) slot: Slot,
    /// Sequence number of its last record.
    pub(super) end: u64,
    /// Entries in it that are needed.
    live_entries: u64,
    /// What they take.
    pub(super) live_bytes: u64,
}

impl GroupLog {
    /// Was the group removed? It stays known as long as the journal is: older segments may still name
    /// it, and each head says that they do not count.
    pub(super) fn is_removed(&self) -> bool {
        self.configuration.is_none() && *self == GroupLog::default()
    }

    /// Index of the last entry, or of the base.
    pub(super) fn last(&self) -> u64 {
        self.base.index.0 + self.entries.len() as u64
    }

    pub(super) fn extent(&self) -> Extent {
        Extent { base: self.base, last: self.last() }
    }

    /// Makes the changes of a batch, whose entries were written to these places.
    pub(super) fn apply(
        &mut self,
        batch: &LogBatch,
        locations: impl Iterator<Item = Location>,
        segments: &mut Segments,
    ) {
        if let Some(base) = batch.reset {
            self.entries.drain(..).for_each(|entry| segments.release(entry));
            self.base = base;
        }
        if let Some(hard_state) = &batch.hard_state {
            self.hard_state = hard_state.clone();
        }
        if let Some(first) = batch.entries.first() {
            let kept = (first.index - 1 - self.base.index.0) as usize;
            self.entries.drain(kept..).for_each(|entry| segments.release(entry));
            self.entries.extend(locations.inspect(|entry| segments.need(*entry)));
        }
        if let Some(compact) = batch.compact
            && compact.index > self.base.index
        {
            let count = (compact.index.0 - self.base.index.0) as usize;
            self.entries.drain(..count).for_each(|entry| segments.release(entry));
            self.base = compact;
        }
    }

    /// The indices of entries in this segment, in runs.
    pub(super) fn runs_in(&self, segment: u64) -> Vec<Range<u64>> {
        let mut runs: Vec<Range<u64>> = Vec::new();
        let first = self.base.index.0 + 1;
        for (entry, index) in self.entries.iter().zip(first..) {
            if entry.segment != segment {
                continue;
            }
            match runs.last_mut() {
                Some(run) if run.end == index => run.end += 1,
                Some(_) | None => runs.push(index..index + 1),
            }
        }
        runs
    }

    /// Where an entry is that the log has.
    pub(super) fn location(&self, index: u64) -> Location {
        self.entries[self.position(index)]
    }

    /// An entry that the log has is in another place now. Returns the old place.
    pub(super) fn relocate(&mut self, index: u64, new: Location) -> Location {
        let position = self.position(index);
        std::mem::replace(&mut self.entries[position], new)
    }

    fn position(&self, index: u64) -> usize {
        (index - self.base.index.0 - 1) as usize
    }
}

impl Segments {
    /// Adds a file in which nothing is needed yet.
    pub(super) fn add(&mut self, number: u64, slot: Slot, end: u64) {
        self.0.insert(number, Segment { slot, end, live_entries: 0, live_bytes: 0 });
    }

    pub(super) fn get(&self, number: u64) -> &Segment {
        self.0.get(&number).expect("a segment is kept as long as anything points into it")
    }

    pub(super) fn get_mut(&mut self, number: u64) -> &mut Segment {
        self.0.get_mut(&number).expect("a segment is kept as long as anything points into it")
    }

    /// An entry there is needed.
    pub(super) fn need(&mut self, entry: Location) {
        let segment = self.get_mut(entry.segment);
        segment.live_entries += 1;
        segment.live_bytes += u64::from(entry.piece.length);
    }

    /// An entry there is not needed any more.
    pub(super) fn release(&mut self, entry: Location) {
        let segment = self.get_mut(entry.segment);
        segment.live_entries -= 1;
        segment.live_bytes -= u64::from(entry.piece.length);
    }

    /// Takes out the files, other than the newest, of which nothing is needed.
    pub(super) fn take_dead(&mut self, newest: u64) -> Vec<Slot> {
        let dead = self.0.extract_if(.., |number, it| *number != newest && it.live_entries == 0);
        dead.map(|(_, segment)| segment.slot).collect()
    }
}

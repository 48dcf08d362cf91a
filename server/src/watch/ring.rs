//! The last changes, in memory.

use std::collections::VecDeque;

use crate::state_machine::{ChangeEvent, KeyRange};

/// How much is remembered, and reported at once.
#[derive(Debug, Clone, Copy)]
pub struct WatchLimits {
    /// Changes that are remembered.
    pub ring_events_max: usize,
    /// What they take in memory.
    pub ring_bytes_max: usize,
    /// Changes in a batch. One revision that has more makes a batch of its own.
    pub batch_events_max: usize,
    /// What they take in memory. One revision that takes more makes a batch of its own.
    pub batch_bytes_max: usize,
}

/// Changes of whole revisions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchBatch {
    /// Everything up to this revision has been reported with this batch.
    pub revision: u64,
    /// The changes, in order.
    pub events: Vec<ChangeEvent>,
}

/// Remembered changes that one reader looks at before others get their turn.
const LOOK_MAX: usize = 4096;

#[derive(Debug)]
pub(super) struct Ring {
    limits: WatchLimits,
    /// In the order of revisions.
    events: VecDeque<ChangeEvent>,
    bytes: usize,
    /// All changes from this revision on are remembered.
    first_revision: u64,
    /// The last applied entry.
    applied: u64,
    /// The last revision that is reported, if the group gave keys away.
    last: Option<u64>,
}

impl Ring {
    /// A ring that begins after the last applied entry.
    pub(super) fn new(limits: WatchLimits, applied: u64) -> Ring {
        Ring {
            limits,
            events: VecDeque::new(),
            bytes: 0,
            first_revision: applied + 1,
            applied,
            last: None,
        }
    }

    /// Nothing behind this revision is reported, or behind an earlier one of which that was said.
    pub(super) fn end(&mut self, last: u64) {
        self.last.get_or_insert(last);
    }

    /// The revision at which watches that want this one end, if they do.
    pub(super) fn ended_before(&self, revision: u64) -> Option<u64> {
        self.last.filter(|last| revision > *last)
    }

    pub(super) fn applied(&self) -> u64 {
        self.applied
    }

    pub(super) fn first_revision(&self) -> u64 {
        self.first_revision
    }

    /// Adds the changes of all entries after the last applied one.
    pub(super) fn push(&mut self, applied: u64, events: Vec<ChangeEvent>) {
        // What comes after the end moves nothing that is still to be reported out of the ring.
        self.applied = self.last.map_or(applied, |last| applied.min(last));
        for event in events {
            if self.ended_before(event.revision).is_some() {
                break;
            }
            self.bytes += event_bytes(&event);
            self.events.push_back(event);
        }
        while self.events.len() > self.limits.ring_events_max
            || self.bytes > self.limits.ring_bytes_max
        {
            let Some(oldest) = self.events.front() else { break };
            let revision = oldest.revision;
            while let Some(event) = self.events.pop_front_if(|it| it.revision == revision) {
                self.bytes -= event_bytes(&event);
            }
            self.first_revision = revision + 1;
        }
    }

    /// Forgets everything: the state is now another one, as of this entry.
    pub(super) fn reset(&mut self, applied: u64) {
        *self = Ring::new(self.limits, applied);
    }

    /// The changes of a range from a revision on, as far as a batch goes. Without changes the batch
    /// says how far it looked. None if the ring begins after that revision.
    pub(super) fn read(&self, range: &KeyRange, from: u64) -> Option<WatchBatch> {
        if from < self.first_revision {
            return None;
        }
        let mut batch = WatchBatch { revision: self.applied.max(from - 1), events: Vec::new() };
        let mut bytes = 0;
        // Where the changes of the revision at hand begin in the batch.
        let mut whole = 0;
        let mut revision = 0;
        let first = self.events.partition_point(|event| event.revision < from);
        for (looked, event) in self.events.range(first..).enumerate() {
            if event.revision != revision {
                (revision, whole) = (event.revision, batch.events.len());
                if looked >= LOOK_MAX {
                    batch.revision = revision - 1;
                    break;
                }
            }
            if !range.contains(&event.key) {
                continue;
            }
            bytes += event_bytes(event);
            batch.events.push(event.clone());
            let full = batch.events.len() > self.limits.batch_events_max
                || bytes > self.limits.batch_bytes_max;
            if full && whole > 0 {
                batch.events.truncate(whole);
                batch.revision = revision - 1;
                break;
            }
        }
        Some(batch)
    }
}

/// Roughly what a change takes in memory.
fn event_bytes(event: &ChangeEvent) -> usize {
    let value = |versioned: &Option<crate::command::Versioned>| {
        versioned.as_ref().map_or(0, |versioned| versioned.value.len())
    };
    size_of::<ChangeEvent>() + event.key.len() + value(&event.now) + value(&event.previous)
}

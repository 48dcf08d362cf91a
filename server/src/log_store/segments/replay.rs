//! Makes the groups' logs again from the items of the journal.
//!
//! Segments that are not needed any more are gone, so that entries may seem to be missing on the
//! way, and may be seen that were replaced in a segment that is gone. Heads put that right, and in
//! the end every group must be complete.

use std::collections::BTreeMap;
use std::path::Path;

use raft::eraftpb;

use crate::log_store::{LogPosition, LogStoreError};
use crate::types::GroupId;

use super::groups::{GroupLog, Location, Segments};
use super::item::{Item, Run};

/// All groups, as far as the journal was read.
#[derive(Debug, Default)]
pub(super) struct Replay {
    groups: BTreeMap<GroupId, ReplayedLog>,
}

#[derive(Debug, Default)]
struct ReplayedLog {
    configuration: Option<eraftpb::ConfState>,
    hard_state: eraftpb::HardState,
    base: LogPosition,
    last: u64,
    entries: BTreeMap<u64, Location>,
}

impl Replay {
    /// Makes the change of an item in this segment. Says why it cannot be, if so.
    pub(super) fn apply(&mut self, segment: u64, item: Item) -> Result<(), String> {
        match item {
            // Concerns the journal as a whole.
            Item::Segment { .. } => {}
            Item::Configuration { group, configuration } => {
                self.group(group).configuration = Some(configuration);
            }
            Item::HardState { group, hard_state } => self.group(group).hard_state = hard_state,
            Item::Span { group, base, last } => {
                let log = self.group(group);
                log.last = last;
                log.entries.split_off(&(last + 1));
                log.compact(base);
            }
            Item::Reset { group, base } => {
                let log = self.group(group);
                log.entries.clear();
                (log.base, log.last) = (base, base.index.0);
            }
            Item::Entries(run) => {
                let log = self.group(run.group);
                if run.first <= log.base.index.0 || run.first > log.last + 1 {
                    let (first, base, last) = (run.first, log.base.index, log.last);
                    return Err(format!("entry {first} follows a log from {base} to {last}"));
                }
                log.entries.split_off(&run.first);
                log.last = run.first + run.pieces.len() as u64 - 1;
                log.entries.extend(locations(segment, &run));
            }
            Item::Moved(run) => {
                let log = self.group(run.group);
                let range = log.base.index.0 + 1..=log.last;
                let entries = locations(segment, &run).filter(|(index, _)| range.contains(index));
                log.entries.extend(entries);
            }
            Item::Remove { group } => {
                self.groups.insert(group, ReplayedLog::default());
            }
            Item::Compact { group, base } => {
                let log = self.group(group);
                if base.index > log.base.index {
                    log.compact(base);
                }
            }
        }
        Ok(())
    }

    /// The groups, once everything was read; tells the segments what is needed of them.
    pub(super) fn finish(
        self,
        segments: &mut Segments,
        directory: &Path,
    ) -> Result<BTreeMap<GroupId, GroupLog>, LogStoreError> {
        let mut groups = BTreeMap::new();
        for (group, log) in self.groups {
            let first = log.base.index.0 + 1;
            let gap = (first..=log.last).zip(log.entries.keys()).find(|(index, it)| index != *it);
            let missing = match gap {
                Some((index, _)) => Some(index),
                None => Some(first + log.entries.len() as u64).filter(|it| *it <= log.last),
            };
            if let Some(index) = missing {
                let directory = directory.to_owned();
                return Err(LogStoreError::Missing { group, index, directory });
            }
            log.entries.values().for_each(|entry| segments.need(*entry));
            let ReplayedLog { configuration, hard_state, base, entries, last: _ } = log;
            let entries = entries.into_values().collect();
            groups.insert(group, GroupLog { configuration, hard_state, base, entries });
        }
        Ok(groups)
    }

    fn group(&mut self, group: GroupId) -> &mut ReplayedLog {
        self.groups.entry(group).or_default()
    }
}

impl ReplayedLog {
    fn compact(&mut self, base: LogPosition) {
        self.entries = self.entries.split_off(&(base.index.0 + 1));
        self.base = base;
    }
}

fn locations(segment: u64, run: &Run) -> impl Iterator<Item = (u64, Location)> {
    (run.first..).zip(run.pieces.iter().map(move |piece| Location { segment, piece: *piece }))
}

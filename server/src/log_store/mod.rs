//! Where the Raft log and hard state live.
//!
//! A store keeps, for each group: the configuration it was bootstrapped with, the hard state, the
//! base up to which the log was compacted, and the entries behind it. [`LogStore::write`] takes
//! batches of several groups so that one sync serves all.
//!
//! [`SegmentLogStore`] is the durable one, [`MemoryLogStore`] the other; one suite tests both.

mod memory;
mod segments;

use std::io;
use std::path::PathBuf;

use raft::eraftpb;

use crate::types::{GroupId, LogIndex, Term};

pub use memory::MemoryLogStore;
pub use segments::SegmentLogStore;
#[cfg(any(test, fuzzing))]
pub use segments::fuzz;

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

/// The log store failed, or holds something that it must not, or was asked for it.
#[derive(Debug, thiserror::Error)]
pub enum LogStoreError {
    /// The file system failed. What was being written is in doubt, and was not acknowledged.
    #[error("{what} {}: {source}\nhint: {}", path.display(), hint(source))]
    Io {
        /// What was attempted, as a verb phrase.
        what: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// The stored log is damaged in a way that no crash explains.
    #[error(
        "the log is damaged in {} at byte {offset}: {reason}\n\
             hint: this node cannot know what it has promised; check the disk, and replace the node \
             by one with an empty data directory", path.display()
    )]
    Damaged {
        /// The file in which it shows.
        path: PathBuf,
        /// Where in the file.
        offset: u64,
        /// What is wrong there.
        reason: String,
    },
    /// Entries that later records count on are in none of the files.
    #[error(
        "entry {index} of group {} is in no file of the log in {}\n\
             hint: was a file removed? replace the node by one with an empty data directory",
        group.0, directory.display()
    )]
    Missing {
        /// Whose entry.
        group: GroupId,
        /// The first one that is missing.
        index: u64,
        /// Where the log is.
        directory: PathBuf,
    },
    /// An earlier write failed, so that nobody knows what is on the disk until it is read again.
    #[error("the log takes no more writes after one that failed")]
    Failed,
    /// A batch that does not fit the log, which is a defect of the caller. Nothing was written.
    #[error("refused to write the log: {0}")]
    Refused(String),
    /// A second bootstrap of one group.
    #[error("group {} is already bootstrapped", .0.0)]
    AlreadyBootstrapped(GroupId),
}

/// What a person can do about a failure of the file system.
fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free space and start the node again; nothing that it acknowledged is lost"
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "may this user write there?"
        }
        _ => "is the disk failing? see the kernel's log; then start the node again or replace it",
    }
}

/// What a group's log spans: everything up to the base is compacted, entries reach to the last.
#[derive(Debug, Clone, Copy, Default)]
struct Extent {
    base: LogPosition,
    last: u64,
}

impl Extent {
    /// The extent after this batch. Refuses what cannot follow, before it can reach the disk.
    fn after(self, batch: &LogBatch) -> Result<Extent, LogStoreError> {
        let mut extent = match batch.reset {
            Some(base) => Extent { base, last: base.index.0 },
            None => self,
        };
        if let Some(first) = batch.entries.first() {
            let first = first.index;
            let Extent { base, last } = extent;
            if first <= base.index.0 || first > last + 1 {
                let base = base.index;
                return Err(LogStoreError::Refused(format!(
                    "entry {first} cannot follow a log from {base} to {last}"
                )));
            }
            for (entry, index) in batch.entries.iter().zip(first..) {
                if entry.index != index {
                    let found = entry.index;
                    return Err(LogStoreError::Refused(format!(
                        "entry {found} stands in the place of entry {index}"
                    )));
                }
            }
            extent.last = first + batch.entries.len() as u64 - 1;
        }
        if let Some(compact) = batch.compact {
            let (index, last) = (compact.index, extent.last);
            if index.0 > last {
                return Err(LogStoreError::Refused(format!(
                    "a log up to {last} cannot be compacted to {index}"
                )));
            }
            if index > extent.base.index {
                extent.base = compact;
            }
        }
        Ok(extent)
    }
}

#[cfg(test)]
mod tests;

//! What would be lost if the power failed now: how to undo each change that is not durable yet.
//!
//! ```text
//! write, truncate ──> files: a queue of changes for each file ──┐ fsync drops those of its file
//! create, rename, remove ──> names: one queue for all           ├─ and names (see NameRule)
//!                                                               └─ the limit drops the oldest half
//! ```
//!
//! Invariant: undoing what a queue holds, last first, gives the durable state; so does any change
//! that is dropped from the front. A queue is only ever cut at its front, or emptied.

use std::collections::{HashMap, VecDeque};
use std::ffi::OsString;
use std::sync::Arc;

use super::inode::Inode;

/// What a change costs besides the bytes that it keeps.
const COST: usize = 128;

/// Which synchronisation makes new, moved and removed names durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameRule {
    /// Any, of whichever file: one journal holds all names, as in ext4 and XFS.
    Journal,
    /// Only one of the directory that holds the name. All that POSIX promises.
    Directory,
}

/// A change of the content or size of a file.
#[derive(Debug)]
pub(super) struct FileChange {
    sequence: u64,
    /// Where it began.
    pub(super) offset: u64,
    /// Bytes that were written there; none by a truncation.
    pub(super) written: u64,
    /// What was there before, as far as the file reached.
    pub(super) old: Vec<u8>,
    /// The size before.
    pub(super) old_size: u64,
}

impl FileChange {
    /// A change that is not in a queue yet.
    pub(super) fn new(offset: u64, written: u64, old: Vec<u8>, old_size: u64) -> FileChange {
        FileChange { sequence: 0, offset, written, old, old_size }
    }

    fn appends_to(&self, earlier: &FileChange) -> bool {
        let is_append = |change: &FileChange| {
            change.written > 0 && change.old.is_empty() && change.offset == change.old_size
        };
        is_append(self) && is_append(earlier) && earlier.offset + earlier.written == self.offset
    }
}

/// A name in a directory.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// The directory.
    pub(super) directory: Arc<Inode>,
    /// The name in it.
    pub(super) name: OsString,
}

/// A change of names.
#[derive(Debug)]
pub(super) enum NameChange {
    /// A file, directory or hard link appeared.
    Created {
        /// Where.
        at: Place,
    },
    /// It was removed.
    Removed {
        /// Where it was.
        at: Place,
        /// What it is called among the lost.
        saved: OsString,
        /// The file or directory itself.
        inode: Arc<Inode>,
    },
    /// It got another name.
    Renamed {
        /// The old one.
        from: Place,
        /// The new one.
        to: Place,
        /// What had the new name before: its name among the lost, and itself.
        replaced: Option<(OsString, Arc<Inode>)>,
    },
}

impl NameChange {
    fn touches(&self, directory: u64) -> bool {
        match self {
            NameChange::Created { at } | NameChange::Removed { at, .. } => {
                at.directory.number == directory
            }
            NameChange::Renamed { from, to, .. } => {
                from.directory.number == directory || to.directory.number == directory
            }
        }
    }

    /// What is kept among the lost until this is durable.
    fn saved(self) -> Option<(OsString, Arc<Inode>)> {
        match self {
            NameChange::Created { .. } => None,
            NameChange::Removed { saved, inode, .. } => Some((saved, inode)),
            NameChange::Renamed { replaced, .. } => replaced,
        }
    }
}

/// The changes of one file that are not durable.
#[derive(Debug)]
pub(super) struct FileQueue {
    /// The file.
    pub(super) inode: Arc<Inode>,
    /// Oldest first.
    pub(super) changes: VecDeque<FileChange>,
}

/// A moment in the order of changes; a synchronisation covers what came before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment(u64);

/// Everything that is not durable.
#[derive(Debug)]
pub(super) struct UndoLog {
    files: HashMap<u64, FileQueue>,
    names: VecDeque<(u64, NameChange)>,
    next: u64,
    /// Changes before this one are never added to: a synchronisation may be about to cover them.
    sealed: u64,
    cost: usize,
    cost_max: usize,
}

impl UndoLog {
    /// An empty one, which keeps no more than `cost_max` bytes.
    pub(super) fn new(cost_max: usize) -> UndoLog {
        let (files, names) = (HashMap::new(), VecDeque::new());
        UndoLog { files, names, next: 1, sealed: 0, cost: 0, cost_max }
    }

    /// Notes a change of a file. Returns how many changes became durable because of the limit.
    pub(super) fn file_changed(&mut self, inode: &Arc<Inode>, mut change: FileChange) -> u64 {
        let queue = self
            .files
            .entry(inode.number)
            .or_insert_with(|| FileQueue { inode: Arc::clone(inode), changes: VecDeque::new() });
        if let Some(last) = queue.changes.back_mut()
            && last.sequence >= self.sealed
            && change.appends_to(last)
        {
            last.written += change.written;
            return 0;
        }
        change.sequence = self.next;
        self.next += 1;
        self.cost += COST + change.old.len();
        queue.changes.push_back(change);
        self.keep_to_limit()
    }

    /// Notes a change of names.
    pub(super) fn name_changed(&mut self, change: NameChange) {
        self.names.push_back((self.next, change));
        self.next += 1;
        self.cost += COST;
    }

    /// What has happened until now; later changes are told apart from it.
    pub(super) fn now(&mut self) -> Moment {
        self.sealed = self.next;
        Moment(self.next)
    }

    /// The content of this file as of `moment` is durable.
    pub(super) fn sync_file(&mut self, number: u64, moment: Moment) {
        let Some(queue) = self.files.get_mut(&number) else { return };
        while queue.changes.front().is_some_and(|change| change.sequence < moment.0) {
            let change = queue.changes.pop_front();
            self.cost -= COST + change.map_or(0, |change| change.old.len());
        }
        if queue.changes.is_empty() {
            self.files.remove(&number);
        }
    }

    /// All names as of `moment` are durable. Returns what is not needed any more among the lost.
    pub(super) fn sync_names(&mut self, moment: Moment) -> Vec<(OsString, Arc<Inode>)> {
        let mut saved = Vec::new();
        while let Some((_, change)) = self.names.pop_front_if(|(at, _)| *at < moment.0) {
            self.cost -= COST;
            saved.extend(change.saved());
        }
        saved
    }

    /// The names in one directory as of `moment` are durable; returns as [`UndoLog::sync_names`].
    pub(super) fn sync_directory(
        &mut self,
        directory: u64,
        moment: Moment,
    ) -> Vec<(OsString, Arc<Inode>)> {
        let names = std::mem::take(&mut self.names);
        let mut saved = Vec::new();
        for (at, change) in names {
            if at < moment.0 && change.touches(directory) {
                self.cost -= COST;
                saved.extend(change.saved());
            } else {
                self.names.push_back((at, change));
            }
        }
        saved
    }

    /// A file without a name leaves nothing behind, whatever becomes of its content.
    pub(super) fn forget_file(&mut self, number: u64) {
        self.sync_file(number, Moment(u64::MAX));
    }

    /// The files that have changes.
    pub(super) fn file_numbers(&self) -> Vec<u64> {
        self.files.keys().copied().collect()
    }

    /// Changes that are not durable.
    pub(super) fn len(&self) -> usize {
        self.files.values().map(|queue| queue.changes.len()).sum::<usize>() + self.names.len()
    }

    /// Takes everything out, in a fixed order: for each file its changes, and the names.
    pub(super) fn take(&mut self) -> (Vec<FileQueue>, VecDeque<NameChange>) {
        let mut files: Vec<FileQueue> = self.files.drain().map(|(_, queue)| queue).collect();
        files.sort_unstable_by_key(|queue| queue.inode.number);
        self.cost = 0;
        (files, self.names.drain(..).map(|(_, change)| change).collect())
    }

    /// Like the kernel, which writes back by and by what nobody synchronises: the oldest first.
    /// Names stay, because they are few; files count.
    fn keep_to_limit(&mut self) -> u64 {
        if self.cost <= self.cost_max {
            return 0;
        }
        let fronts = self.files.values().filter_map(|queue| queue.changes.front());
        let oldest = fronts.map(|change| change.sequence).min().unwrap_or(self.next);
        let middle = Moment(oldest + (self.next - oldest).div_ceil(2));
        let before = self.len();
        for number in self.file_numbers() {
            self.sync_file(number, middle);
        }
        (before - self.len()) as u64
    }
}

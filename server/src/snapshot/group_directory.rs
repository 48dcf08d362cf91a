//! Where one group's state and snapshots are on disk, and how one state takes another's place.
//!
//! ```text
//! CURRENT                     which directory has the state, and which snapshot it came from
//! <number>/                   the state: a directory of the storage engine
//! snapshots/<index>-<term>/   snapshots that were taken here
//! incoming/                   a snapshot that is being received
//! ```
//!
//! An installation moves the received files to a directory with a new number, opens it, and then
//! writes CURRENT, which is the one step that counts. Whatever a crash leaves besides the state that
//! CURRENT names is removed by the next start.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use prost::Message;

use crate::log_store::LogPosition;
use crate::membership::Configuration;
use crate::types::{LogIndex, Term};

use super::file_snapshot::FileSnapshot;
use super::files::{Files, REMOVED, UNFINISHED, names, read_if_there};
use super::retained::Retained;
use super::sealed::{Kind, seal, unseal};
use super::staging::FileStaging;
use super::{ReceivedSnapshot, SnapshotError, SnapshotLimits, SnapshotSource, SnapshotStaging};

const CURRENT: &str = "CURRENT";
const SNAPSHOTS: &str = "snapshots";
const INCOMING: &str = "incoming";

/// What a group's directory has to know of its storage engine.
#[derive(Debug, Clone, Copy)]
pub struct DirectoryOptions {
    /// Limits of what is received.
    pub limits: SnapshotLimits,
    /// A file that every checkpoint of the engine has; what has none is refused.
    pub landmark: &'static str,
}

/// The directory of one group's state and snapshots.
#[derive(Debug)]
pub struct GroupDirectory {
    path: PathBuf,
    files: Files,
    current: Current,
    snapshots: Retained<FileSnapshot>,
    staging: FileStaging,
}

/// The content of the file CURRENT.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
struct Current {
    /// The directory of the state.
    #[prost(uint64, tag = "1")]
    directory: u64,
    /// The index of the snapshot that it came from, or 0.
    #[prost(uint64, tag = "2")]
    installed_index: u64,
    /// Its term.
    #[prost(uint64, tag = "3")]
    installed_term: u64,
}

impl Current {
    fn installed(&self) -> Option<LogPosition> {
        let (index, term) = (self.installed_index, self.installed_term);
        (index > 0).then_some(LogPosition { index: LogIndex(index), term: Term(term) })
    }
}

/// The directory of a state that was replaced. Removed by [`Self::remove`] once it is closed, or by
/// the next start.
#[derive(Debug)]
#[must_use = "it takes up space until it is removed"]
pub struct OldState {
    path: PathBuf,
    files: Files,
}

impl OldState {
    /// Removes it, in the background.
    pub fn remove(self) {
        self.files.remove_later(&self.path);
    }
}

impl GroupDirectory {
    /// Opens the directory, creates it if it is missing, and removes what a crash left.
    pub fn open(path: &Path, options: DirectoryOptions) -> Result<GroupDirectory, SnapshotError> {
        GroupDirectory::open_with(Files::default(), path, options)
    }

    pub(super) fn open_with(
        files: Files,
        path: &Path,
        options: DirectoryOptions,
    ) -> Result<GroupDirectory, SnapshotError> {
        files.create_directory(path)?;
        let current = read_or_create(&files, path)?;
        for name in names(path)? {
            let foreign_state = name.parse::<u64>().is_ok_and(|it| it != current.directory);
            if foreign_state || name.ends_with(UNFINISHED) || name.ends_with(REMOVED) {
                files.remove(&path.join(name))?;
            }
        }
        let installed = current.installed();
        let snapshots = open_snapshots(&files, &path.join(SNAPSHOTS), installed)?;
        let staging = FileStaging {
            directory: path.join(INCOMING),
            files: files.clone(),
            limits: options.limits,
            landmark: options.landmark,
            taken: Arc::default(),
        };
        staging.clear_unless_after(installed)?;
        Ok(GroupDirectory { path: path.to_owned(), files, current, snapshots, staging })
    }

    /// The directory of the state. It exists, and is empty at first.
    pub fn state(&self) -> PathBuf {
        self.path.join(self.current.directory.to_string())
    }

    /// The position of the snapshot that the state came from, if it was ever installed. A crash
    /// before the log was reset leaves the log as it was, too short or with other entries; this tells
    /// such a log apart from one that was lost.
    pub fn installed_position(&self) -> Option<LogPosition> {
        self.current.installed()
    }

    /// The snapshots that were taken here and are kept, newest first.
    pub fn snapshots(&self) -> Vec<Arc<dyn SnapshotSource>> {
        self.snapshots.newest_first().map(|it| Arc::clone(it) as Arc<dyn SnapshotSource>).collect()
    }

    /// Takes a snapshot: `checkpoint` makes the directory that it is given, durably. Older snapshots
    /// beyond [`super::SNAPSHOTS_RETAINED`] are removed once nobody reads them.
    pub fn take(
        &mut self,
        position: LogPosition,
        configuration: Configuration,
        checkpoint: impl FnOnce(&Path) -> Result<(), SnapshotError>,
    ) -> Result<Arc<dyn SnapshotSource>, SnapshotError> {
        if let Some(newest) = self.snapshots.newest_first().next()
            && newest.position() == position
        {
            return Ok(Arc::clone(newest) as Arc<dyn SnapshotSource>);
        }
        let directory = self.path.join(SNAPSHOTS);
        let taken =
            FileSnapshot::take(&self.files, &directory, position, configuration, checkpoint)?;
        let taken = Arc::new(taken);
        for surplus in self.snapshots.add(Arc::clone(&taken)) {
            surplus.retire();
        }
        Ok(taken)
    }

    /// Where snapshots of this group are received, from any thread.
    pub fn staging(&self) -> Arc<dyn SnapshotStaging> {
        Arc::new(self.staging.clone())
    }

    /// Replaces the state. `open` opens the new directory, and may still refuse it; then the old
    /// state stays. After any other error the process must end: which state is current is only
    /// known when CURRENT is read again.
    ///
    /// The snapshots that were taken here are given up: the log that follows them is gone.
    pub fn install<T, E: From<SnapshotError>>(
        &mut self,
        received: ReceivedSnapshot,
        open: impl FnOnce(&Path) -> Result<T, E>,
    ) -> Result<(T, OldState), E> {
        let old = OldState { path: self.state(), files: self.files.clone() };
        let position = received.meta().position;
        let current = Current {
            directory: self.current.directory + 1,
            installed_index: position.index.0,
            installed_term: position.term.0,
        };
        let new = self.path.join(current.directory.to_string());
        self.files.remove(&new)?;
        self.files.rename(received.directory()?, &new)?;
        let opened = match open(&new) {
            Ok(opened) => opened,
            Err(error) => {
                self.files.remove(&new)?;
                return Err(error);
            }
        };
        self.files.write_whole(&self.path.join(CURRENT), &seal(Kind::Current, &current))?;
        self.current = current;
        for surplus in self.snapshots.take_all() {
            surplus.retire();
        }
        self.staging.clear()?;
        Ok((opened, old))
    }
}

fn read_or_create(files: &Files, directory: &Path) -> Result<Current, SnapshotError> {
    let path = directory.join(CURRENT);
    let first = Current { directory: 1, installed_index: 0, installed_term: 0 };
    let current: Current = match read_if_there(&path)? {
        Some(bytes) => unseal(Kind::Current, &path, &bytes)?,
        None => {
            // CURRENT is the first thing that is written, so that it cannot be missing beside a state.
            if names(directory)?.iter().any(|name| name.parse::<u64>().is_ok()) {
                let reason = format!("{} is missing, but there is a state", path.display());
                return Err(SnapshotError::Corrupt(reason));
            }
            files.write_whole(&path, &seal(Kind::Current, &first))?;
            first
        }
    };
    let state = directory.join(current.directory.to_string());
    if current == first {
        files.create_directory(&state)?;
    } else if !state.is_dir() {
        let reason = format!("{} names {}, which is missing", path.display(), state.display());
        return Err(SnapshotError::Corrupt(reason));
    }
    Ok(current)
}

/// The complete snapshots in this directory that are no older than the state; what else is there is
/// removed.
fn open_snapshots(
    files: &Files,
    directory: &Path,
    installed: Option<LogPosition>,
) -> Result<Retained<FileSnapshot>, SnapshotError> {
    let mut found = Vec::new();
    for name in names(directory)? {
        let path = directory.join(name);
        match FileSnapshot::open(files, path.clone())? {
            Some(snapshot) if Some(snapshot.position()) >= installed => found.push(snapshot),
            Some(_) | None => files.remove(&path)?,
        }
    }
    found.sort_by_key(FileSnapshot::position);
    let mut snapshots = Retained::default();
    for snapshot in found {
        for surplus in snapshots.add(Arc::new(snapshot)) {
            surplus.retire();
        }
    }
    Ok(snapshots)
}

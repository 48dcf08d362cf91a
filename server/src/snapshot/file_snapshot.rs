//! A snapshot on disk.
//!
//! ```text
//! snapshots/<index>-<term>/META     position and configuration; files with checksums when known
//! snapshots/<index>-<term>/files/   what the storage engine made
//! ```

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use crate::log_store::LogPosition;
use crate::membership::Configuration;
use crate::types::{LogIndex, Term};

use super::error::io;
use super::files::{Files, UNFINISHED, measure, names, read_if_there, with_end};
use super::{FilePosition, SnapshotError, SnapshotFile, SnapshotMeta, SnapshotSource};

const META: &str = "META";
const FILES: &str = "files";

/// Files in a directory of their own.
#[derive(Debug)]
pub(super) struct FileSnapshot {
    directory: PathBuf,
    files: Files,
    position: LogPosition,
    configuration: Configuration,
    /// Locked while the files are read, so that one thread does it.
    described: Mutex<Option<Arc<SnapshotMeta>>>,
    /// Is the directory to be removed when nobody holds this any more?
    retired: AtomicBool,
}

impl FileSnapshot {
    /// Makes a snapshot among others: complete, or not there after a crash.
    pub(super) fn take(
        files: &Files,
        snapshots: &Path,
        position: LogPosition,
        configuration: Configuration,
        checkpoint: impl FnOnce(&Path) -> Result<(), SnapshotError>,
    ) -> Result<FileSnapshot, SnapshotError> {
        let directory = snapshots.join(name_of(position));
        let new = with_end(&directory, UNFINISHED);
        files.remove(&new)?;
        files.create_directory(&new)?;
        checkpoint(&new.join(FILES))?;
        let meta = SnapshotMeta { position, configuration, files: Vec::new() };
        files.write_whole(&new.join(META), &meta.to_file())?;
        files.rename(&new, &directory)?;
        Ok(FileSnapshot::new(files, directory, meta))
    }

    /// Opens what an earlier process took; none if it is no complete snapshot.
    pub(super) fn open(
        files: &Files,
        directory: PathBuf,
    ) -> Result<Option<FileSnapshot>, SnapshotError> {
        let path = directory.join(META);
        let Some(bytes) = read_if_there(&path)? else { return Ok(None) };
        let meta = match SnapshotMeta::from_file(&path, &bytes) {
            Ok(meta) => meta,
            Err(error @ SnapshotError::Format { .. }) => return Err(error),
            Err(error) => {
                tracing::warn!("a snapshot is removed: {error}");
                return Ok(None);
            }
        };
        let complete = Some(meta.position) == directory_position(&directory);
        Ok(complete.then(|| FileSnapshot::new(files, directory, meta)))
    }

    fn new(files: &Files, directory: PathBuf, meta: SnapshotMeta) -> FileSnapshot {
        let (position, configuration) = (meta.position, meta.configuration.clone());
        let described = (!meta.files.is_empty()).then(|| Arc::new(meta));
        FileSnapshot {
            directory,
            files: files.clone(),
            position,
            configuration,
            described: Mutex::new(described),
            retired: AtomicBool::new(false),
        }
    }

    /// Removes the directory as soon as nobody holds the snapshot.
    pub(super) fn retire(&self) {
        self.retired.store(true, Ordering::Release);
    }

    fn measure_files(&self) -> Result<SnapshotMeta, SnapshotError> {
        let directory = self.directory.join(FILES);
        let mut files = Vec::new();
        for name in names(&directory)? {
            let (bytes, crc32c) = measure(&directory.join(&name))?;
            files.push(SnapshotFile { name, bytes, crc32c });
        }
        let configuration = self.configuration.clone();
        Ok(SnapshotMeta { position: self.position, configuration, files })
    }
}

impl SnapshotSource for FileSnapshot {
    fn position(&self) -> LogPosition {
        self.position
    }

    fn configuration(&self) -> &Configuration {
        &self.configuration
    }

    fn describe(&self) -> Result<Arc<SnapshotMeta>, SnapshotError> {
        let mut described = self.described.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(meta) = &*described {
            return Ok(Arc::clone(meta));
        }
        let meta = Arc::new(self.measure_files()?);
        self.files.write_whole(&self.directory.join(META), &meta.to_file())?;
        Ok(Arc::clone(described.insert(meta)))
    }

    fn read(&self, at: FilePosition, length: usize) -> Result<Bytes, SnapshotError> {
        let meta = self.describe()?;
        let Some(file) = meta.files.get(at.file) else {
            return Err(SnapshotError::Refused(format!("there is no {at}")));
        };
        let path = self.directory.join(FILES).join(&file.name);
        let left = usize::try_from(meta.bytes_left_in_file(at)).unwrap_or(usize::MAX);
        let mut bytes = vec![0; length.min(left)];
        let mut file = File::open(&path).map_err(io("open", &path))?;
        file.seek(SeekFrom::Start(at.offset))
            .and_then(|_| file.read_exact(&mut bytes))
            .map_err(io("read", &path))?;
        Ok(Bytes::from(bytes))
    }
}

impl Drop for FileSnapshot {
    fn drop(&mut self) {
        if *self.retired.get_mut() {
            self.files.remove_later(&self.directory);
        }
    }
}

fn name_of(position: LogPosition) -> String {
    format!("{}-{}", position.index, position.term)
}

/// The position that a directory's name tells.
fn directory_position(directory: &Path) -> Option<LogPosition> {
    let (index, term) = directory.file_name()?.to_str()?.split_once('-')?;
    Some(LogPosition { index: LogIndex(index.parse().ok()?), term: Term(term.parse().ok()?) })
}

//! Receives one snapshot at a time on disk.
//!
//! ```text
//! incoming/OFFER     what is being received, with checksums
//! incoming/files/    what has come so far: whole files, then one that grows
//! ```
//!
//! The files' sizes say where to go on, also in the next process. After a power loss a file may have
//! its size and not its bytes; its checksum tells, and everything is received again.

use std::fs::{self, File};
use std::io::{Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::log_store::LogPosition;

use super::error::io;
use super::files::{Files, measure, read_if_there};
use super::source::{Lease, check_order};
use super::{FilePosition, ReceivedSnapshot, SnapshotError, SnapshotLimits, SnapshotMeta};
use super::{SnapshotSink, SnapshotStaging};

const OFFER: &str = "OFFER";
const FILES: &str = "files";

/// The directory `incoming` of a group.
#[derive(Debug, Clone)]
pub(super) struct FileStaging {
    pub(super) directory: PathBuf,
    pub(super) files: Files,
    pub(super) limits: SnapshotLimits,
    /// A file that every snapshot of this kind of store has.
    pub(super) landmark: &'static str,
    pub(super) taken: Arc<AtomicBool>,
}

impl FileStaging {
    /// Where the files are.
    fn content(&self) -> PathBuf {
        self.directory.join(FILES)
    }

    fn offer(&self) -> Result<Option<SnapshotMeta>, SnapshotError> {
        let path = self.directory.join(OFFER);
        let Some(bytes) = read_if_there(&path)? else { return Ok(None) };
        match SnapshotMeta::from_file(&path, &bytes) {
            Ok(meta) => Ok(Some(meta)),
            // It is only a copy of what a peer has.
            Err(SnapshotError::Corrupt(_) | SnapshotError::Format { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// At a start: forgets what cannot be gone on with, or is no newer than the state.
    pub(super) fn clear_unless_after(
        &self,
        installed: Option<LogPosition>,
    ) -> Result<(), SnapshotError> {
        let resumable = self.content().is_dir()
            && self.offer()?.is_some_and(|offer| Some(offer.position) > installed);
        if resumable { Ok(()) } else { self.clear() }
    }

    /// Makes room, and forgets what was there.
    fn start_afresh(&self, meta: &SnapshotMeta) -> Result<(), SnapshotError> {
        self.clear()?;
        self.files.create_directory(&self.content())?;
        self.files.write_whole(&self.directory.join(OFFER), &meta.to_file())
    }

    /// Forgets what was received: the offer first, so that half of the rest is never gone on with.
    pub(super) fn clear(&self) -> Result<(), SnapshotError> {
        self.files.remove(&self.directory.join(OFFER))?;
        self.files.remove(&self.directory)
    }

    /// Which byte is next. None if a file is longer than it may be, which we did not write.
    fn resume_at(&self, meta: &SnapshotMeta) -> Result<Option<FilePosition>, SnapshotError> {
        for (place, file) in meta.files.iter().enumerate() {
            let path = self.content().join(&file.name);
            let offset = match fs::metadata(&path) {
                Ok(found) => found.len(),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => 0,
                Err(error) => return Err(io("look at", &path)(error)),
            };
            if offset > file.bytes {
                return Ok(None);
            }
            if offset < file.bytes {
                return Ok(Some(FilePosition { file: place, offset }));
            }
        }
        Ok(Some(meta.end()))
    }
}

impl SnapshotStaging for FileStaging {
    fn begin(&self, meta: SnapshotMeta) -> Result<Box<dyn SnapshotSink>, SnapshotError> {
        meta.check(&self.limits)?;
        if !meta.files.iter().any(|file| file.name == self.landmark) {
            let reason = format!("it has no file {}: another kind of store took it", self.landmark);
            return Err(SnapshotError::Refused(reason));
        }
        let lease = Lease::take(&self.taken)?;
        let kept = match self.offer()? {
            Some(offer) if offer == meta && self.content().is_dir() => self.resume_at(&meta)?,
            Some(_) | None => None,
        };
        let at = match kept {
            Some(at) => at,
            None => {
                self.start_afresh(&meta)?;
                meta.next_byte(FilePosition::default())
            }
        };
        let staging = self.clone();
        Ok(Box::new(FileSink { staging, meta: Arc::new(meta), at, open: None, lease }))
    }
}

struct FileSink {
    staging: FileStaging,
    meta: Arc<SnapshotMeta>,
    at: FilePosition,
    /// The file at `at`, if something was written to it.
    open: Option<File>,
    lease: Lease,
}

impl FileSink {
    fn path(&self, file: usize) -> PathBuf {
        self.staging.content().join(&self.meta.files[file].name)
    }

    /// Opens the file at the position, and cuts off what an interrupted clean-up may have left.
    fn open(&self) -> Result<File, SnapshotError> {
        let path = self.path(self.at.file);
        let open = || {
            let mut file = File::options().create(true).truncate(false).write(true).open(&path)?;
            file.set_len(self.at.offset)?;
            file.seek(SeekFrom::Start(self.at.offset))?;
            Ok(file)
        };
        open().map_err(io("open", &path))
    }

    /// Is everything here, and as it was announced? Makes it durable.
    fn verify(&self) -> Result<(), SnapshotError> {
        let files = &self.staging.files;
        for (place, file) in self.meta.files.iter().enumerate() {
            let path = self.path(place);
            if file.bytes == 0 {
                File::create(&path).map_err(io("create", &path))?;
            }
            if measure(&path)? != (file.bytes, file.crc32c) {
                let reason = format!("file {} has a wrong checksum", file.name);
                return Err(SnapshotError::Corrupt(reason));
            }
            files.sync_file(&path)?;
        }
        files.sync_directory(&self.staging.content())
    }
}

impl SnapshotSink for FileSink {
    fn position(&self) -> FilePosition {
        self.at
    }

    fn write(&mut self, at: FilePosition, data: &[u8]) -> Result<(), SnapshotError> {
        let next = check_order(&self.meta, self.at, at, data.len())?;
        let path = self.path(at.file);
        let mut file = match self.open.take() {
            Some(file) => file,
            None => self.open()?,
        };
        self.staging.files.append(&mut file, &path, data)?;
        self.open = (next.file == at.file).then_some(file);
        self.at = next;
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<ReceivedSnapshot, SnapshotError> {
        if self.at != self.meta.end() {
            let at = self.at;
            return Err(SnapshotError::Refused(format!("the bytes from {at} on are missing")));
        }
        let verified = self.verify();
        if matches!(verified, Err(SnapshotError::Corrupt(_))) {
            self.staging.clear()?;
        }
        verified?;
        let directory = self.staging.content();
        Ok(ReceivedSnapshot::in_directory(self.meta, directory, self.lease))
    }
}

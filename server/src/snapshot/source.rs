//! The two ends of a transfer, and what lies between the last byte and the installation.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;

use crate::log_store::LogPosition;
use crate::membership::Configuration;

use super::{FilePosition, SnapshotError, SnapshotMeta};

/// A snapshot that can be read. It never changes, and stays readable while it is held. Calls block.
pub trait SnapshotSource: std::fmt::Debug + Send + Sync {
    /// The last entry that is applied in it.
    fn position(&self) -> LogPosition;

    /// The group's configuration as of that entry.
    fn configuration(&self) -> &Configuration;

    /// Its files with their checksums. The first call reads all of them, and may take long.
    fn describe(&self) -> Result<Arc<SnapshotMeta>, SnapshotError>;

    /// Bytes of one file, `length` of them or as many as there are.
    fn read(&self, at: FilePosition, length: usize) -> Result<Bytes, SnapshotError>;
}

/// Where the group's next snapshot is received: room for one.
pub trait SnapshotStaging: std::fmt::Debug + Send + Sync {
    /// Makes room for this snapshot, or goes on with it if a part of this very one is here. Refuses
    /// what makes no sense. Blocks. [`SnapshotError::Busy`] while another one is being received or
    /// waits for its installation.
    fn begin(&self, meta: SnapshotMeta) -> Result<Box<dyn SnapshotSink>, SnapshotError>;
}

/// Takes the bytes of one snapshot, in order. What was taken stays when the sink is dropped, so that
/// the next one can go on there. Calls block.
pub trait SnapshotSink: Send {
    /// Which byte is next; everything before it is here.
    fn position(&self) -> FilePosition;

    /// Takes the next bytes, all of one file. Others are refused and change nothing.
    fn write(&mut self, at: FilePosition, data: &[u8]) -> Result<(), SnapshotError>;

    /// Verifies sizes and checksums when everything is here, and makes it durable. Forgets
    /// everything if a checksum is wrong.
    fn finish(self: Box<Self>) -> Result<ReceivedSnapshot, SnapshotError>;
}

/// A verified snapshot that waits for its installation. Dropped, it stays where it is until the
/// next one is received.
#[derive(Debug)]
pub struct ReceivedSnapshot {
    meta: Arc<SnapshotMeta>,
    content: Content,
    _lease: Lease,
}

#[derive(Debug)]
enum Content {
    Memory(Bytes),
    Files(PathBuf),
}

impl ReceivedSnapshot {
    pub(super) fn in_memory(meta: Arc<SnapshotMeta>, image: Bytes, lease: Lease) -> Self {
        ReceivedSnapshot { meta, content: Content::Memory(image), _lease: lease }
    }

    pub(super) fn in_directory(meta: Arc<SnapshotMeta>, directory: PathBuf, lease: Lease) -> Self {
        ReceivedSnapshot { meta, content: Content::Files(directory), _lease: lease }
    }

    /// What it is.
    pub fn meta(&self) -> &SnapshotMeta {
        &self.meta
    }

    /// The image, if it was received into memory.
    pub fn image(&self) -> Result<&Bytes, SnapshotError> {
        match &self.content {
            Content::Memory(image) => Ok(image),
            Content::Files(_) => Err(another_store()),
        }
    }

    /// The directory, if it was received on disk.
    pub(super) fn directory(&self) -> Result<&Path, SnapshotError> {
        match &self.content {
            Content::Memory(_) => Err(another_store()),
            Content::Files(directory) => Ok(directory),
        }
    }
}

fn another_store() -> SnapshotError {
    SnapshotError::Refused("it was received for another kind of store".to_owned())
}

/// The right to use a group's room for incoming snapshots. There is one at a time.
#[derive(Debug)]
pub(super) struct Lease(Arc<AtomicBool>);

impl Lease {
    /// Takes it, if it is free.
    pub(super) fn take(taken: &Arc<AtomicBool>) -> Result<Lease, SnapshotError> {
        if taken.swap(true, Ordering::AcqRel) {
            return Err(SnapshotError::Busy);
        }
        Ok(Lease(Arc::clone(taken)))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// Where the next bytes go: refuses those that are out of order, none, or beyond the file's end.
pub(super) fn check_order(
    meta: &SnapshotMeta,
    expected: FilePosition,
    found: FilePosition,
    length: usize,
) -> Result<FilePosition, SnapshotError> {
    if found != expected {
        return Err(SnapshotError::OutOfOrder { expected, found });
    }
    let length = length as u64;
    if length == 0 || length > meta.bytes_left_in_file(found) {
        return Err(SnapshotError::Refused(format!("{length} bytes at {found} do not fit")));
    }
    Ok(meta.next_byte(FilePosition { offset: found.offset + length, ..found }))
}

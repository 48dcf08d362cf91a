//! Snapshots in memory: one file, the image of a state.

use std::fmt;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError};

use bytes::{Bytes, BytesMut};
use prost::Message;

use crate::log_store::LogPosition;
use crate::membership::Configuration;

use super::sealed::{Kind, seal, unseal};
use super::source::{Lease, check_order};
use super::{FilePosition, ReceivedSnapshot, SnapshotError, SnapshotFile, SnapshotLimits};
use super::{SnapshotMeta, SnapshotSink, SnapshotSource, SnapshotStaging};

const IMAGE: &str = "image";

type Encode = Box<dyn FnOnce() -> Bytes + Send>;

/// A copy of a state in memory. The image is made once, when somebody first asks for bytes.
pub struct MemorySnapshot {
    position: LogPosition,
    configuration: Configuration,
    image: LazyLock<Bytes, Encode>,
    described: OnceLock<Arc<SnapshotMeta>>,
}

impl MemorySnapshot {
    /// A snapshot of the state that this message holds, which must be cheap to make: it is encoded
    /// later, on the thread that reads.
    pub fn new(
        position: LogPosition,
        configuration: Configuration,
        state: impl Message + 'static,
    ) -> MemorySnapshot {
        let encode: Encode = Box::new(move || Bytes::from(seal(Kind::Image, &state)));
        let described = OnceLock::new();
        MemorySnapshot { position, configuration, image: LazyLock::new(encode), described }
    }
}

impl SnapshotSource for MemorySnapshot {
    fn position(&self) -> LogPosition {
        self.position
    }

    fn configuration(&self) -> &Configuration {
        &self.configuration
    }

    fn describe(&self) -> Result<Arc<SnapshotMeta>, SnapshotError> {
        let described = self.described.get_or_init(|| {
            let image = SnapshotFile {
                name: IMAGE.to_owned(),
                bytes: self.image.len() as u64,
                crc32c: crc32c::crc32c(&self.image),
            };
            Arc::new(SnapshotMeta {
                position: self.position,
                configuration: self.configuration.clone(),
                files: vec![image],
            })
        });
        Ok(Arc::clone(described))
    }

    fn read(&self, at: FilePosition, length: usize) -> Result<Bytes, SnapshotError> {
        if at.file > 0 {
            return Err(SnapshotError::Refused(format!("there is no {at}")));
        }
        let start = usize::try_from(at.offset).unwrap_or(usize::MAX).min(self.image.len());
        let end = start.saturating_add(length).min(self.image.len());
        Ok(self.image.slice(start..end))
    }
}

impl fmt::Debug for MemorySnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemorySnapshot").field("position", &self.position).finish_non_exhaustive()
    }
}

impl ReceivedSnapshot {
    /// The state in the image of a [`MemorySnapshot`].
    pub fn decode<M: Message + Default>(&self) -> Result<M, SnapshotError> {
        unseal(Kind::Image, Path::new(IMAGE), self.image()?)
    }
}

/// Room for one snapshot in memory. Clones share it.
#[derive(Debug, Clone)]
pub struct MemoryStaging {
    limits: SnapshotLimits,
    taken: Arc<AtomicBool>,
    /// What was received before the stream was cut.
    partial: Arc<Mutex<Option<Partial>>>,
}

#[derive(Debug)]
struct Partial {
    meta: Arc<SnapshotMeta>,
    bytes: BytesMut,
}

impl MemoryStaging {
    /// An empty room.
    pub fn new(limits: SnapshotLimits) -> MemoryStaging {
        MemoryStaging { limits, taken: Arc::default(), partial: Arc::default() }
    }
}

impl SnapshotStaging for MemoryStaging {
    fn begin(&self, meta: SnapshotMeta) -> Result<Box<dyn SnapshotSink>, SnapshotError> {
        meta.check(&self.limits)?;
        if meta.files.len() != 1 || meta.files[0].name != IMAGE {
            return Err(SnapshotError::Refused(
                "it was not taken from a store in memory, and this store is".to_owned(),
            ));
        }
        let lease = Lease::take(&self.taken)?;
        let kept = self.partial.lock().unwrap_or_else(PoisonError::into_inner).take();
        let partial = match kept {
            Some(partial) if *partial.meta == meta => partial,
            // No room is made for what was only announced: the vector grows as bytes come.
            Some(_) | None => Partial { meta: Arc::new(meta), bytes: BytesMut::new() },
        };
        let keep = Arc::clone(&self.partial);
        Ok(Box::new(MemorySink { partial: Some(partial), keep, lease: Some(lease) }))
    }
}

/// Invariant: both options are full until the sink is finished.
struct MemorySink {
    partial: Option<Partial>,
    keep: Arc<Mutex<Option<Partial>>>,
    lease: Option<Lease>,
}

impl MemorySink {
    fn partial(&self) -> &Partial {
        self.partial.as_ref().expect("it is full until the sink is finished")
    }
}

impl SnapshotSink for MemorySink {
    fn position(&self) -> FilePosition {
        let Partial { meta, bytes } = self.partial();
        meta.next_byte(FilePosition { file: 0, offset: bytes.len() as u64 })
    }

    fn write(&mut self, at: FilePosition, data: &[u8]) -> Result<(), SnapshotError> {
        let expected = self.position();
        let partial = self.partial.as_mut().expect("it is full until the sink is finished");
        check_order(&partial.meta, expected, at, data.len())?;
        partial.bytes.extend_from_slice(data);
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<ReceivedSnapshot, SnapshotError> {
        let at = self.position();
        if at != self.partial().meta.end() {
            return Err(SnapshotError::Refused(format!("the bytes from {at} on are missing")));
        }
        let Partial { meta, bytes } =
            self.partial.take().expect("it is full until the sink is finished");
        if crc32c::crc32c(&bytes) != meta.files[0].crc32c {
            return Err(SnapshotError::Corrupt("the image has a wrong checksum".to_owned()));
        }
        let lease = self.lease.take().expect("it is full until the sink is finished");
        Ok(ReceivedSnapshot::in_memory(meta, bytes.freeze(), lease))
    }
}

impl Drop for MemorySink {
    /// Keeps what was received, before another sink can begin.
    fn drop(&mut self) {
        if let Some(partial) = self.partial.take() {
            *self.keep.lock().unwrap_or_else(PoisonError::into_inner) = Some(partial);
        }
    }
}

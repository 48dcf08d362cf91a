//! Reads entries back, many with one call to the operating system.

use crate::log_store::LogStoreError;

use super::groups::{Location, Segments};

/// What is read at once.
const WINDOW_BYTES: usize = 256 << 10;

/// A window that moves over the segments. What the entries themselves do not take in memory is
/// bounded by its size, or that of the largest entry.
#[derive(Debug, Default)]
pub(super) struct EntryReader {
    segment: u64,
    start: u64,
    window: Vec<u8>,
}

impl EntryReader {
    /// The bytes of an entry.
    pub(super) fn read(
        &mut self,
        segments: &Segments,
        entry: Location,
    ) -> Result<&[u8], LogStoreError> {
        let offset = u64::from(entry.piece.offset);
        let length = entry.piece.length as usize;
        let is_here = self.segment == entry.segment
            && offset >= self.start
            && offset + length as u64 <= self.start + self.window.len() as u64;
        if !is_here {
            let slot = &segments.get(entry.segment).slot;
            self.window.resize(WINDOW_BYTES.max(length), 0);
            let read = slot.read(&mut self.window, offset)?;
            self.window.truncate(read);
            (self.segment, self.start) = (entry.segment, offset);
            if read < length {
                let reason = "the file is shorter than it was".to_owned();
                return Err(LogStoreError::Damaged { path: slot.path.clone(), offset, reason });
            }
        }
        let start = (offset - self.start) as usize;
        Ok(&self.window[start..start + length])
    }
}

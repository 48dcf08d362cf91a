//! A door for the fuzzer: journals whose checksums are right, and of which nothing else need be.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::files::{FileSystem, RawFile};
use super::record::{self, Header, Kind};
use super::recovery::recover;

/// Bytes of a payload at most.
const PAYLOAD_MAX: usize = 96;
const FILES_MAX: usize = 4;

/// Makes a journal of these bytes, and opens it.
pub fn journal(bytes: &[u8]) {
    let mut rest = bytes;
    let mut files = BTreeMap::new();
    for id in 0..FILES_MAX as u32 {
        if rest.is_empty() {
            break;
        }
        files.insert(format!("{id:08}-{id:08x}.segment"), segment(&mut rest, id));
    }
    let _ = recover(&Files(files));
}

/// Records one after the other, then whatever is left if it is the last file.
fn segment(rest: &mut &[u8], seed: u32) -> Arc<Mutex<Vec<u8>>> {
    let mut buffer = Vec::new();
    for _ in 0..number(rest) % 8 {
        let kind = if buffer.is_empty() { Kind::Head } else { Kind::Changes };
        let header =
            Header { kind, number: number(rest), sequence: number(rest), durable: number(rest) };
        let length = (number(rest) as usize % PAYLOAD_MAX).min(rest.len());
        let (payload, behind) = rest.split_at(length);
        *rest = behind;
        let start = record::begin(&mut buffer);
        buffer.extend_from_slice(payload);
        record::finish(&mut buffer, start, header, seed);
    }
    if rest.len() < 64 {
        buffer.extend_from_slice(rest);
    }
    Arc::new(Mutex::new(buffer))
}

/// A small number, or one of the greatest.
fn number(rest: &mut &[u8]) -> u64 {
    let Some((first, behind)) = rest.split_first() else { return 0 };
    *rest = behind;
    match *first {
        first @ 0..0xf0 => u64::from(first),
        first => u64::MAX - u64::from(first & 0x0f),
    }
}

/// A directory in memory.
struct Files(BTreeMap<String, Arc<Mutex<Vec<u8>>>>);

struct OpenFile(Arc<Mutex<Vec<u8>>>);

impl FileSystem for Files {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.0.keys().cloned().collect())
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn RawFile>> {
        match self.0.get(name) {
            Some(file) => Ok(Box::new(OpenFile(Arc::clone(file)))),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn create(&self, _name: &str) -> io::Result<Box<dyn RawFile>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn remove(&self, _name: &str) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn sync_directory(&self) -> io::Result<()> {
        Ok(())
    }

    fn directory(&self) -> &Path {
        Path::new("log")
    }
}

impl RawFile for OpenFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        let count = buffer.len().min(bytes.len() - start);
        buffer[..count].copy_from_slice(&bytes[start..start + count]);
        Ok(count)
    }

    fn write_at(&self, bytes: &[u8], _offset: u64) -> io::Result<usize> {
        // The same bytes as there are.
        Ok(bytes.len())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).len() as u64)
    }

    fn truncate(&self, _size: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

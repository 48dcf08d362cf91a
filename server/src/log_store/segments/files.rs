//! The few things that the journal asks of a file system, behind a seam where tests break them.

use std::fs::{self, File};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::super::LogStoreError;

const SUFFIX: &str = ".segment";

/// A flat directory of files.
pub(super) trait FileSystem: Send + Sync {
    /// The names of all files.
    fn list(&self) -> io::Result<Vec<String>>;
    /// Opens a file that exists.
    fn open(&self, name: &str) -> io::Result<Box<dyn RawFile>>;
    /// Makes an empty file that did not exist.
    fn create(&self, name: &str) -> io::Result<Box<dyn RawFile>>;
    /// Removes a file.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Makes creations and removals durable.
    fn sync_directory(&self) -> io::Result<()>;
    /// Where the directory is, for messages.
    fn directory(&self) -> &Path;
}

/// An open file.
pub(super) trait RawFile: Send {
    /// Reads up to as much as fits; 0 at the end of the file.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes a part of the bytes from their beginning, and says how much.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize>;
    /// Makes everything written to the file durable.
    fn sync(&self) -> io::Result<()>;
    /// Its size in bytes.
    fn size(&self) -> io::Result<u64>;
    /// Cuts its end off.
    fn truncate(&self, size: u64) -> io::Result<()>;
}

/// A directory of the operating system.
#[derive(Debug)]
pub(super) struct Directory(pub(super) PathBuf);

impl FileSystem for Directory {
    fn list(&self) -> io::Result<Vec<String>> {
        let names = fs::read_dir(&self.0)?.map(|file| Ok(file?.file_name().into_string().ok()));
        // Names that are no text are not ours.
        names.filter_map(Result::transpose).collect()
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn RawFile>> {
        let file = File::options().read(true).write(true).open(self.0.join(name))?;
        Ok(Box::new(file))
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn RawFile>> {
        let mut options = File::options();
        let file = options.read(true).write(true).create_new(true).open(self.0.join(name))?;
        Ok(Box::new(file))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.0.join(name))
    }

    fn sync_directory(&self) -> io::Result<()> {
        File::open(&self.0)?.sync_all()
    }

    fn directory(&self) -> &Path {
        &self.0
    }
}

impl RawFile for File {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        FileExt::read_at(self, buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        FileExt::write_at(self, bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn truncate(&self, size: u64) -> io::Result<()> {
        self.set_len(size)
    }
}

/// A file of the journal, whatever is in it.
pub(super) struct Slot {
    /// Tells files apart; never used twice at a time.
    pub(super) id: u32,
    /// Where checksums in this file start from. Nobody but the owner of the directory knows it, so
    /// that no client can write a value that looks like a record.
    pub(super) seed: u32,
    pub(super) name: String,
    pub(super) path: PathBuf,
    file: Box<dyn RawFile>,
}

impl Slot {
    /// Opens a file of this directory; none if its name is not one of the journal's.
    pub(super) fn open(files: &dyn FileSystem, name: &str) -> Result<Option<Slot>, LogStoreError> {
        let Some((id, seed)) = parse_name(name) else { return Ok(None) };
        let path = files.directory().join(name);
        let file = files.open(name).map_err(io_error("open", &path))?;
        Ok(Some(Slot { id, seed, name: name.to_owned(), path, file }))
    }

    /// Makes an empty file that is still there after a power loss.
    pub(super) fn create(files: &dyn FileSystem, id: u32) -> Result<Slot, LogStoreError> {
        // The standard library draws the keys of its hashers from the operating system.
        let seed = RandomState::new().hash_one(id) as u32;
        let name = format!("{id:08}-{seed:08x}{SUFFIX}");
        let path = files.directory().join(&name);
        let file = files.create(&name).map_err(io_error("create", &path))?;
        files.sync_directory().map_err(io_error("sync directory", files.directory()))?;
        Ok(Slot { id, seed, name, path, file })
    }

    /// Fills the buffer from this place on, and returns less than its size at the end of the file.
    pub(super) fn read(&self, buffer: &mut [u8], offset: u64) -> Result<usize, LogStoreError> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.file.read_at(&mut buffer[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(io_error("read", &self.path)(source)),
            }
        }
        Ok(filled)
    }

    /// The whole file, in place of what is in the buffer.
    pub(super) fn read_all(&self, buffer: &mut Vec<u8>) -> Result<(), LogStoreError> {
        buffer.resize(self.size()? as usize, 0);
        let read = self.read(buffer, 0)?;
        buffer.truncate(read);
        Ok(())
    }

    /// Writes all of it, as a rule with one call to the operating system.
    pub(super) fn write(&self, bytes: &[u8], offset: u64) -> Result<(), LogStoreError> {
        let mut written = 0;
        while written < bytes.len() {
            let source = match self.file.write_at(&bytes[written..], offset + written as u64) {
                Ok(0) => io::ErrorKind::WriteZero.into(),
                Ok(count) => {
                    written += count;
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => error,
            };
            return Err(io_error("write", &self.path)(source));
        }
        Ok(())
    }

    /// Makes everything written to it durable.
    pub(super) fn sync(&self) -> Result<(), LogStoreError> {
        self.file.sync().map_err(io_error("sync", &self.path))
    }

    /// Its size in bytes.
    pub(super) fn size(&self) -> Result<u64, LogStoreError> {
        self.file.size().map_err(io_error("look at", &self.path))
    }

    /// Cuts its end off.
    pub(super) fn truncate(&self, size: u64) -> Result<(), LogStoreError> {
        self.file.truncate(size).map_err(io_error("cut", &self.path))
    }
}

/// Reads `00000001-5ad03c11.segment`.
fn parse_name(name: &str) -> Option<(u32, u32)> {
    let (id, seed) = name.strip_suffix(SUFFIX)?.split_once('-')?;
    Some((id.parse().ok()?, u32::from_str_radix(seed, 16).ok()?))
}

/// An error of the file system, on this file.
pub(super) fn io_error(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> LogStoreError {
    let path = path.to_owned();
    move |source| LogStoreError::Io { what, path, source }
}

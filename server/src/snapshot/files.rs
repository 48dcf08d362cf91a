//! Changes to the file system such that a crash, or a power loss, leaves nothing half done.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread;

use super::SnapshotError;
use super::error::io;
#[cfg(test)]
use super::fuse::Fuse;

/// Ends of names of what is not finished, and of what is being removed. A start removes both.
pub(super) const UNFINISHED: &str = ".new";
pub(super) const REMOVED: &str = ".old";

/// Performs changes, one step at a time. Tests make it stop at any step.
#[derive(Debug, Clone, Default)]
pub(super) struct Files {
    #[cfg(test)]
    pub(super) fuse: Option<std::sync::Arc<Fuse>>,
}

/// One change that the file system makes.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(not(test), expect(dead_code, reason = "only tests look at the steps"))]
pub(super) enum Step<'a> {
    Create(&'a Path),
    Write(&'a Path, &'a [u8]),
    SyncFile(&'a Path),
    SyncDirectory(&'a Path),
    Rename(&'a Path, &'a Path),
    Remove(&'a Path),
}

impl Files {
    /// Creates a directory that is still there after a power loss.
    pub(super) fn create_directory(&self, path: &Path) -> Result<(), SnapshotError> {
        if path.is_dir() {
            return Ok(());
        }
        let parent = parent(path);
        self.create_directory(parent)?;
        self.step(Step::Create(path))
            .and_then(|()| fs::create_dir(path))
            .map_err(io("create directory", path))?;
        self.sync_directory(parent)
    }

    /// Writes a file such that it is whole, or as it was before.
    pub(super) fn write_whole(&self, path: &Path, bytes: &[u8]) -> Result<(), SnapshotError> {
        let new = with_end(path, UNFINISHED);
        let mut file = File::create(&new).map_err(io("create", &new))?;
        self.append(&mut file, &new, bytes)?;
        self.sync_file(&new)?;
        self.rename(&new, path)
    }

    /// Writes at the end of an open file.
    pub(super) fn append(
        &self,
        file: &mut File,
        path: &Path,
        bytes: &[u8],
    ) -> Result<(), SnapshotError> {
        self.step(Step::Write(path, bytes))
            .and_then(|()| file.write_all(bytes))
            .map_err(io("write", path))
    }

    /// Makes a file's bytes durable.
    pub(super) fn sync_file(&self, path: &Path) -> Result<(), SnapshotError> {
        self.step(Step::SyncFile(path))
            .and_then(|()| File::open(path)?.sync_all())
            .map_err(io("sync", path))
    }

    /// Makes the names in a directory durable.
    pub(super) fn sync_directory(&self, path: &Path) -> Result<(), SnapshotError> {
        self.step(Step::SyncDirectory(path))
            .and_then(|()| File::open(path)?.sync_all())
            .map_err(io("sync directory", path))
    }

    /// Moves a file or a directory within one file system, durably.
    pub(super) fn rename(&self, from: &Path, to: &Path) -> Result<(), SnapshotError> {
        self.step(Step::Rename(from, to))
            .and_then(|()| fs::rename(from, to))
            .map_err(io("move to its place", to))?;
        self.sync_directory(parent(to))
    }

    /// Removes a file, or a directory with all that is in it, if it is there.
    pub(super) fn remove(&self, path: &Path) -> Result<(), SnapshotError> {
        let removed = self.step(Step::Remove(path)).and_then(|()| match path.is_dir() {
            true => fs::remove_dir_all(path),
            false => fs::remove_file(path),
        });
        match removed {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed.map_err(io("remove", path)),
        }
    }

    /// Removes a directory without keeping the caller waiting. What a crash leaves is removed by
    /// the next start.
    pub(super) fn remove_later(&self, path: &Path) {
        let old = with_end(path, REMOVED);
        let renamed = self.step(Step::Rename(path, &old)).and_then(|()| fs::rename(path, &old));
        if let Err(error) = renamed {
            tracing::warn!("move {} out of the way: {error}", path.display());
            return;
        }
        let files = self.clone();
        let remove = move || {
            if let Err(error) = files.remove(&old) {
                tracing::warn!("{error}; the next start tries again");
            }
        };
        if self.is_stepped() {
            remove();
        } else if let Err(error) = thread::Builder::new().name("remove".into()).spawn(remove) {
            tracing::warn!("start a thread that removes files: {error}; the next start does it");
        }
    }

    #[cfg(test)]
    fn is_stepped(&self) -> bool {
        self.fuse.is_some()
    }

    #[cfg(not(test))]
    fn is_stepped(&self) -> bool {
        false
    }

    #[cfg(test)]
    fn step(&self, step: Step<'_>) -> io::Result<()> {
        self.fuse.as_ref().map_or(Ok(()), |fuse| fuse.burn(step))
    }

    #[cfg(not(test))]
    fn step(&self, _step: Step<'_>) -> io::Result<()> {
        Ok(())
    }
}

/// The names in a directory, in order; none if it does not exist.
pub(super) fn names(directory: &Path) -> Result<Vec<String>, SnapshotError> {
    let list = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        list => list.map_err(io("list", directory))?,
    };
    let mut names = Vec::new();
    for entry in list {
        let name = entry.map_err(io("list", directory))?.file_name();
        let name = name.into_string().map_err(|name| {
            let path = directory.join(name);
            SnapshotError::Corrupt(format!("{} is no file of ours", path.display()))
        })?;
        names.push(name);
    }
    names.sort();
    Ok(names)
}

/// The content of a file, if it exists.
pub(super) fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, SnapshotError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io("read", path)(error)),
    }
}

/// Size and CRC-32C of a file.
pub(super) fn measure(path: &Path) -> Result<(u64, u32), SnapshotError> {
    const BUFFER_BYTES: usize = 1 << 20;
    let mut file = File::open(path).map_err(io("open", path))?;
    let mut buffer = vec![0; BUFFER_BYTES];
    let (mut bytes, mut crc32c) = (0, 0);
    loop {
        let read = io::Read::read(&mut file, &mut buffer).map_err(io("read", path))?;
        if read == 0 {
            return Ok((bytes, crc32c));
        }
        bytes += read as u64;
        crc32c = crc32c::crc32c_append(crc32c, &buffer[..read]);
    }
}

/// The path with something at the end of its name.
pub(super) fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut path = OsString::from(path);
    path.push(end);
    PathBuf::from(path)
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        Some(_) | None => Path::new("."),
    }
}

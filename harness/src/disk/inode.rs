//! A file or directory of the backing directory, held by a descriptor instead of a name.

use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;

/// Found by any name, also when it has none any more. As long as it is held, its number belongs to
/// no other file.
#[derive(Debug)]
pub(super) struct Inode {
    /// The number that the backing file system gave it.
    pub(super) number: u64,
    /// Opened with O_PATH: good for looking, and for opening it again.
    handle: File,
}

impl Inode {
    /// Finds `name` in a directory. Symbolic links are not followed.
    pub(super) fn find(directory: impl AsFd, name: &OsStr) -> io::Result<Inode> {
        let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let handle: File = openat(directory, name, flags, Mode::empty())?.into();
        let number = handle.metadata()?.ino();
        Ok(Inode { number, handle })
    }

    /// What the backing file system says about it.
    pub(super) fn metadata(&self) -> io::Result<Metadata> {
        self.handle.metadata()
    }

    /// A path that leads to it, for calls that take nothing else.
    pub(super) fn path(&self) -> PathBuf {
        format!("/proc/self/fd/{}", self.handle.as_raw_fd()).into()
    }

    /// Opens it for reading and writing.
    pub(super) fn open(&self) -> io::Result<File> {
        File::options().read(true).write(true).open(self.path())
    }

    /// Has it no name any more?
    pub(super) fn is_nameless(&self) -> io::Result<bool> {
        Ok(self.metadata()?.nlink() == 0)
    }
}

impl AsFd for Inode {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.handle.as_fd()
    }
}

//! What a request does to the files, before it becomes a reply.

use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use fuser::{FileAttr, FileType, INodeNo, OpenAccMode, OpenFlags};

use super::file_system::FileSystem;
use super::inode::Inode;
use super::state::OpenFile;
use super::tree::Tree;

impl FileSystem {
    pub(super) fn attributes(&self, number: u64) -> io::Result<FileAttr> {
        attributes(number, &self.0.lock().tree.inode(number)?.metadata()?)
    }

    pub(super) fn open_file(&self, number: u64, flags: OpenFlags) -> io::Result<u64> {
        let mut state = self.0.lock();
        let inode = state.tree.inode(number)?;
        let file = match flags.acc_mode() {
            OpenAccMode::O_RDONLY => File::open(inode.path())?,
            // What is overwritten must be read.
            OpenAccMode::O_WRONLY | OpenAccMode::O_RDWR => inode.open()?,
        };
        let handle = state.new_handle();
        state.open_files.insert(handle, OpenFile { inode, file: Arc::new(file) });
        Ok(handle)
    }

    pub(super) fn create_file(
        &self,
        parent: u64,
        name: &OsStr,
        mode: u32,
    ) -> io::Result<(FileAttr, u64)> {
        let mut state = self.0.lock();
        state.refuse_if_full()?;
        let (inode, file) = state.tree.create(parent, name, mode)?;
        let attributes = attributes(inode.number, &inode.metadata()?)?;
        let handle = state.new_handle();
        state.open_files.insert(handle, OpenFile { inode, file: Arc::new(file) });
        Ok((attributes, handle))
    }

    pub(super) fn set_attributes(
        &self,
        number: u64,
        mode: Option<u32>,
        size: Option<u64>,
    ) -> io::Result<FileAttr> {
        let mut state = self.0.lock();
        let inode = state.tree.inode(number)?;
        if let Some(size) = size {
            state.tree.truncate(&inode, size)?;
        }
        if let Some(mode) = mode {
            std::fs::set_permissions(inode.path(), std::fs::Permissions::from_mode(mode))?;
        }
        attributes(number, &inode.metadata()?)
    }

    pub(super) fn add_name(
        &self,
        add: impl FnOnce(&mut Tree) -> io::Result<Arc<Inode>>,
    ) -> io::Result<FileAttr> {
        let mut state = self.0.lock();
        state.refuse_if_full()?;
        let inode = add(&mut state.tree)?;
        attributes(inode.number, &inode.metadata()?)
    }

    pub(super) fn read_file(&self, handle: u64, offset: u64, size: u32) -> io::Result<Vec<u8>> {
        let open = self.0.lock().open_file(handle)?;
        let mut bytes = vec![0; size as usize];
        let mut length = 0;
        while length < bytes.len() {
            match open.file.read_at(&mut bytes[length..], offset + length as u64)? {
                0 => break,
                more => length += more,
            }
        }
        bytes.truncate(length);
        Ok(bytes)
    }

    pub(super) fn write_file(
        &self,
        handle: u64,
        offset: u64,
        data: &[u8],
        flags: i32,
    ) -> io::Result<()> {
        let mut state = self.0.lock();
        let open = state.open_file(handle)?;
        state.write(&open, offset, data)?;
        // O_SYNC contains O_DSYNC.
        if flags & libc::O_DSYNC != 0 {
            let moment = state.tree.now();
            state.tree.sync(open.inode.number, moment);
        }
        Ok(())
    }

    pub(super) fn open_directory(&self, number: u64) -> io::Result<u64> {
        let mut state = self.0.lock();
        let entries = state.tree.list(number)?;
        let handle = state.new_handle();
        state.open_directories.insert(handle, entries);
        Ok(handle)
    }
}

pub(super) fn kind(file_type: std::fs::FileType) -> io::Result<FileType> {
    FileType::from_std(file_type).ok_or_else(|| nix::errno::Errno::EIO.into())
}

pub(super) fn attributes(number: u64, metadata: &Metadata) -> io::Result<FileAttr> {
    let time = |seconds: i64, nanos: i64| {
        let since = Duration::new(seconds.max(0).unsigned_abs(), nanos.unsigned_abs() as u32);
        UNIX_EPOCH + since
    };
    Ok(FileAttr {
        ino: INodeNo(number),
        size: metadata.size(),
        blocks: metadata.blocks(),
        atime: time(metadata.atime(), metadata.atime_nsec()),
        mtime: time(metadata.mtime(), metadata.mtime_nsec()),
        ctime: time(metadata.ctime(), metadata.ctime_nsec()),
        crtime: UNIX_EPOCH,
        kind: kind(metadata.file_type())?,
        perm: (metadata.mode() & 0o7777) as u16,
        nlink: metadata.nlink() as u32,
        uid: metadata.uid(),
        gid: metadata.gid(),
        rdev: 0,
        blksize: 4096,
        flags: 0,
    })
}

//! The files of a disk: operations on the backing directory, each noted so that it can be undone.
//!
//! ```text
//! backing/files   what the node sees, written through
//! backing/lost    what it removed or replaced, until that is durable
//! ```
//!
//! Knows nothing of FUSE: paths are pairs of a directory's number and a name, and a file is open
//! as long as the caller keeps its number.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::errno::Errno;
use nix::fcntl::{AtFlags, FallocateFlags, OFlag, openat, renameat};
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::{UnlinkatFlags, linkat, unlinkat};

use super::inode::Inode;
use super::undo::{FileChange, Moment, NameChange, NameRule, Place, UndoLog};

/// The number of the root directory, as FUSE wants it.
pub(super) const ROOT: u64 = 1;

/// What a disk may keep in memory to undo changes; what goes beyond becomes durable by itself.
const UNDO_BYTES_MAX: usize = 64 << 20;

/// The files of one disk.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) lost: Arc<Inode>,
    root: Arc<Inode>,
    rule: NameRule,
    /// What the kernel knows, and how often it was told.
    known: HashMap<u64, (Arc<Inode>, u64)>,
    pub(super) undo: UndoLog,
    lost_names: u64,
    /// Changes that became durable because there were too many.
    pub(super) written_back: u64,
}

impl Tree {
    /// Of a backing directory, whose two folders are made if they are missing. Everything in it is
    /// durable.
    pub(super) fn open(backing: &Path, rule: NameRule) -> io::Result<Tree> {
        let folder = |name: &str| -> io::Result<Arc<Inode>> {
            let path = backing.join(name);
            std::fs::create_dir_all(&path)?;
            Ok(Arc::new(Inode::find(File::open(backing)?, name.as_ref())?))
        };
        Ok(Tree {
            lost: folder("lost")?,
            root: folder("files")?,
            rule,
            known: HashMap::new(),
            undo: UndoLog::new(UNDO_BYTES_MAX),
            lost_names: 0,
            written_back: 0,
        })
    }

    /// The file or directory of this number, which the caller must have been told.
    pub(super) fn inode(&self, number: u64) -> io::Result<Arc<Inode>> {
        if number == ROOT {
            return Ok(Arc::clone(&self.root));
        }
        let found = self.known.get(&number).map(|(inode, _)| Arc::clone(inode));
        found.ok_or_else(|| Errno::ESTALE.into())
    }

    /// Finds a name, and counts that the caller knows the file now.
    pub(super) fn look_up(&mut self, parent: u64, name: &OsStr) -> io::Result<Arc<Inode>> {
        let found = Inode::find(self.inode(parent)?, name)?;
        let number = found.number;
        let (inode, known) = self.known.entry(number).or_insert_with(|| (Arc::new(found), 0));
        *known += 1;
        Ok(Arc::clone(inode))
    }

    /// The caller forgets what it was told `times` times.
    pub(super) fn forget(&mut self, number: u64, times: u64) {
        if let Some((_, known)) = self.known.get_mut(&number) {
            *known = known.saturating_sub(times);
            if *known == 0 {
                self.known.remove(&number);
            }
        }
    }

    /// The caller forgets everything.
    pub(super) fn forget_all(&mut self) {
        self.known.clear();
    }

    /// Names, numbers and kinds of what is in a directory.
    pub(super) fn list(&self, number: u64) -> io::Result<Vec<(OsString, u64, std::fs::FileType)>> {
        use std::os::unix::fs::DirEntryExt;
        std::fs::read_dir(self.inode(number)?.path())?
            .map(|entry| {
                let entry = entry?;
                Ok((entry.file_name(), entry.ino(), entry.file_type()?))
            })
            .collect()
    }

    /// Opens a new file.
    pub(super) fn create(
        &mut self,
        parent: u64,
        name: &OsStr,
        mode: u32,
    ) -> io::Result<(Arc<Inode>, File)> {
        let directory = self.inode(parent)?;
        let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
        let file = openat(&directory, name, flags, Mode::from_bits_truncate(mode))?;
        self.created(directory, name);
        Ok((self.look_up(parent, name)?, file.into()))
    }

    /// Makes a directory.
    pub(super) fn make_directory(
        &mut self,
        parent: u64,
        name: &OsStr,
        mode: u32,
    ) -> io::Result<Arc<Inode>> {
        let directory = self.inode(parent)?;
        mkdirat(&directory, name, Mode::from_bits_truncate(mode))?;
        self.created(directory, name);
        self.look_up(parent, name)
    }

    /// Gives a file one more name.
    pub(super) fn link(
        &mut self,
        number: u64,
        parent: u64,
        name: &OsStr,
    ) -> io::Result<Arc<Inode>> {
        let (inode, directory) = (self.inode(number)?, self.inode(parent)?);
        // By its path in /proc, because linking a descriptor wants privileges.
        let path = inode.path();
        linkat(nix::fcntl::AT_FDCWD, &path, &directory, name, AtFlags::AT_SYMLINK_FOLLOW)?;
        self.created(directory, name);
        self.look_up(parent, name)
    }

    fn created(&mut self, directory: Arc<Inode>, name: &OsStr) {
        let at = Place { directory, name: name.to_owned() };
        self.undo.name_changed(NameChange::Created { at });
    }

    /// Removes a file, or a directory that is empty.
    pub(super) fn remove(&mut self, parent: u64, name: &OsStr) -> io::Result<()> {
        let directory = self.inode(parent)?;
        let (saved, inode) = self.set_aside(&directory, name)?;
        let at = Place { directory, name: name.to_owned() };
        self.undo.name_changed(NameChange::Removed { at, saved, inode });
        Ok(())
    }

    /// Renames, in place of what has the new name.
    pub(super) fn rename(
        &mut self,
        (parent, name): (u64, &OsStr),
        (new_parent, new_name): (u64, &OsStr),
    ) -> io::Result<()> {
        let (from, to) = (self.inode(parent)?, self.inode(new_parent)?);
        let replaced = match self.set_aside(&to, new_name) {
            Ok(replaced) => Some(replaced),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        if let Err(error) = renameat(&from, name, &to, new_name) {
            if let Some((saved, _)) = replaced {
                renameat(&self.lost, saved.as_os_str(), &to, new_name)?;
            }
            return Err(error.into());
        }
        self.undo.name_changed(NameChange::Renamed {
            from: Place { directory: from, name: name.to_owned() },
            to: Place { directory: to, name: new_name.to_owned() },
            replaced,
        });
        Ok(())
    }

    /// Moves something to the lost.
    fn set_aside(
        &mut self,
        directory: &Arc<Inode>,
        name: &OsStr,
    ) -> io::Result<(OsString, Arc<Inode>)> {
        let inode = Inode::find(directory, name)?;
        if inode.metadata()?.is_dir() && std::fs::read_dir(inode.path())?.next().is_some() {
            return Err(Errno::ENOTEMPTY.into());
        }
        self.lost_names += 1;
        let saved = OsString::from(self.lost_names.to_string());
        renameat(directory, name, &self.lost, saved.as_os_str())?;
        Ok((saved, Arc::new(inode)))
    }

    /// Writes all of `data`.
    pub(super) fn write(
        &mut self,
        inode: &Arc<Inode>,
        file: &File,
        offset: u64,
        data: &[u8],
    ) -> io::Result<()> {
        let metadata = file.metadata()?;
        let change = overwritten(file, &metadata, offset, data.len() as u64)?;
        // First, because a write that fails may have done a part.
        self.changed(inode, &metadata, change);
        file.write_all_at(data, offset)
    }

    /// Cuts or extends a file.
    pub(super) fn truncate(&mut self, inode: &Arc<Inode>, size: u64) -> io::Result<()> {
        let file = inode.open()?;
        let metadata = file.metadata()?;
        let cut = metadata.size().saturating_sub(size);
        let mut change = overwritten(&file, &metadata, size, cut)?;
        change.written = 0;
        file.set_len(size)?;
        self.changed(inode, &metadata, change);
        Ok(())
    }

    /// Allocates, or punches a hole.
    pub(super) fn allocate(
        &mut self,
        inode: &Arc<Inode>,
        file: &File,
        (offset, length): (u64, u64),
        mode: i32,
    ) -> io::Result<()> {
        let flags = FallocateFlags::from_bits(mode).ok_or(Errno::EOPNOTSUPP)?;
        let punches = FallocateFlags::FALLOC_FL_PUNCH_HOLE;
        let keeps_size = FallocateFlags::FALLOC_FL_KEEP_SIZE;
        let metadata = file.metadata()?;
        let change = if flags == punches | keeps_size {
            overwritten(file, &metadata, offset, length)?
        } else if (flags - keeps_size).is_empty() {
            FileChange::new(metadata.size(), 0, Vec::new(), metadata.size())
        } else {
            return Err(Errno::EOPNOTSUPP.into());
        };
        let signed = |number: u64| i64::try_from(number).map_err(|_| Errno::EFBIG);
        nix::fcntl::fallocate(file, flags, signed(offset)?, signed(length)?)?;
        self.changed(inode, &metadata, change);
        Ok(())
    }

    fn changed(&mut self, inode: &Arc<Inode>, before: &Metadata, change: FileChange) {
        // Nobody will find it again.
        if before.nlink() > 0 {
            self.written_back += self.undo.file_changed(inode, change);
        }
    }

    /// What a synchronisation that begins now will cover.
    pub(super) fn now(&mut self) -> Moment {
        self.undo.now()
    }

    /// A file or directory is durable as of `moment`.
    pub(super) fn sync(&mut self, number: u64, moment: Moment) {
        self.undo.sync_file(number, moment);
        let saved = match self.rule {
            NameRule::Journal => self.undo.sync_names(moment),
            NameRule::Directory if number == ROOT => {
                self.undo.sync_directory(self.root.number, moment)
            }
            NameRule::Directory => self.undo.sync_directory(number, moment),
        };
        for (name, inode) in saved {
            // What stays is only in the way of nobody; it goes with the next power loss.
            let _ = discard(&self.lost, &name);
            if inode.is_nameless().unwrap_or(true) {
                self.undo.forget_file(inode.number);
            }
        }
    }

    /// Everything is durable.
    pub(super) fn sync_all(&mut self) {
        let moment = self.undo.now();
        for number in self.undo.file_numbers() {
            self.undo.sync_file(number, moment);
        }
        for (name, _) in self.undo.sync_names(moment) {
            let _ = discard(&self.lost, &name);
        }
    }

    /// Where the lost are, for whoever clears them.
    pub(super) fn lost_path(&self) -> PathBuf {
        self.lost.path()
    }
}

/// What a change of `length` bytes is about to replace.
fn overwritten(
    file: &File,
    metadata: &Metadata,
    offset: u64,
    length: u64,
) -> io::Result<FileChange> {
    let kept = metadata.size().saturating_sub(offset).min(length);
    let mut old = vec![0; usize::try_from(kept).map_err(|_| Errno::EFBIG)?];
    file.read_exact_at(&mut old, offset)?;
    Ok(FileChange::new(offset, length, old, metadata.size()))
}

/// Removes a file or an empty directory for good.
pub(super) fn discard(directory: &Inode, name: &OsStr) -> nix::Result<()> {
    match unlinkat(directory, name, UnlinkatFlags::NoRemoveDir) {
        Err(Errno::EISDIR | Errno::EPERM) => unlinkat(directory, name, UnlinkatFlags::RemoveDir),
        result => result,
    }
}

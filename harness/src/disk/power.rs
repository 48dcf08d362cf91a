//! What a power loss leaves of the files: every change that is not durable is undone, last first.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use nix::errno::Errno;
use nix::fcntl::renameat;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use super::inode::Inode;
use super::tree::{Tree, discard};
use super::undo::{FileChange, FileQueue, NameChange, Place};

/// Disks write whole sectors.
const SECTOR: u64 = 512;

/// What becomes of changes that were not synchronised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsynced {
    /// All are lost.
    Lost,
    /// Of each file the first few survive, and of the next one a part, up to a sector's border;
    /// of the names the first few. This seed draws how many.
    Torn(u64),
}

/// What a power loss did to a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct PowerLoss {
    /// Changes of files that were undone.
    pub writes_lost: u64,
    /// Changes of files of which a part survived.
    pub writes_torn: u64,
    /// Changes of files that survived without having been synchronised.
    pub writes_kept: u64,
    /// New, moved and removed names that were undone.
    pub names_lost: u64,
    /// Those that survived.
    pub names_kept: u64,
}

impl Tree {
    /// The power fails. Nobody may have a file open; afterwards everything is durable.
    ///
    /// # Errors
    /// The backing directory could not be changed: the disk is in no state that a power loss leaves.
    pub(super) fn lose_power(&mut self, unsynced: Unsynced) -> io::Result<PowerLoss> {
        let mut rng = match unsynced {
            Unsynced::Lost => None,
            Unsynced::Torn(seed) => Some(ChaCha8Rng::seed_from_u64(seed)),
        };
        let (files, names) = self.undo.take();
        let mut loss = PowerLoss::default();
        for file in files {
            undo_file(file, rng.as_mut(), &mut loss)?;
        }
        self.undo_names(names, rng.as_mut(), &mut loss)?;
        for entry in std::fs::read_dir(self.lost_path())? {
            discard(&self.lost, &entry?.file_name())?;
        }
        Ok(loss)
    }

    fn undo_names(
        &self,
        names: VecDeque<NameChange>,
        rng: Option<&mut ChaCha8Rng>,
        loss: &mut PowerLoss,
    ) -> io::Result<()> {
        let kept = rng.map_or(0, |rng| rng.random_range(0..=names.len()));
        loss.names_kept += kept as u64;
        loss.names_lost += (names.len() - kept) as u64;
        for change in names.into_iter().skip(kept).rev() {
            match change {
                NameChange::Created { at } => self.remove_created(&at)?,
                NameChange::Removed { at, saved, .. } => {
                    renameat(&self.lost, saved.as_os_str(), &at.directory, at.name.as_os_str())?;
                }
                NameChange::Renamed { from, to, replaced } => {
                    let (old, new) = (from.name.as_os_str(), to.name.as_os_str());
                    renameat(&to.directory, new, &from.directory, old)?;
                    if let Some((saved, _)) = replaced {
                        renameat(&self.lost, saved.as_os_str(), &to.directory, new)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// A directory that was never durable takes along what became durable inside.
    fn remove_created(&self, at: &Place) -> io::Result<()> {
        match discard(&at.directory, &at.name) {
            // Its name in another directory became durable.
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(Errno::ENOTEMPTY) => {
                let inode = Inode::find(&at.directory, &at.name)?;
                for entry in std::fs::read_dir(inode.path())? {
                    let path = entry?.path();
                    if path.is_dir() {
                        std::fs::remove_dir_all(path)?;
                    } else {
                        std::fs::remove_file(path)?;
                    }
                }
                Ok(discard(&at.directory, &at.name)?)
            }
            Err(error) => Err(error.into()),
        }
    }
}

fn undo_file(
    queue: FileQueue,
    rng: Option<&mut ChaCha8Rng>,
    loss: &mut PowerLoss,
) -> io::Result<()> {
    let file = queue.inode.open()?;
    let count = queue.changes.len();
    let (kept, torn) = match rng {
        None => (0, 0),
        Some(rng) => {
            let kept = rng.random_range(0..=count);
            let torn = queue.changes.get(kept).map_or(0, |change| surviving(change, rng));
            (kept, torn)
        }
    };
    loss.writes_kept += kept as u64;
    loss.writes_lost += (count - kept) as u64;
    loss.writes_torn += u64::from(torn > 0);
    for (number, change) in queue.changes.into_iter().enumerate().skip(kept).rev() {
        undo_change(&file, &change, if number == kept { torn } else { 0 })?;
    }
    Ok(())
}

/// How many bytes of a write survive: whole sectors, and what is before the first border.
fn surviving(change: &FileChange, rng: &mut ChaCha8Rng) -> u64 {
    let first = (SECTOR - change.offset % SECTOR) % SECTOR;
    let sectors = change.written.saturating_sub(first) / SECTOR;
    match sectors {
        0 => 0,
        _ => first + SECTOR * rng.random_range(0..=sectors),
    }
}

/// Restores what was there before, but for the first `survives` bytes.
fn undo_change(file: &File, change: &FileChange, survives: u64) -> io::Result<()> {
    let border = change.offset + survives;
    if let Some(old) = usize::try_from(survives).ok().and_then(|from| change.old.get(from..)) {
        file.write_all_at(old, border)?;
    }
    file.set_len(if survives > 0 { change.old_size.max(border) } else { change.old_size })
}

//! A disk in memory that fails, fills up and loses power when it is told to.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::log_store::segments::files::{FileSystem, RawFile};

const SECTOR_BYTES: usize = 512;

/// A directory of files; clones are the same one.
#[derive(Clone, Default)]
pub(super) struct SimulatedDisk(Arc<Mutex<Disk>>);

#[derive(Default)]
struct Disk {
    inodes: Vec<Inode>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    faults: Faults,
    counts: Counts,
}

#[derive(Default, Clone)]
struct Inode {
    now: Vec<u8>,
    durable: Vec<u8>,
    /// Sectors that count as clean since a sync failed, although the disk does not have them.
    forgotten: BTreeSet<usize>,
}

/// What goes wrong.
#[derive(Debug, Default, Clone)]
pub(super) struct Faults {
    /// After so many more changes the power is gone; the change in question is made half.
    pub(super) changes_left: Option<usize>,
    /// Bytes by which files may grow yet.
    pub(super) space_left: Option<usize>,
    /// The next write fails, once.
    pub(super) write_error: bool,
    /// The next sync fails, once, and what it was about counts as clean from then on.
    pub(super) sync_error: bool,
    /// Writes write no more than this at once.
    pub(super) write_bytes_max: Option<usize>,
}

/// What was asked of it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) writes: usize,
    pub(super) syncs: usize,
}

/// What a power loss leaves of writes that were not synced.
#[derive(Debug, Clone, Copy)]
pub(super) enum Loss {
    Everything,
    Nothing,
    /// Each sector is old or new, as it happens.
    Sectors,
}

impl SimulatedDisk {
    pub(super) fn set(&self, faults: Faults) {
        self.0.lock().unwrap().faults = faults;
    }

    pub(super) fn counts(&self) -> Counts {
        self.0.lock().unwrap().counts
    }

    /// The machine starts again, with what is left.
    pub(super) fn lose_power(&self, loss: Loss, rng: &mut ChaCha8Rng) {
        let mut disk = self.0.lock().unwrap();
        disk.faults = Faults::default();
        if !matches!(loss, Loss::Nothing) {
            disk.names = disk.durable_names.clone();
        }
        disk.durable_names = disk.names.clone();
        for inode in &mut disk.inodes {
            inode.lose(loss, rng);
        }
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.0.lock().unwrap().names.keys().cloned().collect()
    }

    pub(super) fn bytes(&self, name: &str) -> Vec<u8> {
        let disk = self.0.lock().unwrap();
        disk.inodes[disk.names[name]].now.clone()
    }

    /// Changes a file behind the store's back.
    pub(super) fn damage(&self, name: &str, damage: impl FnOnce(&mut Vec<u8>)) {
        let mut disk = self.0.lock().unwrap();
        let inode = disk.names[name];
        damage(&mut disk.inodes[inode].now);
    }

    /// A disk with the same content.
    pub(super) fn copy(&self) -> SimulatedDisk {
        let disk = self.0.lock().unwrap();
        let (inodes, names) = (disk.inodes.clone(), disk.names.clone());
        let durable_names = disk.durable_names.clone();
        let copy = Disk { inodes, names, durable_names, ..Disk::default() };
        SimulatedDisk(Arc::new(Mutex::new(copy)))
    }
}

impl Inode {
    fn lose(&mut self, loss: Loss, rng: &mut ChaCha8Rng) {
        match loss {
            Loss::Everything => self.now.clone_from(&self.durable),
            Loss::Nothing => {}
            Loss::Sectors => {
                // Each sector as it was or as it is; a file that has grown may lose its end.
                let size = [self.now.len(), self.durable.len()][rng.random_range(0..2)];
                self.now.resize(size, 0);
                for start in (0..size).step_by(SECTOR_BYTES) {
                    let end = (start + SECTOR_BYTES).min(size);
                    if rng.random_bool(0.5) {
                        let old =
                            self.durable.get(start..end.min(self.durable.len())).unwrap_or(&[]);
                        self.now[start..start + old.len()].copy_from_slice(old);
                        self.now[start + old.len()..end].fill(0);
                    }
                }
            }
        }
        self.durable.clone_from(&self.now);
        self.forgotten.clear();
    }

    /// Writes everything to the disk that does not count as clean.
    fn sync(&mut self) {
        let mut durable = self.now.clone();
        for sector in &self.forgotten {
            let start = (sector * SECTOR_BYTES).min(durable.len());
            let end = (start + SECTOR_BYTES).min(durable.len());
            let old = self.durable.get(start..).unwrap_or(&[]);
            let kept = old.len().min(end - start);
            durable[start..start + kept].copy_from_slice(&old[..kept]);
            durable[start + kept..end].fill(0);
        }
        self.durable = durable;
    }

    /// Takes everything for clean that is not on the disk.
    fn forget(&mut self) {
        let sectors = self.now.chunks(SECTOR_BYTES).zip(0..);
        let differs = |bytes: &[u8], sector: usize| {
            let start = sector * SECTOR_BYTES;
            self.durable.get(start..start + bytes.len()) != Some(bytes)
        };
        let dirty = sectors.filter(|(bytes, sector)| differs(bytes, *sector));
        self.forgotten.extend(dirty.map(|(_, sector)| sector));
    }
}

impl Disk {
    /// Counts a change; false if the power goes off in the middle of it.
    fn change(&mut self) -> io::Result<bool> {
        match &mut self.faults.changes_left {
            None => Ok(true),
            Some(0) => Err(io::Error::other("the power is off")),
            Some(left) => {
                *left -= 1;
                Ok(*left > 0)
            }
        }
    }
}

fn power_off<T>() -> io::Result<T> {
    Err(io::Error::other("the power went off"))
}

impl FileSystem for SimulatedDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.names())
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn RawFile>> {
        let inode = *self.0.lock().unwrap().names.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(SimulatedFile { disk: self.clone(), inode }))
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn RawFile>> {
        let mut disk = self.0.lock().unwrap();
        disk.change()?;
        if disk.faults.space_left == Some(0) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let inode = disk.inodes.len();
        disk.inodes.push(Inode::default());
        assert_eq!(disk.names.insert(name.to_owned(), inode), None, "{name} exists");
        Ok(Box::new(SimulatedFile { disk: self.clone(), inode }))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut disk = self.0.lock().unwrap();
        disk.change()?;
        disk.names.remove(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(())
    }

    fn sync_directory(&self) -> io::Result<()> {
        let mut disk = self.0.lock().unwrap();
        if !disk.change()? {
            return power_off();
        }
        disk.durable_names = disk.names.clone();
        Ok(())
    }

    fn directory(&self) -> &Path {
        Path::new("/simulated")
    }
}

struct SimulatedFile {
    disk: SimulatedDisk,
    inode: usize,
}

impl RawFile for SimulatedFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let disk = self.disk.0.lock().unwrap();
        let bytes = disk.inodes[self.inode].now.get(offset as usize..).unwrap_or(&[]);
        let count = bytes.len().min(buffer.len());
        buffer[..count].copy_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let mut disk = self.disk.0.lock().unwrap();
        let is_whole = disk.change()?;
        disk.counts.writes += 1;
        if std::mem::take(&mut disk.faults.write_error) {
            return Err(io::Error::other("the disk is broken"));
        }
        let mut bytes =
            &bytes[..bytes.len().min(disk.faults.write_bytes_max.unwrap_or(usize::MAX))];
        if !is_whole {
            bytes = &bytes[..bytes.len() / 2];
        }
        let (offset, size) = (offset as usize, disk.inodes[self.inode].now.len());
        if let Some(left) = &mut disk.faults.space_left {
            let growth = (offset + bytes.len()).saturating_sub(size);
            let granted = growth.min(*left);
            *left -= granted;
            bytes = &bytes[..bytes.len() - (growth - granted)];
            if bytes.is_empty() {
                return Err(io::ErrorKind::StorageFull.into());
            }
        }
        let Inode { now, forgotten, .. } = &mut disk.inodes[self.inode];
        let end = offset + bytes.len();
        now.resize(size.max(end), 0);
        now[offset..end].copy_from_slice(bytes);
        forgotten.retain(|sector| !(offset / SECTOR_BYTES..=end / SECTOR_BYTES).contains(sector));
        if is_whole { Ok(bytes.len()) } else { power_off() }
    }

    fn sync(&self) -> io::Result<()> {
        let mut disk = self.disk.0.lock().unwrap();
        let is_whole = disk.change()?;
        disk.counts.syncs += 1;
        if std::mem::take(&mut disk.faults.sync_error) {
            disk.inodes[self.inode].forget();
            return Err(io::Error::other("the disk did not take it"));
        }
        disk.inodes[self.inode].sync();
        if is_whole { Ok(()) } else { power_off() }
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.disk.0.lock().unwrap().inodes[self.inode].now.len() as u64)
    }

    fn truncate(&self, size: u64) -> io::Result<()> {
        let mut disk = self.disk.0.lock().unwrap();
        disk.change()?;
        disk.inodes[self.inode].now.truncate(size as usize);
        Ok(())
    }
}

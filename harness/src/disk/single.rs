//! The disk of one node.
//!
//! ```text
//! n1/disk/data          the node's data directory   mounted, seen in the namespaces of the run
//! n1/disk/probe         the harness's own file
//! n1/backing/files      what is on the disk         n1/backing/lost   what could still come back
//! n1/data               where the data is after the run, as without such a disk
//! ```

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rand_chacha::ChaCha8Rng;

use super::damage::{Damage, DamageKind};
use super::mount::Mounted;
use super::power::{PowerLoss, Unsynced};
use super::state::Shared;
use super::trouble::{DiskCounters, Trouble};
use super::undo::NameRule;
use crate::platform::PlatformError;

/// The harness's own file on each disk.
pub(super) const PROBE: &str = "probe";
pub(super) const DURABLE: &str = "durable";
const FLEETING: &str = "written just before the power failed";

/// A disk, mounted until it is dropped.
pub struct Disk {
    folder: PathBuf,
    shared: Arc<Shared>,
    mounted: Mutex<Option<Mounted>>,
}

impl Disk {
    /// Makes a disk in a node's folder. Only in a mount namespace of our own.
    pub fn new(folder: &Path, rule: NameRule) -> Result<Disk, PlatformError> {
        for name in ["disk", "backing"] {
            let path = folder.join(name);
            fs::create_dir_all(&path).map_err(os("create", &path))?;
        }
        let backing = folder.join("backing");
        let shared = Shared::open(&backing, rule).map_err(os("open", &backing))?;
        let disk =
            Disk { folder: folder.to_owned(), shared: Arc::new(shared), mounted: Mutex::new(None) };
        disk.mount()?;
        // The data directory itself is durable from the start, whatever a store does about it.
        fs::create_dir_all(disk.data()).map_err(os("create", &disk.data()))?;
        let probe = disk.root().join(PROBE);
        fs::write(&probe, DURABLE).map_err(os("write", &probe))?;
        disk.sync_all();
        Ok(disk)
    }

    /// The data directory on it.
    pub fn data(&self) -> PathBuf {
        self.folder.join("disk/data")
    }

    /// The root of the disk, a directory.
    pub fn root(&self) -> PathBuf {
        self.folder.join("disk")
    }

    /// May a node be started on it? If something failed while it was not mounted, a node would find
    /// nothing, and take itself for a new one.
    ///
    /// # Errors
    /// It is not mounted, or nobody serves it any more, and why.
    pub fn check_mounted(&self) -> Result<(), PlatformError> {
        let mut mounted = self.mounted();
        let why = match mounted.take_if(|mounted| !mounted.is_served()) {
            Some(dead) => dead.give_up(),
            None if mounted.is_some() => return Ok(()),
            None => "something failed before".to_owned(),
        };
        Err(PlatformError::Unsupported(format!(
            "the disk in {} is not mounted: {why}\nhint: the system had no part in this",
            self.folder.display()
        )))
    }

    /// From now on this goes wrong; what is drawn is drawn from `seed`.
    pub fn set_trouble(&self, trouble: Trouble, seed: u64) {
        self.shared.set_trouble(trouble, seed);
    }

    /// What it did so far.
    pub fn counters(&self) -> DiskCounters {
        let state = self.shared.lock();
        DiskCounters { written_back: state.tree.written_back, ..state.counters }
    }

    /// Makes everything durable, as if it had been on the disk for long.
    pub fn sync_all(&self) {
        self.shared.lock().tree.sync_all();
    }

    /// The power fails: what was not synchronised is gone, as far as `unsynced` says. The node must
    /// be dead. Afterwards the file system is a fresh one, as after a boot.
    ///
    /// # Errors
    /// Also if what can be read afterwards is not what a power loss leaves.
    pub fn lose_power(&self, unsynced: Unsynced) -> Result<PowerLoss, PlatformError> {
        self.check_mounted()?;
        let probe = self.root().join(PROBE);
        fs::write(&probe, FLEETING).map_err(os("write", &probe))?;
        self.unmount()?;
        let loss = self.shared.lose_power(unsynced).map_err(os("undo changes in", &self.folder))?;
        self.mount()?;
        let behind = self.folder.join("backing/files").join(PROBE);
        let expected = match unsynced {
            Unsynced::Lost => DURABLE.to_owned(),
            Unsynced::Torn(_) => fs::read_to_string(&behind).map_err(os("read", &behind))?,
        };
        let seen = fs::read_to_string(&probe).map_err(os("read", &probe))?;
        if seen != expected {
            return Err(PlatformError::Unsupported(format!(
                "a power loss did not do what it should: {} has {seen:?} instead of {expected:?}",
                probe.display()
            )));
        }
        fs::write(&probe, DURABLE).map_err(os("write", &probe))?;
        self.sync_all();
        Ok(loss)
    }

    /// Damages a file that is at rest; none if there is none. The node must be dead; afterwards the
    /// file system is a fresh one.
    pub fn damage(
        &self,
        kind: DamageKind,
        rng: &mut ChaCha8Rng,
    ) -> Result<Option<Damage>, PlatformError> {
        self.alter(|data| Damage::inflict(data, kind, rng))
    }

    /// Repairs it, as [`Disk::damage`] does its work; false if the file was written anew since.
    pub fn repair(&self, damage: &Damage) -> Result<bool, PlatformError> {
        self.alter(|_| damage.repair())
    }

    /// Changes what is on the disk behind the file system's back.
    fn alter<T>(&self, change: impl FnOnce(&Path) -> io::Result<T>) -> Result<T, PlatformError> {
        self.check_mounted()?;
        self.unmount()?;
        self.sync_all();
        self.shared.forget_open();
        let data = self.folder.join("backing/files/data");
        let changed = change(&data).map_err(os("change a file in", &data));
        self.mount()?;
        changed
    }

    /// Ends it, and leaves the data where it is without such a disk.
    pub fn remove(&self) -> Result<(), PlatformError> {
        self.unmount()?;
        let (data, backing) = (self.folder.join("data"), self.folder.join("backing"));
        fs::rename(backing.join("files/data"), &data).map_err(os("move the data to", &data))?;
        fs::remove_dir_all(&backing).map_err(os("remove", &backing))?;
        fs::remove_dir(self.root()).map_err(os("remove", &self.root()))
    }

    fn mount(&self) -> Result<(), PlatformError> {
        let mounted = Mounted::new(&self.root(), Arc::clone(&self.shared))?;
        *self.mounted() = Some(mounted);
        Ok(())
    }

    fn unmount(&self) -> Result<(), PlatformError> {
        self.mounted().take().map_or(Ok(()), Mounted::unmount)
    }

    fn mounted(&self) -> MutexGuard<'_, Option<Mounted>> {
        self.mounted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Whatever is left ends with the harness: the kernel lets go when the device is closed.
        let _ = self.unmount();
    }
}

fn os(verb: &str, path: &Path) -> impl FnOnce(io::Error) -> PlatformError {
    let what = format!("{verb} {}", path.display());
    move |error| PlatformError::os(what, error)
}

//! Looks at a disk through the mounted file system, as the node does.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use super::single::{DURABLE, Disk, PROBE};
use crate::platform::PlatformError;

/// A synchronisation on its way.
pub struct SyncProbe(Receiver<(io::Result<()>, Duration)>);

impl SyncProbe {
    /// Waits for its end: what came out, and how long it took. None if it has not ended in time.
    pub fn wait(&self, patience: Duration) -> Option<(io::Result<()>, Duration)> {
        match self.0.recv_timeout(patience) {
            Ok(ended) => Some(ended),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => {
                Some((Err(io::Error::other("the probe's thread is gone")), Duration::ZERO))
            }
        }
    }
}

impl Disk {
    /// Is there room for a new file?
    pub fn probe_room(&self) -> io::Result<()> {
        let path = self.root().join("room");
        File::create_new(&path)?;
        fs::remove_file(path)
    }

    /// Writes over what is there already.
    pub fn probe_write(&self) -> io::Result<()> {
        let file = File::options().write(true).open(self.root().join(PROBE))?;
        file.write_all_at(DURABLE.as_bytes(), 0)
    }

    /// Begins to synchronise the root of the disk.
    pub fn probe_sync(&self) -> Result<SyncProbe, PlatformError> {
        let (result, receiver) = sync_channel(1);
        let root: PathBuf = self.root();
        // A thread of its own, because it may hang until the disk is unmounted.
        std::thread::Builder::new()
            .name("sync-probe".to_owned())
            .spawn(move || {
                let began = Instant::now();
                let synced = File::open(root).and_then(|directory| directory.sync_all());
                // Nobody waits any more if it took too long.
                let _ = result.send((synced, began.elapsed()));
            })
            .map_err(|error| PlatformError::os("start a probe of a disk", error))?;
        Ok(SyncProbe(receiver))
    }
}

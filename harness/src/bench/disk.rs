//! The disk below both systems: which file system it has, and what a sync costs just now.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::latency::{LatencyHistogram, LatencyPercentiles};

/// What one write of the probe has.
const BLOCK: usize = 4096;
/// Blocks of the probe's file; writes go round in it, so that its size never changes.
const BLOCKS: u64 = 256;
/// Writes of one probe at most.
const WRITES_MAX: u64 = 500;
/// Time of one probe at most, but for a sync that hangs.
const PROBE_LIMIT: Duration = Duration::from_millis(300);

/// Where data lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct FileSystem {
    /// Such as `ext4`.
    pub(super) kind: String,
    /// Such as `/dev/vda`.
    pub(super) device: String,
    /// Such as `/`.
    pub(super) mount: PathBuf,
}

/// A file that is written and synced to see what that costs.
pub(super) struct DiskProbe {
    file: File,
    path: PathBuf,
}

impl FileSystem {
    /// The file system of a folder that exists; none if the kernel does not say.
    pub(super) fn of(folder: &Path) -> Option<FileSystem> {
        let folder = fs::canonicalize(folder).ok()?;
        of_mounts(&folder, &fs::read_to_string("/proc/self/mountinfo").ok()?)
    }

    /// Does a sync cost nothing here, because there is no disk?
    pub(super) fn is_memory(&self) -> bool {
        matches!(self.kind.as_str(), "tmpfs" | "ramfs")
    }
}

/// The last mount whose point is above the folder hides those before.
fn of_mounts(folder: &Path, mountinfo: &str) -> Option<FileSystem> {
    let mounts = mountinfo.lines().filter_map(|line| {
        // 22 1 254:0 / /mnt rw,relatime shared:1 - ext4 /dev/vda rw
        let (before, after) = line.split_once(" - ")?;
        let mount = PathBuf::from(before.split(' ').nth(4)?);
        let mut after = after.split(' ');
        let kind = after.next()?.to_owned();
        Some(FileSystem { kind, device: after.next()?.to_owned(), mount })
    });
    mounts.filter(|it| folder.starts_with(&it.mount)).max_by_key(|it| it.mount.components().count())
}

impl DiskProbe {
    /// Makes the file in this folder and writes all of it once.
    pub(super) fn create(folder: &Path) -> io::Result<DiskProbe> {
        let path = folder.join("disk-probe");
        let mut file = File::create(&path)?;
        for _ in 0..BLOCKS {
            file.write_all(&[0; BLOCK])?;
        }
        file.sync_all()?;
        Ok(DiskProbe { file, path })
    }

    /// Writes and syncs (fdatasync) one block after the other for a moment. Blocks.
    pub(super) fn measure(&self) -> io::Result<LatencyPercentiles> {
        let mut latencies = LatencyHistogram::new();
        let began = Instant::now();
        for write in 0..WRITES_MAX {
            let start = Instant::now();
            self.file.write_all_at(&[write as u8; BLOCK], write % BLOCKS * BLOCK as u64)?;
            self.file.sync_data()?;
            latencies.record(start.elapsed().as_nanos() as u64);
            if began.elapsed() > PROBE_LIMIT {
                break;
            }
        }
        Ok(latencies.percentiles())
    }
}

impl Drop for DiskProbe {
    fn drop(&mut self) {
        // What cannot be removed stays where the user finds it.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deepest_mount_above_a_folder_is_its_own() {
        let mounts = "22 1 254:0 / / rw shared:1 - ext4 /dev/vda rw\n\
                      30 22 0:25 / /dev/shm rw - tmpfs tmpfs rw\n\
                      31 22 0:26 / /device rw - xfs /dev/vdb rw\n";
        let kind = |folder: &str| of_mounts(Path::new(folder), mounts).map(|it| it.kind);
        assert_eq!(kind("/dev/shm/x").as_deref(), Some("tmpfs"));
        assert_eq!(kind("/dev").as_deref(), Some("ext4"));
        assert_eq!(kind("/device").as_deref(), Some("xfs"));
        assert!(of_mounts(Path::new("/dev/shm"), mounts).is_some_and(|it| it.is_memory()));
    }

    #[test]
    fn a_probe_measures_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let probe = DiskProbe::create(folder.path()).unwrap();
        let seen = probe.measure().unwrap();
        assert!(seen.count > 0 && seen.p50 > 0 && seen.p99 >= seen.p50);
        drop(probe);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

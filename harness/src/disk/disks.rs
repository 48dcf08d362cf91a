//! The disks of all nodes of a run, or why there are none.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::single::Disk;
use super::undo::NameRule;
use crate::node_id::NodeId;
use crate::platform::PlatformError;

/// Larger allocations are mapped: more than what a usual write of a node takes.
#[cfg(target_env = "gnu")]
const MAPPED_BYTES_MIN: libc::c_int = 4 << 20;

/// The disks that can fail, by node.
pub struct Disks {
    disks: BTreeMap<NodeId, Arc<Disk>>,
    /// Why there are none.
    missing: String,
}

impl Disks {
    /// None; nodes use the disk of the machine.
    pub fn none(why: impl Into<String>) -> Disks {
        Disks { disks: BTreeMap::new(), missing: why.into() }
    }

    /// One for each node, in the folders `root/n1` and so on. Only in a mount namespace of our own.
    pub fn new(nodes: &[NodeId], root: &Path) -> Result<Disks, PlatformError> {
        raise_file_limit()?;
        map_large_buffers();
        let disk = |&node: &NodeId| {
            let disk = Disk::new(&root.join(node.to_string()), NameRule::Journal)?;
            Ok((node, Arc::new(disk)))
        };
        let disks = nodes.iter().map(disk).collect::<Result<_, PlatformError>>()?;
        Ok(Disks { disks, missing: String::new() })
    }

    /// Why there are none; none if there are.
    pub fn missing(&self) -> Option<&str> {
        self.disks.is_empty().then_some(self.missing.as_str())
    }

    /// The disk of a node.
    ///
    /// # Errors
    /// Why it has none.
    pub fn get(&self, node: NodeId) -> Result<&Arc<Disk>, String> {
        self.disks.get(&node).ok_or_else(|| self.missing.clone())
    }

    /// One sentence for each disk that nobody serves any more, though nobody ended it. What its node
    /// met since then is not the node's doing.
    pub fn failures(&self) -> Vec<String> {
        self.disks
            .values()
            .filter_map(|disk| Some(disk.check_mounted().err()?.to_string()))
            .collect()
    }

    /// Ends all, once no node runs any more. One sentence for each that could not be ended.
    pub fn remove(&self) -> Vec<String> {
        let failures = self.disks.iter().filter_map(|(node, disk)| {
            disk.remove().err().map(|error| format!("the disk of {node}: {error}"))
        });
        failures.collect()
    }
}

/// Every file that a node uses is held open, for all nodes in one process.
fn raise_file_limit() -> Result<(), PlatformError> {
    let failed =
        |errno: nix::Error| PlatformError::os("raise the limit of open files", errno.into());
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).map_err(failed)?;
    setrlimit(Resource::RLIMIT_NOFILE, most, most).map_err(failed)
}

/// Every mount has a buffer of 16 MiB on a thread of its own. Once such a buffer was freed, glibc takes
/// the next ones from the heap of their thread, which clears all of it and keeps it for good; one
/// that is mapped takes what is used of it, and is given back.
fn map_large_buffers() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it only sets a number, under the allocator's own lock.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, MAPPED_BYTES_MIN);
    }
}

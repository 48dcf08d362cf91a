//! Disks that can fail: one file system in user space (FUSE) for each node.
//!
//! ```text
//! node ── write, fsync, rename ──> kernel ── FUSE ──> FileSystem ──> Tree ──> backing directory
//!                                                        │             └──> UndoLog
//! nemesis ── trouble, power loss ────────────────────────┘
//! ```
//!
//! Everything is written through to the backing directory at once, and an undo log remembers how
//! to take back what was not synchronised. A power loss is then: the node is killed, the kernel lets
//! go of the file system, the log is undone, and a fresh one is mounted, so that no cache survives.
//!
//! Invariants: what was synchronised survives every power loss; what the node reads afterwards is
//! what is in the backing directory; nobody waits for a reply that never comes, because whoever
//! unmounts drops all of them; memory is limited, and what goes beyond becomes durable by itself.
//!
//! Needs a mount namespace of the harness's own and /dev/fuse. Not modelled: the order in which two
//! files reach the disk, permissions and times, bits that rot while nobody looks.

mod damage;
mod disks;
mod file_system;
mod inode;
mod mount;
mod power;
mod probe;
mod requests;
mod single;
mod state;
mod tree;
mod trouble;
mod undo;

#[cfg(test)]
mod tests;

pub use damage::{Damage, DamageKind};
pub use disks::Disks;
pub use power::{PowerLoss, Unsynced};
pub use probe::SyncProbe;
pub use single::Disk;
pub use trouble::{DiskCounters, Syncs, Trouble};
pub use undo::NameRule;

pub(crate) use mount::try_fuse;

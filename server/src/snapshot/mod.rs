//! Snapshots: copies of a group's state as of one log position, taken, kept, sent and installed.
//!
//! ```text
//! state store ──take──> SnapshotSource ──read──> transport ──────┐
//!                       (kept, immutable)                        │ chunks
//! state store <─install── ReceivedSnapshot <──finish── SnapshotSink <──write── transport
//!                         (verified, durable)          (staged, can be resumed)
//! ```
//!
//! There are two kinds. A [`MemorySnapshot`] is one file, the image of a state in memory. The
//! snapshots of a [`GroupDirectory`] are the files of a storage engine on disk, which knows nothing
//! of the engine: it is told how to make a checkpoint, and how to open one.
//!
//! Invariants:
//! - a source never changes, and stays readable as long as somebody holds it, even if newer ones
//!   have taken its place;
//! - whoever takes a snapshot waits for the checkpoint only; files are read and checksums are made
//!   when the snapshot is first described, on the thread that asks;
//! - nothing is installed before the size and the checksum of every file are right;
//! - an installation replaces the whole state, so that deleted keys stay deleted;
//! - a crash, or a power loss, at any point leaves the old state or the new one.
//!
//! Not here: when a snapshot is taken, which log is compacted behind it, and who needs one. That is
//! the replica's part.

mod error;
mod file_snapshot;
mod files;
#[cfg(test)]
mod fuse;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod group_directory;
mod memory;
mod meta;
mod retained;
mod sealed;
mod source;
mod staging;

pub use error::SnapshotError;
pub use group_directory::{DirectoryOptions, GroupDirectory, OldState};
pub use memory::{MemorySnapshot, MemoryStaging};
pub use meta::{FilePosition, SnapshotFile, SnapshotLimits, SnapshotMeta};
pub(crate) use retained::Retained;
pub use retained::SNAPSHOTS_RETAINED;
pub use source::{ReceivedSnapshot, SnapshotSink, SnapshotSource, SnapshotStaging};

#[cfg(test)]
mod crash_tests;
#[cfg(test)]
mod tests;

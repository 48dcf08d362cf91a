//! A durable log: one journal for all groups of a node, in files of one size that are used again.
//!
//! ```text
//! log/00000001-5ad03c11.segment   ┌──────┬─────────┬─────────┬───┐
//!   number 7, sequences 40..=52   │ head │ changes │ changes │...│    one record a write()
//!                                 └──────┴─────────┴─────────┴───┘
//! log/00000003-90e7f2aa.segment   ┌──────┬───────┬─────────┬ ─ ─ ─ ─ ─
//!   number 9, the newest          │ head │ moved │ changes │  stale bytes of number 5
//!                                 └──────┴───────┴─────────┴ ─ ─ ─ ─ ─
//! log/00000002-0c44be91.segment   no head: a spare, written once with zeros
//! ```
//!
//! Syncing bytes that overwrite written ones costs half to a fifth of syncing a file that grows, or
//! whose blocks were reserved and never written: nothing but the data has to reach the disk. So
//! files are written with zeros before their first use, off the write path, and used again when no
//! entry in them is needed any more. A [`store::SegmentLogStore::write`] is one `pwrite` of one
//! record, and at most one `fdatasync`.
//!
//! What makes it safe (`record.rs`, `recovery.rs`):
//! - a record counts if its checksum, its segment's number and its place in the one sequence of all
//!   records are right. A number is never used twice, so stale bytes of an earlier use of the file,
//!   or behind the place where an earlier crash cut the journal, never count;
//! - every record says up to which sequence number the journal was durable when it was written. At
//!   the start, a record that does not count ends the journal, as a torn write does, unless
//!   anything on the disk says that more than that was durable: then something that was synced is
//!   gone, and the store refuses to open, naming file and byte;
//! - a segment is finished with a sync before the next one begins, and the head of the next lists
//!   all that are needed, with their ends. A head also repeats, for each group, first
//!   configuration, hard state, base and last index, so that older segments hold nothing but
//!   entries;
//! - entries are complete between base and last index, or the store refuses to open;
//! - a process that starts does not trust what may be in the page cache only, because a failed sync
//!   leaves such bytes behind: it writes and syncs them again, and goes on in a fresh segment;
//! - after a failed write or sync the store takes no more writes.
//!
//! Disk use is bounded by what is needed. Where more than [`store::SPARSE_SEGMENTS_MAX`] finished
//! segments are needed, each new segment begins with what is still needed of up to two of those of
//! which no more than an eighth is (`compaction.rs`): a group that writes little and keeps its
//! entries long cannot hold on to files that others have filled. In the long run the log therefore
//! takes at most `8 x live bytes + (4 + 1 + 2) x segment size`: sparse ones, the newest, spares.
//!
//! Deliberately not here: compression (values decide for themselves), and mirroring of the tail
//! (the loss of a synced last record that nothing follows cannot be told from a torn write; the
//! other replicas are for that).

mod compaction;
mod files;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod groups;
mod item;
mod reader;
mod record;
mod recovery;
mod replay;
mod spares;
mod store;

pub use store::SegmentLogStore;
#[cfg(test)]
pub(super) use store::{Options, Preparation};
#[cfg(test)]
pub(super) use tests::open_directory;

#[cfg(test)]
mod tests;

//! What the common suite of all log stores cannot ask: crashes, damage, failing disks, files.

mod damage;
mod failing_disk;
mod files;
mod power_loss;
mod simulated_disk;

use std::path::Path;
use std::sync::Arc;

use raft::eraftpb;

use crate::log_store::{LogBatch, LogPosition, LogStore, LogStoreError, RecoveredLog};
use crate::types::{GroupId, LogIndex, Term};

use super::SegmentLogStore;
use super::files::Directory;
use super::store::{Options, Preparation};
use simulated_disk::SimulatedDisk;

const GROUP: GroupId = GroupId(0);
const OTHER: GroupId = GroupId(1);
const SMALL: Options = Options { segment_bytes: 4096, preparation: Preparation::AtOnce };

/// Opens a store with these options in a real directory.
pub(in crate::log_store) fn open_directory(
    directory: &Path,
    options: Options,
) -> Result<SegmentLogStore, LogStoreError> {
    SegmentLogStore::open_with(Arc::new(Directory(directory.to_owned())), options)
}

fn open(disk: &SimulatedDisk) -> Result<SegmentLogStore, LogStoreError> {
    SegmentLogStore::open_with(Arc::new(disk.clone()), SMALL)
}

fn entry(index: u64, term: u64, size: usize) -> eraftpb::Entry {
    let data = vec![index as u8; size].into();
    eraftpb::Entry { index, term, data, ..Default::default() }
}

/// Entries of 100 bytes in term 1.
fn append(group: GroupId, indices: std::ops::RangeInclusive<u64>) -> LogBatch {
    let entries = indices.map(|index| entry(index, 1, 100)).collect();
    LogBatch { group, entries, ..LogBatch::default() }
}

fn compact(group: GroupId, index: u64) -> LogBatch {
    let compact = Some(LogPosition { index: LogIndex(index), term: Term(1) });
    LogBatch { group, compact, ..LogBatch::default() }
}

/// The first and last index that a group has.
fn span(store: &mut SegmentLogStore, group: GroupId) -> (u64, u64) {
    let RecoveredLog { base, entries, .. } = store.load(group).unwrap();
    (base.index.0 + 1, base.index.0 + entries.len() as u64)
}

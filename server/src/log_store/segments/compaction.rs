//! Keeps a few entries from holding on to whole files.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::log_store::LogStoreError;
use crate::types::GroupId;

use super::groups::{GroupLog, Location, Segments};
use super::item::{self, Piece};
use super::reader::EntryReader;

/// Of how many segments the entries are moved when a new one begins. With two, there are fewer of
/// them each time; the log thread waits for a quarter of a segment to be copied at most.
const MOVES_MAX: usize = 2;
/// A segment is sparse if no more than this part of it is needed.
const SPARSE_PART: u64 = 8;

/// Entries that are in the way where they are.
#[derive(Debug, Default)]
pub(super) struct Moves {
    runs: Vec<(GroupId, Range<u64>)>,
    /// Where they are now, in order.
    pieces: Vec<Piece>,
}

/// The sparse ones of the segments, if there are more than this.
pub(super) fn sparse(segments: &Segments, finished_max: usize, segment_bytes: usize) -> Vec<u64> {
    if segments.0.len() <= finished_max {
        return Vec::new();
    }
    let limit = segment_bytes as u64 / SPARSE_PART;
    let all = segments.0.iter().map(|(number, segment)| (segment.live_bytes, *number));
    let mut sparse: Vec<(u64, u64)> = all.filter(|(bytes, _)| *bytes <= limit).collect();
    sparse.sort_unstable();
    sparse.into_iter().map(|(_, number)| number).take(MOVES_MAX).collect()
}

impl Moves {
    /// Are there none?
    pub(super) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Adds everything of these segments that is needed to a record.
    pub(super) fn encode(
        buffer: &mut Vec<u8>,
        from: &[u64],
        groups: &BTreeMap<GroupId, GroupLog>,
        segments: &Segments,
    ) -> Result<Moves, LogStoreError> {
        let mut moves = Moves::default();
        let mut reader = EntryReader::default();
        for (segment, (group, log)) in
            from.iter().flat_map(|segment| groups.iter().map(move |group| (*segment, group)))
        {
            for run in log.runs_in(segment) {
                let pieces = &mut moves.pieces;
                item::encode_moved(buffer, *group, run.clone(), pieces, |index, buffer| {
                    let bytes = reader.read(segments, log.location(index))?;
                    buffer.extend_from_slice(bytes);
                    Ok(())
                })?;
                moves.runs.push((*group, run));
            }
        }
        Ok(moves)
    }

    /// The record was written to the beginning of this segment.
    pub(super) fn apply(
        self,
        segment: u64,
        groups: &mut BTreeMap<GroupId, GroupLog>,
        segments: &mut Segments,
    ) {
        let mut pieces = self.pieces.into_iter();
        for (group, run) in self.runs {
            let log = groups.get_mut(&group).expect("a group is never forgotten");
            for (index, piece) in run.zip(&mut pieces) {
                let new = Location { segment, piece };
                segments.need(new);
                segments.release(log.relocate(index, new));
            }
        }
    }
}

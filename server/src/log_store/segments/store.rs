//! The store: one record a write.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use protobuf::Message;
use raft::eraftpb;

use crate::log_store::{Extent, LogBatch, LogStore, LogStoreError, RecoveredLog};
use crate::types::GroupId;

use super::compaction::{self, Moves};
use super::files::{Directory, FileSystem, Slot};
use super::groups::{GroupLog, Location, Segments};
use super::item::{self, Piece};
use super::reader::EntryReader;
use super::record::{self, Header, Kind};
use super::recovery::{Recovered, recover};
use super::spares::Spares;

pub(in crate::log_store) use super::spares::Preparation;

/// Size of a file. A record that does not fit in an empty one makes it larger, until it is used
/// again.
const SEGMENT_BYTES: usize = 16 << 20;
/// Finished segments that may be sparse without anything being moved.
pub(super) const SPARSE_SEGMENTS_MAX: usize = 4;
/// One write may take this much; places in a file have 32 bits.
const WRITE_BYTES_MAX: usize = 1 << 30;
/// The buffer's memory is given back after a write that took more.
const BUFFER_BYTES_KEPT: usize = 16 << 20;

/// How the journal uses its directory.
#[derive(Debug, Clone, Copy)]
pub(in crate::log_store) struct Options {
    /// Size of a file.
    pub(in crate::log_store) segment_bytes: usize,
    /// Where spare files are prepared.
    pub(in crate::log_store) preparation: Preparation,
}

impl Options {
    const STANDARD: Options =
        Options { segment_bytes: SEGMENT_BYTES, preparation: Preparation::InBackground };
}

/// A durable log.
pub struct SegmentLogStore {
    options: Options,
    groups: BTreeMap<GroupId, GroupLog>,
    segments: Segments,
    spares: Spares,
    /// Files of which nothing is needed once the record of this sequence number is durable.
    given_up: Vec<(u64, Slot)>,
    /// Number of the segment that is written to.
    newest: u64,
    /// Where the next record goes.
    place: usize,
    /// Where the head and what was moved end: before that there is nothing to gain by a new segment.
    head_end: usize,
    /// Sequence number of the last record that was written.
    sequence: u64,
    /// Sequence number of the last record that was synced. Invariant: `durable <= sequence`.
    durable: u64,
    /// The record that is written, and where its entries are; kept for their memory.
    buffer: Vec<u8>,
    pieces: Vec<Piece>,
    failed: bool,
}

impl SegmentLogStore {
    /// Opens the log in this directory, which must exist.
    pub fn open(directory: &Path) -> Result<SegmentLogStore, LogStoreError> {
        let files = Arc::new(Directory(directory.to_owned()));
        SegmentLogStore::open_with(files, Options::STANDARD)
    }

    /// Opens the log on any file system.
    pub(super) fn open_with(
        files: Arc<dyn FileSystem>,
        options: Options,
    ) -> Result<SegmentLogStore, LogStoreError> {
        let Recovered { groups, segments, mut free, sequence, next_number, last_id } =
            recover(&*files)?;
        let Options { segment_bytes, preparation } = options;
        let mut spares = Spares::start(files, segment_bytes, preparation, last_id)?;
        spares.prepare_now(free.pop())?;
        free.into_iter().for_each(|slot| spares.give_back(slot));
        let mut store = SegmentLogStore {
            options,
            groups,
            segments,
            spares,
            given_up: Vec::new(),
            newest: next_number - 1,
            place: 0,
            head_end: 0,
            sequence,
            durable: sequence,
            buffer: Vec::new(),
            pieces: Vec::new(),
            failed: false,
        };
        // Nothing is ever added to a segment that another process wrote: behind its last record may
        // be stale ones. What little it holds is moved, so that restarts do not pile up files.
        store.start_segment(0)?;
        store.sync()?;
        store.free_segments();
        Ok(store)
    }

    /// Writes the record in the buffer and returns where it starts. A failure is final.
    fn commit(&mut self, sync: bool) -> Result<usize, LogStoreError> {
        if self.failed {
            return Err(LogStoreError::Failed);
        }
        let committed = self.write_record(sync);
        self.failed = committed.is_err();
        committed
    }

    fn write_record(&mut self, sync: bool) -> Result<usize, LogStoreError> {
        if self.place + self.buffer.len() > self.options.segment_bytes && self.place > self.head_end
        {
            self.sync()?;
            self.start_segment(SPARSE_SEGMENTS_MAX)?;
        }
        let header = self.header(Kind::Changes, self.newest, self.sequence + 1);
        let segment = self.segments.get_mut(self.newest);
        record::finish(&mut self.buffer, 0, header, segment.slot.seed);
        segment.slot.write(&self.buffer, self.place as u64)?;
        self.sequence += 1;
        segment.end = self.sequence;
        let place = self.place;
        self.place += self.buffer.len();
        // Not at the start, when others need the disk, and early enough for the next segment.
        if self.place > self.options.segment_bytes / 2 {
            self.spares.want_one();
        }
        if sync {
            self.sync()?;
        }
        Ok(place)
    }

    /// Begins a new segment with a head, and with what is needed of sparse segments if there are
    /// more than this.
    fn start_segment(&mut self, sparse_max: usize) -> Result<(), LogStoreError> {
        let slot = self.spares.take()?;
        let number = self.newest + 1;
        let mut buffer = Vec::new();
        let head = record::begin(&mut buffer);
        for (older, segment) in &self.segments.0 {
            item::encode_segment(&mut buffer, *older, segment.end);
        }
        for (group, log) in &self.groups {
            item::encode_group(&mut buffer, *group, log);
        }
        let mut last = self.sequence + 1;
        record::finish(&mut buffer, head, self.header(Kind::Head, number, last), slot.seed);

        let sparse = compaction::sparse(&self.segments, sparse_max, self.options.segment_bytes);
        let head_end = buffer.len();
        let moved = record::begin(&mut buffer);
        let moves = Moves::encode(&mut buffer, &sparse, &self.groups, &self.segments)?;
        if moves.is_empty() {
            buffer.truncate(head_end);
        } else {
            last += 1;
            record::finish(&mut buffer, moved, self.header(Kind::Changes, number, last), slot.seed);
        }

        slot.write(&buffer, 0)?;
        self.segments.add(number, slot, last);
        moves.apply(number, &mut self.groups, &mut self.segments);
        (self.newest, self.sequence) = (number, last);
        (self.place, self.head_end) = (buffer.len(), buffer.len());
        Ok(())
    }

    fn header(&self, kind: Kind, number: u64, sequence: u64) -> Header {
        Header { kind, number, sequence, durable: self.durable }
    }

    /// Makes everything written durable. Older segments are, since they are synced when they end.
    fn sync(&mut self) -> Result<(), LogStoreError> {
        if self.durable < self.sequence {
            self.segments.get(self.newest).slot.sync()?;
            self.durable = self.sequence;
        }
        Ok(())
    }

    /// Gives files back of which nothing is needed. That fact must be durable before a file is
    /// overwritten, or a power loss could bring the need back and not the file.
    fn free_segments(&mut self) {
        let sequence = self.sequence;
        let dead = self.segments.take_dead(self.newest);
        self.given_up.extend(dead.into_iter().map(|slot| (sequence, slot)));
        for (_, slot) in self.given_up.extract_if(.., |(sequence, _)| *sequence <= self.durable) {
            self.spares.give_back(slot);
        }
    }

    fn begin_record(&mut self) {
        self.buffer.clear();
        self.buffer.shrink_to(BUFFER_BYTES_KEPT);
        self.pieces.clear();
        record::begin(&mut self.buffer);
    }

    fn extents_after(&self, batches: &[LogBatch]) -> Result<(), LogStoreError> {
        let mut extents: BTreeMap<GroupId, Extent> = BTreeMap::new();
        for batch in batches {
            let extent = extents.entry(batch.group).or_insert_with(|| {
                self.groups.get(&batch.group).map_or(Extent::default(), GroupLog::extent)
            });
            *extent = extent.after(batch)?;
        }
        Ok(())
    }
}

impl LogStore for SegmentLogStore {
    fn groups(&mut self) -> Result<Vec<GroupId>, LogStoreError> {
        let known = self.groups.iter().filter(|(_, log)| log.configuration.is_some());
        Ok(known.map(|(group, _)| *group).collect())
    }

    fn remove(&mut self, group: GroupId) -> Result<(), LogStoreError> {
        self.begin_record();
        item::encode_removal(&mut self.buffer, group);
        self.commit(true)?;
        let removed = self.groups.insert(group, GroupLog::default());
        for entry in removed.into_iter().flat_map(|log| log.entries) {
            self.segments.release(entry);
        }
        self.free_segments();
        Ok(())
    }

    fn load(&mut self, group: GroupId) -> Result<RecoveredLog, LogStoreError> {
        let Some(log) = self.groups.get(&group) else { return Ok(RecoveredLog::default()) };
        let mut reader = EntryReader::default();
        let mut entries = Vec::with_capacity(log.entries.len());
        for (location, index) in log.entries.iter().zip(log.base.index.0 + 1..) {
            let bytes = reader.read(&self.segments, *location)?;
            match eraftpb::Entry::parse_from_bytes(bytes) {
                Ok(entry) if entry.index == index => entries.push(entry),
                Ok(_) | Err(_) => {
                    let path = self.segments.get(location.segment).slot.path.clone();
                    let offset = u64::from(location.piece.offset);
                    let reason = format!("entry {index} should be there, and is not");
                    return Err(LogStoreError::Damaged { path, offset, reason });
                }
            }
        }
        Ok(RecoveredLog {
            configuration: log.configuration.clone(),
            hard_state: log.hard_state.clone(),
            base: log.base,
            entries,
        })
    }

    fn bootstrap(
        &mut self,
        group: GroupId,
        configuration: &eraftpb::ConfState,
    ) -> Result<(), LogStoreError> {
        if self.groups.get(&group).is_some_and(|log| log.configuration.is_some()) {
            return Err(LogStoreError::AlreadyBootstrapped(group));
        }
        self.begin_record();
        item::encode_configuration(&mut self.buffer, group, configuration);
        self.commit(true)?;
        self.groups.entry(group).or_default().configuration = Some(configuration.clone());
        Ok(())
    }

    fn write(&mut self, batches: &[LogBatch], sync: bool) -> Result<(), LogStoreError> {
        self.extents_after(batches)?;
        self.begin_record();
        for batch in batches {
            item::encode_batch(&mut self.buffer, batch, &mut self.pieces);
        }
        if self.buffer.len() > WRITE_BYTES_MAX {
            let size = self.buffer.len();
            return Err(LogStoreError::Refused(format!(
                "a write of {size} bytes is larger than {WRITE_BYTES_MAX}"
            )));
        }
        let place = self.commit(sync)? as u32;
        let mut pieces = self.pieces.iter();
        for batch in batches {
            let pieces = pieces.by_ref().take(batch.entries.len());
            let locations = pieces.map(|piece| Location {
                segment: self.newest,
                piece: Piece { offset: place + piece.offset, length: piece.length },
            });
            let log = self.groups.entry(batch.group).or_default();
            log.apply(batch, locations, &mut self.segments);
        }
        self.free_segments();
        Ok(())
    }
}

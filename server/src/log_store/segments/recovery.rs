//! Reads the journal when the store is opened, and tells a crash from damage.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::log_store::LogStoreError;
use crate::types::GroupId;

use super::files::{FileSystem, Slot, io_error};
use super::groups::{GroupLog, Segments};
use super::item::{Item, Items};
use super::record::{self, HEADER_BYTES, Header, Kind, Record};
use super::replay::Replay;

/// What is on the disk.
pub(super) struct Recovered {
    pub(super) groups: BTreeMap<GroupId, GroupLog>,
    /// The segments that the newest head needs, and the newest itself.
    pub(super) segments: Segments,
    /// Files that may be used again.
    pub(super) free: Vec<Slot>,
    /// Sequence number of the last record. Everything up to it is durable.
    pub(super) sequence: u64,
    /// Greater than any number of a segment of which there is a trace.
    pub(super) next_number: u64,
    /// The greatest id of a file.
    pub(super) last_id: u32,
}

/// Reads everything; one segment is in memory at a time.
pub(super) fn recover(files: &dyn FileSystem) -> Result<Recovered, LogStoreError> {
    let mut free = Vec::new();
    let mut found: BTreeMap<u64, Found> = BTreeMap::new();
    let mut last_id = 0;
    for name in files.list().map_err(io_error("list", files.directory()))? {
        let Some(slot) = Slot::open(files, &name)? else { continue };
        last_id = last_id.max(slot.id);
        match Found::look_at(slot)? {
            Err(slot) => free.push(slot),
            Ok(segment) if found.contains_key(&segment.head.number) => {
                let reason = format!("another file is segment {} too", segment.head.number);
                return Err(damaged(&segment.slot, 0, reason));
            }
            Ok(segment) => drop(found.insert(segment.head.number, segment)),
        }
    }
    let newest = found.pop_last().map(|(_, segment)| segment);
    let mut reading = Reading::default();
    for (number, segment) in found {
        match newest.as_ref().and_then(|newest| newest.needs.get(&number)) {
            Some(end) => reading.finished_segment(segment, *end)?,
            // It was given up, and the process ended before the file was made a spare.
            None => free.push(segment.slot),
        }
    }
    let end = newest.map(|newest| reading.newest_segment(newest)).transpose()?;
    for slot in &free {
        reading.free_file(slot)?;
    }
    let sequence = end.as_ref().map_or(0, |end| end.sequence);
    let Reading { evidence, replay, mut segments, bytes: _ } = reading;
    if evidence.durable > sequence {
        // If it is said in a file that seems to be free, then that file has lost its head.
        let headless = free.iter().find(|slot| slot.id == evidence.file);
        let (path, offset) = match (headless, end) {
            (Some(slot), _) => (slot.path.clone(), 0),
            (None, Some(end)) => (end.path, end.offset),
            (None, None) => (files.directory().to_owned(), 0),
        };
        return Err(LogStoreError::Damaged { path, offset, reason: missing(sequence + 1) });
    }
    let next_number = evidence.number_max + 1;
    let groups = replay.finish(&mut segments, files.directory())?;
    Ok(Recovered { groups, segments, free, sequence, next_number, last_id })
}

/// A segment with a head.
struct Found {
    slot: Slot,
    head: Header,
    /// Number and end of each older segment that it needs.
    needs: BTreeMap<u64, u64>,
}

impl Found {
    /// The segment in this file; the file itself if there is none.
    fn look_at(slot: Slot) -> Result<Result<Found, Slot>, LogStoreError> {
        let mut bytes = vec![0; HEADER_BYTES];
        let read = slot.read(&mut bytes, 0)?;
        let size = record::announced_size(&bytes).filter(|_| read == HEADER_BYTES).unwrap_or(0);
        if size as u64 > slot.size()? {
            return Ok(Err(slot));
        }
        bytes.resize(size, 0);
        slot.read(&mut bytes, 0)?;
        let head = record::decode(&bytes, 0, slot.seed).filter(|it| it.header.kind == Kind::Head);
        let Some(head) = head else { return Ok(Err(slot)) };
        let mut needs = BTreeMap::new();
        for item in Items::new(&bytes, head.payload) {
            match item {
                Ok(Item::Segment { number, end }) => drop(needs.insert(number, end)),
                Ok(_) => {}
                Err(_) => return Err(damaged(&slot, 0, "its head is unreadable".into())),
            }
        }
        Ok(Ok(Found { slot, head: head.header, needs }))
    }
}

/// The journal, as far as it was read.
#[derive(Default)]
struct Reading {
    evidence: Evidence,
    replay: Replay,
    segments: Segments,
    /// The segment that is read; kept for its memory.
    bytes: Vec<u8>,
}

/// Where the journal ends.
struct End {
    sequence: u64,
    path: PathBuf,
    offset: u64,
}

impl Reading {
    /// Reads a segment that was synced up to this end.
    fn finished_segment(&mut self, segment: Found, end: u64) -> Result<(), LogStoreError> {
        let Found { slot, head, .. } = segment;
        slot.read_all(&mut self.bytes)?;
        let (mut reached, mut place) = (0, 0);
        // What follows the end was cut off by an earlier start.
        let wanted = |(_, record): &(usize, Record)| record.header.sequence <= end;
        for (_, record) in records(&self.bytes, &slot, head).take_while(wanted) {
            apply(&mut self.replay, &slot, &self.bytes, &record)?;
            self.evidence.note(&slot, &record.header);
            (reached, place) = (record.header.sequence, record.end);
        }
        if reached < end {
            return Err(damaged(&slot, place, missing(reached + 1)));
        }
        self.segments.add(head.number, slot, end);
        Ok(())
    }

    /// Reads the segment in which the journal ends, and makes it durable.
    fn newest_segment(&mut self, segment: Found) -> Result<End, LogStoreError> {
        let Found { slot, head, .. } = segment;
        slot.read_all(&mut self.bytes)?;
        let mut starts = Vec::new();
        let (mut sequence, mut end) = (0, 0);
        for (offset, record) in records(&self.bytes, &slot, head) {
            apply(&mut self.replay, &slot, &self.bytes, &record)?;
            self.evidence.note(&slot, &record.header);
            starts.push((record.header.sequence, offset));
            (sequence, end) = (record.header.sequence, record.end);
        }
        self.evidence.search(&slot, &self.bytes, end);
        // A failed sync of the last process may have left bytes that are in the page cache only,
        // and count as clean there. Written again, they must go to the disk.
        let doubtful = starts.iter().find(|(sequence, _)| *sequence > self.evidence.durable);
        if let Some((_, offset)) = doubtful {
            let written = end.min(self.bytes.len());
            slot.write(&self.bytes[*offset..written], *offset as u64)?;
        }
        slot.sync()?;
        let path = slot.path.clone();
        self.segments.add(head.number, slot, sequence);
        Ok(End { sequence, path, offset: end as u64 })
    }

    /// Looks for traces in a file that is no segment.
    fn free_file(&mut self, slot: &Slot) -> Result<(), LogStoreError> {
        slot.read_all(&mut self.bytes)?;
        self.evidence.search(slot, &self.bytes, 0);
        Ok(())
    }
}

/// The most that anything on the disk says about what was durable.
#[derive(Debug, Default)]
struct Evidence {
    /// Everything up to this sequence number was durable once.
    durable: u64,
    /// In which file that is said, by id.
    file: u32,
    /// The greatest number of a segment.
    number_max: u64,
}

impl Evidence {
    fn note(&mut self, slot: &Slot, header: &Header) {
        self.number_max = self.number_max.max(header.number);
        if header.durable > self.durable {
            (self.durable, self.file) = (header.durable, slot.id);
        }
    }

    /// Looks at everything behind this place that was a record once.
    fn search(&mut self, slot: &Slot, bytes: &[u8], start: usize) {
        let mut start = start;
        while let Some(record) = record::search(bytes, start, slot.seed) {
            self.note(slot, &record.header);
            start = record.end;
        }
    }
}

/// The records of a segment from its head on, with their places, up to the first that does not
/// count.
fn records<'a>(
    bytes: &'a [u8],
    slot: &'a Slot,
    head: Header,
) -> impl Iterator<Item = (usize, Record)> + 'a {
    let mut next = (0, head.sequence);
    std::iter::from_fn(move || {
        let (offset, sequence) = next;
        let record = record::decode(bytes, offset, slot.seed)?;
        let header = record.header;
        if header.number != head.number || header.sequence != sequence {
            return None;
        }
        next = (record.end, sequence + 1);
        Some((offset, record))
    })
}

fn apply(
    replay: &mut Replay,
    slot: &Slot,
    bytes: &[u8],
    record: &Record,
) -> Result<(), LogStoreError> {
    let offset = record.payload.start - HEADER_BYTES;
    for item in Items::new(bytes, record.payload.clone()) {
        let item = item.map_err(|_| damaged(slot, offset, "a record is unreadable".into()))?;
        let applied = replay.apply(record.header.number, item);
        applied.map_err(|reason| damaged(slot, offset, reason))?;
    }
    Ok(())
}

fn missing(sequence: u64) -> String {
    format!("record {sequence} should be there, because it was durable, and is not readable")
}

fn damaged(slot: &Slot, offset: usize, reason: String) -> LogStoreError {
    LogStoreError::Damaged { path: slot.path.clone(), offset: offset as u64, reason }
}

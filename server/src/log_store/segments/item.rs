//! What a record's payload is made of.
//!
//! An item is `kind (1 byte) group (4) length (4) body`, little-endian like everything in the
//! journal; Raft's messages within are protobuf. A list of entries is `first index (8) count (4)`,
//! then for each entry `length (4) protobuf`.

use std::ops::Range;

use protobuf::Message;
use raft::eraftpb;

use crate::log_store::{LogBatch, LogPosition};
use crate::types::{GroupId, LogIndex, Term};

use super::groups::GroupLog;
use super::record::NUMBER_MAX;

const SEGMENT: u8 = 1;
const CONFIGURATION: u8 = 2;
const HARD_STATE: u8 = 3;
const SPAN: u8 = 4;
const RESET: u8 = 5;
const ENTRIES: u8 = 6;
const MOVED: u8 = 7;
const COMPACT: u8 = 8;
const REMOVE: u8 = 9;

/// A change, as it is read from a payload.
#[derive(Debug, PartialEq)]
pub(super) enum Item {
    /// In a head: an older segment that is needed, and the sequence number of its last record.
    Segment { number: u64, end: u64 },
    /// The first configuration.
    Configuration { group: GroupId, configuration: eraftpb::ConfState },
    /// Term, vote, commit index.
    HardState { group: GroupId, hard_state: eraftpb::HardState },
    /// In a head: what the group's log spanned when the segment began.
    Span { group: GroupId, base: LogPosition, last: u64 },
    /// All entries are forgotten, the log goes on after this position.
    Reset { group: GroupId, base: LogPosition },
    /// Entries, which replace everything from the first one's index on.
    Entries(Run),
    /// Entries of an older segment, so that it can be used again. They replace nothing else.
    Moved(Run),
    /// Entries up to here are forgotten.
    Compact { group: GroupId, base: LogPosition },
    /// Everything of the group is forgotten.
    Remove { group: GroupId },
}

/// Entries in a row.
#[derive(Debug, PartialEq)]
pub(super) struct Run {
    pub(super) group: GroupId,
    /// Index of the first.
    pub(super) first: u64,
    /// Where each is.
    pub(super) pieces: Vec<Piece>,
}

/// Where the bytes of an entry are, from the start of a buffer or file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) offset: u32,
    pub(super) length: u32,
}

/// A payload that no version known to this program has written.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// Adds the changes of a batch, in the order in which they are made, and where each entry is.
pub(super) fn encode_batch(buffer: &mut Vec<u8>, batch: &LogBatch, pieces: &mut Vec<Piece>) {
    let group = batch.group;
    if let Some(base) = batch.reset {
        encode_position(buffer, RESET, group, base);
    }
    if let Some(hard_state) = &batch.hard_state {
        encode_message(buffer, HARD_STATE, group, hard_state);
    }
    if let Some(first) = batch.entries.first() {
        let item = begin(buffer, ENTRIES, group);
        buffer.extend_from_slice(&first.index.to_le_bytes());
        buffer.extend_from_slice(&(batch.entries.len() as u32).to_le_bytes());
        for entry in &batch.entries {
            let start = buffer.len();
            buffer.extend_from_slice(&[0; 4]);
            write_message(buffer, entry);
            pieces.push(set_length(buffer, start));
        }
        set_length(buffer, item);
    }
    if let Some(base) = batch.compact {
        encode_position(buffer, COMPACT, group, base);
    }
}

/// Adds an older segment that is needed.
pub(super) fn encode_segment(buffer: &mut Vec<u8>, number: u64, last: u64) {
    let item = begin(buffer, SEGMENT, GroupId(0));
    buffer.extend_from_slice(&number.to_le_bytes());
    buffer.extend_from_slice(&last.to_le_bytes());
    set_length(buffer, item);
}

/// Says that nothing of a group is left.
pub(super) fn encode_removal(buffer: &mut Vec<u8>, group: GroupId) {
    let item = begin(buffer, REMOVE, group);
    set_length(buffer, item);
}

/// Adds the first configuration of a group.
pub(super) fn encode_configuration(
    buffer: &mut Vec<u8>,
    group: GroupId,
    configuration: &eraftpb::ConfState,
) {
    encode_message(buffer, CONFIGURATION, group, configuration);
}

/// Adds everything about a group but its entries.
pub(super) fn encode_group(buffer: &mut Vec<u8>, group: GroupId, log: &GroupLog) {
    if log.is_removed() {
        return encode_removal(buffer, group);
    }
    if let Some(configuration) = &log.configuration {
        encode_configuration(buffer, group, configuration);
    }
    encode_message(buffer, HARD_STATE, group, &log.hard_state);
    let item = begin(buffer, SPAN, group);
    buffer.extend_from_slice(&log.base.index.0.to_le_bytes());
    buffer.extend_from_slice(&log.base.term.0.to_le_bytes());
    buffer.extend_from_slice(&log.last().to_le_bytes());
    set_length(buffer, item);
}

/// Adds entries of an older segment, and where each is now; `copy` appends the bytes of one.
pub(super) fn encode_moved<E>(
    buffer: &mut Vec<u8>,
    group: GroupId,
    indices: Range<u64>,
    pieces: &mut Vec<Piece>,
    mut copy: impl FnMut(u64, &mut Vec<u8>) -> Result<(), E>,
) -> Result<(), E> {
    let item = begin(buffer, MOVED, group);
    buffer.extend_from_slice(&indices.start.to_le_bytes());
    buffer.extend_from_slice(&((indices.end - indices.start) as u32).to_le_bytes());
    for index in indices {
        let start = buffer.len();
        buffer.extend_from_slice(&[0; 4]);
        copy(index, buffer)?;
        pieces.push(set_length(buffer, start));
    }
    set_length(buffer, item);
    Ok(())
}

fn encode_position(buffer: &mut Vec<u8>, kind: u8, group: GroupId, position: LogPosition) {
    let item = begin(buffer, kind, group);
    buffer.extend_from_slice(&position.index.0.to_le_bytes());
    buffer.extend_from_slice(&position.term.0.to_le_bytes());
    set_length(buffer, item);
}

fn encode_message(buffer: &mut Vec<u8>, kind: u8, group: GroupId, message: &impl Message) {
    let item = begin(buffer, kind, group);
    write_message(buffer, message);
    set_length(buffer, item);
}

fn write_message(buffer: &mut Vec<u8>, message: &impl Message) {
    message.write_to_vec(buffer).expect("raft's messages have no required fields");
}

/// Starts an item, and returns where its length is.
fn begin(buffer: &mut Vec<u8>, kind: u8, group: GroupId) -> usize {
    buffer.push(kind);
    buffer.extend_from_slice(&group.0.to_le_bytes());
    buffer.extend_from_slice(&[0; 4]);
    buffer.len() - 4
}

/// Writes the number of bytes behind the four bytes at this place into them, and returns where those
/// bytes are. The store refuses what does not fit in 32 bits before it comes here.
fn set_length(buffer: &mut [u8], place: usize) -> Piece {
    let length = (buffer.len() - place - 4) as u32;
    buffer[place..place + 4].copy_from_slice(&length.to_le_bytes());
    Piece { offset: place as u32 + 4, length }
}

/// The items of the payload that is here.
pub(super) struct Items<'a> {
    bytes: &'a [u8],
    rest: Range<usize>,
}

impl<'a> Items<'a> {
    /// The items in this part of the bytes.
    pub(super) fn new(bytes: &'a [u8], payload: Range<usize>) -> Items<'a> {
        Items { bytes, rest: payload }
    }

    fn next_item(&mut self) -> Result<Item, Malformed> {
        let mut at = Reader { bytes: self.bytes, rest: self.rest.clone() };
        let kind = at.take::<1>()?[0];
        let group = GroupId(u32::from_le_bytes(at.take()?));
        let length = at.integer()? as usize;
        let body = at.skip(length)?;
        self.rest = at.rest;
        let mut body = Reader { bytes: self.bytes, rest: body };
        let item = match kind {
            SEGMENT => Item::Segment { number: body.long()?, end: body.long()? },
            CONFIGURATION => Item::Configuration { group, configuration: body.message()? },
            HARD_STATE => Item::HardState { group, hard_state: body.message()? },
            SPAN => Item::Span { group, base: body.position()?, last: body.long()? },
            RESET => Item::Reset { group, base: body.position()? },
            ENTRIES => Item::Entries(body.run(group)?),
            MOVED => Item::Moved(body.run(group)?),
            COMPACT => Item::Compact { group, base: body.position()? },
            REMOVE => Item::Remove { group },
            _ => return Err(Malformed),
        };
        if body.rest.is_empty() { Ok(item) } else { Err(Malformed) }
    }
}

impl Iterator for Items<'_> {
    type Item = Result<Item, Malformed>;

    fn next(&mut self) -> Option<Result<Item, Malformed>> {
        (!self.rest.is_empty()).then(|| self.next_item())
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    rest: Range<usize>,
}

impl Reader<'_> {
    fn skip(&mut self, length: usize) -> Result<Range<usize>, Malformed> {
        if length > self.rest.len() {
            return Err(Malformed);
        }
        let skipped = self.rest.start..self.rest.start + length;
        self.rest.start = skipped.end;
        Ok(skipped)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let range = self.skip(N)?;
        self.bytes[range].try_into().map_err(|_| Malformed)
    }

    fn integer(&mut self) -> Result<u32, Malformed> {
        Ok(u32::from_le_bytes(self.take()?))
    }

    fn long(&mut self) -> Result<u64, Malformed> {
        let number = u64::from_le_bytes(self.take()?);
        if number <= NUMBER_MAX { Ok(number) } else { Err(Malformed) }
    }

    fn position(&mut self) -> Result<LogPosition, Malformed> {
        Ok(LogPosition { index: LogIndex(self.long()?), term: Term(self.long()?) })
    }

    fn message<M: Message>(&mut self) -> Result<M, Malformed> {
        let range = self.skip(self.rest.len())?;
        M::parse_from_bytes(&self.bytes[range]).map_err(|_| Malformed)
    }

    fn run(&mut self, group: GroupId) -> Result<Run, Malformed> {
        let first = self.long()?;
        let count = self.integer()?;
        // An entry takes four bytes at least, which limits what a wrong count can ask for.
        let mut pieces = Vec::with_capacity((count as usize).min(self.rest.len() / 4));
        for _ in 0..count {
            let length = self.integer()?;
            let range = self.skip(length as usize)?;
            let offset = u32::try_from(range.start).map_err(|_| Malformed)?;
            pieces.push(Piece { offset, length });
        }
        Ok(Run { group, first, pieces })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_comes_back_in_its_order() {
        let entries = (4..=5)
            .map(|index| eraftpb::Entry {
                index,
                term: 2,
                data: vec![index as u8; 9].into(),
                ..Default::default()
            })
            .collect::<Vec<_>>();
        let position = |index| LogPosition { index: LogIndex(index), term: Term(1) };
        let batch = LogBatch {
            group: GroupId(8),
            reset: Some(position(3)),
            hard_state: Some(eraftpb::HardState { term: 2, vote: 1, ..Default::default() }),
            entries: entries.clone(),
            compact: Some(position(4)),
        };
        let (mut buffer, mut pieces) = (vec![0; 40], Vec::new());
        encode_batch(&mut buffer, &batch, &mut pieces);
        let items: Vec<Item> =
            Items::new(&buffer, 40..buffer.len()).collect::<Result<_, _>>().unwrap();
        let group = GroupId(8);
        assert_eq!(
            items,
            [
                Item::Reset { group, base: position(3) },
                Item::HardState { group, hard_state: batch.hard_state.unwrap() },
                Item::Entries(Run { group, first: 4, pieces: pieces.clone() }),
                Item::Compact { group, base: position(4) },
            ]
        );
        for (entry, piece) in entries.iter().zip(&pieces) {
            let (start, end) = (piece.offset as usize, (piece.offset + piece.length) as usize);
            assert_eq!(eraftpb::Entry::parse_from_bytes(&buffer[start..end]).unwrap(), *entry);
        }
        // No prefix of it is taken for something else.
        for end in 41..buffer.len() {
            let cut: Result<Vec<Item>, Malformed> = Items::new(&buffer, 40..end).collect();
            assert!(cut.is_err() || cut.unwrap().len() < items.len());
        }
    }
}

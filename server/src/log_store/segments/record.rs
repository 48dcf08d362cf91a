//! One record of the journal: a header, and a payload of items.
//!
//! ```text
//! byte  0  magic "BWL1"             byte 16  number of the segment
//!       4  checksum of all behind        24  sequence
//!       8  length of the payload         32  durable: everything up to this sequence number was
//!      12  kind                              on the disk for sure when this was written
//!      40  payload, then zeros up to a multiple of 8
//! ```
//!
//! Integers are little-endian. The checksum is CRC-32C, started from the file's seed.

use std::ops::Range;

/// Size of a header.
pub(super) const HEADER_BYTES: usize = 40;
/// Records start at multiples of this.
const ALIGNMENT: usize = 8;
const MAGIC: [u8; 4] = *b"BWL1";
/// No count gets so far in the life of a disk. What claims so was not written by this store, and is
/// not calculated with.
pub(super) const NUMBER_MAX: u64 = 1 << 62;

/// What a record is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The first of a segment.
    Head,
    /// Any other.
    Changes,
}

/// What a record says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: Kind,
    /// The segment's number: greater for each segment, and never used twice.
    pub(super) number: u64,
    /// The record's place among all records of the journal, from 1.
    pub(super) sequence: u64,
    /// Every record up to this sequence number was durable before this one was written.
    pub(super) durable: u64,
}

/// A record in a file, with a checksum that is right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) header: Header,
    /// Where its payload is.
    pub(super) payload: Range<usize>,
    /// Where the next one starts.
    pub(super) end: usize,
}

/// Starts a record at the end of the buffer, whose size must be a multiple of 8. The payload is
/// added by the caller, then comes [`finish`].
pub(super) fn begin(buffer: &mut Vec<u8>) -> usize {
    let start = buffer.len();
    buffer.resize(start + HEADER_BYTES, 0);
    start
}

/// Completes the record that started here and goes up to the end of the buffer.
pub(super) fn finish(buffer: &mut Vec<u8>, start: usize, header: Header, seed: u32) {
    let length = (buffer.len() - start - HEADER_BYTES) as u32;
    let record = &mut buffer[start..];
    record[..4].copy_from_slice(&MAGIC);
    record[8..12].copy_from_slice(&length.to_le_bytes());
    record[12..16].copy_from_slice(&(header.kind as u32).to_le_bytes());
    record[16..24].copy_from_slice(&header.number.to_le_bytes());
    record[24..32].copy_from_slice(&header.sequence.to_le_bytes());
    record[32..40].copy_from_slice(&header.durable.to_le_bytes());
    let checksum = crc32c::crc32c_append(seed, &record[8..]);
    record[4..8].copy_from_slice(&checksum.to_le_bytes());
    buffer.resize(buffer.len().next_multiple_of(ALIGNMENT), 0);
}

/// The size of the record whose header these bytes begin with, if they look like one.
pub(super) fn announced_size(bytes: &[u8]) -> Option<usize> {
    let length = (bytes.get(..4)? == MAGIC).then(|| integer(bytes, 8))?;
    Some(HEADER_BYTES + length as usize)
}

/// The record that starts here, if there is one.
pub(super) fn decode(bytes: &[u8], start: usize, seed: u32) -> Option<Record> {
    let size = announced_size(bytes.get(start..start + HEADER_BYTES)?)?;
    let record = bytes.get(start..start + size)?;
    if crc32c::crc32c_append(seed, &record[8..]) != integer(record, 4) {
        return None;
    }
    let kind = match integer(record, 12) {
        0 => Kind::Head,
        1 => Kind::Changes,
        _ => return None,
    };
    let header = Header {
        kind,
        number: long(record, 16),
        sequence: long(record, 24),
        durable: long(record, 32),
    };
    if header.number.max(header.sequence).max(header.durable) > NUMBER_MAX {
        return None;
    }
    let payload = start + HEADER_BYTES..start + size;
    Some(Record { header, end: payload.end.next_multiple_of(ALIGNMENT), payload })
}

/// The next record of any segment at or behind this place, stale ones included.
pub(super) fn search(bytes: &[u8], start: usize, seed: u32) -> Option<Record> {
    let mut offset = start.next_multiple_of(ALIGNMENT);
    while offset + HEADER_BYTES <= bytes.len() {
        if bytes[offset..offset + 4] == MAGIC
            && let Some(record) = decode(bytes, offset, seed)
        {
            return Some(record);
        }
        offset += ALIGNMENT;
    }
    None
}

fn integer(bytes: &[u8], offset: usize) -> u32 {
    u32::from_le_bytes(bytes[offset..offset + 4].try_into().expect("four bytes"))
}

fn long(bytes: &[u8], offset: usize) -> u64 {
    u64::from_le_bytes(bytes[offset..offset + 8].try_into().expect("eight bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: Header = Header { kind: Kind::Changes, number: 3, sequence: 9, durable: 8 };

    fn record(payload: &[u8]) -> Vec<u8> {
        let mut buffer = Vec::new();
        let start = begin(&mut buffer);
        buffer.extend_from_slice(payload);
        finish(&mut buffer, start, HEADER, 77);
        buffer
    }

    #[test]
    fn what_was_encoded_is_decoded() {
        let bytes = record(b"payload");
        let record = decode(&bytes, 0, 77).unwrap();
        assert_eq!(record.header, HEADER);
        assert_eq!(&bytes[record.payload], b"payload");
        assert_eq!(record.end, bytes.len());
    }

    #[test]
    fn a_flipped_bit_anywhere_is_noticed() {
        let good = record(b"payload");
        for bit in 0..(HEADER_BYTES + 7) * 8 {
            let mut bytes = good.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode(&bytes, 0, 77), None, "bit {bit}");
        }
    }

    #[test]
    fn a_record_of_another_file_or_with_a_piece_missing_is_none() {
        let bytes = record(b"payload");
        assert_eq!(decode(&bytes, 0, 78), None);
        assert!((0..HEADER_BYTES + 7).all(|size| decode(&bytes[..size], 0, 77).is_none()));
    }

    #[test]
    fn a_number_that_cannot_be_counted_to_is_not_believed() {
        let decoded = |header: Header| {
            let mut buffer = Vec::new();
            let start = begin(&mut buffer);
            finish(&mut buffer, start, header, 77);
            decode(&buffer, 0, 77)
        };
        for number in [NUMBER_MAX + 1, u64::MAX] {
            assert_eq!(decoded(Header { number, ..HEADER }), None);
            assert_eq!(decoded(Header { sequence: number, ..HEADER }), None);
            assert_eq!(decoded(Header { durable: number, ..HEADER }), None);
        }
        assert!(decoded(Header { sequence: NUMBER_MAX, ..HEADER }).is_some());
    }

    #[test]
    fn a_record_behind_rubbish_is_found() {
        let mut bytes = vec![0x5a; 24];
        bytes.extend(record(b""));
        let record = search(&bytes, 3, 77).unwrap();
        assert_eq!((record.payload.start, record.end), (24 + HEADER_BYTES, bytes.len()));
        assert_eq!(search(&bytes, 25, 77), None);
    }
}

//! Small files with a magic number, a format version and a checksum.
//!
//! ```text
//! magic (4 bytes) | format (4 bytes) | CRC-32C of format and payload (4 bytes) | payload (protobuf)
//! ```
//!
//! Numbers are little-endian.

use std::path::Path;

use prost::Message;

use super::SnapshotError;

/// Version of what is stored.
const FORMAT: u32 = 1;
const HEADER_BYTES: usize = 12;

/// What kind of file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A snapshot's description.
    Meta,
    /// Which directory has the state.
    Current,
    /// The image of a state in memory.
    Image,
}

impl Kind {
    fn magic(self) -> [u8; 4] {
        match self {
            Kind::Meta => *b"bwSM",
            Kind::Current => *b"bwSC",
            Kind::Image => *b"bwSI",
        }
    }
}

/// The content of such a file.
pub(super) fn seal(kind: Kind, payload: &impl Message) -> Vec<u8> {
    let mut bytes = vec![0; HEADER_BYTES];
    bytes.reserve_exact(payload.encoded_len());
    payload.encode(&mut bytes).expect("a vector grows as needed");
    seal_behind_header(kind, bytes)
}

/// The same, of a payload that is encoded already, with room for the header before it.
pub(super) fn seal_behind_header(kind: Kind, mut bytes: Vec<u8>) -> Vec<u8> {
    bytes[..4].copy_from_slice(&kind.magic());
    bytes[4..8].copy_from_slice(&FORMAT.to_le_bytes());
    let checksum = checksum(FORMAT, &bytes[HEADER_BYTES..]);
    bytes[8..HEADER_BYTES].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

/// What is in such a file; `path` is for the error.
pub(super) fn unseal<M: Message + Default>(
    kind: Kind,
    path: &Path,
    bytes: &[u8],
) -> Result<M, SnapshotError> {
    let corrupt = |what: &str| SnapshotError::Corrupt(format!("{}: {what}", path.display()));
    let Some((header, payload)) = bytes.split_at_checked(HEADER_BYTES) else {
        return Err(corrupt("it is too short"));
    };
    let word = |at: usize| u32::from_le_bytes(std::array::from_fn(|byte| header[at + byte]));
    if header[..4] != kind.magic() {
        return Err(corrupt("it is another kind of file"));
    }
    let found = word(4);
    if word(8) != checksum(found, payload) {
        return Err(corrupt("its checksum is wrong"));
    }
    if found != FORMAT {
        return Err(SnapshotError::Format { path: path.to_owned(), found, known: FORMAT });
    }
    M::decode(payload).map_err(|error| corrupt(&error.to_string()))
}

fn checksum(format: u32, payload: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&format.to_le_bytes()), payload)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::SnapshotFile;

    fn file() -> SnapshotFile {
        SnapshotFile { name: "a.sst".into(), bytes: 7, crc32c: 9 }
    }

    #[test]
    fn what_is_sealed_is_unsealed() {
        let bytes = seal(Kind::Meta, &file());
        assert_eq!(unseal::<SnapshotFile>(Kind::Meta, Path::new("f"), &bytes).unwrap(), file());
    }

    #[test]
    fn every_changed_or_missing_byte_is_noticed() {
        let bytes = seal(Kind::Meta, &file());
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 0x10;
            let found = unseal::<SnapshotFile>(Kind::Meta, Path::new("f"), &changed);
            assert!(matches!(found, Err(SnapshotError::Corrupt(_))), "byte {at}: {found:?}");
            let found = unseal::<SnapshotFile>(Kind::Meta, Path::new("f"), &bytes[..at]);
            assert!(matches!(found, Err(SnapshotError::Corrupt(_))), "length {at}: {found:?}");
        }
    }

    #[test]
    fn another_kind_and_a_later_format_are_refused() {
        let mut bytes = seal(Kind::Current, &file());
        let found = unseal::<SnapshotFile>(Kind::Meta, Path::new("f"), &bytes);
        assert!(matches!(found, Err(SnapshotError::Corrupt(_))), "{found:?}");
        bytes[4..8].copy_from_slice(&2_u32.to_le_bytes());
        let sum = checksum(2, &bytes[HEADER_BYTES..]);
        bytes[8..HEADER_BYTES].copy_from_slice(&sum.to_le_bytes());
        let found = unseal::<SnapshotFile>(Kind::Current, Path::new("f"), &bytes);
        assert!(matches!(found, Err(SnapshotError::Format { found: 2, .. })), "{found:?}");
    }
}

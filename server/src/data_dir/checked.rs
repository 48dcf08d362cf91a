//! Files of a data directory with a checksum, so that nobody believes what a disk has changed.
//!
//! ```text
//! {                                   4 bytes   CRC-32C of all behind, little-endian
//!   "format": 4,                      payload
//!   "crc32c": "1a2b3c4d"
//! }
//! ```
//!
//! On the left is JSON, whose last field is the CRC-32C of everything before the comma that the
//! field follows; on the right are bytes of any kind.

use serde::Serialize;
use serde::de::DeserializeOwned;

const BEFORE_CHECKSUM: &[u8] = b",\n  \"crc32c\": \"";
const AFTER_CHECKSUM: &[u8] = b"\"\n}\n";
const FIELD: &[u8] = b"\"crc32c\"";
const DIGITS: usize = 8;

/// What is in a file is not what was written to it.
#[derive(Debug, thiserror::Error)]
pub enum CheckedFileError {
    /// Some of it has changed, or is missing.
    #[error("its checksum is missing or wrong")]
    Checksum,
    /// The checksum is right, and the content is not what this program writes.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

/// The content of a file with these fields, one line each.
pub(super) fn encode_json(fields: &impl Serialize) -> Vec<u8> {
    let text = serde_json::to_vec_pretty(fields).expect("plain numbers and names are valid JSON");
    let body = text.strip_suffix(b"\n}").expect("an object with fields has lines");
    let checksum = hexadecimal(crc32c::crc32c(body));
    [body, BEFORE_CHECKSUM, checksum.as_bytes(), AFTER_CHECKSUM].concat()
}

/// The fields in such a file.
pub(super) fn decode_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CheckedFileError> {
    let body = checked_body(bytes).ok_or(CheckedFileError::Checksum)?;
    Ok(serde_json::from_slice(&[body, b"\n}"].concat())?)
}

/// Does this JSON have no checksum at all, as in files of earlier formats?
pub(super) fn is_unchecked_json(bytes: &[u8]) -> bool {
    !bytes.windows(FIELD.len()).any(|window| window == FIELD)
}

/// The content of a file with this payload.
pub(super) fn encode_bytes(payload: &[u8]) -> Vec<u8> {
    [&crc32c::crc32c(payload).to_le_bytes(), payload].concat()
}

/// The payload of such a file.
pub(super) fn decode_bytes(bytes: &[u8]) -> Result<&[u8], CheckedFileError> {
    let (checksum, payload) = bytes.split_first_chunk().ok_or(CheckedFileError::Checksum)?;
    match u32::from_le_bytes(*checksum) == crc32c::crc32c(payload) {
        true => Ok(payload),
        false => Err(CheckedFileError::Checksum),
    }
}

/// What the checksum is of, if it is right.
fn checked_body(bytes: &[u8]) -> Option<&[u8]> {
    let (rest, checksum) = bytes.strip_suffix(AFTER_CHECKSUM)?.split_last_chunk::<DIGITS>()?;
    let body = rest.strip_suffix(BEFORE_CHECKSUM)?;
    (checksum == hexadecimal(crc32c::crc32c(body)).as_bytes()).then_some(body)
}

fn hexadecimal(checksum: u32) -> String {
    format!("{checksum:0DIGITS$x}")
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Fields {
        node: u64,
        names: Vec<String>,
    }

    fn fields() -> Fields {
        Fields { node: u64::MAX, names: vec!["ä\"\n}\n".to_owned(), String::new()] }
    }

    /// Everything that a flipped bit or a missing end can make of a file.
    fn damaged(good: &[u8]) -> impl Iterator<Item = Vec<u8>> {
        let flipped = (0..good.len() * 8).map(move |bit| {
            let mut bytes = good.to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            bytes
        });
        flipped.chain((0..good.len()).map(move |size| good[..size].to_vec()))
    }

    #[test]
    fn json_survives_its_encoding_and_is_still_json() {
        let bytes = encode_json(&fields());
        assert_eq!(decode_json::<Fields>(&bytes).unwrap(), fields());
        let json: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(json["node"], u64::MAX);
        assert_eq!(json["crc32c"].as_str().map(str::len), Some(DIGITS));
    }

    #[test]
    fn bytes_survive_their_encoding() {
        for payload in [&b""[..], b"payload"] {
            assert_eq!(decode_bytes(&encode_bytes(payload)).unwrap(), payload);
        }
    }

    #[test]
    fn every_flipped_bit_and_every_missing_end_is_noticed() {
        for bytes in damaged(&encode_json(&fields())) {
            let found = decode_json::<Fields>(&bytes);
            assert!(matches!(found, Err(CheckedFileError::Checksum)), "{bytes:?}: {found:?}");
        }
        for bytes in damaged(&encode_bytes(b"payload")) {
            assert!(decode_bytes(&bytes).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn fields_that_are_not_known_are_no_damage() {
        let other = serde_json::json!({ "node": 1, "size": 2 });
        let found = decode_json::<Fields>(&encode_json(&other));
        assert!(matches!(found, Err(CheckedFileError::Json(_))), "{found:?}");
    }

    #[test]
    fn a_file_without_a_checksum_is_told_from_one_whose_checksum_is_wrong() {
        assert!(is_unchecked_json(b"{\"format\": 3}"));
        assert!(!is_unchecked_json(&encode_json(&fields())));
    }
}

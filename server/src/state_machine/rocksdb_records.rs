//! How the state looks in RocksDB.
//!
//! ```text
//! 'a'                 applied position: index, term
//! 'c'                 configuration (protobuf)
//! 'h'                 what the group knows of shards (protobuf)
//! 'k' key             revision, version, lease, then the value
//! 'l' lease           lease (protobuf)
//! 'm' lease key       nothing: the key ends with the lease
//! 'n' name            holder of the lock (protobuf)
//! 'o' lease name      nothing: the lock is freed when the lease ends
//! 's' session         session (protobuf)
//! ```
//!
//! Numbers have 8 bytes, big-endian, so that they are in order.

use bytes::Bytes;
use prost::Message;
use rocksdb::WriteBatch;

use super::StateStoreError;
use crate::command::Versioned;
use crate::log_store::LogPosition;
use crate::types::{LogIndex, Term};

pub(super) const APPLIED: &[u8] = b"a";
pub(super) const CONFIGURATION: &[u8] = b"c";
pub(super) const SHARDING: &[u8] = b"h";
pub(super) const KIND_KEY: u8 = b'k';
pub(super) const KIND_LEASE: u8 = b'l';
pub(super) const KIND_LEASE_KEY: u8 = b'm';
pub(super) const KIND_LOCK: u8 = b'n';
pub(super) const KIND_LEASE_LOCK: u8 = b'o';
pub(super) const KIND_SESSION: u8 = b's';

/// Revision, version and lease in front of a value.
const VALUE_HEADER_BYTES: usize = 24;

/// A key and a value as RocksDB has them.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    pub(super) key: Vec<u8>,
    pub(super) value: Vec<u8>,
}

impl Scratch {
    pub(super) fn key(&mut self, kind: u8, key: &[u8]) {
        self.key.clear();
        self.key.push(kind);
        self.key.extend_from_slice(key);
    }

    pub(super) fn versioned(&mut self, versioned: &Versioned) {
        self.value.clear();
        self.value.extend_from_slice(&versioned.revision.to_be_bytes());
        self.value.extend_from_slice(&versioned.version.to_be_bytes());
        self.value.extend_from_slice(&versioned.lease.to_be_bytes());
        self.value.extend_from_slice(&versioned.value);
    }

    pub(super) fn put_message(
        &mut self,
        batch: &mut WriteBatch,
        kind: u8,
        key: &[u8],
        message: Option<&impl Message>,
    ) {
        self.key(kind, key);
        match message {
            Some(message) => {
                self.value.clear();
                // A vector grows as it must, so that there is always room.
                let _ = message.encode(&mut self.value);
                batch.put(&self.key, &self.value);
            }
            None => batch.delete(&self.key),
        }
    }
}

pub(super) fn attached_key(kind: u8, lease: u64, name: &[u8]) -> Vec<u8> {
    [&[kind], &lease.to_be_bytes()[..], name].concat()
}

/// The three numbers in front of a value, and the value.
pub(super) fn split_versioned(
    bytes: &[u8],
) -> Result<(&[u8; VALUE_HEADER_BYTES], &[u8]), StateStoreError> {
    bytes.split_first_chunk().ok_or_else(|| {
        StateStoreError::Corrupt(format!("a key's record has {} bytes only", bytes.len()))
    })
}

pub(super) fn decode_versioned(bytes: &[u8]) -> Result<Versioned, StateStoreError> {
    let (header, value) = split_versioned(bytes)?;
    Ok(versioned(header, value))
}

pub(super) fn versioned(header: &[u8; VALUE_HEADER_BYTES], value: &[u8]) -> Versioned {
    let (numbers, _) = header.as_chunks::<8>();
    Versioned {
        value: Bytes::copy_from_slice(value),
        revision: u64::from_be_bytes(numbers[0]),
        version: u64::from_be_bytes(numbers[1]),
        lease: u64::from_be_bytes(numbers[2]),
    }
}

pub(super) fn encode_applied(applied: LogPosition) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&applied.index.0.to_be_bytes());
    bytes[8..].copy_from_slice(&applied.term.0.to_be_bytes());
    bytes
}

pub(super) fn decode_applied(bytes: &[u8]) -> Result<LogPosition, StateStoreError> {
    let bytes: [u8; 16] = bytes.try_into().map_err(|_| {
        StateStoreError::Corrupt("the applied position is not 16 bytes long".into())
    })?;
    let (numbers, _) = bytes.as_chunks::<8>();
    Ok(LogPosition {
        index: LogIndex(u64::from_be_bytes(numbers[0])),
        term: Term(u64::from_be_bytes(numbers[1])),
    })
}

pub(super) fn number(bytes: &[u8], what: &str) -> Result<u64, StateStoreError> {
    let bytes = bytes
        .try_into()
        .map_err(|_| StateStoreError::Corrupt(format!("the id of a {what} is not 8 bytes long")))?;
    Ok(u64::from_be_bytes(bytes))
}

pub(super) fn decode<M: Message + Default>(bytes: &[u8], what: &str) -> Result<M, StateStoreError> {
    M::decode(bytes)
        .map_err(|error| StateStoreError::Corrupt(format!("unreadable {what}: {error}")))
}

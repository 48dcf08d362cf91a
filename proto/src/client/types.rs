//! What operations answer.

use bytes::Bytes;

use crate::kv;

/// Where and when an operation took effect.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Header {
    /// The log index at which a write took effect, or as of which a read was answered.
    pub revision: u64,
    /// The term of the node that answered.
    pub term: u64,
    /// The node that answered.
    pub node: u64,
    /// The group that answered. Revisions of different groups cannot be compared.
    pub group: u32,
}

/// What a key holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyValue {
    /// The value.
    pub value: Bytes,
    /// Log index of the last write of the key.
    pub revision: u64,
    /// Writes of the key since it was created, from 1.
    pub version: u64,
    /// The lease that the key ends with; 0 for none.
    pub lease: u64,
}

/// A key was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// Where and when.
    pub header: Header,
    /// What it holds, if it exists.
    pub found: Option<KeyValue>,
}

/// A key was set or removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Where and when.
    pub header: Header,
    /// What it held before.
    pub previous: Option<KeyValue>,
}

/// A key was compared, and set if it was as expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Swapped {
    /// Where and when.
    pub header: Header,
    /// Was it set?
    pub swapped: bool,
    /// What it held before.
    pub previous: Option<KeyValue>,
}

impl From<kv::ResponseHeader> for Header {
    fn from(header: kv::ResponseHeader) -> Header {
        let kv::ResponseHeader { revision, term, node, group } = header;
        Header { revision, term, node, group }
    }
}

impl From<kv::KeyValue> for KeyValue {
    fn from(found: kv::KeyValue) -> KeyValue {
        let kv::KeyValue { key: _, value, revision, version, lease } = found;
        KeyValue { value, revision, version, lease }
    }
}

pub(super) fn header(header: Option<kv::ResponseHeader>) -> Header {
    header.unwrap_or_default().into()
}

pub(super) fn key_value(found: Option<kv::KeyValue>) -> Option<KeyValue> {
    found.map(KeyValue::from)
}

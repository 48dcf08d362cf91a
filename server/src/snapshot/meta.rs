//! What a snapshot is: its place in the log, its configuration, and its files.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use prost::Message;

use crate::log_store::LogPosition;
use crate::membership::Configuration;
use crate::types::{LogIndex, Term};

use super::SnapshotError;
use super::sealed::{Kind, seal, unseal};

/// A description of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotMeta {
    /// The last entry that is applied in it.
    pub position: LogPosition,
    /// The group's configuration as of that entry.
    pub configuration: Configuration,
    /// Its files, in the order in which they are sent.
    pub files: Vec<SnapshotFile>,
}

/// A file of a snapshot.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct SnapshotFile {
    /// A plain name, such as `000012.sst`.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Its size.
    #[prost(uint64, tag = "2")]
    pub bytes: u64,
    /// CRC-32C of the whole file.
    #[prost(fixed32, tag = "3")]
    pub crc32c: u32,
}

/// A place in a snapshot's files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct FilePosition {
    /// The file's place in [`SnapshotMeta::files`]; their number means the end.
    pub file: usize,
    /// Bytes from the file's beginning.
    pub offset: u64,
}

/// What may be offered. Over a limit the offer is refused before a byte is received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnapshotLimits {
    /// Files of a snapshot.
    pub files_max: usize,
    /// Bytes of a file's name.
    pub name_bytes_max: usize,
    /// Bytes of all files together.
    pub bytes_max: u64,
}

impl SnapshotLimits {
    /// Limits for ordinary use: what a disk of today holds.
    pub const STANDARD: SnapshotLimits =
        SnapshotLimits { files_max: 16_384, name_bytes_max: 64, bytes_max: 1 << 40 };
}

/// As it is stored.
#[derive(Clone, PartialEq, Message)]
struct StoredMeta {
    #[prost(uint64, tag = "1")]
    index: u64,
    #[prost(uint64, tag = "2")]
    term: u64,
    #[prost(message, optional, tag = "3")]
    configuration: Option<Configuration>,
    #[prost(message, repeated, tag = "4")]
    files: Vec<SnapshotFile>,
}

impl SnapshotMeta {
    /// The bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).fold(0, u64::saturating_add)
    }

    /// The place behind the last byte.
    pub fn end(&self) -> FilePosition {
        FilePosition { file: self.files.len(), offset: 0 }
    }

    /// The next place at or after this one where there is a byte to send, or the end.
    pub fn next_byte(&self, mut at: FilePosition) -> FilePosition {
        while let Some(file) = self.files.get(at.file) {
            if at.offset < file.bytes {
                return at;
            }
            at = FilePosition { file: at.file + 1, offset: 0 };
        }
        self.end()
    }

    /// Bytes in the file from this place on; 0 at the end.
    pub fn bytes_left_in_file(&self, at: FilePosition) -> u64 {
        self.files.get(at.file).map_or(0, |file| file.bytes.saturating_sub(at.offset))
    }

    /// Refuses what no honest node offers: names that leave the directory, and sizes over the limits.
    pub fn check(&self, limits: &SnapshotLimits) -> Result<(), SnapshotError> {
        let refused = |reason| Err(SnapshotError::Refused(reason));
        if self.position.index == LogIndex(0) || self.position.term == Term(0) {
            return refused("it is of no log position".to_owned());
        }
        if self.files.is_empty() || self.files.len() > limits.files_max {
            let (files, most) = (self.files.len(), limits.files_max);
            return refused(format!("{files} files, and there may be 1 to {most}"));
        }
        let bytes = self.bytes();
        if bytes > limits.bytes_max {
            return refused(format!("{bytes} bytes, and {} are allowed", limits.bytes_max));
        }
        let mut names = BTreeSet::new();
        for file in &self.files {
            if !is_plain_name(&file.name, limits.name_bytes_max) {
                return refused(format!("{:?} is no name of a file", file.name));
            }
            // Some file systems take two names that differ in case for one.
            if !names.insert(file.name.to_ascii_lowercase()) {
                return refused(format!("it has two files {:?}", file.name));
            }
        }
        Ok(())
    }

    /// To be stored in a file.
    pub(super) fn to_file(&self) -> Vec<u8> {
        let stored = StoredMeta {
            index: self.position.index.0,
            term: self.position.term.0,
            configuration: Some(self.configuration.clone()),
            files: self.files.clone(),
        };
        seal(Kind::Meta, &stored)
    }

    /// What was stored in this file.
    pub(super) fn from_file(path: &Path, bytes: &[u8]) -> Result<SnapshotMeta, SnapshotError> {
        let stored: StoredMeta = unseal(Kind::Meta, path, bytes)?;
        Ok(SnapshotMeta {
            position: LogPosition { index: LogIndex(stored.index), term: Term(stored.term) },
            configuration: stored.configuration.unwrap_or_default(),
            files: stored.files,
        })
    }
}

/// Letters, digits, `.`, `_` and `-`; no dot at the beginning. That excludes all separators, `..`,
/// and what a terminal would obey.
fn is_plain_name(name: &str, bytes_max: usize) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=bytes_max).contains(&name.len()) && !name.starts_with('.') && name.bytes().all(plain)
}

impl fmt::Display for FilePosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "file {} at byte {}", self.file, self.offset)
    }
}

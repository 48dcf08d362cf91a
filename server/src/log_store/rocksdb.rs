//! A log in RocksDB: one instance for all groups, so that one sync serves all of them.
//!
//! Keys are `group (4 bytes) kind (1 byte) index (8 bytes)`, big-endian, so that a group's entries
//! lie in order. Values are protobuf.
//!
//! RocksDB's own write-ahead log carries durability. Its recovery mode accepts an incomplete last
//! record, which a crash explains, and nothing else. That rules out recycled files: with those,
//! stale bytes behind the last record look like damage, and RocksDB would have to accept damage in
//! the middle too.

use std::collections::BTreeMap;
use std::path::Path;

use protobuf::Message;
use raft::eraftpb;
use rocksdb::{DB, DBCompressionType, DBRecoveryMode, Options, WriteBatch, WriteOptions};

use crate::types::GroupId;

use super::{LogBatch, LogStore, LogStoreError, RecoveredLog};

/// Entries are rewritten once, from the memtable to a file, so a big memtable makes few big files.
const MEMTABLE_BYTES: usize = 64 << 20;
/// The engine's own text log is for its developers; keep it small.
const ENGINE_LOG_BYTES: usize = 1 << 20;

const KIND_CONFIGURATION: u8 = 0;
const KIND_HARD_STATE: u8 = 1;
const KIND_ENTRY: u8 = 2;

/// A durable log.
pub struct RocksdbLogStore {
    db: DB,
    /// The last index of each group that was loaded.
    last: BTreeMap<GroupId, u64>,
}

impl RocksdbLogStore {
    /// Opens the log in this directory, which is created if it is missing.
    pub fn open(directory: &Path) -> Result<RocksdbLogStore, LogStoreError> {
        let mut options = Options::default();
        options.create_if_missing(true);
        options.set_wal_recovery_mode(DBRecoveryMode::TolerateCorruptedTailRecords);
        options.set_write_buffer_size(MEMTABLE_BYTES);
        options.set_compression_type(DBCompressionType::None);
        options.set_max_log_file_size(ENGINE_LOG_BYTES);
        options.set_keep_log_file_num(2);
        let db = DB::open(&options, directory).map_err(|error| engine("open the log", &error))?;
        Ok(RocksdbLogStore { db, last: BTreeMap::new() })
    }

    fn last_index(&self, group: GroupId) -> Result<u64, LogStoreError> {
        if let Some(last) = self.last.get(&group) {
            return Ok(*last);
        }
        let mut iterator = self.db.raw_iterator();
        iterator.seek_for_prev(key(group, KIND_ENTRY, u64::MAX));
        iterator.status().map_err(|error| engine("find the end of the log", &error))?;
        Ok(iterator.key().and_then(|key| entry_index(group, key)).unwrap_or(0))
    }

    fn get<M: Message>(&self, group: GroupId, kind: u8) -> Result<Option<M>, LogStoreError> {
        let value = self
            .db
            .get_pinned(key(group, kind, 0))
            .map_err(|error| engine("read the log's state", &error))?;
        value.map(|value| decode(&value, "state of the log")).transpose()
    }
}

impl LogStore for RocksdbLogStore {
    fn groups(&mut self) -> Result<Vec<GroupId>, LogStoreError> {
        let mut groups = Vec::new();
        let mut iterator = self.db.raw_iterator();
        iterator.seek_to_first();
        while let Some(id) = iterator.key().and_then(|key| key.first_chunk()) {
            let group = GroupId(u32::from_be_bytes(*id));
            groups.push(group);
            // Behind everything of this group.
            iterator.seek(key(group, u8::MAX, u64::MAX));
        }
        iterator.status().map_err(|error| engine("list the groups", &error))?;
        Ok(groups)
    }

    fn load(&mut self, group: GroupId) -> Result<RecoveredLog, LogStoreError> {
        let configuration = self.get(group, KIND_CONFIGURATION)?;
        let hard_state = self.get(group, KIND_HARD_STATE)?.unwrap_or_default();
        let mut entries: Vec<eraftpb::Entry> = Vec::new();
        let mut iterator = self.db.raw_iterator();
        iterator.seek(key(group, KIND_ENTRY, 0));
        while let (Some(key), Some(value)) = (iterator.key(), iterator.value()) {
            let Some(index) = entry_index(group, key) else { break };
            let expected = entries.len() as u64 + 1;
            if index != expected {
                return Err(LogStoreError::Corrupt(format!(
                    "entry {expected} is missing, but entry {index} exists"
                )));
            }
            let entry: eraftpb::Entry = decode(value, "entry")?;
            if entry.index != index {
                return Err(LogStoreError::Corrupt(format!(
                    "entry {} is stored in the place of entry {index}",
                    entry.index
                )));
            }
            entries.push(entry);
            iterator.next();
        }
        iterator.status().map_err(|error| engine("read the log", &error))?;
        if configuration.is_none() && !entries.is_empty() {
            return Err(LogStoreError::Corrupt("entries, but no first configuration".into()));
        }
        self.last.insert(group, entries.len() as u64);
        Ok(RecoveredLog { configuration, hard_state, entries, ..RecoveredLog::default() })
    }

    fn bootstrap(
        &mut self,
        group: GroupId,
        configuration: &eraftpb::ConfState,
    ) -> Result<(), LogStoreError> {
        if self.get::<eraftpb::ConfState>(group, KIND_CONFIGURATION)?.is_some() {
            return Err(LogStoreError::AlreadyBootstrapped(group));
        }
        let mut batch = WriteBatch::default();
        batch.put(key(group, KIND_CONFIGURATION, 0), encode(configuration));
        let mut options = WriteOptions::default();
        options.set_sync(true);
        self.db.write_opt(batch, &options).map_err(|error| engine("bootstrap the log", &error))
    }

    fn write(&mut self, batches: &[LogBatch], sync: bool) -> Result<(), LogStoreError> {
        let mut changes = WriteBatch::default();
        let mut last = BTreeMap::new();
        for batch in batches {
            if let Some(hard_state) = &batch.hard_state {
                changes.put(key(batch.group, KIND_HARD_STATE, 0), encode(hard_state));
            }
            let old_last = match last.get(&batch.group) {
                Some(last) => *last,
                None => self.last_index(batch.group)?,
            };
            let new_last = super::check_entries(batch, old_last)?;
            for entry in &batch.entries {
                changes.put(key(batch.group, KIND_ENTRY, entry.index), encode(entry));
            }
            // A new leader's entries replace a longer tail of the old one (Raft §5.3).
            for index in new_last + 1..=old_last {
                changes.delete(key(batch.group, KIND_ENTRY, index));
            }
            last.insert(batch.group, new_last);
        }
        let mut options = WriteOptions::default();
        options.set_sync(sync);
        self.db.write_opt(changes, &options).map_err(|error| engine("write the log", &error))?;
        self.last.append(&mut last);
        Ok(())
    }

    fn remove(&mut self, group: GroupId) -> Result<(), LogStoreError> {
        let mut changes = WriteBatch::default();
        changes.delete_range(key(group, 0, 0), key(group, u8::MAX, u64::MAX));
        let mut options = WriteOptions::default();
        options.set_sync(true);
        self.db.write_opt(changes, &options).map_err(|error| engine("remove a group", &error))?;
        self.last.remove(&group);
        Ok(())
    }
}

fn key(group: GroupId, kind: u8, index: u64) -> [u8; 13] {
    let mut key = [0; 13];
    key[..4].copy_from_slice(&group.0.to_be_bytes());
    key[4] = kind;
    key[5..].copy_from_slice(&index.to_be_bytes());
    key
}

/// The index in the key of an entry of this group.
fn entry_index(group: GroupId, found: &[u8]) -> Option<u64> {
    let index = found.strip_prefix(&key(group, KIND_ENTRY, 0)[..5])?;
    Some(u64::from_be_bytes(index.try_into().ok()?))
}

fn encode(message: &impl Message) -> Vec<u8> {
    message.write_to_bytes().expect("raft's messages have no required fields")
}

fn decode<M: Message>(bytes: &[u8], what: &str) -> Result<M, LogStoreError> {
    M::parse_from_bytes(bytes)
        .map_err(|error| LogStoreError::Corrupt(format!("unreadable {what}: {error}")))
}

fn engine(what: &'static str, error: &rocksdb::Error) -> LogStoreError {
    if error.kind() == rocksdb::ErrorKind::Corruption {
        return LogStoreError::Corrupt(error.to_string());
    }
    LogStoreError::Engine { what, reason: error.to_string() }
}

//! State in RocksDB.
//!
//! RocksDB's own write-ahead log is off: the Raft log is the one that is replayed. The applied
//! index is written in the same batch as the state, so that after a crash the store holds the state
//! at some earlier index, exactly.

use std::path::Path;

use bytes::Bytes;
use prost::Message;
use rocksdb::{BlockBasedOptions, Cache, DB, Direction, IteratorMode, Options};
use rocksdb::{WriteBatch, WriteOptions};

use crate::command::Versioned;
use crate::types::LogIndex;

use super::{Changes, Session, StateStore, StateStoreError};

const MEMTABLE_BYTES: usize = 32 << 20;
const BLOCK_CACHE_BYTES: usize = 32 << 20;
const BLOOM_BITS_PER_KEY: f64 = 10.0;
const ENGINE_LOG_BYTES: usize = 1 << 20;

const APPLIED: &[u8] = b"a";
const KIND_KEY: u8 = b'k';
const KIND_SESSION: u8 = b's';

/// State that survives the process once RocksDB has flushed it, which it does when it closes.
pub struct RocksdbStateStore {
    db: DB,
    applied: LogIndex,
    write_options: WriteOptions,
}

impl RocksdbStateStore {
    /// Opens the state in this directory, which is created if it is missing.
    pub fn open(directory: &Path) -> Result<RocksdbStateStore, StateStoreError> {
        let mut blocks = BlockBasedOptions::default();
        blocks.set_bloom_filter(BLOOM_BITS_PER_KEY, false);
        blocks.set_block_cache(&Cache::new_lru_cache(BLOCK_CACHE_BYTES));
        let mut options = Options::default();
        options.create_if_missing(true);
        options.set_block_based_table_factory(&blocks);
        options.set_write_buffer_size(MEMTABLE_BYTES);
        options.set_max_log_file_size(ENGINE_LOG_BYTES);
        options.set_keep_log_file_num(2);
        let db = DB::open(&options, directory).map_err(|error| engine("open the state", &error))?;
        let applied = match get(&db, APPLIED)? {
            None => LogIndex(0),
            Some(bytes) => {
                let bytes = bytes.as_ref().try_into().map_err(|_| {
                    StateStoreError::Corrupt("the applied index is not 8 bytes long".into())
                })?;
                LogIndex(u64::from_be_bytes(bytes))
            }
        };
        let mut write_options = WriteOptions::default();
        write_options.disable_wal(true);
        Ok(RocksdbStateStore { db, applied, write_options })
    }
}

impl StateStore for RocksdbStateStore {
    fn get(&self, key: &[u8]) -> Result<Option<Versioned>, StateStoreError> {
        get(&self.db, &key_of(key))?.map(|bytes| decode(bytes, "key")).transpose()
    }

    fn session(&self, id: u64) -> Result<Option<Session>, StateStoreError> {
        get(&self.db, &key_of_session(id))?.map(|bytes| decode(bytes, "session")).transpose()
    }

    fn sessions(&self) -> Result<Vec<(u64, Session)>, StateStoreError> {
        let mut sessions = Vec::new();
        let start = [KIND_SESSION];
        for item in self.db.iterator(IteratorMode::From(&start, Direction::Forward)) {
            let (key, value) = item.map_err(|error| engine("list sessions", &error))?;
            let Some(id) = key.strip_prefix(&start) else { break };
            let id = id.try_into().map_err(|_| {
                StateStoreError::Corrupt("the id of a session is not 8 bytes long".into())
            })?;
            sessions.push((u64::from_be_bytes(id), decode(Bytes::from(value), "session")?));
        }
        Ok(sessions)
    }

    fn applied(&self) -> LogIndex {
        self.applied
    }

    fn write(&mut self, changes: Changes) -> Result<(), StateStoreError> {
        let mut batch = WriteBatch::default();
        for (key, value) in changes.keys {
            match value {
                Some(value) => batch.put(key_of(&key), value.encode_to_vec()),
                None => batch.delete(key_of(&key)),
            }
        }
        for (id, session) in changes.sessions {
            match session {
                Some(session) => batch.put(key_of_session(id), session.encode_to_vec()),
                None => batch.delete(key_of_session(id)),
            }
        }
        batch.put(APPLIED, changes.applied.0.to_be_bytes());
        self.db
            .write_opt(batch, &self.write_options)
            .map_err(|error| engine("write the state", &error))?;
        self.applied = changes.applied;
        Ok(())
    }
}

fn key_of(key: &[u8]) -> Vec<u8> {
    let mut full = Vec::with_capacity(key.len() + 1);
    full.push(KIND_KEY);
    full.extend_from_slice(key);
    full
}

fn key_of_session(id: u64) -> [u8; 9] {
    let mut full = [KIND_SESSION; 9];
    full[1..].copy_from_slice(&id.to_be_bytes());
    full
}

fn get(db: &DB, key: &[u8]) -> Result<Option<Bytes>, StateStoreError> {
    let value = db.get(key).map_err(|error| engine("read the state", &error))?;
    Ok(value.map(Bytes::from))
}

fn decode<M: Message + Default>(bytes: Bytes, what: &str) -> Result<M, StateStoreError> {
    M::decode(bytes)
        .map_err(|error| StateStoreError::Corrupt(format!("unreadable {what}: {error}")))
}

fn engine(what: &'static str, error: &rocksdb::Error) -> StateStoreError {
    if error.kind() == rocksdb::ErrorKind::Corruption {
        return StateStoreError::Corrupt(error.to_string());
    }
    StateStoreError::Engine { what, reason: error.to_string() }
}

//! State in RocksDB.
//!
//! RocksDB's own write-ahead log is off: the Raft log is the one that is replayed. The applied
//! position is written in the same batch as the state, so that after a crash the store holds the
//! state at some earlier position, exactly.
//!
//! `rocksdb_records` says how each kind of thing is stored.

mod checkpoint;

use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::Path;

use bytes::Bytes;
use prost::Message;
use rocksdb::{BlockBasedOptions, Cache, DB, DBPinnableSlice, Options, ReadOptions};
use rocksdb::{WriteBatch, WriteOptions};

use self::checkpoint::DIRECTORY;
use super::query::KeyRange;
use super::rocksdb_records::{
    APPLIED, CONFIGURATION, KIND_KEY, KIND_LEASE, KIND_LEASE_KEY, KIND_LEASE_LOCK, KIND_LOCK,
    KIND_SESSION, SHARDING, Scratch, attached_key, decode, decode_applied, decode_versioned,
    encode_applied, number, split_versioned, versioned,
};
use super::store::PageFiller;
use super::{Changes, Lease, Page, Session, StateStore, StateStoreError};
use crate::bug::Bug;
use crate::bug_state::{self, planted_in_stores};
use crate::command::{LockHolder, Versioned};
use crate::config::RocksdbConfig;
use crate::log_store::LogPosition;
use crate::membership::Configuration;
use crate::shard::Sharding;
use crate::snapshot::GroupDirectory;

const ENGINE_LOG_BYTES: usize = 1 << 20;

/// Longer keys than this need an allocation to be looked up.
const SHORT_KEY_BYTES: usize = 255;

/// State that survives the process once RocksDB has flushed it, which it does when it closes.
pub struct RocksdbStateStore {
    group: GroupDirectory,
    options: Options,
    db: DB,
    applied: LogPosition,
    configuration: Option<Configuration>,
    sharding: Sharding,
    write_options: WriteOptions,
    /// What is about to be written, so that a write needs no allocation of its own.
    scratch: Scratch,
}

/// An open state, and what is kept of it in memory.
struct Opened {
    db: DB,
    applied: LogPosition,
    configuration: Option<Configuration>,
    sharding: Sharding,
}

impl Opened {
    fn open(options: &Options, directory: &Path) -> Result<Opened, StateStoreError> {
        let db = DB::open(options, directory).map_err(|error| engine("open the state", &error))?;
        let applied = match get(&db, APPLIED)? {
            None => LogPosition::default(),
            Some(bytes) => decode_applied(&bytes)?,
        };
        let configuration = match get(&db, CONFIGURATION)? {
            None => None,
            Some(bytes) => Some(decode(&bytes, "configuration")?),
        };
        let sharding = match get(&db, SHARDING)? {
            None => Sharding::default(),
            Some(bytes) => decode(&bytes, "record of shards")?,
        };
        Ok(Opened { db, applied, configuration, sharding })
    }
}

impl RocksdbStateStore {
    /// Opens the state in this directory of its group, which is created if it is missing.
    pub fn open(
        directory: &Path,
        config: &RocksdbConfig,
    ) -> Result<RocksdbStateStore, StateStoreError> {
        let cache = Cache::new_lru_cache(config.block_cache_bytes);
        RocksdbStateStore::open_with(directory, config, &cache)
    }

    /// Opens the state in this directory of its group, with a block cache that others may share.
    pub(super) fn open_with(
        directory: &Path,
        config: &RocksdbConfig,
        cache: &Cache,
    ) -> Result<RocksdbStateStore, StateStoreError> {
        let mut blocks = BlockBasedOptions::default();
        if config.bloom_bits > 0.0 {
            blocks.set_bloom_filter(config.bloom_bits, false);
        }
        blocks.set_block_cache(cache);
        let mut options = Options::default();
        options.create_if_missing(true);
        options.set_block_based_table_factory(&blocks);
        options.set_write_buffer_size(config.write_buffer_bytes);
        options.set_max_log_file_size(ENGINE_LOG_BYTES);
        options.set_keep_log_file_num(2);
        let group = GroupDirectory::open(directory, DIRECTORY)?;
        let Opened { db, applied, configuration, sharding } =
            Opened::open(&options, &group.state())?;
        let mut write_options = WriteOptions::default();
        write_options.disable_wal(true);
        Ok(RocksdbStateStore {
            group,
            options,
            db,
            applied,
            configuration,
            sharding,
            write_options,
            scratch: Scratch::default(),
        })
    }

    /// Looks up what is stored under a kind and a key.
    fn lookup(&self, kind: u8, key: &[u8]) -> Result<Option<DBPinnableSlice<'_>>, StateStoreError> {
        let mut short = [kind; SHORT_KEY_BYTES + 1];
        match short.get_mut(1..=key.len()) {
            Some(place) => {
                place.copy_from_slice(key);
                get(&self.db, &short[..=key.len()])
            }
            None => get(&self.db, &[&[kind], key].concat()),
        }
    }

    /// Visits what is stored between two bounds, the first of which lies inside, in order, until
    /// `visit` returns false.
    fn visit(
        &self,
        from: Vec<u8>,
        to: Vec<u8>,
        mut visit: impl FnMut(&[u8], &[u8]) -> Result<bool, StateStoreError>,
    ) -> Result<(), StateStoreError> {
        let mut options = ReadOptions::default();
        options.set_iterate_lower_bound(from);
        options.set_iterate_upper_bound(to);
        let mut iterator = self.db.raw_iterator_opt(options);
        iterator.seek_to_first();
        while let Some((key, value)) = iterator.item() {
            if !visit(key, value)? {
                return Ok(());
            }
            iterator.next();
        }
        match planted_in_stores().has(Bug::UncheckedIterator) {
            true => Ok(()),
            false => iterator.status().map_err(|error| engine("read a range of the state", &error)),
        }
    }

    /// All of a kind that has numbers for keys.
    fn numbered<M: Message + Default>(
        &self,
        kind: u8,
        what: &'static str,
    ) -> Result<Vec<(u64, M)>, StateStoreError> {
        let mut all = Vec::new();
        self.visit(vec![kind], vec![kind + 1], |key, value| {
            all.push((number(&key[1..], what)?, decode(value, what)?));
            Ok(true)
        })?;
        Ok(all)
    }

    /// What is attached to a lease.
    fn attached(&self, kind: u8, lease: u64) -> Result<Vec<Bytes>, StateStoreError> {
        let mut all = Vec::new();
        let from = attached_key(kind, lease, &[]);
        let to = match lease.checked_add(1) {
            Some(next) => attached_key(kind, next, &[]),
            None => vec![kind + 1],
        };
        let name_at = from.len();
        self.visit(from, to, |key, _| {
            all.push(Bytes::copy_from_slice(&key[name_at..]));
            Ok(true)
        })?;
        Ok(all)
    }
}

impl StateStore for RocksdbStateStore {
    fn get(&self, key: &[u8]) -> Result<Option<Versioned>, StateStoreError> {
        self.lookup(KIND_KEY, key)?.map(|bytes| decode_versioned(&bytes)).transpose()
    }

    fn scan(
        &self,
        range: &KeyRange,
        limit: usize,
        bytes_max: usize,
    ) -> Result<Page, StateStoreError> {
        let mut page = PageFiller::new(limit, bytes_max);
        if !range.is_empty() {
            let from = match &range.start {
                Bound::Included(start) => [&[KIND_KEY], &start[..]].concat(),
                Bound::Excluded(start) => [&[KIND_KEY], &start[..], &[0]].concat(),
                Bound::Unbounded => vec![KIND_KEY],
            };
            let to = match &range.end {
                Bound::Included(end) => [&[KIND_KEY], &end[..], &[0]].concat(),
                Bound::Excluded(end) => [&[KIND_KEY], &end[..]].concat(),
                Bound::Unbounded => vec![KIND_KEY + 1],
            };
            self.visit(from, to, |key, value| {
                let (key, (header, value)) = (&key[1..], split_versioned(value)?);
                let admitted = page.admits(key, value);
                if admitted {
                    page.push(Bytes::copy_from_slice(key), versioned(header, value));
                }
                Ok(admitted)
            })?;
        }
        Ok(page.finish())
    }

    fn session(&self, id: u64) -> Result<Option<Session>, StateStoreError> {
        let stored = self.lookup(KIND_SESSION, &id.to_be_bytes())?;
        stored.map(|bytes| decode(&bytes, "session")).transpose()
    }

    fn sessions(&self) -> Result<Vec<(u64, Session)>, StateStoreError> {
        self.numbered(KIND_SESSION, "session")
    }

    fn lease(&self, id: u64) -> Result<Option<Lease>, StateStoreError> {
        let stored = self.lookup(KIND_LEASE, &id.to_be_bytes())?;
        stored.map(|bytes| decode(&bytes, "lease")).transpose()
    }

    fn leases(&self) -> Result<Vec<(u64, Lease)>, StateStoreError> {
        self.numbered(KIND_LEASE, "lease")
    }

    fn lease_keys(&self, id: u64) -> Result<Vec<Bytes>, StateStoreError> {
        self.attached(KIND_LEASE_KEY, id)
    }

    fn lock(&self, name: &[u8]) -> Result<Option<LockHolder>, StateStoreError> {
        self.lookup(KIND_LOCK, name)?.map(|bytes| decode(&bytes, "lock")).transpose()
    }

    fn lease_locks(&self, id: u64) -> Result<Vec<Bytes>, StateStoreError> {
        self.attached(KIND_LEASE_LOCK, id)
    }

    fn applied(&self) -> LogPosition {
        self.applied
    }

    fn configuration(&self) -> Option<&Configuration> {
        self.configuration.as_ref()
    }

    fn sharding(&self) -> &Sharding {
        &self.sharding
    }

    fn write(&mut self, changes: Changes) -> Result<(), StateStoreError> {
        let mut batch = WriteBatch::default();
        let scratch = &mut self.scratch;
        for (key, versioned) in &changes.keys {
            scratch.key(KIND_KEY, key);
            match versioned {
                Some(versioned) => {
                    scratch.versioned(versioned);
                    batch.put(&scratch.key, &scratch.value);
                }
                None => batch.delete(&scratch.key),
            }
        }
        for (id, session) in &changes.sessions {
            scratch.put_message(&mut batch, KIND_SESSION, &id.to_be_bytes(), session.as_ref());
        }
        for (id, lease) in &changes.leases {
            scratch.put_message(&mut batch, KIND_LEASE, &id.to_be_bytes(), lease.as_ref());
        }
        for (name, holder) in &changes.locks {
            scratch.put_message(&mut batch, KIND_LOCK, name, holder.as_ref());
        }
        attach(&mut batch, KIND_LEASE_KEY, &changes.lease_keys);
        attach(&mut batch, KIND_LEASE_LOCK, &changes.lease_locks);
        if let Some(configuration) = &changes.configuration {
            batch.put(CONFIGURATION, configuration.encode_to_vec());
        }
        if let Some(sharding) = &changes.sharding {
            batch.put(SHARDING, sharding.encode_to_vec());
        }
        batch.put(APPLIED, encode_applied(changes.applied));
        if !(planted_in_stores().has(Bug::NoRoomPassedOver) && bug_state::has_no_room()) {
            let written = self.db.write_opt(batch, &self.write_options);
            written.map_err(|error| engine("write the state", &error))?;
        }
        self.applied = changes.applied;
        if changes.configuration.is_some() {
            self.configuration = changes.configuration;
        }
        if let Some(sharding) = changes.sharding {
            self.sharding = sharding;
        }
        Ok(())
    }
}

fn attach(batch: &mut WriteBatch, kind: u8, changes: &BTreeMap<(u64, Bytes), bool>) {
    for ((lease, name), attached) in changes {
        let key = attached_key(kind, *lease, name);
        if *attached {
            batch.put(key, []);
        } else {
            batch.delete(key);
        }
    }
}

fn get<'db>(db: &'db DB, key: &[u8]) -> Result<Option<DBPinnableSlice<'db>>, StateStoreError> {
    db.get_pinned(key).map_err(|error| engine("read the state", &error))
}

fn engine(what: &'static str, error: &rocksdb::Error) -> StateStoreError {
    if error.kind() == rocksdb::ErrorKind::Corruption {
        return StateStoreError::Corrupt(error.to_string());
    }
    StateStoreError::Engine { what, reason: error.to_string() }
}

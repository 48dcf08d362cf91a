//! The states of a node's groups in RocksDB, each in a directory named after its group.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use rocksdb::Cache;

use super::{RocksdbStateStore, StateStoreError, StateStores};
use crate::config::RocksdbConfig;
use crate::types::GroupId;

/// The states share one block cache.
pub struct RocksdbStateStores {
    directory: PathBuf,
    config: RocksdbConfig,
    cache: Cache,
}

impl RocksdbStateStores {
    /// In subdirectories of this directory, which exists.
    pub fn new(directory: PathBuf, config: RocksdbConfig) -> RocksdbStateStores {
        let cache = Cache::new_lru_cache(config.block_cache_bytes);
        RocksdbStateStores { directory, config, cache }
    }

    fn of(&self, group: GroupId) -> PathBuf {
        self.directory.join(group.0.to_string())
    }
}

impl StateStores for RocksdbStateStores {
    type Store = RocksdbStateStore;

    fn open(&mut self, group: GroupId) -> Result<RocksdbStateStore, StateStoreError> {
        RocksdbStateStore::open_with(&self.of(group), &self.config, &self.cache)
    }

    fn remove(&mut self, group: GroupId) -> Result<(), StateStoreError> {
        match fs::remove_dir_all(self.of(group)) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                let reason = format!("{}: {error}", self.of(group).display());
                Err(StateStoreError::Engine { what: "delete a state", reason })
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

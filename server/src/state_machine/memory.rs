//! State in memory: for the memory store, the simulator and the model checker.

mod image;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use self::image::Kept;
use super::query::KeyRange;
use super::store::{Changes, Lease, Page, PageFiller, Session, StateStore, StateStoreError};
use crate::command::{LockHolder, Versioned};
use crate::log_store::LogPosition;
use crate::membership::Configuration;
use crate::shard::Sharding;

/// A state that ends with its process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct MemoryStateStore {
    applied: LogPosition,
    configuration: Option<Configuration>,
    sharding: Sharding,
    keys: BTreeMap<Bytes, Versioned>,
    sessions: BTreeMap<u64, Session>,
    leases: BTreeMap<u64, Lease>,
    locks: BTreeMap<Bytes, LockHolder>,
    lease_keys: BTreeSet<(u64, Bytes)>,
    lease_locks: BTreeSet<(u64, Bytes)>,
    kept: Kept,
}

impl StateStore for MemoryStateStore {
    fn get(&self, key: &[u8]) -> Result<Option<Versioned>, StateStoreError> {
        Ok(self.keys.get(key).cloned())
    }

    fn scan(
        &self,
        range: &KeyRange,
        limit: usize,
        bytes_max: usize,
    ) -> Result<Page, StateStoreError> {
        let mut page = PageFiller::new(limit, bytes_max);
        // The standard library panics on a range that ends before it begins.
        if !range.is_empty() {
            let bounds = (range.start.as_ref(), range.end.as_ref());
            for (key, versioned) in self.keys.range::<Bytes, _>(bounds) {
                if !page.admits(key, &versioned.value) {
                    break;
                }
                page.push(key.clone(), versioned.clone());
            }
        }
        Ok(page.finish())
    }

    fn session(&self, id: u64) -> Result<Option<Session>, StateStoreError> {
        Ok(self.sessions.get(&id).cloned())
    }

    fn sessions(&self) -> Result<Vec<(u64, Session)>, StateStoreError> {
        Ok(self.sessions.iter().map(|(id, session)| (*id, session.clone())).collect())
    }

    fn lease(&self, id: u64) -> Result<Option<Lease>, StateStoreError> {
        Ok(self.leases.get(&id).copied())
    }

    fn leases(&self) -> Result<Vec<(u64, Lease)>, StateStoreError> {
        Ok(self.leases.iter().map(|(id, lease)| (*id, *lease)).collect())
    }

    fn lease_keys(&self, id: u64) -> Result<Vec<Bytes>, StateStoreError> {
        Ok(of_lease(&self.lease_keys, id))
    }

    fn lock(&self, name: &[u8]) -> Result<Option<LockHolder>, StateStoreError> {
        Ok(self.locks.get(name).copied())
    }

    fn lease_locks(&self, id: u64) -> Result<Vec<Bytes>, StateStoreError> {
        Ok(of_lease(&self.lease_locks, id))
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
        self.applied = changes.applied;
        if changes.configuration.is_some() {
            self.configuration = changes.configuration;
        }
        if let Some(sharding) = changes.sharding {
            self.sharding = sharding;
        }
        for (key, versioned) in changes.keys {
            match versioned {
                Some(versioned) => self.set(&key, versioned),
                None => drop(self.keys.remove(&key)),
            }
        }
        change(&mut self.sessions, changes.sessions);
        change(&mut self.leases, changes.leases);
        change(&mut self.locks, changes.locks);
        attach(&mut self.lease_keys, changes.lease_keys);
        attach(&mut self.lease_locks, changes.lease_locks);
        Ok(())
    }
}

impl MemoryStateStore {
    /// Copies key and value: as they come, they are parts of a larger buffer, such as a peer's
    /// message, and would keep all of it in memory for as long as the key lives.
    fn set(&mut self, key: &Bytes, versioned: Versioned) {
        let value = Bytes::copy_from_slice(&versioned.value);
        let versioned = Versioned { value, ..versioned };
        match self.keys.get_mut(key) {
            Some(present) => *present = versioned,
            None => drop(self.keys.insert(Bytes::copy_from_slice(key), versioned)),
        }
    }
}

fn of_lease(attached: &BTreeSet<(u64, Bytes)>, id: u64) -> Vec<Bytes> {
    let all = attached.range((id, Bytes::new())..);
    all.take_while(|(lease, _)| *lease == id).map(|(_, name)| name.clone()).collect()
}

fn change<K: Ord, V>(present: &mut BTreeMap<K, V>, changes: BTreeMap<K, Option<V>>) {
    for (key, value) in changes {
        match value {
            Some(value) => drop(present.insert(key, value)),
            None => drop(present.remove(&key)),
        }
    }
}

fn attach(present: &mut BTreeSet<(u64, Bytes)>, changes: BTreeMap<(u64, Bytes), bool>) {
    for (pair, attached) in changes {
        if attached {
            present.insert(pair);
        } else {
            present.remove(&pair);
        }
    }
}

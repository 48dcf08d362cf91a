//! Snapshots of a state in memory.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use bytes::Bytes;
use prost::Message;

use super::MemoryStateStore;
use crate::command::{LockHolder, Versioned};
use crate::log_store::LogPosition;
use crate::membership::Configuration;
use crate::shard::Sharding;
use crate::snapshot::{MemorySnapshot, MemoryStaging, ReceivedSnapshot, Retained};
use crate::snapshot::{SnapshotError, SnapshotLimits, SnapshotSource, SnapshotStaging};
use crate::state_machine::snapshots::SnapshotStore;
use crate::state_machine::store::{Lease, Session, StateStoreError};
use crate::types::{LogIndex, Term};

/// What a node has besides the state. It is no part of the state: two nodes with the same state are
/// equal, whatever snapshots they keep.
#[derive(Debug, Clone, Default)]
pub(super) struct Kept {
    snapshots: Retained<dyn SnapshotSource>,
    installed: Option<LogPosition>,
}

impl PartialEq for Kept {
    fn eq(&self, _other: &Kept) -> bool {
        true
    }
}

impl Eq for Kept {}

impl Hash for Kept {
    fn hash<H: Hasher>(&self, _state: &mut H) {}
}

/// A whole state.
#[derive(Clone, PartialEq, Message)]
struct Image {
    #[prost(uint64, tag = "1")]
    index: u64,
    #[prost(uint64, tag = "2")]
    term: u64,
    #[prost(message, repeated, tag = "3")]
    keys: Vec<ImageKey>,
    #[prost(btree_map = "uint64, message", tag = "4")]
    sessions: BTreeMap<u64, Session>,
    #[prost(btree_map = "uint64, message", tag = "5")]
    leases: BTreeMap<u64, Lease>,
    #[prost(message, repeated, tag = "6")]
    locks: Vec<ImageLock>,
    #[prost(message, repeated, tag = "7")]
    lease_keys: Vec<Attached>,
    #[prost(message, repeated, tag = "8")]
    lease_locks: Vec<Attached>,
    #[prost(message, required, tag = "9")]
    sharding: Sharding,
}

#[derive(Clone, PartialEq, Message)]
struct ImageKey {
    #[prost(bytes = "bytes", tag = "1")]
    key: Bytes,
    #[prost(message, required, tag = "2")]
    versioned: Versioned,
}

#[derive(Clone, PartialEq, Message)]
struct ImageLock {
    #[prost(bytes = "bytes", tag = "1")]
    name: Bytes,
    #[prost(message, required, tag = "2")]
    holder: LockHolder,
}

#[derive(Clone, PartialEq, Message)]
struct Attached {
    #[prost(uint64, tag = "1")]
    lease: u64,
    #[prost(bytes = "bytes", tag = "2")]
    name: Bytes,
}

impl SnapshotStore for MemoryStateStore {
    fn take_snapshot(
        &mut self,
        first: &Configuration,
    ) -> Result<Arc<dyn SnapshotSource>, StateStoreError> {
        if self.applied == LogPosition::default() {
            return Err(SnapshotError::Refused("the state is empty".to_owned()).into());
        }
        if let Some(newest) = self.kept.snapshots.newest_first().next()
            && newest.position() == self.applied
        {
            return Ok(Arc::clone(newest));
        }
        let configuration = self.configuration.as_ref().unwrap_or(first).clone();
        let taken = MemorySnapshot::new(self.applied, configuration, self.image());
        let taken: Arc<dyn SnapshotSource> = Arc::new(taken);
        self.kept.snapshots.add(Arc::clone(&taken));
        Ok(taken)
    }

    fn snapshots(&self) -> Vec<Arc<dyn SnapshotSource>> {
        self.kept.snapshots.newest_first().cloned().collect()
    }

    fn staging(&self) -> Arc<dyn SnapshotStaging> {
        Arc::new(MemoryStaging::new(SnapshotLimits::STANDARD))
    }

    fn install(&mut self, received: ReceivedSnapshot) -> Result<(), StateStoreError> {
        let image: Image = received.decode()?;
        let position = received.meta().position;
        if (image.index, image.term) != (position.index.0, position.term.0) {
            let reason = format!("it holds the state as of entry {}", image.index);
            return Err(SnapshotError::Refused(reason).into());
        }
        *self = MemoryStateStore::from_image(image, received.meta().configuration.clone());
        self.kept.installed = Some(position);
        Ok(())
    }

    fn installed_position(&self) -> Option<LogPosition> {
        self.kept.installed
    }
}

impl MemoryStateStore {
    /// Shares the bytes of keys and values with the state.
    fn image(&self) -> Image {
        let key = |(key, versioned): (&Bytes, &Versioned)| ImageKey {
            key: key.clone(),
            versioned: versioned.clone(),
        };
        let lock = |(name, holder): (&Bytes, &LockHolder)| ImageLock {
            name: name.clone(),
            holder: *holder,
        };
        let attached =
            |(lease, name): &(u64, Bytes)| Attached { lease: *lease, name: name.clone() };
        Image {
            index: self.applied.index.0,
            term: self.applied.term.0,
            keys: self.keys.iter().map(key).collect(),
            sessions: self.sessions.clone(),
            leases: self.leases.clone(),
            locks: self.locks.iter().map(lock).collect(),
            lease_keys: self.lease_keys.iter().map(attached).collect(),
            lease_locks: self.lease_locks.iter().map(attached).collect(),
            sharding: self.sharding.clone(),
        }
    }

    fn from_image(image: Image, configuration: Configuration) -> MemoryStateStore {
        let attached = |it: Attached| (it.lease, it.name);
        MemoryStateStore {
            applied: LogPosition { index: LogIndex(image.index), term: Term(image.term) },
            configuration: Some(configuration),
            sharding: image.sharding,
            keys: image.keys.into_iter().map(|it| (it.key, it.versioned)).collect(),
            sessions: image.sessions,
            leases: image.leases,
            locks: image.locks.into_iter().map(|it| (it.name, it.holder)).collect(),
            lease_keys: image.lease_keys.into_iter().map(attached).collect(),
            lease_locks: image.lease_locks.into_iter().map(attached).collect(),
            kept: Kept::default(),
        }
    }
}

//! Where the states of all groups of a node live.

use crate::types::GroupId;

use super::memory::MemoryStateStore;
use super::snapshots::SnapshotStore;
use super::store::StateStoreError;

/// Opens and deletes the states of groups. Calls block.
pub trait StateStores: Send + 'static {
    /// The state of one group.
    type Store: SnapshotStore + 'static;

    /// Opens the state of a group; an empty one if there is none. It is not open elsewhere.
    fn open(&mut self, group: GroupId) -> Result<Self::Store, StateStoreError>;

    /// Deletes the state of a group, which is not open, if there is one.
    fn remove(&mut self, group: GroupId) -> Result<(), StateStoreError>;
}

/// States that end when they are closed.
#[derive(Debug, Clone, Copy, Default)]
pub struct MemoryStateStores;

impl StateStores for MemoryStateStores {
    type Store = MemoryStateStore;

    fn open(&mut self, _group: GroupId) -> Result<MemoryStateStore, StateStoreError> {
        Ok(MemoryStateStore::default())
    }

    fn remove(&mut self, _group: GroupId) -> Result<(), StateStoreError> {
        Ok(())
    }
}

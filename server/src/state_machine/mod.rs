//! The deterministic state machine: keys, sessions, and what a command does to them.
//!
//! [`StateMachine`] is the logic, written once; a [`StateStore`] is where the state lives
//! (`rocksdb`, `memory`). The state is a function of the applied log prefix alone.
//!
//! ```text
//! entries ──> machine ──> shards: served here? ──> sessions ──> keys, txn, leases, locks
//!                           └──> keys come and go                        │
//!                  store <──Changes── overlay <──────────────────────────┘
//!                                        └──> outcomes, lease changes, events
//! ```
//!
//! Invariants:
//! - a run of entries is one write to the store, and how entries are cut into runs cannot be seen in
//!   the state or in the outcomes;
//! - what is in memory (the table of sessions) is rebuilt from the store alone;
//! - a command takes effect as a whole or not at all, and all that it changes has one revision: its
//!   log index, and in a group that got keys of others a number more, always the same;
//! - a key is served by one group at a time: what a group does not own it neither writes nor reads.

mod keys;
mod leases;
mod locks;
mod machine;
mod memory;
mod overlay;
mod query;
#[cfg(feature = "rocksdb")]
mod rocksdb;
#[cfg(feature = "rocksdb")]
mod rocksdb_records;
#[cfg(feature = "rocksdb")]
mod rocksdb_stores;
mod sessions;
mod shards;
mod snapshots;
mod store;
mod stores;
mod txn;

pub use machine::{Applied, StateMachine, StateMachineConfig, StateMachineError};
pub use memory::MemoryStateStore;
pub use query::{ChangeEvent, KeyRange, LeaseChange, LeaseStatus, Query, QueryReply};
#[cfg(feature = "rocksdb")]
pub use rocksdb::RocksdbStateStore;
#[cfg(feature = "rocksdb")]
pub use rocksdb_stores::RocksdbStateStores;
pub use snapshots::SnapshotStore;
pub use store::{Changes, Lease, Page, Session, StateStore, StateStoreError};
pub use stores::{MemoryStateStores, StateStores};

#[cfg(test)]
mod machine_tests;
#[cfg(test)]
mod snapshot_tests;
#[cfg(test)]
mod store_tests;

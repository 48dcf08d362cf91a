//! The deterministic state machine: keys, sessions, and what a command does to them.
//!
//! [`StateMachine`] is the logic, written once; a [`StateStore`] is where the state lives
//! (`rocksdb`, `memory`). The state is a function of the applied log prefix alone.

mod keys;
mod leases;
mod locks;
mod machine;
mod memory;
mod overlay;
mod query;
#[cfg(feature = "rocksdb")]
mod rocksdb;
mod sessions;
mod store;
mod txn;

pub use machine::{Applied, StateMachine, StateMachineConfig, StateMachineError};
pub use memory::MemoryStateStore;
pub use query::{ChangeEvent, KeyRange, LeaseChange, LeaseStatus, Query, QueryReply};
#[cfg(feature = "rocksdb")]
pub use rocksdb::RocksdbStateStore;
pub use store::{Changes, Lease, Page, Session, StateStore, StateStoreError};

#[cfg(test)]
mod store_tests;

//! What every command does, on every store.

mod batches;
mod fixture;
mod keys;
mod leases;
mod locks;
mod migrations;
mod random;
mod sessions;
mod shards;
mod txn;

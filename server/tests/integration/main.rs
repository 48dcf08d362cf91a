//! Whole servers, on loopback, on ports that the operating system chooses.

#![expect(clippy::unwrap_used, reason = "a test that meets the unexpected should stop there")]

mod certificates;
mod client_watches;
mod clients;
mod cluster;
mod conformance;
mod counting_load;
mod ctl;
#[cfg(feature = "rocksdb")]
mod disk_full;
mod eventually;
mod example;
mod failures;
mod features;
mod groups;
mod hostile;
mod http;
mod load;
mod lost_data;
mod members;
mod observability;
mod operations;
mod overload;
mod pipeline;
#[cfg(feature = "rocksdb")]
mod processes;
mod proxy;
mod rebalance;
mod security;
mod sessions;
mod several_keys;
mod shards;
#[cfg(feature = "rocksdb")]
#[path = "../../../harness/tests/common/skip.rs"]
mod skip;
mod start;
mod under_load;
mod watches;

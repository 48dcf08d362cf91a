//! Whole servers, on loopback, on ports that the operating system chooses.

#![expect(clippy::unwrap_used, reason = "a test that meets the unexpected should stop there")]

mod certificates;
mod cluster;
mod eventually;
mod example;
mod failures;
mod hostile;
mod http;
mod observability;
mod operations;
#[cfg(feature = "rocksdb")]
mod processes;
mod security;
mod sessions;
mod start;
mod watches;

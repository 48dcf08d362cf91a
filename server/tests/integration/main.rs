//! Whole servers, on loopback, on ports that the operating system chooses.

#![expect(clippy::unwrap_used, reason = "a test that meets the unexpected should stop there")]

mod cluster;
mod eventually;
mod failures;
mod operations;
#[cfg(feature = "rocksdb")]
mod processes;
mod sessions;
mod start;
mod watches;

//! Whole servers, on loopback, on ports that the operating system chooses.

mod cluster;
mod eventually;
mod failures;
mod operations;
#[cfg(feature = "rocksdb")]
mod processes;
mod sessions;
mod start;

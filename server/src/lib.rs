//! A replicated key-value store: raft-rs consensus around a deterministic state machine.
//!
//! ```text
//! api (gRPC) ──> driver ──Input──> replica (no IO, no clock) ──Effects──> driver ──┬─> log_store
//! transport  ──>    ^                                                              ├─> state_machine
//!                   └───────────── completions (Persisted, Applied) ───────────────┴─> transport
//! ```
//!
//! Invariants: nothing is acknowledged before it is durable on a quorum; the very [`replica`] that
//! runs in production is the one that is simulated and model-checked; the state machine is a
//! function of the log alone.

pub mod api;
pub mod bug;
mod bug_state;
pub mod cli;
pub mod command;
pub mod config;
pub mod consensus;
pub mod data_dir;
pub mod driver;
pub mod founders;
pub mod log_store;
pub mod membership;
pub mod metrics;
mod open;
mod raft_log_bridge;
pub mod replica;
pub mod resharding;
mod rim;
pub mod security;
mod server;
pub mod shard;
pub mod snapshot;
pub mod state_machine;
pub mod transport;
pub mod types;
pub mod watch;

pub use config::{ConfigError, Limits, ServerConfig, Settings, SnapshotConfig, Storage};

pub use rim::Listeners;
pub use server::{Server, ServerError};

#[cfg(test)]
mod hostile_bytes_tests;

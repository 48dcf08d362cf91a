//! Consensus engines. There is one: raft-rs.
//!
//! The replica sees an engine as something that takes messages, ticks and proposals, and gives
//! messages, writes and committed entries. raft-rs' own types stay inside, except for the protobuf
//! messages that travel and are stored.

mod admission;
mod engine_ready;
mod fingerprint;
mod log_cache;
mod persistence;
mod raft_engine;

pub use engine_ready::EngineReady;
pub use raft_engine::{EngineConfig, PeerProgress, ProposeError, RaftEngine};

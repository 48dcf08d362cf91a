//! Consensus engines. There is one: raft-rs.
//!
//! The replica sees an engine as something that takes messages, ticks and proposals, and gives
//! messages, writes and committed entries. raft-rs' own types stay inside, except for the protobuf
//! messages that travel and are stored.

mod log_cache;
mod raft_engine;

pub use raft_engine::{EngineConfig, EngineReady, ProposeError, RaftEngine};

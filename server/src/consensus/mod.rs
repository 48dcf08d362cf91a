//! Consensus engines: raft-rs, and one for a group of one member.
//!
//! ```text
//!            ┌─ RaftEngine   mode replicated: elections, messages, quorums
//! Engine ────┤
//!            └─ SoloEngine   mode single: durable is committed
//! ```
//!
//! The replica sees an engine as something that takes messages, ticks and proposals, and gives
//! messages, writes and committed entries; it does not know which of the two it has. raft-rs' own
//! types stay inside, except for the protobuf messages that travel and are stored.

mod admission;
mod engine;
mod engine_ready;
mod fingerprint;
mod log_cache;
mod persistence;
mod raft_engine;
mod solo_engine;

pub use engine::{Engine, EngineKind};
pub use engine_ready::EngineReady;
pub use raft_engine::{EngineConfig, PeerProgress, ProposeError, RaftEngine};
pub use solo_engine::SoloEngine;

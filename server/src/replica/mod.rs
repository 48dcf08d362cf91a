//! One replica of one group, without IO.
//!
//! ```text
//! step(Input)  ──> consensus engine, pending proposals, pending reads
//! take_effects ──> messages to send, writes to persist, entries to apply, reads to serve, replies
//! ```
//!
//! The driver performs effects and feeds completions back as inputs. Time enters as
//! [`Input::Tick`] only, randomness as a seed only: the same inputs give the same effects, byte for
//! byte. The same type runs in the server, in the simulator and under the model checker.
//!
//! Rules for a driver:
//! - send `messages` in any order, lose or repeat them at will;
//! - perform `persist` in order, and report each with [`Input::Persisted`] only once it is durable
//!   (if `must_sync` is set) or written (if not);
//! - apply `committed` in order, and report with [`Input::Applied`];
//! - answer each of `reads` from a state that has applied everything given so far;
//! - call `take_effects` after each batch of `step`s.

mod core;
mod effects;
mod input;
mod proposals;
mod reads;

pub use core::{Replica, ReplicaConfig, ReplicaError, ReplicaStatus};
pub use effects::{CommittedEntry, Effects, Persist, Rejection, Reply};
pub use input::{AppliedEntry, Input};

//! One replica of one group, without IO.
//!
//! ```text
//! step(Input)  ──> consensus engine, pending proposals, pending reads, members, leases, snapshots
//! take_effects ──> messages to send, writes to persist, entries to apply, reads to serve, replies
//! ```
//!
//! The driver performs effects and feeds completions back as inputs. Time enters as
//! [`Input::Tick`] only, randomness as a seed only: the same inputs give the same effects, byte for
//! byte. The same type runs in the server, in the simulator and under the model checker.
//!
//! Rules for a driver:
//! - send `messages` in any order, lose or repeat them at will;
//! - send each of `snapshots` with its files, and report it with [`Input::SnapshotSent`];
//! - perform `persist` in order, and report each with [`Input::Persisted`] only once it is durable
//!   (if `must_sync` is set) or written (if not);
//! - apply `committed` in order, and report with [`Input::Applied`]; then perform `install`, and
//!   report with [`Input::Installed`] once it is durable;
//! - answer each of `reads` from a state that has applied everything given so far;
//! - take a snapshot when told to, keep the newest two, and report it once it is durable;
//! - call `take_effects` after each batch of `step`s.

mod change;
mod config;
mod core;
mod effects;
mod input;
mod lease_requests;
mod leases;
mod members;
mod plan;
mod proposals;
mod reads;
mod recovery;
mod snapshots;
mod status;
mod transfer;

pub use change::{MemberChange, MemberError, TransferError};
pub use config::{AppliedState, CompactionConfig, ReplicaConfig, ReplicaError};
pub use core::Replica;
pub use effects::{
    CommittedEntry, Effects, InstallSnapshot, Persist, Rejection, Reply, SendSnapshot,
};
pub use input::{AppliedEntry, Input};
pub use status::{MemberProgress, MemberRole, MemberStatus, ReplicaStatus};

#[cfg(test)]
mod tests;

//! The nemesis: what breaks things, on a schedule, with evidence.
//!
//! ```text
//! plan (pure, seeded) ──> scheduler ──Action──> Nemesis (its own thread) ──> schedule.jsonl
//!                                                  install, probe, heal
//! ```
//!
//! Every fault is installed, probed and healed. It ends as installed, skipped or indeterminate,
//! and the record says what was seen: packets that stopped and flowed again, pids that went away.
//! Dropping the nemesis heals everything.

#[cfg(test)]
mod fake;
pub mod fault;
pub mod faults;
mod injector;
mod network;
pub mod plan;
pub mod record;
mod surroundings;

pub use injector::{Action, Injector};
pub use surroundings::{ClockReading, NodeControl, Operator};

//! Histories: the totally ordered events of one run, in Jepsen's semantics.
//!
//! ```text
//! JSON lines ── jsonl ──> Event ── operations ──> Operation ──> checkers
//! ```
//!
//! An operation is an invocation and its completion. `ok` took effect, `fail` provably did not,
//! `info` may have, or may still; a process whose operation ended in `info` never invokes again.
//! Only the order of events counts for checkers; times are for people.

mod event;
pub mod jsonl;
pub mod notation;
mod operation;
mod value;

#[cfg(test)]
mod tests;

pub use event::{Event, EventKind, Process};
pub use operation::{HistoryError, Operation, Outcome, operations};
pub use smol_str::SmolStr;
pub use value::{Float, Value};

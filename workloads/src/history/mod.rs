//! Histories: the totally ordered events of one run, in Jepsen's semantics.
//!
//! ```text
//! JSON lines ── jsonl ──┐
//! EDN ────────── edn ───┼──> EventReader ──> Event ── Pairing ──> Operation ──> checkers
//! other texts ── text ──┘      (reader)
//! ```
//!
//! An operation is an invocation and its completion. `ok` took effect, `fail` provably did not,
//! `info` may have, or may still; a process whose operation ended in `info` never invokes again.
//! Only the order of events counts for checkers; times are for people.
//!
//! Readers take one event at a time from a `BufRead`. What is malformed is an error with line,
//! column and the expected form; events and forms have a largest size and depth.

pub mod edn;
mod event;
pub mod jsonl;
pub mod notation;
mod operation;
mod reader;
mod recent;
mod scan;
mod shared;
mod source;
pub mod text;
mod value;

#[cfg(test)]
mod tests;

pub use event::{Event, EventKind, Process};
pub use operation::{HistoryError, Operation, Outcome, Pairing, ProcessReuse, operations};
pub use reader::{EventReader, FORMATS, Format, Keyed, ReadOptions};
pub(crate) use shared::Shared;
pub use smol_str::SmolStr;
pub use source::{ReadError, TruncatedTail};
pub use value::{Float, Value};

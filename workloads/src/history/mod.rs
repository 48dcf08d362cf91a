//! Histories: the totally ordered events of one run, in Jepsen's semantics.
//!
//! An operation is an invocation and its completion. `ok` took effect, `fail` provably did not,
//! `info` may have, or may still; a process whose operation ended in `info` never invokes again.

mod event;

pub use event::{Event, EventKind, Process};

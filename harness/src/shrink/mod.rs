//! `harness shrink RUN`: the smallest scenario that still fails.
//!
//! ```text
//! RUN/scenario.toml ──> candidates (fewer steps, shorter, fewer nodes, keys, clients, operations)
//!                           │ each run a few times, until it fails once
//!                           v
//!                       the smallest that failed ── run again ──> reproduction rate, RUN/shrunk.toml
//! ```
//!
//! A run in real time is never quite the same twice, so that a candidate that did not fail may have been
//! lucky: it is run several times before it is given up, and how often the result fails is measured and said.

mod command;
mod ddmin;
mod minimise;
mod oracle;

pub use command::{ShrinkArgs, ShrinkError, shrink};

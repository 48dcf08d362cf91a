//! What people read: results, the terminal, JUnit and `report.html`.
//!
//! ```text
//! history, faults, facts, checks ──> analysis ──> Results ──┬─> terminal   the last lines of a run
//!                                    (measure,              ├─> junit      junit.xml
//!                                     run_checks)           ├─> html       report.html
//!                                                           └─> files      run directory
//! live: one line while the run goes on
//! ```
//!
//! Invariants: everything but `files` is pure, and renderers return text or write to a `Write`.
//! Nothing is drawn that is not in the files beside the report. Meaning is never by colour alone.
//! The linearizability check is not run here: its result comes in from the caller.

pub mod analysis;
pub mod coverage;
pub mod files;
#[cfg(test)]
pub(crate) mod fixtures;
pub mod html;
pub mod junit;
pub mod live;
pub(crate) mod measure;
pub mod node_log;
pub mod numbers;
pub mod operations;
pub mod results;
mod run_checks;
pub mod terminal;
pub(crate) mod words;

//! `harness replay RUN`: the same inputs again, and what was not the same.
//!
//! The inputs are the options, the seed, and the faults as they were planned, each with its variant and its
//! own seed. What threads, kernel and clock do is no input: two runs of the same inputs differ in
//! timing, and may differ in verdict.

mod command;
mod differences;

pub use command::{ReplayArgs, ReplayError, replay};

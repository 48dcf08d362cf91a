//! Synthetic histories with known verdicts: for tests and benchmarks of checkers.
//!
//! ```text
//! subject (one real object) ── simulate ──> operations, valid by construction
//!                                               └── plant ──> operations with one certain violation
//! ```
//!
//! [`generate`] simulates processes that share an object: each operation takes effect at one random
//! moment between its invocation and its completion, so the order of these moments explains the
//! history. A crashed operation takes effect before its `info` (40 %), at any later time (20 %), or
//! never (40 %).
//!
//! A planted violation changes results of a valid history, in a place where a condition holds that
//! makes every order impossible; each function in `plant` says which. Values are written once, which
//! is what makes the conditions simple.
//!
//! Everything is pure: the same options give the same history.

mod models;
mod plant;
mod simulate;
mod subject;

#[cfg(test)]
mod tests;

pub use models::{SYNTHETIC, SyntheticModel, Violation, synthetic};
pub use simulate::{SyntheticOptions, generate, to_events};
pub(crate) use subject::BANK_TOTAL;

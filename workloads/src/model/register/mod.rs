//! A register: read, write and cas (compare-and-set) on one value.
//!
//! ```text
//! simplify   crashed operations that cannot matter go; those that must have acted get a deadline
//! blocks     where every value is written once: exact, O(n log n)   (Gibbons & Korach 1997)
//! conflict   a few operations that show that such a history has no order
//! support    which operations a read or cas may owe its value to, for counterexamples
//! ```

pub(super) mod blocks;
mod conflict;
mod simplify;
mod specification;
mod support;

pub(super) use conflict::conflict;
pub(super) use simplify::simplify;
pub(super) use support::support;

pub use specification::{Register, RegisterOp, RegisterState};

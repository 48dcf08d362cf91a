//! Sequential specifications: what an object does when operations come one at a time.
//!
//! ```text
//! operations of one key ── encode ──> Entry<Op> ── simplify ──> decide (fast, exact, not for all)
//!                                                          └──> search with step (general)
//! ```
//!
//! A model is a table entry in [`MODELS`], a [`Model`] that the checkers drive, and whatever
//! shortcuts are exact for it. Models never see failed operations: those had no effect.

mod entry;
mod initial;
mod register;
mod specification;
mod table;

pub use entry::{Entry, OPEN};
pub use initial::{Initial, InitialError};
pub use register::{Register, RegisterOp, RegisterState};
pub use specification::{Decision, Encoded, Model, ObjectModel};
pub use table::{MODELS, ModelInfo, ModelKind, UnsuitableOperation, model};

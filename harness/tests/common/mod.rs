//! What the test programs with a `main` of their own share.
//!
//! ```text
//! main ── Test, Test, ... ──> suite (one after the other) ──> skip (what could not run here)
//!                                └─ each looks with its own eyes: witness
//! ```

pub(crate) mod skip;
pub(crate) mod suite;
pub(crate) mod witness;

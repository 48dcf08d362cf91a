//! Evidence: what proves a verdict, in a form that somebody else can check.
//!
//! ```text
//! Check ── Evidence::of ──> Evidence (a file) ──┐
//!                              history ─────────┴── verify ──> Verification: confirmed, refuted, unproved
//! ```
//!
//! The verifier shares no code with the checkers: it has its own step functions ([`Object`]), its own
//! reading of dependencies, and where it searches, it tries all orders. So it is slow and small, and a
//! mistake would have to be made twice to go unnoticed.
//!
//! * a valid history: an order for each object (or of all transactions), which is replayed;
//! * an invalid one: a few operations that no order explains, or a cycle of transactions, whose edges
//!   are found again in the history, or an anomaly that a few operations show by themselves.

mod bag;
mod claim;
mod closure;
mod cycle;
mod document;
mod impossible;
mod numbered;
mod object;
mod order;
mod verify;

#[cfg(test)]
mod tests;

pub use document::{Claim, Cycle, CycleEdge, EVIDENCE_FORMAT, Evidence, ImpossibleSet};
pub use impossible::explained;
pub use object::Object;
pub use order::Kept;
pub use verify::{Finding, Outcome, Verification, verify};

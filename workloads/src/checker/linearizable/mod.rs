//! Linearizability (Herlihy & Wing 1990): is there an order of the operations that the model
//! accepts and that keeps the order of operations that did not overlap?
//!
//! ```text
//! operations ── by key ──> entries ── decide: simplify, shortcut or search ──┐
//!                                                                            │
//!   order ──> verify (shares no code with the search) ──> Valid       <──────┤
//!   none  ──> minimise ──> explain ──> Invalid, with a counterexample <──────┤
//!   spent ──> Unknown, with the name of the budget                    <──────┘
//! ```
//!
//! Keys are independent objects, and linearizability is local (Herlihy & Wing, section 3.1), so each
//! key is judged by itself.

mod contradiction;
mod counterexample;
mod crashed;
mod decide;
mod judge;
mod key;
mod meter;
mod minimise;
mod moves;
mod narrate;
mod riders;
mod search;
mod still;
mod timeline;
mod verify;
mod visited;

#[cfg(test)]
pub(crate) mod stateright_register;
#[cfg(test)]
mod tests;

pub use judge::{LinearizableOptions, check, check_object, partition};
pub use meter::{StepBudget, Unlimited};
pub use verify::{WitnessError, verify};

pub(super) use counterexample::describe_operation;
pub(super) use decide::decide;
pub(super) use meter::Meter;
pub(super) use narrate::label;

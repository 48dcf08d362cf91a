//! Judges the judges: checkers against definitions that are too slow for use, and too simple to be
//! wrong.
//!
//! ```text
//! menu ── all small histories ──┐
//!      └─ random histories ─────┤── checkers (fastest, and search only) ─┐
//! databases ── transactions ────┤                                        ├─> Tally
//! synthetic, with what is planted ── definitions: all orders, axioms ────┘
//! bytes ── any history ── every checker, with little budget: no panic, no wrong evidence
//! ```
//!
//! A definition of an object is an [`Object`](crate::evidence::Object) of the verifier, of which all
//! orders are tried; those of isolation levels are in [`levels`]. Evidence is verified on the way.
//! `examples/differential.rs` runs the campaigns, and prints what was compared.

mod arbitrary;
mod campaign;
pub(crate) mod databases;
pub(crate) mod levels;
mod menu;
mod objects;
mod planted;
mod small;
mod tally;
mod transactions;

pub use arbitrary::{arbitrary, judge_by_all};
pub use campaign::{Campaign, campaigns};
pub use tally::Tally;
#[cfg(test)]
pub(crate) use transactions::all_appends_are_read;

#[cfg(test)]
mod tests;

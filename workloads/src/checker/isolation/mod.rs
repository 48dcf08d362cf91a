//! Isolation of transactions: which anomalies a history shows, and which levels they rule out.
//!
//! ```text
//! operations ── transactions ──> numbers ─┬─ list_append ─┐
//!                                         └─ rw_register ─┴─> edges ── graph ──> circles
//!                                                 │                                 │ classify
//!                                                 └────────────> findings <─────────┘ (search)
//!                                                                   │ judge
//!                                            level ────────> Check { verdict, anomalies, broken }
//! ```
//!
//! Dependencies, anomalies and levels are those of Adya 1999 as Elle uses them (Kingsbury, Alvaro,
//! VLDB 2020): ww, wr and rw between transactions, the order of each process, and real time.
//!
//! Whether a level holds is decided by looking for circles (strongly connected components) in the
//! graph of all edges that must not form one, which takes linear time. Only what is shown is searched
//! for; a search that ends early shows a longer cycle, it never changes a verdict.

mod circle;
mod classify;
mod components;
mod exact;
mod findings;
mod graph;
mod judge;
mod judge_registers;
mod kind;
mod level;
mod list_append;
mod meter;
mod reasons;
mod rw_register;
mod search;
mod table;
mod transactions;
mod weak;
mod words;
mod writes;

pub use level::{Level, Levels};
pub use table::CHECKERS;

#[cfg(test)]
mod tests;

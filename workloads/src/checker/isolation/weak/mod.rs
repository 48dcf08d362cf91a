//! Levels of registers below snapshots, decided exactly although nobody tells the order of versions.
//!
//! A level holds if there is an order of commits that contains the order of each process and who read
//! from whom, and in which nobody misses a version that it should know. What it should know differs:
//!
//! ```text
//! read-committed   what the transactions wrote that it read from before, within the transaction
//! read-atomic      what the transactions wrote that it read from, and those of its process before it
//! causal           the same, and all that these should know
//! ```
//!
//! For each read of a version there is thus a set of writers of the key that must have committed
//! before the writer of that version. The level holds if and only if these edges, the order of
//! processes and who read from whom form no circle (Biswas and Enea, OOPSLA 2019). That only the last
//! such writer of each process, or within a transaction, is needed keeps it near linear (AWDIT, PLDI
//! 2025).
//!
//! The same without the order of processes is what levels imply that do not speak of it
//! ([`Sessions::Ignore`]).

mod causal;
mod clocks;
mod decide;
mod local;
mod reads;

pub(super) use decide::{Weak, decide};
pub(super) use reads::{INITIAL, Reads, Sessions};

//! Snapshot isolation and serializability of registers, by search: some order of the writers of each
//! key must explain all reads.
//!
//! ```text
//! sure edges ── Reach ──┬─ an order of two writers that would close a circle is impossible: take the other
//!                       └─ neither is impossible: try one, then the other
//! ```
//!
//! The problem is NP-complete, so this is for small histories, and a budget may end it. The order of
//! each process counts (strong session) if the reads say so, as in PolySI and Biswas and Enea 2019.

mod reach;
mod shrink;
mod solve;

pub(super) use shrink::smallest;
pub(super) use solve::Problem;

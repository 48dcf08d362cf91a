//! How fast the store is, alone or beside another system.
//!
//! ```text
//! start both clusters ── preload ──┐
//!    for each round, operation and number of clients:
//!        probe the disk ── measure the store ── measure etcd    (every other time in the other order)
//!                            └─ load (threads of its own) ── leader
//!                            └─ CPU of all servers from /proc, before and after
//!    medians ── ratios ── bench.json, table
//! ```
//!
//! What makes it fair: both clusters are fresh, have the same number of nodes on the same file
//! system, with no proxy between the nodes and with their default settings; both get the same keys,
//! values, clients, connections and seed; all clients talk to the leader; both acknowledge a write
//! when a majority has synced it, and both reads are linearizable.
//!
//! Both clusters stay up all the time, so that the two measurements of a pair are seconds apart,
//! which matters on a machine that others use too. What the idle one costs meanwhile is measured and
//! reported. To stop it would be worse: it would hold an election on waking up.
//!
//! A ratio is the median of the ratios of the pairs, because what disturbs one half of a pair mostly
//! disturbs the other.
//!
//! The load is a closed loop, since the question is how much work is done at a given concurrency;
//! latency under a given rate is what a run measures (see `runner`).
//!
//! Invariants: every wait ends, also for a system that does not start or answer; what was measured is
//! reported even if the rest failed.

mod client;
mod command;
mod disk;
mod load;
mod options;
mod report;
mod subject;
mod table;

pub use client::LoadError;
pub use command::{BenchError, run};
pub use load::LoadFailure;
pub use options::{BenchArgs, Compared, Operation};
pub use subject::SubjectError;

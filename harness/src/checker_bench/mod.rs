//! How fast the checkers are, and how much memory they take: `harness bench --checkers`.
//!
//! ```text
//! grid ── cases ──> for each: a child process
//!                     └─ generate the history ── note the memory ── judge it ── CPU time, peak memory
//!        results ──> growth by size ──> table, or JSON
//! ```
//!
//! Histories are synthetic (`workloads::synthetic`), so their verdicts are known, and a wrong one fails
//! the command. Each case has a process of its own, because only that makes its peak memory exact. The
//! time is that of the check alone, in CPU seconds of one thread: the machine may be busy.
//!
//! Invariant: every case ends, by its budgets or because its process is killed.

mod case;
mod command;
mod grid;
mod options;
mod porcupine;
mod table;

pub use command::run;
pub use options::CheckerBenchArgs;

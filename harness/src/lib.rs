//! Runs a replicated store, breaks it, records every operation, and judges the history.
//!
//! ```text
//!            cli ──> run ──> platform (where nodes live: fabric, processes)
//!                     │  ──> system   (how a node starts, how a client talks to it)
//!   schedule, workload│
//!                     ├──> runner ── workers ──> recorder ──> history.jsonl
//!                     ├──> nemesis ─────────────────────────> schedule.jsonl
//!                     └──> report (judge, then results.json, junit.xml, report.html, terminal)
//! ```
//!
//! Invariants: the harness knows a system by its processes and its wire protocol only. Every
//! fault is undone whatever happens. The history is on disk before it is judged.

#[cfg(feature = "simulation")]
pub mod model_check;
pub mod nemesis;
pub mod node_id;
pub mod platform;
pub mod report;
#[cfg(feature = "simulation")]
pub mod simulation;

/// Runs the command line and returns the exit code of the process.
pub fn main() -> i32 {
    0
}

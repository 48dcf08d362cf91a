//! Runs a replicated store, breaks it, records every operation, and judges the history.
//!
//! ```text
//!            cli ──> run ──> platform (where nodes live: fabric, processes)
//!                     │  ──> system   (how a node starts, how a client talks to it)
//!   scheduler, plan,  │
//!   generator         ├──> runner ── workers ──> recorder ──> history.jsonl
//!                     ├──> nemesis ─────────────────────────> schedule.jsonl
//!                     └──> report (judge, then results.json, junit.xml, report.html, terminal)
//! ```
//!
//! Invariants: the harness knows a system by its processes and its wire protocol only; the `server` crate
//! is named in two places, the hidden `node` command and the simulated worlds. Every fault is
//! undone whatever happens. The history is on disk before it is judged.

pub mod bench;
pub mod budget;
pub mod check;
pub mod checker_bench;
mod child_runs;
pub mod cli;
pub mod cluster;
pub mod commands;
pub mod compare;
mod cpu;
pub mod disk;
pub mod exec;
pub mod exit_code;
pub mod findings;
pub mod host;
pub mod judge;
pub mod latency;
pub mod launch;
#[cfg(feature = "simulation")]
pub mod model_check;
pub mod nemesis;
pub mod node_id;
pub mod node_process;
pub mod options;
pub mod output;
pub mod pausable;
pub mod platform;
pub use workloads::plural;
pub mod progress;
pub mod recorded_run;
pub mod recorder;
pub mod repeat;
mod repeated_run;
pub mod replay;
pub mod report;
pub mod role_watch;
pub mod run;
pub mod run_store;
pub mod runner;
pub mod running;
pub mod scenario;
pub mod scheduler;
pub mod seed;
pub mod serve;
pub mod several_runs;
pub mod shrink;
#[cfg(feature = "simulation")]
pub mod simulation;
pub mod stop;
pub mod suite;
pub mod system;
pub mod usage;
#[cfg(feature = "simulation")]
pub mod worlds;

pub use launch::main;

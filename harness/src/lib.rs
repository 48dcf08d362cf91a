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

mod budget;
mod cli;
mod cluster;
mod commands;
pub mod exit_code;
mod host;
mod judge;
pub mod latency;
mod launch;
pub mod nemesis;
pub mod node_id;
mod node_process;
mod options;
pub mod platform;
mod plural;
mod progress;
mod recorder;
pub mod report;
mod run;
mod run_store;
mod runner;
pub mod scheduler;
mod seed;
mod stop;
pub mod system;

pub use launch::main;

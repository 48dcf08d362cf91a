//! The simulated world: a cluster of the real replica code on virtual time.
//!
//! ```text
//!   nemesis ──faults──┐
//!                     v
//!   clients ──> world (one queue of events) ──> nodes: replica + state machine + disk
//!      │              ^        │                       │
//!      v              └─network┘                       v
//!   history ──> judge                             invariants, after every step
//! ```
//!
//! A run has a safety phase, in which the nemesis acts, and a liveness phase, in which everything
//! is healed and the cluster must elect a leader and serve every client within a bound.
//!
//! Invariants: all choices come from one seed, through named streams; nothing reads a clock, and no
//! map with a random order is iterated; so a seed gives the same trace, byte for byte, in every
//! process. The replicas are the ones that run in production: only time, network and disk are not.

mod client;
mod client_loop;
mod command;
mod coverage;
mod disk;
mod event;
mod invariants;
mod judge;
mod lease_holder;
mod log_digest;
mod nemesis;
mod network;
mod node;
mod node_loop;
mod observe;
mod operator;
mod options;
mod report;
mod requests;
mod seeds;
mod snapshots;
mod streams;
mod trace;
mod world;

pub use command::{SimulateCommand, simulate};
pub use coverage::{Counter, Coverage};
pub use invariants::InvariantViolation;
pub use options::{Checks, FaultIntensity, SimulationOptions, TraceMode};
pub use report::{SimulationReport, Violation};
pub use seeds::{SeedsSummary, first_violation, run_seeds};
pub use world::run;

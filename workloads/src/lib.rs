//! The pure half of Breakwater: what a history is, what a workload asks, and what must hold.
//!
//! ```text
//! workload ── generator ──> invocations ─┐            (harness applies them to a cluster)
//!    │                                   ├─> history ──> checker ──> Check { verdict, evidence }
//!    └── expectation ── model ───────────┘                     │
//!                                              evidence ── verify, which trusts no checker
//! ```
//!
//! Nothing here does IO, reads a clock, or draws randomness that is not seeded: the same input
//! gives the same output. Budgets come in from outside through [`checker::Budget`].

#![warn(missing_docs)]

pub mod checker;
pub mod differential;
pub mod evidence;
pub mod generator;
pub mod history;
pub mod model;
pub mod moments;
pub mod plural;
pub mod registry;
pub mod synthetic;
pub mod workload;

//! What a node counts and measures, for people and for Prometheus.
//!
//! ```text
//! API, log thread, links, rim ──relaxed atomics──> Metrics <──GET /metrics── exposition
//! replica status ────────────────GroupView, when it is asked for────────────────^
//! ```
//!
//! Invariants:
//! - to count or to measure takes no lock that anyone holds for long, and no allocation;
//! - what the replica's status says already is read when somebody asks, and never copied before;
//! - labels come from fixed lists, so that no client can make a new series.

mod exposition;
mod instruments;
mod registry;

pub use exposition::{GroupView, exposition};
pub use instruments::{Counter, Gauge, Histogram};
pub use registry::{
    GroupMetrics, LIMITS, Metrics, OPERATIONS, Operation, PeerMetrics, REFUSALS, Refused,
};

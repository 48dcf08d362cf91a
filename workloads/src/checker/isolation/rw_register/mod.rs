//! Registers that transactions write: a read tells who wrote what it returned, and little of the order
//! of versions.
//!
//! ```text
//! reads ── sources ──> who read from whom ──┬─> seen: anomalies that need no cycle
//!                                           └─> dependencies: edges
//! ```
//!
//! Sure are only: the initial value comes first, and a reader comes after its writer. Two assumptions
//! tell more. *Writes follow reads*: who reads a version and writes the key makes the next version;
//! whoever loses no updates keeps this. *Keys are linearizable*: versions follow real time; strict
//! serializability implies it.

mod dependencies;
mod seen;
mod sources;

pub(super) use dependencies::{assumed, dependencies};
pub(super) use seen::check_seen;
pub(super) use sources::{Source, Sources};

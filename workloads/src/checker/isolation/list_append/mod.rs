//! Lists to which transactions append: every read tells the order of versions up to it.
//!
//! ```text
//! reads ── versions ──> order of appends of each key ── dependencies ──> edges
//!   └──── within, seen ──> anomalies that need no cycle
//! ```
//!
//! The order is that of the longest list read. An append that no read returned comes after all of
//! them if its transaction committed; if it is not known to have, it counts only if another of its
//! appends was seen.

mod dependencies;
mod seen;
mod versions;
mod within;

pub(super) use dependencies::dependencies;
pub(super) use seen::check_seen;
pub(super) use versions::Versions;
pub(super) use within::check_within;

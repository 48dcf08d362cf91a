//! `harness serve`: the runs of a results folder in a browser of this machine.
//!
//! ```text
//! browser ──> router ──┬─ /          listing: search, filters, links ── page
//!                      ├─ /compare   two groups of runs ── compare
//!                      └─ /files/... reports, histories, logs ── files
//! ```
//!
//! Invariants: it listens on the loopback address only, and answers only requests that name it so, which a page
//! of another origin cannot (DNS rebinding). It only reads. No path leads out of the folder, not
//! by `..`, not by a link. What it shows of a run is text, never markup.

mod command;
mod files;
mod listing;
mod page;
mod query;
mod router;

pub use command::{ServeArgs, serve};

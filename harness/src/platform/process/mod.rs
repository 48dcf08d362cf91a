//! Processes of nodes, for both platforms.
//!
//! ```text
//! harness ── spawner (one thread, for ever) ── stub n1 ── main process n1 ── what it forks ...
//!                                           ── stub n2 ── ...
//! ```
//!
//! Invariants: a node is its stub and everything below it; a signal goes to all of it, and an
//! answer is given once /proc shows the effect; nothing of a node outlives the harness.

mod control;
pub(crate) mod image;
mod spawner;
mod stub;
pub(crate) mod tree;

pub(crate) use control::{Containment, NodeProcesses};

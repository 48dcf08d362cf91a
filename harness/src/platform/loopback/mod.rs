//! Platform `loopback`, for machines that forbid namespaces. Weaker, and says so.
//!
//! ```text
//! n1 ── address(n1, n2) ──> proxy n1>n2 ══ gate n1>n2 ══> n2 listens on 127.77.x.2
//!                                       <═ gate n2>n1 ══
//! client ── address(client, n2) ───────────────────────> n2
//! ```
//!
//! Invariants: a cut of a link stops the bytes that travel in its direction on every connection,
//! whichever end dialled; nothing is lost, reset or reordered by a cut; after `cut` has returned no
//! further byte passes. Two runs on one machine have different addresses.
//!
//! `Direct` is the same without proxies, for measurements: nothing lies between the nodes, so that
//! nothing can be cut.

mod addresses;
mod direct;
mod gates;
mod place;
mod probes;
mod proxy;

pub use direct::Direct;
pub(in crate::platform) use direct::NoFabric;
pub use place::{Loopback, NODES_MAX};

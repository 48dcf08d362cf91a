//! Platform `namespaces`: every node has its own network and pid namespace, joined by a bridge.
//!
//! ```text
//! main ── enter() ──> Namespaces::new() ── topology (bridge, cables, addresses)
//!                                       ── fabric   (nftables on the bridge, or iptables)
//!                                          └─ switch  (carries the packets of shaped links)
//!                                       ── process  (stub = pid 1 of each node)
//! ```
//!
//! Invariants: no root and no helper binary (but for `iptables`, on request). Everything lives in
//! namespaces of the harness, so nothing is left when it ends, in whatever way. The network is
//! seen to work before a run begins.

pub mod enter;
mod iptables;
mod netlink;
mod nftables;
mod place;
mod prober;
mod switch;
mod topology;

pub use enter::{EnterError, EnterOptions, Entered, UserNamespace, enter};
pub use place::Namespaces;

pub(crate) use iptables::{find_iptables, try_iptables};
pub(crate) use netlink::{Route, Socket, VethPair};
pub(crate) use nftables::install as install_nftables;

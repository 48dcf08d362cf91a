//! A switch in this process: carries the packets of shaped links, beside the bridge that drops them.
//!
//! ```text
//! n1 eth0 ══ v1 ─┬─ br0 (drops n1>n2) ────────────┬─ v2 ══ eth0 n2
//!                └─ port ── shaper ── port ───────┘
//!                   sees n1>n2 only   sends when due
//! ```
//!
//! Netem does this in the kernel, but many kernels lack it. Links that are not shaped stay on the
//! bridge: a filter in the kernel keeps their packets away from here.
//!
//! While a node sends over a shaped link its kernel fills in the checksums and cuts segments to size
//! before packets leave, so that what is delayed or lost is what a wire would carry, and a bit turned
//! round on the way is seen by the receiver's checksum.

mod carrier;
mod offload;
mod port;
mod segment;
mod shaper;

pub(super) use carrier::Switch;

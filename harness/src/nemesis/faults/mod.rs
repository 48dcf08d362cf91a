//! The kinds of fault, one file each; what several of them need is here too.
//!
//! ```text
//! partition, flapping ── grudge            who must not hear whom ──┐
//! partial, swizzle ─────────────────────────────────────────────────┴─ cut, moving_cut
//! delay, loss, reset, ... ── on_links     conditions on some links ── link_selector   which links
//! kill, pause, pause_kill ── on_nodes     one thing done to some nodes ── selector   which nodes
//! crash_loop, restart ── cycles           nodes that end and start again ── selector, background
//! slow ── selector, background            what is done over and over until the fault is healed
//! wipe, membership ── roster              who belongs to the cluster ── selector
//! transfer, snapshot ── admin_loop        commands of operators ── background
//! power_loss, disk_full, ... ── on_disks  disks of some nodes ── selector
//! clock_jump, clock_drift, clock_strobe ── on_clocks   clocks of some nodes ── selector
//! client_pause                            clients, not nodes
//! command                                 whatever the adapter's file says
//! ```

mod admin_loop;
mod background;
mod bandwidth;
mod client_pause;
mod clock_drift;
mod clock_jump;
mod clock_strobe;
mod command;
mod corrupt;
mod corrupt_file;
mod crash_loop;
mod cut;
mod cycles;
mod delay;
mod disk_error;
mod disk_full;
mod duplicate;
mod flapping;
mod grudge;
mod half_open;
mod kill;
mod link_selector;
mod loss;
mod membership;
mod moving_cut;
mod on_clocks;
mod on_disks;
mod on_links;
mod on_nodes;
mod partial;
mod partition;
mod pause;
mod pause_kill;
mod power_loss;
mod reorder;
mod reset;
mod restart;
mod roster;
mod selector;
mod slow;
mod slow_disk;
mod snapshot;
mod stuck_disk;
mod swizzle;
#[cfg(test)]
mod tests;
mod transfer;
mod wipe;

pub use bandwidth::BANDWIDTH;
pub use client_pause::CLIENT_PAUSE;
pub use clock_drift::CLOCK_DRIFT;
pub use clock_jump::CLOCK_JUMP;
pub use clock_strobe::CLOCK_STROBE;
pub use command::COMMAND;
pub use corrupt::CORRUPT;
pub use corrupt_file::CORRUPT_FILE;
pub use crash_loop::CRASH_LOOP;
pub use delay::DELAY;
pub use disk_error::DISK_ERROR;
pub use disk_full::DISK_FULL;
pub use duplicate::DUPLICATE;
pub use flapping::FLAPPING;
pub use half_open::HALF_OPEN;
pub use kill::KILL;
pub use loss::LOSS;
pub use membership::MEMBERSHIP;
pub use partial::PARTIAL;
pub use partition::PARTITION;
pub use pause::PAUSE;
pub use pause_kill::PAUSE_KILL;
pub use power_loss::POWER_LOSS;
pub use reorder::REORDER;
pub use reset::RESET;
pub use restart::{RESTART, ROLLING_RESTART};
pub use slow::SLOW;
pub use slow_disk::SLOW_DISK;
pub use snapshot::SNAPSHOT;
pub use stuck_disk::STUCK_DISK;
pub use swizzle::SWIZZLE;
pub use transfer::TRANSFER;
pub use wipe::WIPE;

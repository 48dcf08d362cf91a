//! The kinds of fault, one file each; what several of them need is here too.
//!
//! ```text
//! partition ── grudge                     who must not hear whom
//! kill, pause, pause_kill ── on_nodes     one thing done to some nodes ── selector   which nodes
//! crash_loop, restart ── cycles           nodes that end and start again ── selector, background
//! slow ── selector, background            what is done over and over until the fault is healed
//! wipe, membership ── roster              who belongs to the cluster ── selector
//! transfer, snapshot ── admin_loop        commands of operators ── background
//! ```

mod admin_loop;
mod background;
mod crash_loop;
mod cycles;
mod grudge;
mod kill;
mod membership;
mod on_nodes;
mod partition;
mod pause;
mod pause_kill;
mod restart;
mod roster;
mod selector;
mod slow;
mod snapshot;
#[cfg(test)]
mod tests;
mod transfer;
mod wipe;

pub use crash_loop::CRASH_LOOP;
pub use kill::KILL;
pub use membership::MEMBERSHIP;
pub use partition::PARTITION;
pub use pause::PAUSE;
pub use pause_kill::PAUSE_KILL;
pub use restart::{RESTART, ROLLING_RESTART};
pub use slow::SLOW;
pub use snapshot::SNAPSHOT;
pub use transfer::TRANSFER;
pub use wipe::WIPE;

//! The kinds of fault, one file each; what several of them need is here too.
//!
//! ```text
//! partition ── grudge       who must not hear whom
//! kill, pause ── on_nodes   one thing done to some nodes ── selector   which nodes
//! clock_jump, clock_drift, clock_strobe ── on_clocks   some clocks set, and seen to be ── selector
//! ```

mod clock_drift;
mod clock_jump;
mod clock_strobe;
mod grudge;
mod kill;
mod on_clocks;
mod on_nodes;
mod partition;
mod pause;
mod selector;

pub use clock_drift::CLOCK_DRIFT;
pub use clock_jump::CLOCK_JUMP;
pub use clock_strobe::CLOCK_STROBE;
pub use kill::KILL;
pub use partition::PARTITION;
pub use pause::PAUSE;

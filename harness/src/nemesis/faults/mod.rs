//! The kinds of fault, one file each; what several of them need is here too.
//!
//! ```text
//! partition ── grudge       who must not hear whom
//! kill, pause ── on_nodes   one thing done to some nodes ── selector   which nodes
//! ```

mod grudge;
mod kill;
mod on_nodes;
mod partition;
mod pause;
mod selector;

pub use kill::KILL;
pub use partition::PARTITION;
pub use pause::PAUSE;

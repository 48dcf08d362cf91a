//! The kinds of fault, one file each; what several of them need is here too.
//!
//! ```text
//! partition, flapping ── grudge    who must not hear whom ──┐
//! partial, swizzle ─────────────────────────────────────────┴─ cut, moving_cut
//! delay, loss, reset, ... ── on_links   conditions on some links ── link_selector   which links
//! kill, pause ── on_nodes   one thing done to some nodes ── selector   which nodes
//! ```

mod bandwidth;
mod corrupt;
mod cut;
mod delay;
mod duplicate;
mod flapping;
mod grudge;
mod half_open;
mod kill;
mod link_selector;
mod loss;
mod moving_cut;
mod on_links;
mod on_nodes;
mod partial;
mod partition;
mod pause;
mod reorder;
mod reset;
mod selector;
mod swizzle;

pub use bandwidth::BANDWIDTH;
pub use corrupt::CORRUPT;
pub use delay::DELAY;
pub use duplicate::DUPLICATE;
pub use flapping::FLAPPING;
pub use half_open::HALF_OPEN;
pub use kill::KILL;
pub use loss::LOSS;
pub use partial::PARTIAL;
pub use partition::PARTITION;
pub use pause::PAUSE;
pub use reorder::REORDER;
pub use reset::RESET;
pub use swizzle::SWIZZLE;

//! One text that is read, written and appended to.
//!
//! ```text
//! reads are taken apart ──> every text is appended once, and told apart?
//!        yes: an append whose text was seen is a cas from what was before it     (placed)
//!        no:  search over the texts themselves                                   (loose)
//! ```
//!
//! An append whose text nobody saw is a write of a value that nobody observes: all that comes after
//! it, up to the next write, would show its text. So a placed history is one of a register whose
//! values are unique, and decided without search.

mod places;
mod specification;

pub use specification::{KvAppend, KvAppendOp, KvAppendState};

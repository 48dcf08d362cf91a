//! Watches: every change of a range of keys, in order, from a revision on.
//!
//! ```text
//! apply thread ──WatchFeed──> ring of the last changes <──reads at its own pace── Watch (any number)
//!                                      │
//!                                     bell: something was applied
//! ```
//!
//! A watch has no queue: it remembers the next revision that it has not seen, and reads on from
//! there in the ring. So the apply thread never waits for a watch, and a slow one costs no memory;
//! if the ring moves on past it, it ends with [`WatchError::Compacted`].
//!
//! When a group gives some of its keys to another one, what happens to them is in no single ring any
//! more: its watches report everything up to then, and end with [`WatchError::Scattered`].
//!
//! Invariants:
//! - a watch reports every change of its range exactly once, in the order of revisions;
//! - a batch has whole revisions: a watch is resumed after the revision of its last batch;
//! - the ring has whole revisions too, without a gap up to the last applied one, and no more than
//!   its limits allow. It begins after what was applied when the process started, or when a
//!   snapshot was installed.

mod hub;
mod ring;

pub use hub::{Watch, WatchError, WatchFeed, WatchHub};
pub use ring::{WatchBatch, WatchLimits};

#[cfg(test)]
mod tests;

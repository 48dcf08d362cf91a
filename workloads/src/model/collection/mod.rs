//! Collections that elements are put into and taken out of: queue, stack, priority queue, bag.
//!
//! ```text
//! operation       insert, remove, "it is empty", peek; the names that tools use for them
//! specification   what all four have in common: reading operations, steps, support, words
//! unambiguous     histories that insert each value once: an interval for each element
//! hidden          crashed removals: which may have taken what, and by when
//! empties         moments at which an observation of emptiness can be true
//! tree            range minimum, range maximum and next-free structures
//! components      how stacks fall apart
//! explain         contradictions in words
//! ```
//!
//! Each of `queue`, `stack`, `priority_queue` and `bag` is a [`Discipline`]: five functions for the
//! step, and an exact decision for unambiguous histories with its proof.
//!
//! Crashed operations. A crashed removal is an operation with unknown result: it takes what the
//! discipline says, at any time after its invocation, or never acts. A crashed insertion whose value
//! is never seen to be removed is left out of decisions: in any order that explains the history,
//! deleting it (with the crashed removal that took its value) changes no other result, because in
//! all four disciplines an element that leaves unseen neither lets others pass nor keeps them.

mod bag;
mod components;
mod discipline;
mod empties;
mod explain;
mod hidden;
mod operation;
mod priority_queue;
mod queue;
mod specification;
mod stack;
mod tree;
mod unambiguous;

pub use bag::Bag;
pub use discipline::Discipline;
pub use operation::CollectionOp;
pub use priority_queue::{MaxPriorityQueue, PriorityQueue};
pub use queue::Queue;
pub use specification::Collection;
pub use stack::Stack;

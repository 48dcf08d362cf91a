//! What a sequential specification tells the checkers.

use std::fmt::Debug;
use std::hash::Hash;

use super::{Entry, Initial, UnsuitableOperation};
use crate::history::Operation;

/// The answer of an exact shortcut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// The ids of the operations in an order that explains the history.
    Order(Vec<usize>),
    /// No order does.
    Impossible,
}

/// A sequential specification of one object.
///
/// Only [`step`](Model::step) defines it. The other functions tell what is true of `step`, which
/// lets the search skip orders that cannot matter; their defaults claim nothing.
pub trait Model: Sync {
    /// An operation with its result, if it has one that is known.
    type Op: Clone + Eq + Hash + Debug + Send + Sync;
    /// A state of the object.
    type State: Clone + Eq + Hash + Debug + Send + Sync;

    /// The state before the first operation.
    fn initial(&self) -> Self::State;

    /// The state after `op`, or none if `op` cannot have its result in `state`.
    fn step(&self, state: &Self::State, op: &Self::Op) -> Option<Self::State>;

    /// Whether `op` changes no state that is wholly known.
    fn is_read_only(&self, op: &Self::Op) -> bool;

    /// The number of values that `observes` and `writes` may name.
    fn values(&self) -> usize {
        0
    }

    /// The only value that the state may hold for `op` to be possible, if there is such a value.
    fn observes(&self, _op: &Self::Op) -> Option<u32> {
        None
    }

    /// The value that the state holds after `op`, if it does not depend on the state before.
    fn writes(&self, _op: &Self::Op) -> Option<u32> {
        None
    }

    /// The value that `state` holds, if it is one that `observes` could name.
    fn held(&self, _state: &Self::State) -> Option<u32> {
        None
    }

    /// A state in which every `op` that observes is impossible, and all others act as ever.
    fn unobservable(&self) -> Option<Self::State> {
        None
    }

    /// Leaves out crashed operations and tightens completions, without changing the answer.
    fn simplify(&self, entries: Vec<Entry<Self::Op>>) -> Vec<Entry<Self::Op>> {
        entries
    }

    /// An exact answer without search, if the entries (already simplified) allow one.
    fn decide(&self, _entries: &[Entry<Self::Op>]) -> Option<Decision> {
        None
    }

    /// For each entry, positions of the entries that it may owe its result to.
    ///
    /// A set of entries that is closed under support, and impossible, proves that the whole is.
    fn support(&self, entries: &[Entry<Self::Op>]) -> Vec<Vec<usize>>;

    /// An operation that acts as `op` does wherever `op` can act, and perhaps elsewhere too.
    fn weaken(&self, op: &Self::Op) -> Self::Op {
        op.clone()
    }

    /// In words, such as `write 7`, `read -> 3` or `cas 3 -> 7`.
    fn describe_op(&self, op: &Self::Op) -> String;

    /// In words, such as `7` or `nothing`.
    fn describe_state(&self, state: &Self::State) -> String;

    /// Why `op` is impossible in `state`, such as `it read 3, but the register holds 7`.
    fn describe_refusal(&self, state: &Self::State, op: &Self::Op) -> String;

    /// A value in words, such as `7` or `nothing`.
    fn describe_value(&self, value: u32) -> String;
}

/// An object, and the entries of the operations on it.
pub type Encoded<M> = (M, Vec<Entry<<M as Model>::Op>>);

/// A model of an object that histories have: knows how to read its operations.
pub trait ObjectModel: Model + Sized {
    /// The object, and the entries of the operations on it, in the order given.
    ///
    /// `id` of an entry is its position in `operations`. Failed operations had no effect and are left
    /// out; others may be left out where that cannot change the answer.
    fn encode(
        operations: &[&Operation],
        initial: &Initial,
    ) -> Result<Encoded<Self>, UnsuitableOperation>;
}

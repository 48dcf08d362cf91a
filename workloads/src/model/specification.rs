//! What a sequential specification tells the checkers.

use std::fmt::Debug;
use std::hash::Hash;

use super::{Entry, Initial, UnsuitableOperation};
use crate::history::{Operation, Value};

/// The answer of an exact shortcut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// The ids of the operations in an order that explains the history.
    Order(Vec<usize>),
    /// No order does.
    Impossible,
}

/// What the operations of a small set are called, by their positions, and when they ran.
pub trait Telling {
    /// Its name, such as `A`.
    fn name(&self, operation: usize) -> String;

    /// When it began, such as `0.002 s`.
    fn began(&self, operation: usize) -> String;

    /// When it was done; none if nobody learned.
    fn done(&self, operation: usize) -> Option<String>;
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

    /// [`step`](Model::step) in place; false if `op` is impossible, and then the state is as it was.
    fn apply(&self, state: &mut Self::State, op: &Self::Op) -> bool {
        match self.step(state, op) {
            Some(after) => {
                *state = after;
                true
            }
            None => false,
        }
    }

    /// Whether `op` changes no state that is wholly known.
    fn is_read_only(&self, op: &Self::Op) -> bool;

    /// The number of values that `observes` and `writes` may name.
    ///
    /// If there are any, each operation that is not read-only must name the value that it writes, and
    /// `held` the value of each state, unless that is unknown or [`unobservable`](Model::unobservable).
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

    /// Bytes that a copy of `state` takes, with what it points to.
    fn state_bytes(&self, _state: &Self::State) -> usize {
        size_of::<Self::State>()
    }

    /// Leaves out crashed operations and tightens completions, without changing the answer.
    fn simplify(&self, entries: Vec<Entry<Self::Op>>) -> Vec<Entry<Self::Op>> {
        entries
    }

    /// An exact answer without search, if the entries (already simplified) allow one.
    fn decide(&self, _entries: &[Entry<Self::Op>]) -> Option<Decision> {
        None
    }

    /// A small set of `entries` (not simplified; as positions, in ascending order) that no order
    /// explains, if [`decide`](Model::decide) knows one when it finds them impossible.
    ///
    /// It must be closed under [`support`](Model::support).
    fn conflict(&self, _entries: &[Entry<Self::Op>]) -> Option<Vec<usize>> {
        None
    }

    /// Weakens operations of a [`conflict`](Model::conflict) to what shows that it is one.
    fn narrow(&self, conflict: Vec<Entry<Self::Op>>) -> Vec<Entry<Self::Op>> {
        conflict
    }

    /// The entries (as positions) in parts that act on independent parts of the state, if there are
    /// some: then each part can be decided by itself.
    fn parts(&self, _entries: &[Entry<Self::Op>]) -> Option<Vec<Vec<usize>>> {
        None
    }

    /// For each entry, positions of the entries that it may owe its result to.
    ///
    /// A set of entries that is closed under support, and impossible, proves that the whole is. This
    /// holds for any model if an acknowledged operation is supported by all that changes anything and
    /// was invoked before it completed: whatever comes before it in an explanation is among those.
    fn support(&self, entries: &[Entry<Self::Op>]) -> Vec<Vec<usize>> {
        earlier_changes(self, entries)
    }

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

    /// A value that `observes` or `writes` names, in words, such as `7` or `nothing`.
    fn describe_value(&self, value: u32) -> String {
        format!("value {value}")
    }

    /// What the object is called, such as `register`.
    fn noun(&self) -> &'static str {
        "object"
    }

    /// Why no order explains `subset`, in numbered steps for a person, if the model can tell it better
    /// than by the values that operations observe and write. `all` are the operations on the key.
    fn explain(
        &self,
        _all: &[Entry<Self::Op>],
        _subset: &[Entry<Self::Op>],
        _telling: &dyn Telling,
    ) -> Option<Vec<String>> {
        None
    }

    /// A clause that says what the state is, such as `the register holds 7` or `the lock is free`.
    fn describe_holding(&self, state: &Self::State) -> String {
        format!("the {} holds {}", self.noun(), self.describe_state(state))
    }
}

/// An object, and the entries of the operations on it.
pub type Encoded<M> = (M, Vec<Entry<<M as Model>::Op>>);

/// A model of an object that histories have: knows how to read its operations.
pub trait ObjectModel: Model + Sized {
    /// What the object holds before the first operation, if nobody says otherwise.
    fn usual_initial() -> Initial {
        Initial::Value(Value::Null)
    }

    /// Whether to look for weaker properties that hold where it is not linearizable. That takes a search,
    /// which says little about objects whose operations nearly all change them.
    fn may_hold_less() -> bool {
        true
    }

    /// The object, and the entries of the operations on it, in the order given.
    ///
    /// `id` of an entry is its position in `operations`. Failed operations had no effect and are left
    /// out; others may be left out where that cannot change the answer.
    fn encode(
        operations: &[&Operation],
        initial: &Initial,
    ) -> Result<Encoded<Self>, UnsuitableOperation>;
}

/// For each acknowledged entry, what changes anything and was invoked before it completed, in links:
/// it is enough to name the last, and for each the one before.
pub(super) fn earlier_changes<M: Model + ?Sized>(
    model: &M,
    entries: &[Entry<M::Op>],
) -> Vec<Vec<usize>> {
    let mut changes: Vec<usize> =
        (0..entries.len()).filter(|&position| !model.is_read_only(&entries[position].op)).collect();
    changes.sort_by_key(|&position| entries[position].invoked);
    let mut support: Vec<Vec<usize>> = vec![Vec::new(); entries.len()];
    for pair in changes.windows(2) {
        support[pair[1]].push(pair[0]);
    }
    for (position, entry) in entries.iter().enumerate().filter(|it| !it.1.is_crashed()) {
        let count = changes.partition_point(|&it| entries[it].invoked < entry.completed);
        support[position].extend(changes[..count].last().copied().filter(|&last| last != position));
    }
    support
}

//! What tells one collection from another.

use std::fmt::Debug;
use std::hash::Hash;

use super::unambiguous::{Unambiguous, Unexplained};

/// Which element leaves a collection next, and how to decide histories that insert each value once.
pub trait Discipline: Debug + Clone + Copy + Send + Sync + 'static {
    /// The elements inside.
    type State: Clone + Default + Eq + Hash + Debug + Send + Sync;

    /// What it is, such as `queue`.
    const NOUN: &'static str;
    /// What putting in is called, now and in the past, such as `enqueue` and `enqueued`.
    const INSERT: [&'static str; 2];
    /// What taking out is called, now and in the past, such as `dequeue` and `dequeued`.
    const REMOVE: [&'static str; 2];
    /// Further names of the function that takes out.
    const REMOVE_NAMES: &'static [&'static str] = &[];
    /// The functions that it has, for messages.
    const FUNCTIONS: &'static str;
    /// Whether elements leave by their value, so that numbers must be in the order of values.
    const BY_VALUE: bool = false;
    /// Whether a state tells if nothing is inside; else an observation of emptiness adds to it.
    const EMPTINESS_IS_KNOWN: bool = true;

    /// Puts `value` in.
    fn insert(state: &mut Self::State, value: u32);

    /// Whether `value` may leave next.
    fn is_next(state: &Self::State, value: u32) -> bool;

    /// Takes `value` out, which may leave next.
    fn remove(state: &mut Self::State, value: u32);

    /// Takes something out that nobody learned of; false if there is nothing.
    fn remove_unknown(state: &mut Self::State) -> bool;

    /// Whether nothing may be inside.
    fn may_be_empty(state: &Self::State) -> bool;

    /// Notes that nothing is inside, where that may be.
    fn set_empty(_state: &mut Self::State) {}

    /// How many elements are inside, at most.
    fn size(state: &Self::State) -> usize;

    /// What is inside, the next to leave first.
    fn contents(state: &Self::State) -> Vec<u32>;

    /// For each element that nobody saw leave, a moment by which it must have left, with the
    /// elements that are evidence; `u64::MAX` if there is none. For all others, `u64::MAX`.
    ///
    /// Emptiness is not looked at. The deadlines must be necessary, not sufficient.
    fn deadlines(history: &Unambiguous) -> Vec<(u64, u32)>;

    /// An order of the entries, as positions, or a set of operations that no order explains.
    fn arrange(history: &Unambiguous) -> Result<Vec<u32>, Unexplained>;
}

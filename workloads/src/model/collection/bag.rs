//! An unordered queue, or bag: any element may leave next.
//!
//! Unambiguous histories are decided in `O(n log n)`, exactly, also with crashed operations. Elements do
//! not hinder each other, so only emptiness is in question, which [`super::empties`] decides. Given
//! moments at each of which no solid element is inside, let each element leave as soon as it may, and go
//! in as late as it may: right before it leaves, or else right before `in_by`. It is then inside at most
//! from `in_by` to `out_from`, and never when nothing must be inside.
//!
//! A crashed removal takes any element. [`Contents`] keeps count of them instead of guessing: `owed`
//! many of the elements may be gone. Taking an element that was seen to leave needs none of them; where
//! nothing may be inside, as many must be owed as there are. That lets a crashed removal take what came
//! in after it acted in the order; but it may just as well act later in the order, right before it is
//! needed, so no history is explained that should not be.

use rustc_hash::FxHashMap;

use super::discipline::Discipline;
use super::unambiguous::{ENDLESS, FOREVER, NONE, Unambiguous, Unexplained};
use crate::model::scatter::scatter;

/// Any element may leave next.
#[derive(Debug, Clone, Copy)]
pub struct Bag;

/// The elements of a bag.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contents {
    counts: FxHashMap<u32, u32>,
    /// The sum of the counts.
    size: usize,
    /// So many of them may be gone.
    owed: usize,
    /// Adds up hashes of the elements, whatever their order.
    hash: u64,
}

impl std::hash::Hash for Contents {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
        state.write_usize(self.owed);
    }
}

impl Discipline for Bag {
    type State = Contents;

    const NOUN: &'static str = "bag";
    const INSERT: [&'static str; 2] = ["enqueue", "enqueued"];
    const REMOVE: [&'static str; 2] = ["dequeue", "dequeued"];
    const FUNCTIONS: &'static str = "a function of an unordered queue: enqueue, dequeue or peek";
    const EMPTINESS_IS_KNOWN: bool = false;

    fn insert(state: &mut Contents, value: u32) {
        *state.counts.entry(value).or_default() += 1;
        state.size += 1;
        state.hash = state.hash.wrapping_add(scatter(value));
    }

    fn is_next(state: &Contents, value: u32) -> bool {
        state.counts.contains_key(&value)
    }

    fn remove(state: &mut Contents, value: u32) {
        if let Some(count) = state.counts.get_mut(&value) {
            *count -= 1;
            if *count == 0 {
                state.counts.remove(&value);
            }
            state.size -= 1;
            state.owed = state.owed.min(state.size);
            state.hash = state.hash.wrapping_sub(scatter(value));
        }
    }

    fn remove_unknown(state: &mut Contents) -> bool {
        let may_take = state.owed < state.size;
        state.owed += usize::from(may_take);
        may_take
    }

    fn may_be_empty(state: &Contents) -> bool {
        state.owed == state.size
    }

    fn set_empty(state: &mut Contents) {
        *state = Contents::default();
    }

    fn size(state: &Contents) -> usize {
        state.size
    }

    fn contents(state: &Contents) -> Vec<u32> {
        let mut contents: Vec<u32> = state
            .counts
            .iter()
            .flat_map(|(&value, &count)| std::iter::repeat_n(value, count as usize))
            .collect();
        contents.sort_unstable();
        contents
    }

    fn deadlines(history: &Unambiguous) -> Vec<(u64, u32)> {
        vec![(u64::MAX, NONE); history.elements.len()]
    }

    fn arrange(history: &Unambiguous) -> Result<Vec<u32>, Unexplained> {
        let leaves = |element: usize| history.elements[element].out_from + 1;
        Ok(in_time(history, leaves, |_| 0, |empty| history.empties[empty].at))
    }
}

/// The operations in order of time, where elements go in as late as they may.
///
/// At one moment, elements leave by rank; those that have to go in right before that do so. Then
/// observations are made, and the others go in.
pub(super) fn in_time(
    history: &Unambiguous,
    leaves: impl Fn(usize) -> u64,
    rank: impl Fn(usize) -> u32,
    observed: impl Fn(usize) -> u64,
) -> Vec<u32> {
    // Moment, phase and rank, element, and its insertion before its removal.
    let mut steps: Vec<(u64, u32, u32, u32)> = Vec::with_capacity(2 * history.elements.len());
    for (position, element) in history.elements.iter().enumerate() {
        let leaves = match element.out_from {
            FOREVER => FOREVER,
            _ => leaves(position),
        };
        let last = if element.in_by == ENDLESS { FOREVER } else { element.in_by - 1 };
        let number = 2 * position as u32;
        if last < leaves {
            steps.push((last, u32::MAX, number, element.insert));
        } else {
            steps.push((leaves, rank(position), number, element.insert));
        }
        if leaves < FOREVER && element.remove != NONE {
            steps.push((leaves, rank(position), number + 1, element.remove));
        }
    }
    for (position, empty) in history.empties.iter().enumerate() {
        steps.push((observed(position), u32::MAX - 1, position as u32, empty.entry));
    }
    steps.sort_unstable();
    steps.into_iter().map(|(.., entry)| entry).collect()
}

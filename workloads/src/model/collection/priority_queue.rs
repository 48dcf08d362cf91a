//! A priority queue: the least (or greatest) element inside leaves next.
//!
//! Unambiguous histories are decided in `O(n log n)`, exactly where nothing crashed but insertions. Let
//! `out(v)` be the moment at which `v` leaves. Nothing smaller may be inside then, so for each smaller
//! `w` either `out(w) < out(v)`, or `w` goes in after `out(v)`; the latter needs `out(v) < w.in_by`. Hence
//! `out(v)` must not lie between `w.in_by` and `out(w)`, for all smaller `w`; and that is enough: let each
//! element go in as late as it may. So moments are given to elements from the least on, each the first
//! that is not ruled out. If there is an explanation at all, this is one: by induction no `out(w)` is
//! later than in the explanation, so nothing is ruled out that the explanation uses. An observation of
//! emptiness is treated as the removal of an element that is greater than all.
//!
//! Only moments right after some `out_from` are tried, because a range that is ruled out ends at one. At
//! one moment elements leave from the least on.
//!
//! *Crashed removals.* If a loose `u` is smaller than a `v` whose removal began after `u` was in, `u` must
//! have left before `v` was out. These deadlines are necessary, not sufficient.

use std::collections::BTreeMap;

use super::bag::in_time;
use super::discipline::Discipline;
use super::empties::chain;
use super::tree::{NextFree, SuffixMin};
use super::unambiguous::{FOREVER, NONE, Unambiguous, Unexplained};

/// The least element leaves next, or the greatest.
#[derive(Debug, Clone, Copy)]
pub struct ByPriority<const GREATEST: bool>;

/// The least element leaves next.
pub type PriorityQueue = ByPriority<false>;

/// The greatest element leaves next.
pub type MaxPriorityQueue = ByPriority<true>;

impl<const GREATEST: bool> ByPriority<GREATEST> {
    /// A number that is smaller for elements that leave before others.
    fn rank(value: u32) -> u32 {
        if GREATEST { u32::MAX / 2 - value } else { value }
    }
}

impl<const GREATEST: bool> Discipline for ByPriority<GREATEST> {
    /// How many there are of each.
    type State = BTreeMap<u32, u32>;

    const NOUN: &'static str = "priority queue";
    const INSERT: [&'static str; 2] = ["insert", "inserted"];
    const REMOVE: [&'static str; 2] =
        if GREATEST { ["delete-max", "removed"] } else { ["delete-min", "removed"] };
    const FUNCTIONS: &'static str = if GREATEST {
        "a function of a priority queue: insert, delete-max or peek"
    } else {
        "a function of a priority queue: insert, delete-min or peek"
    };
    const REMOVE_NAMES: &'static [&'static str] = if GREATEST {
        &["delete-max", "remove-max", "extract-max", "pop-max", "deletemax"]
    } else {
        &["delete-min", "remove-min", "extract-min", "pop-min", "deletemin"]
    };
    const BY_VALUE: bool = true;

    fn insert(state: &mut Self::State, value: u32) {
        *state.entry(Self::rank(value)).or_default() += 1;
    }

    fn is_next(state: &Self::State, value: u32) -> bool {
        state.first_key_value().is_some_and(|(&first, _)| first == Self::rank(value))
    }

    fn remove(state: &mut Self::State, _value: u32) {
        Self::remove_unknown(state);
    }

    fn remove_unknown(state: &mut Self::State) -> bool {
        let Some(mut first) = state.first_entry() else { return false };
        *first.get_mut() -= 1;
        if *first.get() == 0 {
            first.remove();
        }
        true
    }

    fn may_be_empty(state: &Self::State) -> bool {
        state.is_empty()
    }

    fn size(state: &Self::State) -> usize {
        state.len()
    }

    fn contents(state: &Self::State) -> Vec<u32> {
        state
            .iter()
            .flat_map(|(&rank, &count)| std::iter::repeat_n(Self::rank(rank), count as usize))
            .collect()
    }

    fn deadlines(history: &Unambiguous) -> Vec<(u64, u32)> {
        let elements = &history.elements;
        let mut starts: Vec<(u64, u32)> =
            (0..).zip(elements).map(|(position, it)| (it.out_from, position)).collect();
        starts.sort_unstable();
        let mut place = vec![0; elements.len()];
        for (at, &(_, position)) in starts.iter().enumerate() {
            place[position as usize] = at;
        }
        let mut by_rank = by_rank::<GREATEST>(history);
        by_rank.reverse();
        let mut greater = SuffixMin::new(starts.len());
        let mut deadlines = vec![(u64::MAX, NONE); elements.len()];
        for position in by_rank {
            let element = &elements[position as usize];
            if element.is_loose() {
                let later = starts.partition_point(|&(start, _)| start < element.in_by);
                deadlines[position as usize] = greater.least(later);
            } else {
                greater.put(place[position as usize], element.out_by, position);
            }
        }
        deadlines
    }

    fn arrange(history: &Unambiguous) -> Result<Vec<u32>, Unexplained> {
        let Moments { moments, own, later } = Moments::new(history);
        let elements = &history.elements;
        let mut free = NextFree::new(moments.len());
        let mut leaves = vec![0; elements.len()];
        for position in by_rank::<GREATEST>(history) {
            let element = &elements[position as usize];
            let first = match element.out_from {
                FOREVER => moments.len(),
                _ => free.find(own[position as usize] as usize),
            };
            let moment = moments.get(first).copied().unwrap_or(FOREVER);
            if moment > element.out_by {
                return Err(stuck::<GREATEST>(history, &leaves, Err(position)));
            }
            leaves[position as usize] = moment;
            free.cover(later[position as usize] as usize, first);
        }
        let mut observed = Vec::with_capacity(history.empties.len());
        for (position, empty) in history.empties.iter().enumerate() {
            let first = moments.partition_point(|&moment| moment < empty.from);
            match moments.get(free.find(first)) {
                Some(&moment) if moment < empty.by => observed.push(moment),
                _ => return Err(stuck::<GREATEST>(history, &leaves, Ok(position))),
            }
        }
        let rank = |element: usize| Self::rank(elements[element].value);
        Ok(in_time(history, |element| leaves[element], rank, |empty| observed[empty]))
    }
}

/// The moments that are tried, in order.
struct Moments {
    moments: Vec<u64>,
    /// Of each element, the place of the first moment at which it may leave,
    own: Vec<u32>,
    /// and of the first at which it is surely in.
    later: Vec<u32>,
}

impl Moments {
    fn new(history: &Unambiguous) -> Self {
        let elements = &history.elements;
        let leaving = (0..)
            .zip(elements)
            .filter(|(_, element)| element.out_from < FOREVER)
            .map(|(position, element)| (element.out_from + 1, position));
        let observing = history.empties.iter().map(|empty| (empty.from + 1, NONE));
        let mut sorted: Vec<(u64, u32)> = leaving.chain(observing).collect();
        sorted.sort_unstable();
        let mut own = vec![0; elements.len()];
        for (at, &(_, position)) in (0..).zip(&sorted) {
            if position != NONE {
                own[position as usize] = at;
            }
        }
        let moments: Vec<u64> = sorted.into_iter().map(|(moment, _)| moment).collect();
        let mut ins: Vec<(u64, u32)> =
            (0..).zip(elements).map(|(position, element)| (element.in_by, position)).collect();
        ins.sort_unstable();
        let mut later = vec![0; elements.len()];
        let mut next = 0;
        for (in_by, position) in ins {
            while moments.get(next).is_some_and(|&moment| moment < in_by) {
                next += 1;
            }
            later[position as usize] = next as u32;
        }
        Self { moments, own, later }
    }
}

/// Positions of the elements, those that leave before others first.
fn by_rank<const GREATEST: bool>(history: &Unambiguous) -> Vec<u32> {
    let mut order: Vec<(u32, u32)> = history
        .elements
        .iter()
        .enumerate()
        .map(|(position, element)| (ByPriority::<GREATEST>::rank(element.value), position as u32))
        .collect();
    order.sort_unstable();
    order.into_iter().map(|(_, position)| position).collect()
}

/// Why an observation of emptiness, or else the removal of an element, has no moment: the elements
/// that rule all moments out; for each that left later than it might, what made it; and so on.
fn stuck<const GREATEST: bool>(
    history: &Unambiguous,
    leaves: &[u64],
    what: Result<usize, u32>,
) -> Unexplained {
    let rank =
        |element: u32| ByPriority::<GREATEST>::rank(history.elements[element as usize].value);
    let ruling_out = |from: u64, by: u64, bound: u32| {
        let smaller = |element: u32| rank(element) < bound && leaves[element as usize] > 0;
        chain(history, from, by, smaller, |element| leaves[element as usize]).unwrap_or_default()
    };
    let mut unexplained = Unexplained::default();
    let mut pending = match what {
        Ok(empty) => {
            let empty = &history.empties[empty];
            unexplained.entries.push(empty.entry);
            ruling_out(empty.from, empty.by, u32::MAX)
        }
        Err(position) => {
            unexplained.elements.push(position);
            let element = &history.elements[position as usize];
            ruling_out(element.out_from, element.out_by.min(FOREVER), rank(position))
        }
    };
    while let Some(position) = pending.pop() {
        if unexplained.elements.contains(&position) {
            continue;
        }
        unexplained.elements.push(position);
        let element = &history.elements[position as usize];
        let left = leaves[position as usize];
        if left > element.out_from.saturating_add(1) {
            pending.extend(ruling_out(element.out_from, left, rank(position)));
        }
    }
    unexplained
}

//! A stack: the element that went in last leaves first.
//!
//! Unambiguous histories are decided in `O(n log n)`, exactly where nothing crashed but insertions.
//! (Lee & Mathur, OOPSLA 2025, reach the same bound by taking out elements one by one, too.)
//!
//! 1. *An element that is not solid can be taken out:* it can go in and leave at one moment, wherever
//!    that is in the order.
//! 2. *At a moment at which no solid element is inside, the stack can be empty.* Take an explanation
//!    and such a moment `t`. Each element inside at `t` may leave before `t` or may go in after `t`. Let
//!    those of the second kind go in right after `t` in their old order: until then they only lay
//!    between others. Let the rest leave right before `t`, the last first. All else stays. So the
//!    history falls apart into *components*, ranges of time in which some solid element is inside at
//!    any moment, and these can be explained one by one. Observations of emptiness must have a moment
//!    outside of all components.
//! 3. *A component from `s` to `e` needs a bottom:* an element that may go in before `s` and leave after
//!    `e`. For the stack is never empty in between, and what lies at the bottom stays there. *Any such
//!    element will do.* Take an explanation without it. All operations of the component that come
//!    before `s` can be delayed until `s` in their order, because no interval ends before; and all after
//!    `e` can be brought forward. So the chosen one can go in before them and leave after them.
//!
//! Hence: choose any bottom, take it out, split what is left of the component, and so on. The stack is
//! impossible exactly if some component has no bottom; then a few solid elements that overlap from `s`
//! to `e` are impossible by themselves.
//!
//! Components are visited from left to right, so `s` only grows: elements become candidates when
//! `in_from < s`, and the one that may leave last is found in a tree over `in_by`. Another tree counts the
//! solid elements inside at each moment.
//!
//! *Crashed removals.* If `w` was in before a loose `u` was inserted, and `u` was in before `w`'s removal
//! began, `u` must have left before `w` was out. These deadlines are necessary, not sufficient. So an
//! order is built where loose elements stay as long as nothing forbids it: if a component has no bottom,
//! what lies at the bottom must leave before the last of the candidates is out; then the loose elements
//! leave at the last moment before that at which fewest of them, and nothing else, are inside. In the
//! end, the crashed removals are given to those that left in the order of time. If that fails, the
//! history may still be explained, and others must decide.

use super::components::Builder;
use super::discipline::Discipline;
use super::tree::SuffixMin;
use super::unambiguous::{NONE, Unambiguous, Unexplained};

/// Last in, first out.
#[derive(Debug, Clone, Copy)]
pub struct Stack;

impl Discipline for Stack {
    type State = Vec<u32>;

    const NOUN: &'static str = "stack";
    const INSERT: [&'static str; 2] = ["push", "pushed"];
    const REMOVE: [&'static str; 2] = ["pop", "popped"];
    const FUNCTIONS: &'static str = "a function of a stack: push, pop or peek";

    fn insert(state: &mut Self::State, value: u32) {
        state.push(value);
    }

    fn is_next(state: &Self::State, value: u32) -> bool {
        state.last() == Some(&value)
    }

    fn remove(state: &mut Self::State, _value: u32) {
        state.pop();
    }

    fn remove_unknown(state: &mut Self::State) -> bool {
        state.pop().is_some()
    }

    fn may_be_empty(state: &Self::State) -> bool {
        state.is_empty()
    }

    fn size(state: &Self::State) -> usize {
        state.len()
    }

    fn contents(state: &Self::State) -> Vec<u32> {
        state.iter().rev().copied().collect()
    }

    fn deadlines(history: &Unambiguous) -> Vec<(u64, u32)> {
        let elements = &history.elements;
        let mut starts: Vec<u64> = elements.iter().map(|element| element.out_from).collect();
        starts.sort_unstable();
        let mut by_in: Vec<(u64, u32)> = elements
            .iter()
            .enumerate()
            .filter(|(_, element)| !element.is_loose())
            .map(|(position, element)| (element.in_by, position as u32))
            .collect();
        by_in.sort_unstable();
        let mut below = SuffixMin::new(starts.len());
        let mut next = by_in.into_iter().peekable();
        let mut deadlines = vec![(u64::MAX, NONE); elements.len()];
        // Elements are sorted by `in_from`.
        for (position, element) in elements.iter().enumerate().filter(|(_, it)| it.is_loose()) {
            while let Some(&(in_by, lower)) = next.peek()
                && in_by < element.in_from
            {
                next.next();
                let lower_element = &elements[lower as usize];
                let place = starts.partition_point(|&start| start < lower_element.out_from);
                below.put(place, lower_element.out_by, lower);
            }
            let later = starts.partition_point(|&start| start < element.in_by);
            deadlines[position] = below.least(later);
        }
        deadlines
    }

    fn arrange(history: &Unambiguous) -> Result<Vec<u32>, Unexplained> {
        let mut builder = Builder::new(history);
        builder.run()?;
        builder.give_removals()?;
        Ok(builder.merge())
    }
}

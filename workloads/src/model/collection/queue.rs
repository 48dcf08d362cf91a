//! A fifo queue: the element that went in first leaves first.
//!
//! Unambiguous histories are decided in `O(n log n)`, exactly, also with crashed operations. Call `v`
//! before `w` if
//!
//! * `v` was in before `w`'s insertion began (`v.in_by < w.in_from`), or
//! * `v` was out before `w`'s removal began (`v.out_by < w.out_from`).
//!
//! An element must leave in the order in which it came, so an explanation puts all elements in one
//! order that respects both. *Conversely any such order is enough.* Let each element go in at the
//! latest `in_from` of those up to it in the order, and leave at the latest of that moment and of the
//! `out_from` up to it. Going in before `in_by` can only fail if `v.in_by < w.in_from` for some `w` before
//! `v` in the order, which contradicts it. The same holds for leaving, with `v.out_by < w.in_from`: then
//! `v.in_by <= v.out_by < w.in_from`.
//!
//! *There is such an order unless two elements are each before the other.* Both relations are interval
//! orders, so each is transitive, and `v1 < v2`, `v3 < v4` in one of them implies `v1 < v4` or `v3 < v2`.
//! Take a shortest cycle of more than two elements. By transitivity the relations alternate:
//! `v1 <in v2 <out v3 <in v4 <out ... v1`. Then `v1 <in v4`, which makes a shorter cycle, or
//! `v3 <in v2 <out v3`. (Henzinger, Sezgin & Vafeiadis, CONCUR 2013, show the same for complete
//! histories.) Two such elements are found in one pass: of all `w` that were inserted after `v` was in,
//! the one that was out first.
//!
//! *Emptiness.* An observation at moment `t` acts as an element whose four moments are `t`. It is in a
//! cycle of two exactly if an element is surely inside at `t`; cycles of more elements shorten as before.
//!
//! *Crashed removals.* A loose element `u` precedes others only by `u.in_by < w.in_from`, and no other
//! loose element by when it leaves. If a crashed removal invoked at `r` takes it, all that is required
//! is `r < w.out_by` for all those `w`: a deadline for `r` alone. So it only counts whether there are
//! enough crashed removals in time, which [`super::empties`] decides.

use std::collections::VecDeque;

use super::discipline::Discipline;
use super::unambiguous::{FOREVER, NONE, Unambiguous, Unexplained};

/// First in, first out.
#[derive(Debug, Clone, Copy)]
pub struct Queue;

impl Discipline for Queue {
    type State = VecDeque<u32>;

    const NOUN: &'static str = "queue";
    const INSERT: [&'static str; 2] = ["enqueue", "enqueued"];
    const REMOVE: [&'static str; 2] = ["dequeue", "dequeued"];
    const FUNCTIONS: &'static str = "a function of a queue: enqueue, dequeue or peek";

    fn insert(state: &mut Self::State, value: u32) {
        state.push_back(value);
    }

    fn is_next(state: &Self::State, value: u32) -> bool {
        state.front() == Some(&value)
    }

    fn remove(state: &mut Self::State, _value: u32) {
        state.pop_front();
    }

    fn remove_unknown(state: &mut Self::State) -> bool {
        state.pop_front().is_some()
    }

    fn may_be_empty(state: &Self::State) -> bool {
        state.is_empty()
    }

    fn size(state: &Self::State) -> usize {
        state.len()
    }

    fn contents(state: &Self::State) -> Vec<u32> {
        state.iter().copied().collect()
    }

    fn deadlines(history: &Unambiguous) -> Vec<(u64, u32)> {
        let overtakers = overtakers(history);
        let elements = history.elements.iter().zip(overtakers);
        elements
            .map(|(element, (out_by, overtaker))| match element.is_loose() {
                true => (out_by, overtaker),
                false => (u64::MAX, NONE),
            })
            .collect()
    }

    fn arrange(history: &Unambiguous) -> Result<Vec<u32>, Unexplained> {
        for (position, (out_by, overtaker)) in overtakers(history).into_iter().enumerate() {
            if out_by < history.elements[position].out_from {
                let elements = vec![position as u32, overtaker];
                return Err(Unexplained { elements, entries: Vec::new() });
            }
        }
        Ok(interleave(history, &line_up(history)))
    }
}

/// For each element: of those that were inserted after it was in, who was out first, and by when.
fn overtakers(history: &Unambiguous) -> Vec<(u64, u32)> {
    let elements = &history.elements;
    // Elements are sorted by `in_from`.
    let mut first_out = vec![(u64::MAX, NONE); elements.len() + 1];
    for position in (0..elements.len()).rev() {
        let own = (elements[position].out_by, position as u32);
        first_out[position] = first_out[position + 1].min(own);
    }
    elements
        .iter()
        .map(|element| first_out[elements.partition_point(|other| other.in_from < element.in_by)])
        .collect()
}

/// An element or an observation of emptiness, as the four moments of its interval.
struct Member {
    in_from: u64,
    in_by: u64,
    out_from: u64,
    out_by: u64,
}

/// All members, each behind those that must precede it; elements first by number, then observations.
///
/// None must precede each other in a circle, else some are missing.
fn line_up(history: &Unambiguous) -> Vec<u32> {
    let elements = history.elements.iter().map(|element| Member {
        in_from: element.in_from,
        in_by: element.in_by,
        out_from: element.out_from,
        out_by: element.out_by,
    });
    let empties = history.empties.iter().map(|empty| Member {
        in_from: empty.at,
        in_by: empty.at,
        out_from: empty.at,
        out_by: empty.at,
    });
    let members: Vec<Member> = elements.chain(empties).collect();
    let sorted = |moment: fn(&Member) -> u64| {
        let mut order: Vec<(u64, u32)> = members
            .iter()
            .enumerate()
            .map(|(position, member)| (moment(member), position as u32))
            .collect();
        order.sort_unstable();
        order
    };
    let in_from = sorted(|member| member.in_from);
    let in_by = sorted(|member| member.in_by);
    let out_from = sorted(|member| member.out_from);
    let out_by = sorted(|member| member.out_by);
    // A member is ready if it may go in first and may leave first of those that are left.
    let mut conditions = vec![0_u8; members.len()];
    let mut left = vec![true; members.len()];
    let (mut next_in_from, mut next_in_by, mut next_out_from, mut next_out_by) = (0, 0, 0, 0);
    let mut ready: Vec<u32> = Vec::new();
    let mut line = Vec::with_capacity(members.len());
    loop {
        let skip = |order: &[(u64, u32)], next: &mut usize| {
            while order.get(*next).is_some_and(|&(_, member)| !left[member as usize]) {
                *next += 1;
            }
            order.get(*next).map_or(u64::MAX, |&(moment, _)| moment)
        };
        let first_in = skip(&in_by, &mut next_in_by);
        let first_out = skip(&out_by, &mut next_out_by);
        let mut meet = |order: &[(u64, u32)], next: &mut usize, bar: u64| {
            while let Some(&(moment, member)) = order.get(*next)
                && moment <= bar
            {
                *next += 1;
                conditions[member as usize] += 1;
                if conditions[member as usize] == 2 {
                    ready.push(member);
                }
            }
        };
        meet(&in_from, &mut next_in_from, first_in);
        meet(&out_from, &mut next_out_from, first_out);
        let Some(member) = ready.pop() else { return line };
        left[member as usize] = false;
        line.push(member);
    }
}

/// The operations of a line of members, in order of time.
fn interleave(history: &Unambiguous, line: &[u32]) -> Vec<u32> {
    let mut order = Vec::with_capacity(2 * line.len());
    let (mut going_in, mut leaving) = (0, 0);
    // Removals and observations that wait for later insertions that come before them in time.
    let mut waiting: VecDeque<(u64, u32)> = VecDeque::new();
    for &member in line {
        if let Some(element) = history.elements.get(member as usize) {
            going_in = going_in.max(element.in_from);
            leaving = leaving.max(element.out_from).max(going_in);
            while let Some(&(moment, entry)) = waiting.front()
                && moment <= going_in
            {
                waiting.pop_front();
                order.push(entry);
            }
            order.push(element.insert);
            if element.remove != NONE && leaving < FOREVER {
                waiting.push_back((leaving, element.remove));
            }
        } else {
            let empty = &history.empties[member as usize - history.elements.len()];
            going_in = going_in.max(empty.at);
            leaving = leaving.max(empty.at);
            waiting.push_back((leaving, empty.entry));
        }
    }
    order.extend(waiting.into_iter().map(|(_, entry)| entry));
    order
}

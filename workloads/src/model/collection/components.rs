//! The components of a history of a stack, and their bottoms: see [`super::stack`].

use std::collections::BTreeSet;

use super::empties::chain;
use super::tree::{MaxTree, MinTree};
use super::unambiguous::{Element, FOREVER, NONE, Unambiguous, Unexplained};

/// What is left to do, the next last.
enum Work {
    /// The component from one end point to another.
    Component(usize, usize),
    /// The bottom of a component leaves.
    Leave(u32, u64),
}

/// The weight of an element that is surely inside, next to a loose one, which weighs 1.
const SURE: i64 = 1 << 32;

/// In place of a crashed removal that is not chosen yet.
const CRASHED: u32 = NONE - 1;

/// A solid element.
struct Solid {
    /// Position in the elements.
    element: u32,
    /// The end points between which it is inside.
    from: usize,
    to: usize,
    /// Whether it may leave earlier.
    is_loose: bool,
}

/// Builds an order of the operations on a stack.
pub(super) struct Builder<'a> {
    history: &'a Unambiguous,
    /// Moments at which solid elements are in, or may leave, or crashed removals begin.
    ends: Vec<u64>,
    /// For each end point: solid elements that were in before.
    in_before: Vec<u32>,
    /// By `in_by`.
    solid: Vec<Solid>,
    /// Of each element its place in `solid`.
    place: Vec<u32>,
    /// The weight of what is inside between each end point and the next.
    inside: MinTree,
    /// When candidates must have left.
    candidates: MaxTree,
    /// Elements (by `in_from`) up to here are candidates.
    next: usize,
    /// Loose elements that are not out: when they are in, and their places.
    loose: BTreeSet<(usize, usize)>,
    alive: Vec<bool>,
    work: Vec<Work>,
    going_in: Vec<(u64, u32)>,
    leaving: Vec<(u64, u32)>,
    /// What goes in and leaves at once, and observations of emptiness.
    between: Vec<(u64, u32, u32)>,
}

impl<'a> Builder<'a> {
    /// All solid elements are inside.
    pub(super) fn new(history: &'a Unambiguous) -> Self {
        let elements = &history.elements;
        let lazy = !history.hidden.is_empty() && !history.relaxed;
        let mut empties: Vec<u64> = history.empties.iter().map(|empty| empty.at).collect();
        empties.sort_unstable();
        // Loose elements stay until the next moment at which nothing is inside.
        let until = |element: &Element| match lazy && element.is_loose() {
            true => {
                let next = empties.partition_point(|&at| at < element.in_by);
                empties.get(next).map_or(FOREVER, |at| at - 1)
            }
            false => element.out_from,
        };
        let mut by_in: Vec<(u64, u32)> = Vec::new();
        let mut between: Vec<(u64, u32, u32)> =
            history.empties.iter().map(|empty| (empty.at, empty.entry, NONE)).collect();
        for (position, element) in elements.iter().enumerate() {
            if element.in_by < until(element) {
                by_in.push((element.in_by, position as u32));
            } else if lazy && element.is_loose() {
                between.push((element.in_by - 1, element.insert, CRASHED));
            } else {
                between.push((element.out_from + 1, element.insert, element.remove));
            }
        }
        by_in.sort_unstable();
        let mut place = vec![NONE; elements.len()];
        let mut solid: Vec<Solid> = Vec::with_capacity(by_in.len());
        // Moments, and what happens to which solid element.
        let mut moments: Vec<(u64, u32)> = Vec::with_capacity(2 * by_in.len());
        for (at, &(in_by, position)) in by_in.iter().enumerate() {
            let element = &elements[position as usize];
            let is_loose = lazy && element.is_loose();
            place[position as usize] = at as u32;
            solid.push(Solid { element: position, from: 0, to: 0, is_loose });
            moments.push((in_by, 2 * at as u32));
            moments.push((until(element), 2 * at as u32 + 1));
            if is_loose {
                moments.push((in_by + 1, NONE));
            }
        }
        drop(by_in);
        if lazy {
            moments.extend(history.hidden.iter().map(|&(from, _)| (from, NONE)));
        }
        moments.sort_unstable();
        let mut ends: Vec<u64> = Vec::with_capacity(moments.len());
        let mut in_before = Vec::with_capacity(moments.len());
        let mut ins = 0;
        for (moment, what) in moments {
            if ends.last() != Some(&moment) {
                ends.push(moment);
                in_before.push(ins);
            }
            match what {
                NONE => {}
                what if what % 2 == 0 => {
                    solid[what as usize / 2].from = ends.len() - 1;
                    ins += 1;
                }
                what => solid[what as usize / 2].to = ends.len() - 1,
            }
        }
        let mut weights = vec![0; ends.len() + 1];
        let mut loose = BTreeSet::new();
        for (at, it) in solid.iter().enumerate() {
            weights[it.from] += SURE;
            if it.is_loose {
                // Right after it is in, it cannot be out.
                weights[it.from + 1] -= SURE - 1;
                weights[it.to] -= 1;
                loose.insert((it.from, at));
            } else {
                weights[it.to] -= SURE;
            }
        }
        let mut weight = 0;
        for change in &mut weights {
            weight += *change;
            *change = weight;
        }
        Self {
            history,
            inside: MinTree::new(&weights),
            candidates: MaxTree::new(solid.len()),
            ends,
            in_before,
            solid,
            place,
            next: 0,
            loose,
            alive: vec![true; elements.len()],
            work: Vec::new(),
            going_in: Vec::new(),
            leaving: Vec::new(),
            between,
        }
    }

    /// Takes out bottoms until nothing is inside.
    pub(super) fn run(&mut self) -> Result<(), Unexplained> {
        self.split(0, self.ends.len().saturating_sub(1));
        while let Some(work) = self.work.pop() {
            match work {
                Work::Leave(entry, moment) => {
                    if moment < FOREVER && entry != NONE {
                        self.leaving.push((moment, entry));
                    }
                }
                Work::Component(from, to) => self.component(from, to)?,
            }
        }
        Ok(())
    }

    /// Puts the components between two end points on the list of work, the first last.
    fn split(&mut self, from: usize, to: usize) {
        let first = self.work.len();
        let mut start = from;
        while start < to {
            let end = self.inside.first_at_most(start, to, 0).unwrap_or(to);
            if start < end {
                self.work.push(Work::Component(start, end));
            }
            start = end + 1;
        }
        self.work[first..].reverse();
    }

    /// Finds the bottom of a component and takes it out.
    fn component(&mut self, from: usize, to: usize) -> Result<(), Unexplained> {
        let (start, end) = (self.ends[from], self.ends[to]);
        let elements = &self.history.elements;
        while let Some(element) = elements.get(self.next)
            && element.in_from < start
        {
            let place = self.place[self.next];
            if place != NONE {
                self.candidates.set(place as usize, element.out_by);
            }
            self.next += 1;
        }
        let places = self.in_before[from] as usize..self.in_before[to] as usize;
        let place = match self.candidates.greatest(places.start, places.end) {
            Some((out_by, place)) if out_by > end => place,
            Some((out_by, _)) if self.let_leave(from, to, out_by) => {
                self.split(from, to);
                return Ok(());
            }
            _ => return Err(self.stuck(start, end)),
        };
        self.candidates.set(place, 0);
        let &Solid { element, from: is_in, to: is_out, is_loose } = &self.solid[place];
        self.alive[element as usize] = false;
        let bottom = &elements[element as usize];
        let remove = match is_loose {
            true => {
                self.loose.remove(&(is_in, place));
                self.inside.add(is_in, is_in + 1, -SURE);
                self.inside.add(is_in + 1, is_out, -1);
                CRASHED
            }
            false => {
                self.inside.add(is_in, is_out, -SURE);
                bottom.remove
            }
        };
        self.going_in.push((start - 1, bottom.insert));
        self.work.push(Work::Leave(remove, end.saturating_add(1)));
        self.split(from, to);
        Ok(())
    }

    /// Lets loose elements leave so that nothing is inside at some moment before `by`; false if there is
    /// none at which only loose elements are.
    fn let_leave(&mut self, from: usize, to: usize, by: u64) -> bool {
        let last = to.min(self.ends.partition_point(|&end| end < by));
        let least = self.inside.least(from, last);
        if least >= SURE {
            return false;
        }
        let Some(gap) = self.inside.last_at_most(from, last, least) else { return false };
        let inside: Vec<(usize, usize)> = self
            .loose
            .range((from, 0)..(gap, 0))
            .copied()
            .filter(|&(_, place)| self.solid[place].to > gap)
            .collect();
        for &(_, place) in &inside {
            self.inside.add(gap, self.solid[place].to, -1);
            self.solid[place].to = gap;
        }
        !inside.is_empty()
    }

    /// Gives crashed removals to the loose elements that left.
    pub(super) fn give_removals(&mut self) -> Result<(), Unexplained> {
        let at_once = self.between.iter_mut().filter(|it| it.2 == CRASHED);
        let left = self.leaving.iter_mut().filter(|it| it.1 == CRASHED);
        let mut wanted: Vec<(u64, &mut u32)> = at_once
            .map(|(moment, _, entry)| (*moment, entry))
            .chain(left.map(|(moment, entry)| (*moment, entry)))
            .collect();
        wanted.sort_by_key(|(moment, _)| *moment);
        let mut given = self.history.hidden.iter();
        for (moment, entry) in wanted {
            match given.next() {
                Some(&(from, crashed)) if from < moment => *entry = crashed,
                _ => return Err(Self::perhaps(self.history)),
            }
        }
        Ok(())
    }

    /// What cannot be said for sure, because a loose element has to do with it.
    fn perhaps(history: &Unambiguous) -> Unexplained {
        let loose = history.elements.iter().position(Element::is_loose);
        Unexplained {
            elements: loose.into_iter().map(|position| position as u32).collect(),
            entries: Vec::new(),
        }
    }

    fn stuck(&self, start: u64, end: u64) -> Unexplained {
        if !self.history.hidden.is_empty() && !self.history.relaxed {
            let perhaps = Self::perhaps(self.history);
            if !perhaps.elements.is_empty() {
                return perhaps;
            }
        }
        let is_member = |position: u32| {
            let element = &self.history.elements[position as usize];
            self.alive[position as usize]
                && element.is_solid()
                && element.in_by >= start
                && element.out_from <= end
        };
        let until = |position: u32| self.history.elements[position as usize].out_from;
        let elements = chain(self.history, start, end, is_member, until).unwrap_or_default();
        Unexplained { elements, entries: Vec::new() }
    }

    /// All operations in order of time: at one moment elements leave, then the stack may be empty and
    /// elements may go in and leave at once, then elements go in.
    pub(super) fn merge(mut self) -> Vec<u32> {
        self.between.sort_unstable();
        let mut order = Vec::with_capacity(2 * self.history.elements.len());
        let mut leaving = self.leaving.into_iter().peekable();
        let mut between = self.between.into_iter().peekable();
        for (moment, entry) in self.going_in.into_iter().chain([(u64::MAX, NONE)]) {
            loop {
                let next_leaving = leaving.peek().map_or(u64::MAX, |&(moment, _)| moment);
                let next_between = between.peek().map_or(u64::MAX, |&(moment, ..)| moment);
                if next_leaving.min(next_between) > moment {
                    break;
                }
                if next_leaving <= next_between {
                    let Some((_, entry)) = leaving.next() else { break };
                    order.push(entry);
                } else {
                    let Some((_, first, second)) = between.next() else { break };
                    order.extend([first, second].into_iter().filter(|&entry| entry != NONE));
                }
            }
            if entry != NONE {
                order.push(entry);
            }
        }
        order
    }
}

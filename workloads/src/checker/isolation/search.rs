//! Shortest cycles of a pattern in one circle, breadth first.

use std::collections::VecDeque;

use super::circle::{Circle, Misses, Pattern};
use super::graph::{HUB, Kinds, REALTIME};
use super::meter::{Meter, Stop};
use super::transactions::NONE;

/// One edge of a cycle between transactions, by their numbers in the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) from: u32,
    pub(super) to: u32,
    pub(super) kind: Kinds,
    pub(super) version: u32,
}

/// Looks for cycles; keeps its memory from search to search.
pub(super) struct Search<'c> {
    circle: &'c Circle,
    /// In which search a state was seen last, how far it is, and how one came there.
    seen: Vec<u32>,
    round: u32,
    far: Vec<u32>,
    from: Vec<(u32, u32, Kinds)>,
    queue: VecDeque<u32>,
    /// Edges looked at so far.
    pub(super) spent: u64,
}

impl<'c> Search<'c> {
    pub(super) fn new(circle: &'c Circle) -> Self {
        let states = 2 * circle.nodes() as usize;
        Self {
            circle,
            seen: vec![0; states],
            round: 0,
            far: vec![0; states],
            from: vec![(0, 0, 0); states],
            queue: VecDeque::new(),
            spent: 0,
        }
    }

    /// A shortest cycle of the pattern, at the cost of about `allowance` edges. If there is a cycle,
    /// it finds one.
    pub(super) fn cycle(
        &mut self,
        pattern: Pattern,
        allowance: u64,
        meter: &mut Meter<'_>,
    ) -> Result<Option<Vec<Step>>, Stop> {
        let (component, cyclic) = self.circle.components(pattern);
        if !cyclic {
            return Ok(None);
        }
        let mut sizes = vec![0u32; component.len() + self.circle.transactions as usize + 1];
        component.iter().for_each(|&it| sizes[it as usize] += 1);
        let limit = self.spent + allowance;
        let mut found: Option<Vec<Step>> = None;
        for state in 0..component.len() as u32 {
            let home = component[state as usize];
            // A hub is no place to begin at: a path is told without hubs, and would never come back to it.
            // Every cycle has a transaction as well.
            if sizes[home as usize] < 2 || state / 2 >= self.circle.transactions {
                continue;
            }
            if self.spent > limit && found.is_some() {
                return Ok(found);
            }
            let longest = found.as_ref().map_or(u32::MAX, |it| it.len() as u32 - 1);
            if longest < 2 {
                break;
            }
            let inside = |state: u32| component[state as usize] == home;
            if let Some(cycle) = self.walk(state, state, pattern, longest, inside, meter)? {
                found = Some(self.without_detours(cycle, pattern));
            }
        }
        Ok(found)
    }

    /// A shortest cycle with exactly one rw, at the cost of about `allowance` edges.
    pub(super) fn single(
        &mut self,
        free: Kinds,
        longest: u32,
        allowance: u64,
        meter: &mut Meter<'_>,
    ) -> Result<Option<Vec<Step>>, Stop> {
        let pattern = Pattern { free, misses: Misses::First };
        let ranks = self.circle.ranks(free);
        let limit = self.spent + allowance;
        let (mut found, mut longest): (Option<Vec<Step>>, u32) = (None, longest);
        for node in 0..self.circle.transactions {
            let rank = ranks[node as usize];
            let inside = |state: u32| ranks[state as usize / 2] <= rank;
            // Hubs rank low: they have only outgoing edges, and those are followed.
            let promising = self
                .circle
                .out(node)
                .iter()
                .any(|&(to, _, kind)| pattern.next(0, kind).is_some() && inside(2 * to));
            if !promising {
                continue;
            }
            if self.spent > limit {
                return Ok(found);
            }
            if let Some(cycle) =
                self.walk(2 * node, 2 * node + 1, pattern, longest, inside, meter)?
            {
                longest = cycle.len() as u32 - 1;
                found = Some(cycle);
                if longest < 2 {
                    break;
                }
            }
        }
        Ok(found)
    }

    /// A shortest way from a state to another one of at most `longest` edges through states `inside`.
    fn walk(
        &mut self,
        start: u32,
        goal: u32,
        pattern: Pattern,
        longest: u32,
        inside: impl Fn(u32) -> bool,
        meter: &mut Meter<'_>,
    ) -> Result<Option<Vec<Step>>, Stop> {
        self.round += 1;
        self.queue.clear();
        self.queue.push_back(start);
        self.seen[start as usize] = self.round;
        self.far[start as usize] = 0;
        let circle = self.circle;
        // The transactions from here on were reached by realtime already.
        let mut mark = circle.transactions;
        while let Some(state) = self.queue.pop_front() {
            let (node, layer) = (state / 2, state % 2);
            let far = self.far[state as usize];
            meter.step(|| self.seen.len() * 24)?;
            self.spent += 1 + circle.out(node).len() as u64;
            for &(to, version, kind) in circle.out(node) {
                let Some(next) = pattern.next(layer, kind) else { continue };
                let cost = u32::from(kind & HUB == 0);
                if far + cost > longest {
                    continue;
                }
                let target = 2 * to + next;
                if target == goal {
                    self.from[goal as usize] = (state, version, kind);
                    return Ok(Some(self.path(start, goal)));
                }
                self.visit(target, (state, version, kind), far + cost, &inside);
            }
            let realtime = match pattern.free & REALTIME != 0 {
                true => pattern.next(layer, REALTIME),
                false => None,
            };
            if let Some(next) = realtime.filter(|_| far < longest) {
                let later = circle.after(node);
                if goal % 2 == next && goal / 2 >= later && goal / 2 < circle.transactions {
                    self.from[goal as usize] = (state, NONE, REALTIME);
                    return Ok(Some(self.path(start, goal)));
                }
                self.spent += u64::from(mark.saturating_sub(later));
                for to in later..mark {
                    self.visit(2 * to + next, (state, NONE, REALTIME), far + 1, &inside);
                }
                mark = mark.min(later);
            }
        }
        Ok(None)
    }

    fn visit(
        &mut self,
        state: u32,
        from: (u32, u32, Kinds),
        far: u32,
        inside: &impl Fn(u32) -> bool,
    ) {
        if self.seen[state as usize] == self.round || !inside(state) {
            return;
        }
        self.seen[state as usize] = self.round;
        self.far[state as usize] = far;
        self.from[state as usize] = from;
        if from.2 & HUB != 0 {
            self.queue.push_front(state);
        } else {
            self.queue.push_back(state);
        }
    }

    /// The edges from `start` to `goal`, without hubs.
    fn path(&self, start: u32, goal: u32) -> Vec<Step> {
        let members = &self.circle.members;
        let is_hub = |state: u32| state / 2 >= self.circle.transactions;
        let (mut steps, mut at) = (Vec::new(), goal);
        loop {
            let to = at;
            let (mut before, version, mut kind) = self.from[at as usize];
            while is_hub(before) {
                let (earlier, _, entered) = self.from[before as usize];
                (before, kind) = (earlier, entered);
            }
            steps.push(Step {
                from: members[before as usize / 2],
                to: members[to as usize / 2],
                // From hub to hub the kind is HUB; the edge into the first hub is the one that counts.
                kind: kind & !HUB,
                version,
            });
            at = before;
            if at == start {
                break;
            }
        }
        steps.reverse();
        steps
    }

    /// A closed walk may meet a transaction twice, once in each layer. Then a part of it is a cycle
    /// of the same pattern: the part that leaves the transaction by another edge than rw.
    fn without_detours(&self, mut steps: Vec<Step>, pattern: Pattern) -> Vec<Step> {
        'again: loop {
            for first in 0..steps.len() {
                for second in first + 1..steps.len() {
                    if steps[first].from != steps[second].from {
                        continue;
                    }
                    let inner = steps[first..second].to_vec();
                    let outer = [&steps[second..], &steps[..first]].concat();
                    steps = if follows(&inner, pattern) { inner } else { outer };
                    continue 'again;
                }
            }
            return steps;
        }
    }
}

/// Whether a closed walk is one of the pattern.
pub(super) fn follows(steps: &[Step], pattern: Pattern) -> bool {
    let Misses::After(kinds) = pattern.misses else { return true };
    (0..steps.len()).all(|at| {
        let before = steps[(at + steps.len() - 1) % steps.len()];
        steps[at].kind & super::graph::RW == 0 || before.kind & kinds != 0
    })
}

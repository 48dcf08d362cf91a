//! What may come next in the general search, and in which order that is tried.

use super::search::{NONE, RODE, Search};
use crate::model::Model;

impl<M: Model> Search<'_, M> {
    /// Puts what may come next on `moves`, the best last.
    pub(super) fn collect_moves(&mut self, frontier: u32, state: &M::State) {
        let now = self.entry(frontier).completed;
        let held = self.model.held(state);
        let urgent = self.note_open(frontier, held);
        let groups = self.crashed.groups().len();
        for at in 0..groups {
            if let Some(op) = self.next_crashed(at, now) {
                let observed = self.fact(op).observes;
                if observed != NONE {
                    self.awaited[observed as usize] = self.stamp;
                }
            }
        }
        // A write of what is there already can still carry those that must find one to ride on.
        let carries =
            self.open.iter().any(|&op| self.fact(op).is_blind() && !self.riders.may_ride(op));
        self.scored.clear();
        for at in 0..self.open.len() {
            let op = self.open[at];
            let fact = self.fact(op);
            let is_best = self.best[fact.class as usize].1 == op;
            let is_worth = match fact.is_blind() {
                true if held == Some(fact.writes) => carries,
                true => op == frontier || self.awaited[fact.writes as usize] == self.stamp,
                false => true,
            };
            if is_best && is_worth && self.is_possible(op, state) {
                let score = match op {
                    _ if urgent != NONE && fact.writes == urgent => 0,
                    _ if op == frontier && !fact.is_blind() => 1,
                    _ if op == frontier => 3,
                    _ => 4,
                };
                self.scored.push(((score, self.entry(op).completed), op));
            }
        }
        if self.riders.may_ride(frontier) {
            self.scored.push(((2, now), frontier | RODE));
        }
        for at in 0..groups {
            let Some(op) = self.next_crashed(at, now) else { continue };
            let fact = self.fact(op);
            let candidate = self.best[fact.class as usize].0 != self.stamp
                && match held == Some(fact.writes) {
                    _ if fact.writes == NONE => true,
                    true => carries && fact.is_blind(),
                    false => self.awaited[fact.writes as usize] == self.stamp,
                }
                && self.is_possible(op, state);
            if candidate {
                let score = if urgent != NONE && fact.writes == urgent { 5 } else { 6 };
                self.scored.push(((score, self.entry(op).invoked), op));
            }
        }
        self.scored.sort_unstable_by(|a, b| b.cmp(a));
        self.moves.extend(self.scored.iter().map(|&(_, op)| op));
    }

    /// Notes the best of each class of open operations and what they wait for; returns what the one that
    /// completes first waits for.
    fn note_open(&mut self, frontier: u32, held: Option<u32>) -> u32 {
        let mut urgent = (self.entry(frontier).completed, self.fact(frontier).observes);
        if urgent.1 == NONE || held == Some(urgent.1) {
            urgent = (u64::MAX, NONE);
        }
        for at in 0..self.open.len() {
            let op = self.open[at];
            let fact = self.fact(op);
            let completed = self.entry(op).completed;
            if fact.observes != NONE {
                self.awaited[fact.observes as usize] = self.stamp;
                if completed < urgent.0 && held != Some(fact.observes) {
                    urgent = (completed, fact.observes);
                }
            }
            let (stamp, best) = self.best[fact.class as usize];
            if stamp != self.stamp || completed < self.entry(best).completed {
                self.best[fact.class as usize] = (self.stamp, op);
            }
        }
        urgent.1
    }

    fn is_possible(&self, op: u32, state: &M::State) -> bool {
        self.model.step(state, &self.entry(op).op).is_some()
    }

    /// The next operation of a group of crashed ones, if it was invoked before `now`.
    fn next_crashed(&self, group: usize, now: u64) -> Option<u32> {
        self.crashed.groups()[group].next().filter(|&op| self.entry(op).invoked < now)
    }
}

//! Blind writes that may as well have taken effect earlier, unseen.
//!
//! Take an explanation, and in it a blind write whose value nobody observes before the next change. That
//! change is a blind write too, as every other change observes. So the first may be moved to right before
//! any blind write that took effect while it was open, or to where the state was as it leaves it: it
//! *rides along*. As soon as there was such a moment, a write is optional. It may still be used later, for
//! an operation that observes its value; if it was not when its completion comes, it rode along.
//!
//! What is left in an explanation are blind writes that are followed by an observer, and those that are
//! due before anything else could carry them, and those that carry others and leave the state as it was. The observer of a write that is not due was invoked before
//! the next completion, because nothing lies between the two. So only these are tried.

use super::search::{NONE, RODE, Search};
use super::timeline::Timeline;
use crate::model::Model;

/// Which open writes are optional, and where they would be in the order.
pub(super) struct Riders {
    /// For each operation, before which position of the trail it can be put; [`NONE`] if nowhere yet.
    place: Vec<u32>,
    /// Those that have a place, in the order in which they got it.
    log: Vec<u32>,
}

impl Riders {
    /// None of so many operations.
    pub(super) fn new(operations: usize) -> Self {
        Self { place: vec![NONE; operations], log: Vec::new() }
    }

    /// Whether an acknowledged operation is optional.
    pub(super) fn may_ride(&self, op: u32) -> bool {
        self.place[op as usize] != NONE
    }

    /// How many became optional.
    pub(super) fn count(&self) -> usize {
        self.log.len()
    }

    /// From here on the last of them are no longer, but for the first `count`.
    pub(super) fn undo(&mut self, count: usize) {
        for op in self.log.drain(count..) {
            self.place[op as usize] = NONE;
        }
    }

    fn board(&mut self, op: u32, place: usize) {
        if !self.may_ride(op) {
            self.place[op as usize] = place as u32;
            self.log.push(op);
        }
    }

    /// The operations of a trail, with those that rode along at their places.
    pub(super) fn order(&self, trail: &[u32]) -> Vec<u32> {
        let rode = trail.iter().filter(|&op| op & RODE != 0).map(|op| op & !RODE);
        let mut rode: Vec<(u32, u32)> = rode.map(|op| (self.place[op as usize], op)).collect();
        rode.sort_unstable();
        let mut rode = rode.into_iter().peekable();
        let mut order = Vec::with_capacity(trail.len());
        for (&op, position) in trail.iter().zip(0..) {
            while let Some((_, rider)) = rode.next_if(|&(place, _)| place <= position) {
                order.push(rider);
            }
            if op & RODE == 0 {
                order.push(op);
            }
        }
        order
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        4 * (self.place.capacity() + self.log.capacity())
    }
}

impl<M: Model> Search<'_, M> {
    /// Lets all open blind writes but `op` take effect whose value nobody is left to observe.
    pub(super) fn take_unobserved_writes(&mut self, op: u32) {
        let mut node = self.timeline.first();
        while node != NONE && !Timeline::is_completion(node) {
            let other = Timeline::op(node);
            let fact = self.fact(other);
            if other != op && fact.is_blind() && self.may_observe[fact.writes as usize] == 0 {
                self.lift(other);
                node = self.timeline.after_lifted(node);
            } else {
                node = self.timeline.after(node);
            }
        }
    }

    /// A blind write is about to take effect: all other open ones become optional.
    pub(super) fn board_all(&mut self, op: u32) {
        let mut node = self.timeline.first();
        while node != NONE && !Timeline::is_completion(node) {
            let other = Timeline::op(node);
            if other != op && self.fact(other).is_blind() {
                self.riders.board(other, self.trail.len());
            }
            node = self.timeline.after(node);
        }
    }

    /// Open blind writes of the value that is there become optional.
    pub(super) fn board_equals(&mut self, state: &M::State) {
        let Some(held) = self.model.held(state) else { return };
        for &op in &self.open {
            let fact = self.fact(op);
            if fact.is_blind() && fact.writes == held {
                self.riders.board(op, self.trail.len());
            }
        }
    }

    /// Whether somebody may observe the value of an optional write that is due.
    ///
    /// Others that are open may take effect before it, and its observer comes right after it: before the
    /// completion of anything that was invoked after its own.
    pub(super) fn is_wanted(&self, due: u32) -> bool {
        let value = self.fact(due).writes;
        if self.may_observe[value as usize] == 0 {
            return false;
        }
        let completed = self.entry(due).completed;
        let mut node = self.timeline.first();
        let mut end = u64::MAX;
        while node != NONE {
            let op = Timeline::op(node);
            if !Timeline::is_completion(node) {
                if self.fact(op).observes == value {
                    return true;
                }
            } else if self.entry(op).invoked > completed {
                end = self.entry(op).completed;
                break;
            }
            node = self.timeline.after(node);
        }
        self.crashed
            .groups()
            .iter()
            .filter_map(|group| group.next())
            .any(|op| self.fact(op).observes == value && self.entry(op).invoked < end)
    }
}

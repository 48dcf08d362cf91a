//! The shape of a contradiction in a small set of operations on one value at a time.

use crate::model::{Entry, Model};

/// A reason why no order explains a set of operations. Operations are positions in the set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Contradiction {
    /// It observed a value that nobody wrote.
    NeverWritten { observer: usize, value: u32 },
    /// It observed a value, and was done before the value's only write began.
    WrittenLater { observer: usize, writer: usize, value: u32 },
    /// Both replaced the same value, which was there once.
    ReplacedTwice { first: usize, second: usize, value: u32 },
    /// One value must precede another, and the other way round.
    Cycle { older: u32, newer: u32, forth: Before, back: Before },
    /// A third value must lie between two values of which one replaced the other at once.
    Between { replacer: usize, older: u32, between: u32, newer: u32, after: Before, before: Before },
    /// None of these.
    Other,
}

/// Why one value precedes another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Before {
    /// The earlier value was there from the start.
    Initial,
    /// A cas replaced the earlier value by the later.
    Replaced { cas: usize },
    /// An operation on the earlier value completed before one on the later was invoked.
    Time { done: usize, begun: usize },
}

/// Finds the simplest contradiction in `subset`; `all` are the operations on the key.
pub(super) fn contradiction<M: Model>(
    model: &M,
    all: &[Entry<M::Op>],
    subset: &[Entry<M::Op>],
) -> Contradiction {
    let values = Values { model, subset };
    let single = || (0..subset.len()).filter_map(|at| Some((at, model.observes(&subset[at].op)?)));
    for (observer, value) in single() {
        if model.held(&model.initial()).is_none_or(|initial| initial == value) {
            continue;
        }
        if all.iter().all(|entry| model.writes(&entry.op) != Some(value)) {
            return Contradiction::NeverWritten { observer, value };
        }
        if let Some(writer) = values.only_writer(value)
            && subset[observer].completed < subset[writer].invoked
        {
            return Contradiction::WrittenLater { observer, writer, value };
        }
    }
    for (first, value) in single() {
        for (second, other) in single().filter(|&(second, _)| second > first) {
            let replaces = |at: usize| {
                !subset[at].is_crashed()
                    && model.writes(&subset[at].op).is_some_and(|new| new != value)
            };
            if value == other && replaces(first) && replaces(second) && values.is_once(value) {
                return Contradiction::ReplacedTwice { first, second, value };
            }
        }
    }
    values.ordered()
}

struct Values<'a, M: Model> {
    model: &'a M,
    subset: &'a [Entry<M::Op>],
}

impl<M: Model> Values<'_, M> {
    fn writers(&self, value: u32) -> impl Iterator<Item = usize> {
        (0..self.subset.len())
            .filter(move |&at| self.model.writes(&self.subset[at].op) == Some(value))
    }

    fn only_writer(&self, value: u32) -> Option<usize> {
        let mut writers = self.writers(value);
        writers.next().filter(|_| writers.next().is_none())
    }

    fn is_initial(&self, value: u32) -> bool {
        self.model.held(&self.model.initial()) == Some(value)
    }

    /// Whether the value is there for one stretch of time at most.
    fn is_once(&self, value: u32) -> bool {
        match self.model.held(&self.model.initial()) {
            Some(initial) if initial == value => self.writers(value).next().is_none(),
            Some(_) => self.only_writer(value).is_some(),
            None => false,
        }
    }

    /// Operations that show when the value was there.
    fn members(&self, value: u32) -> impl Iterator<Item = usize> {
        (0..self.subset.len()).filter(move |&at| {
            let entry = &self.subset[at];
            self.model.writes(&entry.op) == Some(value)
                || self.model.observes(&entry.op) == Some(value)
        })
    }

    /// The best reason why `earlier` precedes `later`, if there is one.
    fn before(&self, earlier: u32, later: u32) -> Option<Before> {
        if self.is_initial(earlier) {
            return Some(Before::Initial);
        }
        let cas = self
            .writers(later)
            .find(|&at| self.model.observes(&self.subset[at].op) == Some(earlier));
        if let Some(cas) = cas {
            return Some(Before::Replaced { cas });
        }
        // Prefer what a person would point at: writes before reads.
        self.members(earlier)
            .flat_map(|done| self.members(later).map(move |begun| (done, begun)))
            .filter(|&(done, begun)| self.subset[done].completed < self.subset[begun].invoked)
            .min_by_key(|&(done, begun)| {
                let is_writer =
                    |at: usize, value| self.model.writes(&self.subset[at].op) == Some(value);
                (!is_writer(done, earlier), !is_writer(begun, later), done, begun)
            })
            .map(|(done, begun)| Before::Time { done, begun })
    }

    /// Two values that each precede the other, or a value between two that are next to each other.
    fn ordered(&self) -> Contradiction {
        let mut once: Vec<u32> = Vec::new();
        for entry in self.subset {
            for value in [self.model.observes(&entry.op), self.model.writes(&entry.op)] {
                if let Some(value) = value
                    && !once.contains(&value)
                    && self.is_once(value)
                {
                    once.push(value);
                }
            }
        }
        for &older in &once {
            for &newer in once.iter().filter(|&&newer| newer != older) {
                // The way back must be shown by time, and end at one who still saw the older value.
                let Some(forth) = self.before(older, newer) else { continue };
                let Some(back @ Before::Time { begun, .. }) = self.before(newer, older) else {
                    continue;
                };
                if self.model.observes(&self.subset[begun].op) == Some(older) {
                    return Contradiction::Cycle { older, newer, forth, back };
                }
            }
        }
        for (replacer, entry) in self.subset.iter().enumerate() {
            let (Some(older), Some(newer)) =
                (self.model.observes(&entry.op), self.model.writes(&entry.op))
            else {
                continue;
            };
            for &between in once.iter().filter(|&&value| value != older && value != newer) {
                if once.contains(&older)
                    && once.contains(&newer)
                    && let Some(after) = self.before(older, between)
                    && let Some(before) = self.before(between, newer)
                {
                    return Contradiction::Between {
                        replacer,
                        older,
                        between,
                        newer,
                        after,
                        before,
                    };
                }
            }
        }
        Contradiction::Other
    }
}

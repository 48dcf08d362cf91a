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
    let values = Values { model, subset, certain: certain(model, subset) };
    let single = || {
        (0..subset.len())
            .filter(|&at| values.certain[at])
            .filter_map(|at| Some((at, model.observes(&subset[at].op)?)))
    };
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
    for (observer, value) in single() {
        if let Some(overwritten) = values.overwritten(all, observer, value) {
            return overwritten;
        }
    }
    for (first, value) in single() {
        for (second, other) in single().filter(|&(second, _)| second > first) {
            let replaces = |at: usize| model.writes(&subset[at].op).is_some_and(|new| new != value);
            if value == other && replaces(first) && replaces(second) && values.is_once(value) {
                return Contradiction::ReplacedTwice { first, second, value };
            }
        }
    }
    values.ordered()
}

/// Which operations took effect in any explanation: the acknowledged, and the only writers of
/// values that such operations observe.
fn certain<M: Model>(model: &M, subset: &[Entry<M::Op>]) -> Vec<bool> {
    let mut certain: Vec<bool> = subset.iter().map(|entry| !entry.is_crashed()).collect();
    let initial = model.held(&model.initial());
    let writers = |value: u32| {
        (0..subset.len()).filter(move |&at| model.writes(&subset[at].op) == Some(value))
    };
    let mut pending: Vec<usize> = (0..subset.len()).filter(|&at| certain[at]).collect();
    while let Some(at) = pending.pop() {
        let Some(value) = model.observes(&subset[at].op) else { continue };
        let mut writers = writers(value);
        if let (Some(writer), None) = (writers.next(), writers.next())
            && initial.is_some_and(|initial| initial != value)
            && !std::mem::replace(&mut certain[writer], true)
        {
            pending.push(writer);
        }
    }
    certain
}

struct Values<'a, M: Model> {
    model: &'a M,
    subset: &'a [Entry<M::Op>],
    /// Only what surely took effect is evidence.
    certain: Vec<bool>,
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
            self.certain[at]
                && (self.model.writes(&entry.op) == Some(value)
                    || self.model.observes(&entry.op) == Some(value))
        })
    }

    /// The best reason why `earlier` precedes `later`, if there is one.
    fn before(&self, earlier: u32, later: u32) -> Option<Before> {
        if self.is_initial(earlier) {
            return Some(Before::Initial);
        }
        let cas = self.writers(later).find(|&at| {
            self.certain[at] && self.model.observes(&self.subset[at].op) == Some(earlier)
        });
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

    /// Every write of the value was over when another write began that was over before `observer`
    /// began. The value may have been written many times.
    fn overwritten(
        &self,
        all: &[Entry<M::Op>],
        observer: usize,
        value: u32,
    ) -> Option<Contradiction> {
        let observation = &self.subset[observer];
        let initial = self.model.held(&self.model.initial())?;
        let (newer, by) = (0..self.subset.len())
            .filter_map(|at| Some((self.model.writes(&self.subset[at].op)?, at)))
            .filter(|&(other, at)| {
                other != value && self.subset[at].completed < observation.invoked
            })
            .max_by_key(|&(_, at)| self.subset[at].invoked)?;
        let over = all.iter().all(|entry| {
            self.model.writes(&entry.op) != Some(value)
                || entry.id == observation.id
                || entry.invoked > observation.completed
                || entry.completed < self.subset[by].invoked
        });
        let last = self
            .writers(value)
            .filter(|&at| self.subset[at].completed < self.subset[by].invoked)
            .max_by_key(|&at| self.subset[at].completed);
        let forth = match last {
            Some(done) => Before::Time { done, begun: by },
            None if initial == value => Before::Initial,
            None => return None,
        };
        let back = Before::Time { done: by, begun: observer };
        over.then_some(Contradiction::Cycle { older: value, newer, forth, back })
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
        // Best told is what happens in order of time: the operation that still saw the older value
        // comes last.
        let mut cycles: Vec<(bool, Contradiction)> = Vec::new();
        for &older in &once {
            for &newer in once.iter().filter(|&&newer| newer != older) {
                // The way back must be shown by time, and end at one who still saw the older value.
                let Some(forth) = self.before(older, newer) else { continue };
                let Some(back @ Before::Time { done, begun }) = self.before(newer, older) else {
                    continue;
                };
                if self.model.observes(&self.subset[begun].op) == Some(older) {
                    let invoked = |at: usize| self.subset[at].invoked;
                    let late = match forth {
                        Before::Time { done: first, begun: second } => {
                            invoked(first).max(invoked(second)).max(invoked(done)) > invoked(begun)
                        }
                        Before::Replaced { cas } => {
                            invoked(cas).max(invoked(done)) > invoked(begun)
                        }
                        Before::Initial => false,
                    };
                    cycles.push((late, Contradiction::Cycle { older, newer, forth, back }));
                }
            }
        }
        if let Some(&(_, cycle)) = cycles.iter().min_by_key(|(late, _)| *late) {
            return cycle;
        }
        let certain = |&(at, _): &(usize, _)| self.certain[at];
        for (replacer, entry) in self.subset.iter().enumerate().filter(certain) {
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

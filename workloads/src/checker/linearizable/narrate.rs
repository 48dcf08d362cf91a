//! Contradictions in plain English, for someone who knows the object but not this code.

use rustc_hash::FxHashSet;

use super::contradiction::{Before, Contradiction};
use crate::checker::{CounterexampleOperation, PrefixStep, StuckOperation};
use crate::model::{Entry, Model, Telling};
use crate::moments;
use crate::plural::counted;

/// The name of the `number`th operation: A, B, ..., Z, A1, B1, ...
pub(in crate::checker) fn label(number: usize) -> String {
    let letter = char::from(b'A' + (number % 26) as u8);
    match number / 26 {
        0 => letter.to_string(),
        round => format!("{letter}{round}"),
    }
}

/// The longest prefix that is told operation by operation.
const PREFIX_SHOWN: usize = 8;

/// What operations found after one that found a value which had been replaced.
enum Later {
    /// This value, which was acknowledged before.
    Known(u32),
    /// The same old value, so many, and nothing newer.
    Old(u64),
    /// Nothing that tells a lost write from a stale read.
    Nothing,
}

/// What there is to tell about.
pub(super) struct Narrator<'a, M: Model> {
    pub(super) model: &'a M,
    /// All operations on the key.
    pub(super) entries: &'a [Entry<M::Op>],
    /// The counterexample, and the same for people.
    pub(super) subset: &'a [Entry<M::Op>],
    pub(super) operations: &'a [CounterexampleOperation],
}

impl<M: Model> Telling for Narrator<'_, M> {
    fn name(&self, operation: usize) -> String {
        self.operations[operation].label.clone()
    }

    fn began(&self, operation: usize) -> String {
        match self.has_times() {
            true => self.time(self.operations[operation].invoke_time),
            false => format!("event {}", self.subset[operation].invoked / 2),
        }
    }

    fn done(&self, operation: usize) -> Option<String> {
        let time = self.operations[operation].complete_time?;
        Some(match self.has_times() {
            true => self.time(time),
            false => format!("event {}", self.subset[operation].completed / 2),
        })
    }
}

impl<M: Model> Narrator<'_, M> {
    /// Numbered steps.
    pub(super) fn explain(
        &self,
        contradiction: &Contradiction,
        prefix: &[PrefixStep],
        stuck: &[StuckOperation],
    ) -> Vec<String> {
        if let Some(steps) = self.model.explain(self.entries, self.subset, self) {
            return steps;
        }
        match *contradiction {
            Contradiction::NeverWritten { observer, value } => vec![
                format!("{}.", self.did(observer)),
                format!(
                    "Nothing ever wrote {}, not even an operation of unknown outcome, and the {} \
                     starts with {}.",
                    self.value(value),
                    self.model.noun(),
                    self.initial(),
                ),
                format!("So {} saw a value that cannot have been there.", self.name(observer)),
            ],
            Contradiction::WrittenLater { observer, writer, value } => vec![
                format!("{}.", self.did(observer)),
                format!(
                    "The write of {} by {} began only later, at {}{}.",
                    self.value(value),
                    self.name(writer),
                    self.began(writer),
                    self.and_only(value),
                ),
                format!("So {} saw a value before it was written.", self.name(observer)),
            ],
            Contradiction::ReplacedTwice { first, second, value } => vec![
                self.origin(value),
                format!("{}.", self.did(first)),
                format!("{}.", self.did(second)),
                format!(
                    "Either of them removes {0}, and nothing put it back, so only one of {1} and {2} can \
                     have found it: an update was lost.",
                    self.value(value),
                    self.name(first),
                    self.name(second),
                ),
            ],
            Contradiction::Cycle { older, newer, forth, back } => {
                self.cycle(older, newer, forth, back)
            }
            Contradiction::Between { replacer, older, between, newer, after, before } => {
                let mut steps = vec![format!(
                    "{}. A cas acts in one step, so nothing can lie between {} and {}.",
                    self.did(replacer),
                    self.value(older),
                    self.value(newer)
                )];
                for step in self
                    .because(older, between, after)
                    .into_iter()
                    .chain(self.because(between, newer, before))
                {
                    // The same operation may end the first reason and begin the second.
                    if steps.iter().all(|known| !known.starts_with(step.trim_end_matches('.'))) {
                        steps.push(step);
                    }
                }
                steps.push(format!(
                    "So {0} would have to lie between them: {1} succeeded although the {3} cannot \
                     have held {2} at that moment.",
                    self.value(between),
                    self.name(replacer),
                    self.value(older),
                    self.model.noun()
                ));
                steps
            }
            Contradiction::Other => self.fallback(prefix, stuck),
        }
    }

    /// `older` precedes `newer`, yet someone saw `older` after `newer`.
    fn cycle(&self, older: u32, newer: u32, forth: Before, back: Before) -> Vec<String> {
        let Before::Time { done, begun } = back else { return Vec::new() };
        if let Before::Time { done: first, begun: second } = forth
            && (first == begun || second == begun)
        {
            return self.both_ways(older, newer, forth, back);
        }
        let noun = self.model.noun();
        let (old, new) = (self.value(older), self.value(newer));
        let mut steps = match forth {
            Before::Initial => {
                let mut steps = vec![format!("The {noun} starts with {old}.")];
                if let Some(writer) = self.writer(newer) {
                    steps.push(format!("{}.", self.did(writer)));
                }
                steps
            }
            Before::Time { .. } | Before::Replaced { .. } => self.because(older, newer, forth),
        };
        let by_write = self.model.writes(&self.subset[done].op) == Some(newer);
        let told = matches!(forth, Before::Time { begun, .. } if begun == done);
        if !by_write && !told {
            steps.push(format!("{}, so {new} had been written by then.", self.did(done)));
        }
        let still = match self.model.writes(&self.subset[begun].op) {
            Some(replacement) => format!(", and replaced it by {}", self.value(replacement)),
            None => String::new(),
        };
        let verb = if still.is_empty() { "read" } else { "found" };
        steps.push(format!(
            "{} began at {}, after {} was done, and still {verb} {old}, {}{still}.",
            self.name(begun),
            self.began(begun),
            self.name(done),
            match forth {
                Before::Initial => "the value from the start".to_owned(),
                Before::Time { .. } | Before::Replaced { .. } => format!("the value before {new}"),
            },
        ));
        let seen_again = match forth {
            Before::Time { done: seen, .. } => {
                self.model.observes(&self.subset[seen].op) == Some(older) && seen != begun
            }
            Before::Initial | Before::Replaced { .. } => false,
        };
        let again = match forth {
            Before::Initial => "Nothing put the starting value back".to_owned(),
            Before::Time { .. } | Before::Replaced { .. } => {
                format!("Nothing wrote {old} again in between")
            }
        };
        let name = self.name(begun);
        steps.push(if self.model.writes(&self.subset[begun].op).is_some() {
            format!("{again}, so {name} succeeded on a value that the {noun} no longer held.")
        } else if seen_again {
            format!("{again}, so an overwritten value came back.")
        } else {
            match self.later(older, begun) {
                Later::Known(value) => format!(
                    "{again}, so {name}'s read was stale: {} was found even later.",
                    self.value(value)
                ),
                Later::Old(times) => format!(
                    "{again}, and {} found {old} after {name} did: what had been acknowledged was lost.",
                    counted(times, "more operation")
                ),
                Later::Nothing if by_write && self.is_observed(newer) => format!(
                    "{again}, so {name}'s read was stale: it had to return {new} or a later value."
                ),
                Later::Nothing if by_write => format!(
                    "{again}, and nobody ever saw {new}: the acknowledged write by {} was lost, or \
                     {name}'s read was stale.",
                    self.name(done)
                ),
                Later::Nothing => format!(
                    "{again}, so time ran backwards between {} and {name}: {name}'s read was stale.",
                    self.name(done)
                ),
            }
        });
        steps
    }

    fn is_observed(&self, value: u32) -> bool {
        let observes = |entry: &Entry<M::Op>| self.model.observes(&entry.op) == Some(value);
        self.entries.iter().any(|entry| !entry.is_crashed() && observes(entry))
    }

    /// Whether `stale`, which found `old` although that had been replaced, was behind the others, or
    /// they found it too.
    fn later(&self, old: u32, stale: usize) -> Later {
        let stale = &self.subset[stale];
        let known: FxHashSet<u32> = self
            .entries
            .iter()
            .filter(|entry| entry.completed < stale.invoked)
            .filter_map(|entry| self.model.writes(&entry.op))
            .filter(|&value| value != old)
            .collect();
        let mut again = 0;
        let next = self.entries.iter().filter(|entry| entry.invoked > stale.completed);
        for entry in next.filter(|entry| !entry.is_crashed()) {
            match self.model.observes(&entry.op) {
                Some(value) if value == old => again += 1,
                Some(value) if known.contains(&value) => return Later::Known(value),
                // What was written since says nothing of what was there before.
                Some(_) => break,
                None => {}
            }
        }
        if again > 0 { Later::Old(again) } else { Later::Nothing }
    }

    /// The bare contradiction, where the operations do not line up in time.
    fn both_ways(&self, older: u32, newer: u32, forth: Before, back: Before) -> Vec<String> {
        let mut steps = self.because(older, newer, forth);
        steps.extend(self.because(newer, older, back));
        steps.push(format!(
            "Each of {} and {} was there for one stretch of time only, so both cannot be true.",
            self.value(older),
            self.value(newer)
        ));
        steps
    }

    /// Why `earlier` precedes `later`.
    fn because(&self, earlier: u32, later: u32, why: Before) -> Vec<String> {
        let (old, new) = (self.value(earlier), self.value(later));
        match why {
            Before::Initial => {
                let noun = self.model.noun();
                vec![format!("The {noun} starts with {old}, so {old} came before {new}.")]
            }
            Before::Replaced { cas } => vec![format!("{}.", self.did(cas))],
            Before::Time { done, begun } => vec![
                format!("{}.", self.did(done)),
                format!(
                    "{}; it began after {} was done, so {old} came before {new}.",
                    self.did(begun),
                    self.name(done)
                ),
            ],
        }
    }

    /// Where a value came from.
    fn origin(&self, value: u32) -> String {
        match self.writer(value) {
            Some(writer) => {
                format!("{}{}.", self.did(writer), self.and_only(value))
            }
            None => format!(
                "The {} starts with {}, and nothing wrote that again.",
                self.model.noun(),
                self.value(value)
            ),
        }
    }

    /// The best order, and why it goes no further.
    fn fallback(&self, prefix: &[PrefixStep], stuck: &[StuckOperation]) -> Vec<String> {
        let count = self.subset.len();
        let mut steps = vec![format!(
            "At first, {}. {} must take effect one after the other, each between its start and its \
             end.",
            self.model.describe_holding(&self.model.initial()),
            if count == 1 {
                "One operation".to_owned()
            } else {
                format!("These {count} operations")
            }
        )];
        if prefix.is_empty() {
            steps.push("No operation can come first.".to_owned());
        } else {
            let name = |step: &PrefixStep| {
                format!("{} ({})", self.name(step.operation), self.operations[step.operation].text)
            };
            let order = match prefix {
                [.., last] if prefix.len() > PREFIX_SHOWN => {
                    format!(
                        "{} of them make sense in an order that ends with {}",
                        prefix.len(),
                        name(last)
                    )
                }
                _ => {
                    let names: Vec<String> = prefix.iter().map(name).collect();
                    format!("In this order they make sense: {}", names.join(", then "))
                }
            };
            let mut state = self.model.initial();
            for step in prefix {
                state = self.model.step(&state, &self.subset[step.operation].op).unwrap_or(state);
            }
            steps.push(format!("{order}; then {}.", self.model.describe_holding(&state)));
        }
        steps.extend(stuck.iter().map(|stuck| {
            format!("{} cannot come next: {}.", self.name(stuck.operation), stuck.why)
        }));
        steps.push(
            "Every other order gets stuck as early or earlier, so no order explains them."
                .to_owned(),
        );
        steps
    }

    /// For example `A wrote 7 and was acknowledged at 1.203 s`.
    fn did(&self, at: usize) -> String {
        let (name, op) = (self.name(at), &self.subset[at].op);
        let (observed, written) = (self.model.observes(op), self.model.writes(op));
        let done = self.done(at);
        match (observed, written, done.clone()) {
            (None, Some(new), Some(done)) => {
                format!("{name} wrote {} and was acknowledged at {done}", self.value(new))
            }
            (None, Some(new), None) => format!(
                "{name} tried to write {} from {} on and never learned whether it did",
                self.value(new),
                self.began(at)
            ),
            (Some(old), Some(new), Some(done)) => format!(
                "{name} replaced {} by {} and was acknowledged at {done}",
                self.value(old),
                self.value(new)
            ),
            (Some(old), Some(new), None) => format!(
                "{name} tried to replace {} by {} from {} on and never learned whether it did",
                self.value(old),
                self.value(new),
                self.began(at)
            ),
            (Some(old), None, _) => format!(
                "{name} read {} (from {} to {})",
                self.value(old),
                self.began(at),
                done.unwrap_or_default()
            ),
            (None, None, _) => format!("{name} did {}", self.operations[at].text),
        }
    }

    fn name(&self, at: usize) -> &str {
        &self.operations[at].label
    }

    fn value(&self, value: u32) -> String {
        self.model.describe_value(value)
    }

    fn initial(&self) -> String {
        self.model.describe_state(&self.model.initial())
    }

    fn writer(&self, value: u32) -> Option<usize> {
        (0..self.subset.len()).find(|&at| self.model.writes(&self.subset[at].op) == Some(value))
    }

    /// A clause that says so if the value was written once in the whole history.
    fn and_only(&self, value: u32) -> &'static str {
        let writers =
            self.entries.iter().filter(|entry| self.model.writes(&entry.op) == Some(value));
        if writers.count() == 1 { ", and nothing else wrote it" } else { "" }
    }

    /// Seconds, with as many digits as tell the moments of the counterexample apart.
    fn time(&self, time: u64) -> String {
        moments::text(time, moments::digits(self.times()))
    }

    /// Whether the history says when things happened.
    fn has_times(&self) -> bool {
        self.times().any(|time| time != 0)
    }

    fn times(&self) -> impl Iterator<Item = u64> {
        let both = |operation: &CounterexampleOperation| {
            [Some(operation.invoke_time), operation.complete_time]
        };
        self.operations.iter().flat_map(both).flatten()
    }
}

//! Contradictions in words, for someone who knows collections but not this code.

use super::discipline::Discipline;
use super::{Collection, CollectionOp};
use crate::model::{Entry, Model, Telling};

/// Elements that are told one by one.
const TOLD: usize = 6;

/// An element with its operations, as positions in the subset.
#[derive(Clone, Copy)]
struct Told {
    value: u32,
    insert: usize,
    remove: Option<usize>,
}

/// Numbered steps; none if `subset` is of no shape that is known here.
pub(super) fn explain<D: Discipline>(
    model: &Collection<D>,
    all: &[Entry<CollectionOp>],
    subset: &[Entry<CollectionOp>],
    telling: &dyn Telling,
) -> Option<Vec<String>> {
    let teller = Teller { model, all, subset, telling };
    teller.never_inserted().or_else(|| teller.removed_twice()).or_else(|| {
        let told = teller.told()?;
        let mut observations = (0..subset.len()).filter(|&at| subset[at].op == CollectionOp::Empty);
        match (told.as_slice(), observations.next(), observations.next()) {
            ([one], None, None) => teller.too_early(*one),
            ([_, ..], Some(empty), None) => teller.not_empty(empty, &told),
            ([first, second], None, None) => teller
                .overtaken(*first, *second)
                .or_else(|| teller.overtaken(*second, *first))
                .or_else(|| teller.no_bottom(&told)),
            ([_, _, ..], None, None) => teller.no_bottom(&told),
            _ => None,
        }
    })
}

struct Teller<'a, D: Discipline> {
    model: &'a Collection<D>,
    all: &'a [Entry<CollectionOp>],
    subset: &'a [Entry<CollectionOp>],
    telling: &'a dyn Telling,
}

impl<D: Discipline> Teller<'_, D> {
    fn never_inserted(&self) -> Option<Vec<String>> {
        let (at, value) =
            self.subset.iter().enumerate().find_map(|(at, entry)| match entry.op {
                CollectionOp::Remove(value)
                    if self.all.iter().all(|other| other.op != CollectionOp::Insert(value)) =>
                {
                    Some((at, value))
                }
                _ => None,
            })?;
        let [_, inserted] = D::INSERT;
        Some(vec![
            format!("{}.", self.did(at)),
            format!(
                "Nothing ever {inserted} {}, not even an operation of unknown outcome, and the {} \
                 starts empty.",
                self.value(value),
                D::NOUN
            ),
            format!("So {} came from nowhere.", self.value(value)),
        ])
    }

    fn removed_twice(&self) -> Option<Vec<String>> {
        let removes = |value: u32| {
            (0..self.subset.len()).filter(move |&at| {
                self.subset[at].op == CollectionOp::Remove(value) && !self.subset[at].is_crashed()
            })
        };
        let (insert, value) = self.subset.iter().enumerate().find_map(|(at, entry)| {
            let CollectionOp::Insert(value) = entry.op else { return None };
            (removes(value).count() > 1
                && self.all.iter().filter(|other| other.op == entry.op).count() == 1)
                .then_some((at, value))
        })?;
        let [_, inserted] = D::INSERT;
        let [_, removed] = D::REMOVE;
        let mut removes = removes(value);
        let (first, second) = (removes.next()?, removes.next()?);
        Some(vec![
            format!("{}, and nothing else {inserted} {}.", self.did(insert), self.value(value)),
            format!("{}.", self.did(first)),
            format!("{}, too.", self.did(second)),
            format!("What went in once was {removed} twice."),
        ])
    }

    /// The elements, if each goes in once and leaves at most once, and nothing else happens.
    fn told(&self) -> Option<Vec<Told>> {
        let mut told: Vec<Told> = Vec::new();
        for (at, entry) in self.subset.iter().enumerate() {
            if let CollectionOp::Insert(value) = entry.op {
                if told.iter().any(|other| other.value == value) {
                    return None;
                }
                told.push(Told { value, insert: at, remove: None });
            }
        }
        for (at, entry) in self.subset.iter().enumerate() {
            match entry.op {
                CollectionOp::Insert(_) | CollectionOp::Empty => {}
                CollectionOp::Remove(value) => {
                    let element = told.iter_mut().find(|other| other.value == value)?;
                    if element.remove.replace(at).is_some() {
                        return None;
                    }
                }
                CollectionOp::Peek(_) | CollectionOp::RemoveUnknown => return None,
            }
        }
        Some(told)
    }

    fn too_early(&self, element: Told) -> Option<Vec<String>> {
        let remove = element.remove?;
        let done = self.telling.done(remove)?;
        let value = self.value(element.value);
        Some(vec![
            format!("{}.", self.did(remove)),
            format!(
                "Only {} {} {value}, and it began at {}, after {} was done at {done}.",
                self.name(element.insert),
                D::INSERT[1],
                self.telling.began(element.insert),
                self.name(remove),
            ),
            format!("So {value} was {} before it was there.", D::REMOVE[1]),
        ])
    }

    fn not_empty(&self, empty: usize, told: &[Told]) -> Option<Vec<String>> {
        let mut steps = vec![format!("{}.", self.did(empty))];
        if let [one] = told {
            steps.push(format!(
                "But {} was inside all that time: {}, before {} began.",
                self.value(one.value),
                self.did(one.insert),
                self.name(empty)
            ));
            steps.push(self.still_inside(*one, empty));
        } else if told.len() <= TOLD {
            steps.push("But at each moment of that time one of these was inside:".to_owned());
            steps.extend(told.iter().map(|element| format!("{}.", self.stay(*element))));
        } else {
            return None;
        }
        steps.push(format!("So the {} was never empty while {} ran.", D::NOUN, self.name(empty)));
        Some(steps)
    }

    /// Why an element was still inside when `other` was done.
    fn still_inside(&self, element: Told, other: usize) -> String {
        let [_, removed] = D::REMOVE;
        let value = self.value(element.value);
        let done = self.telling.done(other).unwrap_or_default();
        match element.remove {
            Some(remove) => format!(
                "{} {removed} {value}, but began only at {}, after {} was done at {done}.",
                self.name(remove),
                self.telling.began(remove),
                self.name(other),
            ),
            None => {
                format!("Nothing {removed} {value} before {} was done at {done}.", self.name(other))
            }
        }
    }

    /// `first` should have left before `second`, but was still inside when that had left.
    fn overtaken(&self, first: Told, second: Told) -> Option<Vec<String>> {
        let entry = |at: usize| &self.subset[at];
        let gone = second.remove?;
        let over = entry(gone).completed;
        let stayed = first.remove.is_none_or(|remove| entry(remove).invoked > over);
        let (one, other) = (self.value(first.value), self.value(second.value));
        // In by the time that the second began to be inserted, or to be removed.
        let before_in = entry(first.insert).completed < entry(second.insert).invoked;
        let before_out = entry(first.insert).completed < entry(gone).invoked;
        let mut steps = match D::NOUN {
            "queue" if stayed && before_in => vec![
                format!("{}.", self.did(first.insert)),
                format!(
                    "{}; it began after {} was done, so {one} was in front of {other}.",
                    self.did(second.insert),
                    self.name(first.insert)
                ),
            ],
            "priority queue" if stayed && before_out && self.goes_first(first, second) => {
                vec![format!("{}.", self.did(first.insert)), format!("{one} goes before {other}.")]
            }
            _ => return None,
        };
        steps.push(format!("{}.", self.did(gone)));
        steps.push(self.still_inside(first, gone));
        steps.push(format!("So {other} left although {one} was inside, and {one} was next."));
        Some(steps)
    }

    /// Whether the first of two elements leaves a priority queue before the second.
    fn goes_first(&self, first: Told, second: Told) -> bool {
        let mut state = D::State::default();
        D::insert(&mut state, first.value);
        D::insert(&mut state, second.value);
        D::is_next(&state, first.value)
    }

    /// A component of a stack without a bottom.
    fn no_bottom(&self, told: &[Told]) -> Option<Vec<String>> {
        if D::NOUN != "stack" || told.len() > TOLD {
            return None;
        }
        let mut steps = vec![
            "At each moment one of these was on the stack, each from its end of push to its start \
                  of pop:"
                .to_owned(),
        ];
        steps.extend(told.iter().map(|element| format!("{}.", self.stay(*element))));
        steps.push(
            "So the stack was not empty in between, and what lay at the bottom was the first to be \
             pushed and the last to be popped."
                .to_owned(),
        );
        steps.push(
            "But none of them can have been: each was pushed after another was on the stack, or was \
             popped before another could be."
                .to_owned(),
        );
        Some(steps)
    }

    /// For example `A pushed 7 and was done at 0.002 s; B popped it, but began only at 0.005 s`.
    fn stay(&self, element: Told) -> String {
        let [_, removed] = D::REMOVE;
        let inserted = self.did(element.insert);
        match element.remove {
            Some(remove) => format!(
                "{inserted}; {} {removed} it between {} and {}",
                self.name(remove),
                self.telling.began(remove),
                self.telling.done(remove).unwrap_or_else(|| "an unknown moment".to_owned()),
            ),
            None => format!("{inserted}, and nothing {removed} it"),
        }
    }

    /// For example `A enqueued 7 (from 0.001 s to 0.002 s)`.
    fn did(&self, at: usize) -> String {
        let what = match self.subset[at].op {
            CollectionOp::Insert(value) if self.subset[at].is_crashed() => {
                format!("tried to {} {}", D::INSERT[0], self.value(value))
            }
            CollectionOp::Insert(value) => format!("{} {}", D::INSERT[1], self.value(value)),
            CollectionOp::Remove(value) => format!("{} {}", D::REMOVE[1], self.value(value)),
            CollectionOp::Empty => format!("found the {} empty", D::NOUN),
            CollectionOp::Peek(value) => format!("saw {}", self.value(value)),
            CollectionOp::RemoveUnknown => format!("tried to {}", D::REMOVE[0]),
        };
        let began = self.telling.began(at);
        match self.telling.done(at) {
            Some(done) => format!("{} {what} (from {began} to {done})", self.name(at)),
            None => format!("{} {what} (from {began} on, with unknown outcome)", self.name(at)),
        }
    }

    fn name(&self, at: usize) -> String {
        self.telling.name(at)
    }

    fn value(&self, value: u32) -> String {
        self.model.describe_value(value)
    }
}

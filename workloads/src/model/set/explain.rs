//! Contradictions in words, for someone who knows sets but not this code.

use super::{Set, SetOp};
use crate::model::{Entry, Model, Telling};

/// Operations that are told one by one.
const TOLD: usize = 8;

/// Numbered steps; none if `subset` is of no shape that is known here.
pub(super) fn explain(
    model: &Set,
    all: &[Entry<SetOp>],
    subset: &[Entry<SetOp>],
    telling: &dyn Telling,
) -> Option<Vec<String>> {
    let teller = Teller { model, all, subset, telling };
    let mut steps: Vec<String> = Vec::new();
    if subset.len() > TOLD {
        return None;
    }
    if let [only] = subset {
        return teller.alone(only);
    }
    steps.extend((0..subset.len()).map(|at| format!("{}.", teller.did(at))));
    let mut elements: Vec<u32> = subset.iter().filter_map(|entry| entry.op.element()).collect();
    elements.sort_unstable();
    elements.dedup();
    match elements.as_slice() {
        [element] => steps.extend(teller.one(*element)),
        [one, other] => steps.extend(teller.two(*one, *other)?),
        _ => return None,
    }
    Some(steps)
}

struct Teller<'a> {
    model: &'a Set,
    all: &'a [Entry<SetOp>],
    subset: &'a [Entry<SetOp>],
    telling: &'a dyn Telling,
}

impl Teller<'_> {
    /// An operation that is wrong by itself.
    fn alone(&self, only: &Entry<SetOp>) -> Option<Vec<String>> {
        let mut steps = vec![format!("{}.", self.did(0))];
        let never_added = |element: u32| {
            !self.all.iter().any(|it| it.op.may_add() && it.op.element() == Some(element))
        };
        match &only.op {
            SetOp::Twice(_) => steps.push("A set has no element twice.".to_owned()),
            SetOp::Read(elements) => {
                let strange = elements.iter().copied().find(|&element| never_added(element))?;
                steps.push(self.no_origin(strange));
            }
            other => steps.push(self.no_origin(other.element().filter(|&it| never_added(it))?)),
        }
        Some(steps)
    }

    fn no_origin(&self, element: u32) -> String {
        format!(
            "Nothing ever added {}, not even an operation of unknown outcome, and the set starts empty.",
            self.model.describe_value(element)
        )
    }

    /// What is wrong with the operations on one element.
    fn one(&self, element: u32) -> Vec<String> {
        let value = self.model.describe_value(element);
        let adds = self.subset.iter().filter(|it| it.op.may_add()).count();
        let removes = self.subset.iter().filter(|it| it.op.may_remove()).count();
        let mut steps = Vec::new();
        if adds == 0 {
            steps.push(self.no_origin(element));
            return steps;
        }
        steps.push(match (adds, removes) {
            (1, 0) => format!(
                "Only {} added {value}, and nothing removed it: from then on it is there, and never \
                 before.",
                self.names(SetOp::may_add)
            ),
            (1, _) => format!(
                "Only {} added {value}: it is there from then on until {} removed it.",
                self.names(SetOp::may_add),
                self.names(SetOp::may_remove)
            ),
            _ => format!("Nothing else added or removed {value}."),
        });
        let add = (0..self.subset.len()).find(|&at| self.subset[at].op.may_add());
        let lost = add.filter(|_| (adds, removes) == (1, 0)).and_then(|add| {
            let late = (0..self.subset.len()).find(|&at| {
                self.missed(at, element) && self.subset[at].invoked > self.subset[add].completed
            })?;
            Some((add, late))
        });
        steps.push(match lost {
            Some((add, late)) => format!(
                "{0} began after {1} was done, and yet did not find it: it was lost, or {0} found an older \
                 state.",
                self.telling.name(late),
                self.telling.name(add)
            ),
            None => "No order of these operations has them find what they found.".to_owned(),
        });
        steps
    }

    /// Whether an operation found that the element was not there.
    fn missed(&self, at: usize, element: u32) -> bool {
        match &self.subset[at].op {
            SetOp::Contains(_, false) | SetOp::Remove(_, Some(false)) => true,
            SetOp::Saw(elements) => elements.contains(&(element, false)),
            SetOp::Read(elements) => !elements.contains(&element),
            SetOp::Add(..) | SetOp::Remove(..) | SetOp::Contains(..) | SetOp::Twice(_) => false,
        }
    }

    /// Two elements that were seen to come in the wrong order.
    fn two(&self, one: u32, other: u32) -> Option<Vec<String>> {
        let only_adds_and_reads = self
            .subset
            .iter()
            .all(|entry| matches!(entry.op, SetOp::Add(_, None) | SetOp::Saw(_) | SetOp::Read(_)));
        let lost = [one, other].into_iter().find_map(|element| self.lost(element));
        only_adds_and_reads.then(|| match lost {
            Some(lost) => vec![lost],
            None => vec![format!(
                "Nothing is ever removed, so either {0} was there before {1} or the other way round; \
                 neither fits what was read and when the operations ran.",
                self.model.describe_value(one),
                self.model.describe_value(other)
            )],
        })
    }

    /// A read that missed an element although it began after the addition was done, if there is one.
    fn lost(&self, element: u32) -> Option<String> {
        let is_add = |at: &usize| {
            self.subset[*at].op.may_add() && self.subset[*at].op.element() == Some(element)
        };
        let add = (0..self.subset.len()).find(is_add)?;
        let late = (0..self.subset.len()).find(|&at| {
            self.missed(at, element) && self.subset[at].invoked > self.subset[add].completed
        })?;
        Some(format!(
            "{late} began after {add} was done, and nothing ever removes {value}: {late} should have \
             read it, so the read was stale, or {value} is lost.",
            late = self.telling.name(late),
            add = self.telling.name(add),
            value = self.model.describe_value(element),
        ))
    }

    fn names(&self, wanted: fn(&SetOp) -> bool) -> String {
        let names: Vec<String> = (0..self.subset.len())
            .filter(|&at| wanted(&self.subset[at].op))
            .map(|at| self.telling.name(at))
            .collect();
        names.join(" or ")
    }

    /// For example `A did add 7 -> true (from 0.001 s to 0.002 s)`.
    fn did(&self, at: usize) -> String {
        let (name, began) = (self.telling.name(at), self.telling.began(at));
        let what = match &self.subset[at].op {
            SetOp::Add(element, None) if self.subset[at].is_crashed() => {
                format!("tried to add {}", self.model.describe_value(*element))
            }
            SetOp::Remove(element, None) if self.subset[at].is_crashed() => {
                format!("tried to remove {}", self.model.describe_value(*element))
            }
            SetOp::Add(element, None) => format!("added {}", self.model.describe_value(*element)),
            SetOp::Add(element, Some(true)) => {
                format!("added {}, which was not there", self.model.describe_value(*element))
            }
            SetOp::Add(element, Some(false)) => {
                format!("found {} there already", self.model.describe_value(*element))
            }
            SetOp::Remove(element, None | Some(true)) => {
                format!("removed {}", self.model.describe_value(*element))
            }
            SetOp::Remove(element, Some(false)) | SetOp::Contains(element, false) => {
                format!("did not find {}", self.model.describe_value(*element))
            }
            SetOp::Contains(element, true) => {
                format!("found {}", self.model.describe_value(*element))
            }
            SetOp::Twice(element) => {
                format!("read {} twice", self.model.describe_value(*element))
            }
            other @ (SetOp::Read(_) | SetOp::Saw(_)) => {
                let read = self.model.describe_op(other).replacen("read -> ", "read as ", 1);
                read.replacen("read ", "read the set ", 1)
            }
        };
        match self.telling.done(at) {
            Some(done) => format!("{name} {what} (from {began} to {done})"),
            None => format!("{name} {what} (from {began} on, with unknown outcome)"),
        }
    }
}

//! Single objects: checkers against all orders.

use rand_chacha::ChaCha8Rng;

use super::menu::{self, Question};
use super::small;
use super::tally::Tally;
use crate::checker::linearizable::Unlimited;
use crate::checker::{CheckOptions, Method, Verdict, checker};
use crate::evidence::{Kept, Object, explained};
use crate::history::Operation;
use crate::model::Initial;
use crate::plural::counted;

/// Small objects of a model.
#[derive(Clone, Copy)]
pub(super) struct Subject {
    pub(super) name: &'static str,
    pub(super) model: &'static str,
    /// Whether nobody told what it holds at first.
    pub(super) any: bool,
    /// What can be asked, for so many values.
    pub(super) menu: fn(i64) -> Vec<Question>,
    /// Values and operations of all histories that are tried: about a minute of them.
    pub(super) exhaustive: &'static [(i64, usize)],
    /// The same where the order of each process is judged; empty if it is not.
    pub(super) sequential: &'static [(i64, usize)],
}

/// Values in random histories.
const VALUES: i64 = 4;

pub(super) const SUBJECTS: &[Subject] = &[
    subject("register", menu::register, &[(2, 3), (1, 4)], &[(2, 3), (1, 4)]),
    Subject {
        name: "register, any initial",
        any: true,
        ..subject("register", menu::register, &[(2, 3), (1, 4)], &[])
    },
    subject("versioned-register", menu::versioned_register, &[(2, 3), (1, 4)], &[(2, 3), (1, 4)]),
    subject("multi-register", menu::multi_register, &[(2, 3), (1, 4)], &[(2, 3)]),
    subject("kv-append", menu::kv_append, &[(2, 3), (1, 3)], &[(1, 3)]),
    subject("mutex", menu::mutex, &[(1, 6)], &[(1, 5)]),
    subject("fencing-lock", menu::fencing_lock, &[(2, 4), (1, 5)], &[(1, 4)]),
    subject("counter", menu::counter, &[(2, 4)], &[(1, 4)]),
    subject("set", menu::elements, &[(2, 3), (1, 4)], &[]),
    Subject { name: "set, read whole", ..subject("set", menu::whole_set, &[(3, 3), (2, 4)], &[]) },
    subject("log", menu::log, &[(2, 3), (1, 4)], &[]),
    subject("queue", menu::queue, &[(3, 4), (2, 5)], &[]),
    subject("unordered-queue", menu::queue, &[(3, 4)], &[]),
    subject("stack", menu::stack, &[(3, 4), (2, 5)], &[]),
    subject("priority-queue", menu::priority_queue, &[(3, 4)], &[]),
    subject("max-priority-queue", menu::max_priority_queue, &[(3, 4)], &[]),
    peeks("queue, peeks", "queue", |it| menu::with_peeks(menu::queue(it), it)),
    peeks("unordered-queue, peeks", "unordered-queue", |it| menu::with_peeks(menu::queue(it), it)),
    peeks("stack, peeks", "stack", |it| menu::with_peeks(menu::stack(it), it)),
    peeks("priority-queue, peeks", "priority-queue", |it| {
        menu::with_peeks(menu::priority_queue(it), it)
    }),
];

const fn subject(
    model: &'static str,
    menu: fn(i64) -> Vec<Question>,
    exhaustive: &'static [(i64, usize)],
    sequential: &'static [(i64, usize)],
) -> Subject {
    Subject { name: model, model, any: false, menu, exhaustive, sequential }
}

/// A collection that is looked at, too.
const fn peeks(name: &'static str, model: &'static str, menu: fn(i64) -> Vec<Question>) -> Subject {
    Subject { name, ..subject(model, menu, &[(2, 4)], &[]) }
}

/// What is asked of the histories of a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    Linearizable,
    Sequential,
    /// That nothing weaker is denied where it is linearizable.
    Weaker,
}

impl Asked {
    pub(super) fn name(self) -> &'static str {
        match self {
            Asked::Linearizable => "linearizable",
            Asked::Sequential => "sequential",
            Asked::Weaker => "what is weaker",
        }
    }
}

/// Properties that every linearizable object has.
const WEAKER: &[&str] = &[
    "sequential",
    "read-your-writes",
    "monotonic-reads",
    "monotonic-writes",
    "writes-follow-reads",
    "bounded-staleness",
];

impl Subject {
    fn start(&self) -> Object {
        let initial = self.any.then_some(Initial::Any);
        Object::new(self.model, initial.as_ref()).expect("the verifier knows all subjects")
    }

    /// Compares all small histories, and says which these are.
    pub(super) fn all(&self, asked: Asked, tally: &mut Tally) -> String {
        let start = self.start();
        self.each_small(asked, &mut |operations| self.compare(asked, &start, operations, tally))
    }

    /// Shows all small histories, and says which these are.
    pub(super) fn each_small(&self, asked: Asked, visit: &mut dyn FnMut(&[Operation])) -> String {
        let sessions = asked == Asked::Sequential;
        let sizes = if sessions { self.sequential } else { self.exhaustive };
        let mut said = Vec::new();
        for &(values, count) in sizes {
            small::all(&(self.menu)(values), count, false, sessions, visit);
            said.push(format!(
                "{} with {}",
                counted(count as u64, "operation"),
                counted(values as u64, "value")
            ));
        }
        said.join(", ")
    }

    /// Compares a random history.
    pub(super) fn random(&self, asked: Asked, rng: &mut ChaCha8Rng, tally: &mut Tally) {
        let operations = self.history(rng);
        self.compare(asked, &self.start(), &operations, tally);
    }

    /// A random history.
    pub(super) fn history(&self, rng: &mut ChaCha8Rng) -> Vec<Operation> {
        small::random(&self.start(), &(self.menu)(VALUES), rng)
    }

    fn compare(&self, asked: Asked, start: &Object, operations: &[Operation], tally: &mut Tally) {
        let kept = match asked {
            Asked::Sequential => Kept::Process,
            Asked::Linearizable | Asked::Weaker => Kept::RealTime,
        };
        let Some(holds) = explained(operations, start, kept) else { return };
        tally.case(holds);
        match asked {
            Asked::Linearizable => {
                self.judge("linearizable", Method::Fastest, holds, operations, tally);
                self.judge("linearizable", Method::Search, holds, operations, tally);
            }
            Asked::Sequential => {
                self.judge("sequential", Method::Fastest, holds, operations, tally);
            }
            Asked::Weaker if holds => {
                for property in WEAKER {
                    if checker(self.model, Some(property)).is_some() {
                        self.judge(property, Method::Fastest, true, operations, tally);
                    }
                }
            }
            Asked::Weaker => {}
        }
    }

    fn judge(
        &self,
        property: &str,
        method: Method,
        holds: bool,
        operations: &[Operation],
        tally: &mut Tally,
    ) {
        let info = checker(self.model, Some(property)).expect("the table has the subjects");
        let initial = self.any.then_some(Initial::Any);
        let options = CheckOptions { initial, witness: true, method, ..CheckOptions::default() };
        match (info.check)(operations, &options, &Unlimited) {
            Ok(check) => {
                tally.verdict(&format!("{property} ({method:?})"), &check, holds, true, operations);
                let is_told = matches!(property, "linearizable" | "sequential");
                if is_told && check.verdict == Verdict::Unknown {
                    let why = check.reason.as_deref().unwrap_or("it does not say why");
                    let what =
                        format!("{property} ({method:?}) leaves a small history open: {why}");
                    tally.disagree(&what, operations);
                }
                if method == Method::Fastest && is_told && check.verdict != Verdict::Unknown {
                    tally.evidence(&check, self.model, property, &options, operations);
                }
            }
            Err(error) => {
                tally.disagree(&format!("{property} cannot read it: {error}"), operations)
            }
        }
    }
}

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

/// Small objects of a model.
#[derive(Clone, Copy)]
pub(super) struct Subject {
    pub(super) name: &'static str,
    pub(super) model: &'static str,
    /// Whether nobody told what it holds at first.
    pub(super) any: bool,
    /// What can be asked, for so many values.
    pub(super) menu: fn(i64) -> Vec<Question>,
    /// Values and operations of all histories that are tried.
    pub(super) exhaustive: (i64, usize),
    /// Whether the order of each process is judged too, and for how many operations all histories.
    pub(super) sequential: Option<usize>,
}

/// Values in random histories.
const VALUES: i64 = 4;

pub(super) const SUBJECTS: &[Subject] = &[
    subject("register", menu::register, (2, 3), Some(3)),
    Subject {
        name: "register, any initial",
        any: true,
        ..subject("register", menu::register, (2, 3), None)
    },
    subject("versioned-register", menu::versioned_register, (1, 4), Some(3)),
    subject("multi-register", menu::multi_register, (1, 3), Some(3)),
    subject("kv-append", menu::kv_append, (1, 3), Some(2)),
    subject("mutex", menu::mutex, (1, 5), Some(4)),
    subject("fencing-lock", menu::fencing_lock, (1, 4), Some(3)),
    subject("counter", menu::counter, (1, 4), Some(3)),
    subject("set", menu::elements, (1, 4), None),
    Subject { name: "set, read whole", ..subject("set", menu::whole_set, (2, 4), None) },
    subject("log", menu::log, (2, 3), None),
    subject("queue", menu::queue, (2, 4), None),
    subject("unordered-queue", menu::queue, (2, 4), None),
    subject("stack", menu::stack, (2, 4), None),
    subject("priority-queue", menu::priority_queue, (2, 4), None),
    subject("max-priority-queue", menu::max_priority_queue, (2, 4), None),
    Subject {
        name: "queue, peeks",
        ..subject("queue", |values| menu::with_peeks(menu::queue(values), values), (1, 4), None)
    },
    Subject {
        name: "unordered-queue, peeks",
        ..subject("unordered-queue", |it| menu::with_peeks(menu::queue(it), it), (1, 4), None)
    },
    Subject {
        name: "stack, peeks",
        ..subject("stack", |values| menu::with_peeks(menu::stack(values), values), (1, 4), None)
    },
    Subject {
        name: "priority-queue, peeks",
        ..subject(
            "priority-queue",
            |it| menu::with_peeks(menu::priority_queue(it), it),
            (1, 4),
            None,
        )
    },
];

const fn subject(
    model: &'static str,
    menu: fn(i64) -> Vec<Question>,
    exhaustive: (i64, usize),
    sequential: Option<usize>,
) -> Subject {
    Subject { name: model, model, any: false, menu, exhaustive, sequential }
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
        let (values, mut count) = self.exhaustive;
        let sessions = asked == Asked::Sequential;
        if sessions {
            count = self.sequential.unwrap_or(count);
        }
        small::all(&(self.menu)(values), count, false, sessions, visit);
        format!("{}, {}", counted(count, "operation"), counted(values as usize, "value"))
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

/// A number of things, such as `3 operations`.
pub(super) fn counted(count: usize, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

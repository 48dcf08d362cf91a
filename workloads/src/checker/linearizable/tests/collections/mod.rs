//! Collections: decisions without search against the search and brute force.

mod brute;
mod exhaustive;
mod simulated;

use super::super::decide::decide;
use super::super::meter::Meter;
use super::super::search::search;
use super::super::{StepBudget, Unlimited, verify};
use crate::history::{Operation, Outcome, Value};
use crate::model::{
    Bag, Collection, CollectionOp, Decision, Discipline, Entry, Initial, Log, LogOp, Model,
    ObjectModel, PriorityQueue, Queue, Set, SetOp, Stack,
};

/// A collection that knows the values 0, 1, 2, ... by the same numbers.
fn collection<D: Discipline>(values: i64) -> Collection<D> {
    let operations: Vec<Operation> = (0..values).map(|value| invoked("insert", value)).collect();
    let operations: Vec<&Operation> = operations.iter().collect();
    Collection::encode(&operations, &Initial::Any).unwrap().0
}

fn invoked(f: &str, value: impl Into<Value>) -> Operation {
    Operation {
        process: 0,
        f: f.into(),
        key: None,
        invoked: value.into(),
        result: Value::Null,
        outcome: Outcome::Info,
        invoke_index: 0,
        invoke_time: 0,
        complete_index: None,
        complete_time: None,
        node: None,
        error: None,
    }
}

/// How often the decision needed no search, and what was decided.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    impossible: usize,
    possible: usize,
    undecided: usize,
}

impl Tally {
    /// Compares what is decided with what is true; orders must verify, and conflicts be impossible.
    #[track_caller]
    fn compare<M: Model>(&mut self, model: &M, entries: &[Entry<M::Op>], expected: bool) {
        let simplified = model.simplify(entries.to_vec());
        let quick = model.decide(&simplified);
        let mut meter = Meter::new(&Unlimited);
        let found = search(model, &simplified, &mut meter);
        for (way, decision) in [("decision", quick.clone()), ("search", found.ok())] {
            match decision {
                Some(Decision::Order(order)) => {
                    assert!(expected, "{way} finds an order: {entries:?}");
                    assert_eq!(
                        verify(model, entries, &order),
                        Ok(()),
                        "{way}: {entries:?} {order:?}"
                    );
                }
                Some(Decision::Impossible) => assert!(!expected, "{way} finds none: {entries:?}"),
                None => self.undecided += 1,
            }
        }
        if quick == Some(Decision::Impossible) {
            let conflict = model.conflict(entries).expect("what is impossible has a conflict");
            let conflict: Vec<_> = conflict.iter().map(|&at| entries[at].clone()).collect();
            let conflict = model.narrow(conflict);
            let found = decide(model, &conflict, &mut meter).unwrap();
            assert_eq!(found, Decision::Impossible, "{entries:?} {conflict:?}");
            let found = search(model, &conflict, &mut meter).unwrap();
            assert_eq!(found, Decision::Impossible, "{entries:?} {conflict:?}");
        }
        match expected {
            true => self.possible += 1,
            false => self.impossible += 1,
        }
    }

    /// Compares impossible, possible, and not decided without search.
    #[track_caller]
    fn check(&self, what: &str, expected: [usize; 3]) {
        let seen = [self.impossible, self.possible, self.undecided];
        assert_eq!(seen, expected, "{what}: impossible, possible, not decided without search");
    }
}

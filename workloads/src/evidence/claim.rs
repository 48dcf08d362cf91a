//! Anomalies that are no cycles: a few operations that contradict what all operations did.
//!
//! Each rule is a fact about every correct execution. Who wrote a value is found again in the whole
//! history, so that a claim about a few operations cannot hide the others.

use std::collections::{BTreeMap, BTreeSet};

use super::cycle::{elements, reads, writes};
use super::document::Claim;
use super::impossible::all_explained;
use super::verify::{History, Outcome};
use super::{Kept, Object};
use crate::history::{Operation, Outcome as Ended, Value};

/// Whether what is claimed is in the history.
pub(super) fn verify_claim(
    claim: &Claim,
    model: &str,
    property: &str,
    total: Option<i64>,
    history: &History<'_>,
) -> Outcome {
    let mut few = Vec::new();
    for &index in &claim.operations {
        match history.get(index) {
            Some(operation) => few.push(operation),
            None => return Outcome::Refuted(format!("event {index} invokes nothing")),
        }
    }
    let shown = match (model, claim.kind.as_str()) {
        ("list-append" | "rw-register", kind) => {
            if property.contains("read-uncommitted") {
                return Outcome::Unproved(format!("{property} may allow {kind}"));
            }
            transactions(kind, &few, model == "list-append", property, history)
        }
        ("unique-ids", "duplicate-id") => Some(same_id(&few)),
        ("bank", "wrong-total") => wrong_total(&few, total, history),
        ("bank", "negative-value") => {
            Some(few.iter().any(|it| balances(it).is_some_and(|all| all.iter().any(|it| *it < 0))))
        }
        ("long-fork", "long-fork") => Some(forks(&few)),
        ("total-queue", "lost-element") => Some(queue_lost(&few, &claim.key, history)),
        ("total-queue", "duplicate-element") => Some(queue_twice(&few, &claim.key, history)),
        ("total-queue", "unexpected-element" | "failed-enqueue-visible") => {
            Some(queue_unexpected(&few, &claim.key, history))
        }
        ("set-full", "lost-element") => Some(set_lost(&few, &claim.key, history)),
        (_, "not-sequential") => return not_sequential(model, &claim.key, history),
        _ => None,
    };
    match shown {
        Some(true) => Outcome::Confirmed,
        Some(false) => Outcome::Unproved("the operations do not show it by themselves".to_owned()),
        None => Outcome::Unproved(format!("there is no rule for {} of {model}", claim.kind)),
    }
}

/// Whether no order of all operations on an object keeps that of each process.
fn not_sequential(model: &str, key: &Option<Value>, history: &History<'_>) -> Outcome {
    let all: Vec<&Operation> = of_key(key, history).collect();
    let Some(start) = Object::new(model, history.initial) else {
        return Outcome::Unproved(format!("the verifier does not know the model {model}"));
    };
    match all_explained(&all, &start, Kept::Process) {
        Some(false) => Outcome::Confirmed,
        Some(true) => Outcome::Refuted("an order explains the operations".to_owned()),
        None => Outcome::Unproved("all orders are tried on short histories only".to_owned()),
    }
}

fn is_ok(operation: &Operation) -> bool {
    operation.outcome == Ended::Ok
}

/// Whether one ended before another began.
fn before(one: &Operation, other: &Operation) -> bool {
    is_ok(one) && one.complete_index.is_some_and(|end| end < other.invoke_index)
}

fn same_id(few: &[&Operation]) -> bool {
    match few {
        [one, other] => {
            one.invoke_index != other.invoke_index
                && is_ok(one)
                && is_ok(other)
                && one.result == other.result
                && one.key == other.key
        }
        _ => false,
    }
}

/// What a read of a bank shows; none if it is no acknowledged read.
fn balances(operation: &Operation) -> Option<Vec<i64>> {
    let accounts =
        operation.result.as_map().filter(|_| is_ok(operation) && operation.f == "read")?;
    accounts.iter().map(|(_, balance)| balance.as_i64()).collect()
}

/// A read whose balances do not sum up to the total; where nobody told it, to that of another read.
fn wrong_total(few: &[&Operation], total: Option<i64>, history: &History<'_>) -> Option<bool> {
    let sum = |it: &Operation| balances(it).map(|all| all.iter().copied().map(i128::from).sum());
    let shown: Vec<i128> = few.iter().filter_map(|it| sum(it)).collect();
    match total {
        Some(total) => Some(shown.iter().any(|sum| *sum != i128::from(total))),
        None => {
            let of_key = |it: &&Operation| few.first().is_some_and(|first| first.key == it.key);
            let mut others = history.operations.iter().filter(of_key).filter_map(sum);
            Some(others.any(|sum| shown.first().is_some_and(|shown| *shown != sum)))
        }
    }
}

/// Two reads, of which each saw a write that the other missed.
fn forks(few: &[&Operation]) -> bool {
    let [one, other] = few else { return false };
    let saw_more = |one: &Operation, other: &Operation| {
        reads(one).any(|seen| {
            !seen.value.is_null() && reads(other).any(|it| it.key == seen.key && it.value.is_null())
        })
    };
    is_ok(one) && is_ok(other) && saw_more(one, other) && saw_more(other, one)
}

/// The elements that an operation is known to have taken out.
fn taken(operation: &Operation) -> &[Value] {
    match (operation.f.as_str(), &operation.result) {
        ("dequeue" | "drain", _) if !is_ok(operation) => &[],
        ("dequeue", Value::Null) => &[],
        ("dequeue", element) => std::slice::from_ref(element),
        ("drain", elements) => elements.as_list().unwrap_or_default(),
        _ => &[],
    }
}

fn of_key<'a>(key: &Option<Value>, history: &History<'a>) -> impl Iterator<Item = &'a Operation> {
    history.operations.iter().filter(move |it| it.key == *key)
}

/// An acknowledged element that nobody took out, nor can have.
fn queue_lost(few: &[&Operation], key: &Option<Value>, history: &History<'_>) -> bool {
    let [enqueue] = few else { return false };
    let may_have_taken = |it: &Operation| {
        it.f != "enqueue" && (it.outcome == Ended::Info || taken(it).contains(&enqueue.invoked))
    };
    is_ok(enqueue) && enqueue.f == "enqueue" && !of_key(key, history).any(may_have_taken)
}

/// An element that came out more often than anybody tried to put it in.
fn queue_twice(few: &[&Operation], key: &Option<Value>, history: &History<'_>) -> bool {
    let Some(element) = few.iter().find_map(|it| taken(it).first()) else { return false };
    let asked =
        |it: &&Operation| it.f == "enqueue" && it.outcome != Ended::Fail && it.invoked == *element;
    let out: usize =
        of_key(key, history).map(|it| taken(it).iter().filter(|it| *it == element).count()).sum();
    out > of_key(key, history).filter(asked).count()
}

/// An element that came out although nobody who may have had an effect had tried to put it in.
fn queue_unexpected(few: &[&Operation], key: &Option<Value>, history: &History<'_>) -> bool {
    few.iter().any(|taker| {
        taken(taker).iter().any(|element| {
            !of_key(key, history).any(|it| {
                it.f == "enqueue"
                    && it.outcome != Ended::Fail
                    && it.invoked == *element
                    && !before(taker, it)
            })
        })
    })
}

/// An element of a set that was there, and that no read found which began later than one that
/// missed it.
fn set_lost(few: &[&Operation], key: &Option<Value>, history: &History<'_>) -> bool {
    let Some((witness, others)) = few.split_first() else { return false };
    others.iter().any(|missed| missed_for_good(witness, missed, key, history))
}

fn missed_for_good(
    witness: &Operation,
    missed: &Operation,
    key: &Option<Value>,
    history: &History<'_>,
) -> bool {
    let has = |it: &Operation, element: &Value| elements(&it.result).contains(element);
    let is_lost = |element: &Value| {
        !has(missed, element)
            && before(witness, missed)
            && !of_key(key, history).any(|it| {
                it.f == "read"
                    && is_ok(it)
                    && it.invoke_index > missed.invoke_index
                    && has(it, element)
            })
    };
    if !is_ok(missed) || missed.f != "read" || !is_ok(witness) {
        return false;
    }
    match witness.f.as_str() {
        "add" => is_lost(&witness.invoked),
        _ => elements(&witness.result).iter().any(is_lost),
    }
}

/// Anomalies of transactions that need no cycle.
fn transactions(
    kind: &str,
    few: &[&Operation],
    lists: bool,
    property: &str,
    history: &History<'_>,
) -> Option<bool> {
    // What a read returned, as the elements of a list.
    let seen = |value: &'_ Value| -> Vec<Value> {
        match (lists, value) {
            (true, list) => elements(list).to_vec(),
            (false, Value::Null) => Vec::new(),
            (false, value) => vec![value.clone()],
        }
    };
    let writers = |key: &Value, value: &Value| -> Vec<&Operation> {
        let is_writer =
            |it: &&Operation| writes(it).any(|part| part.key == key && part.value == value);
        history.operations.iter().filter(is_writer).collect()
    };
    let readers = || few.iter().filter(|it| is_ok(it));
    match kind {
        "G1a" => Some(readers().any(|reader| {
            reads(reader).any(|read| {
                seen(read.value).iter().any(|value| {
                    let writers = writers(read.key, value);
                    !writers.is_empty() && writers.iter().all(|it| it.outcome == Ended::Fail)
                })
            })
        })),
        "thin-air-read" => Some(readers().any(|reader| {
            reads(reader)
                .any(|read| seen(read.value).iter().any(|it| writers(read.key, it).is_empty()))
        })),
        "G1b" => Some(readers().any(|reader| {
            reads(reader).any(|read| {
                let Some(last) = seen(read.value).pop() else { return false };
                match writers(read.key, &last).as_slice() {
                    [writer] if writer.invoke_index != reader.invoke_index => {
                        let mut own = writes(writer).filter(|part| part.key == read.key);
                        own.next_back().is_some_and(|part| *part.value != last)
                    }
                    _ => false,
                }
            })
        })),
        "duplicate-elements" if lists => Some(readers().any(|reader| {
            reads(reader).any(|read| {
                let all = elements(read.value);
                let distinct: BTreeSet<&Value> = all.iter().collect();
                distinct.iter().any(|element| {
                    let times = all.iter().filter(|it| it == element).count();
                    let written = history.operations.iter().filter(|it| it.outcome != Ended::Fail);
                    let asked: usize = written
                        .map(|it| {
                            let is_it = |part: &super::cycle::Part<'_>| {
                                part.key == read.key && part.value == *element
                            };
                            writes(it).filter(is_it).count()
                        })
                        .sum();
                    times > asked
                })
            })
        })),
        "incompatible-order" if lists => Some(readers().any(|one| {
            few.iter().any(|writer| against_own_order(writer, one))
                || readers().any(|other| {
                    reads(one).any(|mine| {
                        reads(other).filter(|it| it.key == mine.key).any(|theirs| {
                            let (mine, theirs) = (elements(mine.value), elements(theirs.value));
                            !mine.starts_with(theirs) && !theirs.starts_with(mine)
                        })
                    })
                })
        })),
        "internal" if property != "read-committed" => {
            Some(readers().any(|it| contradicts_itself(it, lists)))
        }
        _ => None,
    }
}

/// Whether a transaction read something else than what it read or wrote before.
fn contradicts_itself(operation: &Operation, lists: bool) -> bool {
    // Of each key, what was read last, and what was written since.
    type Known = (Option<Vec<Value>>, Vec<Value>);
    let mut known: BTreeMap<&Value, Known> = BTreeMap::new();
    super::cycle::parts(operation).any(|part| {
        let (read, own) = known.entry(part.key).or_default();
        if !part.read {
            if !lists {
                own.clear();
            }
            own.push(part.value.clone());
            return false;
        }
        let now: Vec<Value> =
            if lists { elements(part.value).to_vec() } else { vec![part.value.clone()] };
        let wrong = match read {
            _ if !lists && !own.is_empty() => now != *own,
            None => !now.ends_with(own),
            Some(read) if lists => now != [read.as_slice(), own.as_slice()].concat(),
            Some(read) => now != *read,
        };
        // From here on, what was read holds all that was written before.
        (*read, *own) = (Some(now), Vec::new());
        wrong
    })
}

/// Whether a reader saw two appends of a transaction the wrong way round.
fn against_own_order(writer: &Operation, reader: &Operation) -> bool {
    let appended: Vec<_> = writes(writer).collect();
    appended.iter().enumerate().any(|(at, first)| {
        appended[at + 1..].iter().filter(|second| second.key == first.key).any(|second| {
            reads(reader).filter(|read| read.key == first.key).any(|read| {
                let place = |value| elements(read.value).iter().position(|it| it == value);
                place(first.value).zip(place(second.value)).is_some_and(|(one, other)| one > other)
            })
        })
    })
}

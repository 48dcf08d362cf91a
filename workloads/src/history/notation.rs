//! A compact notation for register histories, for tests and examples.
//!
//! ```text
//! p0 w1 ; p1 r1            process 0 writes 1; after that, process 1 reads 1
//! p0 w1 | p1 r1            the same two operations at the same time
//! p0 w1 ... ; p1 r1 ; p0 ok    the write is open while the read runs
//! r_ reads nothing, w1? and c1:2? are indeterminate, c1:2! failed, c1:2 is a cas from 1 to 2
//! ```
//!
//! Steps are separated by `;`: all operations of a step are invoked, then all complete. An
//! operation followed by `...` stays open until a later `pN ok`, `pN fail` or `pN info`, or for
//! ever. Events are one millisecond apart.

use std::collections::HashMap;

use thiserror::Error;

use super::{Event, EventKind, Process, Value};

/// Why a text is not a history in this notation.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("expected something like `p0 w1`, `p0 c1:2?`, `p0 r1 ...` or `p0 ok`, got `{0}`")]
pub struct NotationError(String);

/// What an operation says when it completes.
struct Pending {
    f: &'static str,
    result: Value,
    kind: EventKind,
}

/// Reads a history, for example `p0 w1 ; p1 r1 | p2 c1:2?`.
pub fn parse(text: &str) -> Result<Vec<Event>, NotationError> {
    let mut events: Vec<Event> = Vec::new();
    let mut open: HashMap<u64, Pending> = HashMap::new();
    for step in text.split(';').filter(|step| !step.trim().is_empty()) {
        let mut completing: Vec<(u64, EventKind)> = Vec::new();
        for part in step.split('|') {
            let error = || NotationError(part.trim().to_owned());
            let mut words = part.split_whitespace();
            let process: u64 = words
                .next()
                .and_then(|word| word.strip_prefix('p'))
                .and_then(|number| number.parse().ok())
                .ok_or_else(error)?;
            let word = words.next().ok_or_else(error)?;
            match word {
                "ok" => completing.push((process, EventKind::Ok)),
                "fail" => completing.push((process, EventKind::Fail)),
                "info" => completing.push((process, EventKind::Info)),
                _ => {
                    let (argument, pending) = operation(word).ok_or_else(error)?;
                    push(&mut events, process, EventKind::Invoke, pending.f, argument);
                    if words.next() != Some("...") {
                        completing.push((process, pending.kind));
                    }
                    open.insert(process, pending);
                }
            }
        }
        for (process, kind) in completing {
            let pending = open
                .remove(&process)
                .ok_or_else(|| NotationError(format!("p{process} with nothing open")))?;
            push(&mut events, process, kind, pending.f, pending.result);
        }
    }
    Ok(events)
}

/// The argument of an operation, and how it is going to complete.
fn operation(word: &str) -> Option<(Value, Pending)> {
    let (word, kind) = match (word.strip_suffix('?'), word.strip_suffix('!')) {
        (Some(word), _) => (word, EventKind::Info),
        (_, Some(word)) => (word, EventKind::Fail),
        _ => (word, EventKind::Ok),
    };
    let value = |text: &str| match text {
        "_" => Some(Value::Null),
        _ => text.parse::<i64>().ok().map(Value::from),
    };
    let rest = word.get(1..)?;
    Some(match word.get(..1)? {
        "r" => (Value::Null, Pending { f: "read", result: value(rest)?, kind }),
        "w" => (value(rest)?, Pending { f: "write", result: value(rest)?, kind }),
        "c" => {
            let (expected, new) = rest.split_once(':')?;
            let pair = Value::from(vec![value(expected)?, value(new)?]);
            (pair.clone(), Pending { f: "cas", result: pair, kind })
        }
        _ => return None,
    })
}

fn push(events: &mut Vec<Event>, process: u64, kind: EventKind, f: &str, value: Value) {
    let index = events.len() as u64;
    events.push(Event {
        index,
        time: index * 1_000_000,
        scheduled: None,
        process: Process::Client(process),
        kind,
        f: f.into(),
        key: None,
        value,
        error: None,
        node: None,
    });
}

//! Histories of any model in a line, for tests.
//!
//! ```text
//! 0 add 1 ; 1 read -> [1]         process 0 adds 1; after that, process 1 reads [1]
//! 0 add 1 | 1 read -> []          the same two at the same time
//! 0 add 1 ... ; 1 read -> [] ; 0 ok    the addition is open while the read runs
//! 0 add 1 ?                       indeterminate;  0 add 1 !  failed;  0 @x add 1  on the key x
//! ```
//!
//! Arguments and results are JSON; a result is the argument unless there is an arrow. Steps are
//! separated by ` ; `: all of a step are invoked, then all complete. Events are 1 ms apart.

use std::collections::HashMap;

use crate::checker::{Budget, Check, CheckFn, CheckOptions};
use crate::history::{Event, EventKind, Operation, Process, Value, operations};

/// The operations of a history in this notation.
pub(crate) fn script(text: &str) -> Vec<Operation> {
    let mut events = Vec::new();
    let mut open: HashMap<u64, (String, Option<Value>, Value)> = HashMap::new();
    for step in text.split(" ; ") {
        let mut completing = Vec::new();
        for part in step.split(" | ").map(str::trim).filter(|part| !part.is_empty()) {
            let (process, rest) = part.split_once(' ').expect("a process and a function");
            let process: u64 = process.parse().expect("a process is a number");
            let (rest, key) = match rest.strip_prefix('@') {
                Some(rest) => {
                    let (key, rest) = rest.split_once(' ').expect("a key and a function");
                    (rest, Some(Value::from(key)))
                }
                None => (rest, None),
            };
            let (rest, result) = match rest.split_once(" -> ") {
                Some((rest, result)) => (rest, Some(result)),
                None => (rest, None),
            };
            let json = |text: &str| text.parse::<Value>().expect("arguments and results are JSON");
            let ends = |text: &str| {
                [("...", None), ("?", Some(EventKind::Info)), ("!", Some(EventKind::Fail))]
                    .into_iter()
                    .find_map(|(end, kind)| Some((text.strip_suffix(end)?.trim().to_owned(), kind)))
                    .unwrap_or((text.trim().to_owned(), Some(EventKind::Ok)))
            };
            let (tail, kind) = ends(result.unwrap_or(rest));
            let rest = if result.is_some() { rest.to_owned() } else { tail.clone() };
            let result = result.map(|_| json(&tail));
            let (f, argument) = rest.split_once(' ').unwrap_or((&rest, "null"));
            if let Some(kind) = match f {
                "ok" => Some(EventKind::Ok),
                "info" => Some(EventKind::Info),
                "fail" => Some(EventKind::Fail),
                _ => None,
            } {
                if let Some(result) = result {
                    open.get_mut(&process).expect("something is open").2 = result;
                }
                completing.push((process, kind));
                continue;
            }
            let argument = json(argument);
            push(&mut events, process, EventKind::Invoke, f, key.clone(), argument.clone());
            open.insert(process, (f.to_owned(), key, result.unwrap_or(argument)));
            if let Some(kind) = kind {
                completing.push((process, kind));
            }
        }
        for (process, kind) in completing {
            let (f, key, result) = open.remove(&process).expect("something is open");
            push(&mut events, process, kind, &f, key, result);
        }
    }
    operations(&events).expect("a history")
}

fn push(
    events: &mut Vec<Event>,
    process: u64,
    kind: EventKind,
    f: &str,
    key: Option<Value>,
    value: Value,
) {
    let index = events.len() as u64;
    events.push(Event {
        index,
        time: index * 1_000_000,
        scheduled: None,
        process: Process::Client(process),
        kind,
        f: f.into(),
        key,
        value,
        error: None,
        node: None,
    });
}

/// Options that say nothing.
pub(crate) fn options() -> CheckOptions {
    CheckOptions::default()
}

struct Unlimited;

impl Budget for Unlimited {
    fn exhausted(&self, _bytes: usize) -> Option<String> {
        None
    }
}

/// A budget that is spent from the start.
struct Nothing;

impl Budget for Nothing {
    fn exhausted(&self, _bytes: usize) -> Option<String> {
        Some("nothing to spend".to_owned())
    }
}

/// The check of a history in this notation.
pub(crate) fn judged(check: CheckFn, text: &str) -> Check {
    judged_with(check, &options(), text)
}

/// The check of a history in this notation, with options.
pub(crate) fn judged_with(check: CheckFn, options: &CheckOptions, text: &str) -> Check {
    check(&script(text), options, &Unlimited).expect("the operations are those of the model")
}

/// The check of operations without any budget.
pub(crate) fn judged_for_nothing(check: CheckFn, operations: &[Operation]) -> Check {
    check(operations, &options(), &Nothing).expect("the operations are those of the model")
}

/// The kinds of anomalies that were found, sorted, each once.
pub(crate) fn kinds(check: &Check) -> Vec<&str> {
    let mut kinds: Vec<&str> = check.anomalies.iter().map(|it| it.kind.as_str()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

/// The measurement of this name.
pub(crate) fn number(check: &Check, name: &str) -> Value {
    let found = check.measurements.iter().find(|it| it.name == name);
    found.unwrap_or_else(|| panic!("no measurement {name}")).value.clone()
}

/// The explanations of all anomalies, a line each.
pub(crate) fn words(check: &Check) -> String {
    let mut text = String::new();
    for anomaly in &check.anomalies {
        text.push_str(&format!("{}\n", anomaly.kind));
        for operation in &anomaly.operations {
            text.push_str(&format!("  {}: {}\n", operation.label, operation.text));
        }
        for line in &anomaly.explanation {
            text.push_str(&format!("  {line}\n"));
        }
    }
    text
}

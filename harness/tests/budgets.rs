//! Histories that no checker decides quickly: `check` keeps its budgets all the same.
//!
//! ```text
//! one real object ── many clients at once ──> history ── two observations that contradict ──> check
//! ```
//!
//! All that comes before the contradiction must be searched, and values repeat, so that nothing shorter
//! than a search decides.

use std::path::Path;
use std::process::{Command, Stdio};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

/// What noise of the machine may add to a time budget, in seconds.
const SLACK_SECONDS: f64 = 0.5;

/// What clients share.
enum Object {
    /// Mostly cas operations between five values.
    Register(u64),
    /// A queue, or a stack, of four values.
    Items(Vec<u64>, Discipline),
    /// Two registers that are read and written at once.
    Rows([u64; 2]),
    /// Lists; reads may miss the last elements.
    Lists(Vec<Vec<u64>>),
}

#[derive(Clone, Copy, PartialEq)]
enum Discipline {
    Queue,
    Stack,
}

impl Discipline {
    fn names(self) -> [&'static str; 2] {
        match self {
            Discipline::Queue => ["enqueue", "dequeue"],
            Discipline::Stack => ["push", "pop"],
        }
    }
}

impl Object {
    /// The `number`th invocation.
    fn invoke(&self, rng: &mut ChaCha8Rng, number: u64) -> (&'static str, Value) {
        match self {
            Object::Register(held) => match rng.random_range(0..10) {
                0 => ("read", Value::Null),
                1 => ("write", json!(rng.random_range(0..5))),
                _ => ("cas", json!([held, rng.random_range(0..5)])),
            },
            Object::Items(_, discipline) => match rng.random_bool(0.5) {
                true => (discipline.names()[0], json!(rng.random_range(0..4))),
                false => (discipline.names()[1], Value::Null),
            },
            Object::Rows(_) => {
                let mut micro_op = |row: &str| match rng.random_bool(0.5) {
                    true => json!(["write", row, rng.random_range(0..3)]),
                    false => json!(["read", row, null]),
                };
                ("txn", json!([micro_op("x"), micro_op("y")]))
            }
            Object::Lists(_) => {
                let keys = number / 200 * 6;
                let micro_ops = (0..3).map(|at| {
                    let key = keys + rng.random_range(0..6);
                    match rng.random_bool(0.5) {
                        true => json!(["append", key, 3 * number + at]),
                        false => json!(["r", key, null]),
                    }
                });
                ("txn", micro_ops.collect())
            }
        }
    }

    /// Acts; the result, or none if it failed.
    fn act(&mut self, rng: &mut ChaCha8Rng, f: &str, invoked: &Value) -> Option<Value> {
        let number = |value: &Value| value.as_u64().unwrap_or_default();
        match self {
            Object::Register(held) if f == "read" => Some(json!(held)),
            Object::Register(held) => {
                let new = match invoked.as_array() {
                    Some(cas) if number(&cas[0]) != *held => return None,
                    Some(cas) => number(&cas[1]),
                    None => number(invoked),
                };
                *held = new;
                Some(invoked.clone())
            }
            Object::Items(items, _) if !invoked.is_null() => {
                items.push(number(invoked));
                Some(invoked.clone())
            }
            Object::Items(items, _) if items.is_empty() => Some(Value::Null),
            Object::Items(items, Discipline::Queue) => Some(json!(items.remove(0))),
            Object::Items(items, Discipline::Stack) => items.pop().map(Value::from),
            Object::Rows(rows) => {
                let mut result = invoked.clone();
                for (micro_op, row) in result.as_array_mut()?.iter_mut().zip(rows) {
                    match micro_op[0] == "write" {
                        true => *row = number(&micro_op[2]),
                        false => micro_op[2] = json!(*row),
                    }
                }
                Some(result)
            }
            Object::Lists(lists) => {
                let mut result = invoked.clone();
                for micro_op in result.as_array_mut()? {
                    let key = number(&micro_op[1]) as usize;
                    lists.resize(lists.len().max(key + 1), Vec::new());
                    if micro_op[0] == "append" {
                        lists[key].push(number(&micro_op[2]));
                    } else {
                        let missed = rng.random_range(0..3);
                        let length = lists[key].len().saturating_sub(missed);
                        micro_op[2] = json!(lists[key][..length]);
                    }
                }
                Some(result)
            }
        }
    }

    /// Two observations after everything else of which one must be wrong.
    fn contradiction(&self) -> Vec<(&'static str, Value)> {
        match self {
            Object::Register(_) => vec![("read", json!(0)), ("read", json!(1))],
            Object::Items(_, discipline) => {
                let remove = discipline.names()[1];
                vec![(remove, Value::Null), (remove, json!(1))]
            }
            Object::Rows(_) => (0..2)
                .map(|value| ("txn", json!([["read", "x", value], ["read", "y", value]])))
                .collect(),
            Object::Lists(_) => Vec::new(),
        }
    }
}

/// A client with its open operation, and its result once it acted.
struct Open {
    process: u64,
    f: &'static str,
    invoked: Value,
    settled: Option<Option<Value>>,
}

/// Writes a history of 50 clients.
fn write(path: &Path, family: &mut Family) {
    let (object, operations) = (&mut family.object, family.operations);
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut lines = String::new();
    let mut event = |process: u64, kind: &str, f: &str, value: &Value| {
        let line = json!({"process": process, "type": kind, "f": f, "value": value});
        lines.push_str(&format!("{line}\n"));
    };
    let mut idle: Vec<u64> = (0..50).collect();
    let mut busy: Vec<Open> = Vec::new();
    let mut number = 0;
    while number < operations || !busy.is_empty() {
        if number < operations && !idle.is_empty() && rng.random_bool(0.7) {
            let Some(process) = idle.pop() else { break };
            let (f, invoked) = object.invoke(&mut rng, number);
            event(process, "invoke", f, &invoked);
            busy.push(Open { process, f, invoked, settled: None });
            number += 1;
        } else if !busy.is_empty() {
            let at = rng.random_range(0..busy.len());
            let open = &mut busy[at];
            let Some(result) = &open.settled else {
                open.settled = Some(object.act(&mut rng, open.f, &open.invoked));
                continue;
            };
            if rng.random_bool(0.3) {
                match result {
                    Some(result) => event(open.process, "ok", open.f, result),
                    None => event(open.process, "fail", open.f, &open.invoked),
                }
                idle.push(open.process);
                busy.swap_remove(at);
            }
        }
    }
    for (f, observed) in object.contradiction() {
        let invoked = if f == "txn" { &observed } else { &Value::Null };
        event(99, "invoke", f, invoked);
        event(99, "ok", f, &observed);
    }
    std::fs::write(path, lines).expect("the folder is ours");
}

/// What `check` says, and what it spent in seconds and bytes.
struct Told {
    verdict: String,
    reason: String,
    seconds: f64,
    bytes: u64,
}

fn check(path: &Path, family: &Family, property: &str, budgets: [&str; 2]) -> Told {
    let model = family.model;
    let output = Command::new(env!("CARGO_BIN_EXE_harness"))
        .args(["check", "--json", "--model", model, "--property", property])
        .args(family.initial.map(|initial| format!("--initial={initial}")))
        .arg(format!("--time-budget={}", budgets[0]))
        .arg(format!("--memory-budget={}", budgets[1]))
        .arg(path)
        .stdin(Stdio::null())
        .output()
        .expect("the binary is built");
    let stderr = String::from_utf8_lossy(&output.stderr);
    let report: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{model} {property}: {error}: {stderr}"));
    let text = |name: &str| report[name].as_str().unwrap_or_default().to_owned();
    Told {
        verdict: text("verdict"),
        reason: text("reason"),
        seconds: report["spent"]["seconds"].as_f64().expect("a number"),
        bytes: report["spent"]["peak_memory_bytes"].as_u64().expect("a number"),
    }
}

/// Hard histories of one kind.
struct Family {
    model: &'static str,
    properties: &'static [&'static str],
    initial: Option<&'static str>,
    object: Object,
    operations: u64,
}

fn families() -> Vec<Family> {
    let family = |model, properties, object, operations| Family {
        model,
        properties,
        initial: None,
        object,
        operations,
    };
    let items = |discipline| Object::Items(Vec::new(), discipline);
    let isolation = &["strict-serializable", "serializable", "snapshot-isolation"];
    vec![
        Family {
            initial: Some("0"),
            ..family("cas-register", &["linearizable", "sequential"], Object::Register(0), 1_000)
        },
        family("queue", &["linearizable"], items(Discipline::Queue), 500),
        family("stack", &["linearizable"], items(Discipline::Stack), 500),
        family("multi-register", &["linearizable", "sequential"], Object::Rows([0, 0]), 600),
        family("list-append", isolation, Object::Lists(Vec::new()), 20_000),
    ]
}

#[test]
fn hard_histories_end_within_the_time_budget() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("hard.jsonl");
    let mut unknown = 0;
    for mut family in families() {
        write(&path, &mut family);
        for property in family.properties {
            let told = check(&path, &family, property, ["2s", "2GiB"]);
            let what = format!("{} {property}: {}", family.model, told.reason);
            assert!(told.seconds <= 2.0 * 1.1 + SLACK_SECONDS, "{what}: {} s", told.seconds);
            if told.verdict == "unknown" {
                unknown += 1;
                assert!(told.reason.contains("time budget of 2 s"), "{what}");
            }
        }
    }
    assert!(unknown >= 2, "hardly any of these histories is hard: {unknown} undecided");
}

#[test]
fn hard_histories_end_within_the_memory_budget() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("hard.jsonl");
    for mut family in families() {
        write(&path, &mut family);
        let told = check(&path, &family, family.properties[0], ["10s", "64MiB"]);
        let what = format!("{}: {}", family.model, told.reason);
        assert!(told.bytes <= (64 << 20) / 10 * 11, "{what}: {} MiB", told.bytes >> 20);
        assert!(told.verdict != "unknown" || told.reason.contains("budget of"), "{what}");
    }
}

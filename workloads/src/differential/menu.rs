//! What can be asked of a small object, and what it may answer.

use crate::history::Value;

/// A function with an argument, and what it may return, rightly or wrongly.
#[derive(Debug, Clone)]
pub(super) struct Question {
    pub(super) f: &'static str,
    pub(super) argument: Value,
    pub(super) answers: Vec<Value>,
    /// Whether histories of unique values ask it once only.
    pub(super) once: bool,
}

fn ask(f: &'static str, argument: impl Into<Value>, answers: Vec<Value>) -> Question {
    Question { f, argument: argument.into(), answers, once: false }
}

/// One that brings a value in, and returns it.
fn put(f: &'static str, value: impl Into<Value>) -> Question {
    let value = value.into();
    Question { f, argument: value.clone(), answers: vec![value], once: true }
}

fn numbers(values: i64) -> impl Iterator<Item = Value> + Clone {
    (1..=values).map(Value::from)
}

fn or_null(values: impl Iterator<Item = Value>) -> Vec<Value> {
    std::iter::once(Value::Null).chain(values).collect()
}

fn pair(one: impl Into<Value>, other: impl Into<Value>) -> Value {
    Value::list([one.into(), other.into()])
}

/// One part of a transaction.
fn part(f: &str, key: &str, value: Value) -> Value {
    Value::list([f.into(), key.into(), value])
}

pub(super) fn register(values: i64) -> Vec<Question> {
    let mut menu = vec![ask("read", Value::Null, or_null(numbers(values)))];
    menu.extend(numbers(values).map(|value| put("write", value)));
    for new in numbers(values) {
        menu.extend(
            or_null(numbers(values)).into_iter().map(|old| put("cas", pair(old, new.clone()))),
        );
    }
    menu.push(ask("delete", Value::Null, vec![Value::Null]));
    menu
}

pub(super) fn versioned_register(values: i64) -> Vec<Question> {
    let revisions = 1..=2 * values;
    let of = |value: Value| -> Vec<Value> {
        revisions.clone().map(|revision| pair(revision, value.clone())).collect()
    };
    let mut reads: Vec<Value> = numbers(values).flat_map(of).collect();
    reads.push(Value::Null);
    let mut menu = vec![ask("read", Value::Null, reads)];
    for new in numbers(values) {
        let unversioned = pair(Value::Null, new.clone());
        menu.push(Question { once: true, ..ask("write", unversioned, of(new.clone())) });
        let cas = pair(1, new);
        menu.push(Question { once: true, ..ask("cas", pair(Value::Null, cas.clone()), of(cas)) });
    }
    menu
}

pub(super) fn multi_register(values: i64) -> Vec<Question> {
    let read = |register: &'static str| {
        or_null(numbers(values)).into_iter().map(move |it| part("read", register, it))
    };
    let mut menu = vec![ask(
        "txn",
        Value::list([part("read", "x", Value::Null)]),
        read("x").map(|it| Value::list([it])).collect(),
    )];
    let both = read("x").flat_map(|x| read("y").map(move |y| Value::list([x.clone(), y])));
    let nothing = Value::list(["x", "y"].map(|register| part("read", register, Value::Null)));
    menu.push(ask("txn", nothing, both.collect()));
    for value in numbers(values) {
        let x = part("write", "x", value.clone());
        let y = part("write", "y", value);
        menu.push(put("txn", Value::list([x.clone()])));
        menu.push(put("txn", Value::list([x.clone(), y])));
        let answers = read("y").map(|y| Value::list([y, x.clone()])).collect();
        let argument = Value::list([part("read", "y", Value::Null), x.clone()]);
        menu.push(Question { once: true, ..ask("txn", argument, answers) });
    }
    menu
}

pub(super) fn kv_append(values: i64) -> Vec<Question> {
    let letters = &["a", "b", "c", "d"][..(values as usize).min(4)];
    let mut texts = vec![String::new(), "w".to_owned()];
    for length in 0..3 {
        let longest = texts.iter().map(String::len).max().unwrap_or(0);
        let grown: Vec<String> = texts
            .iter()
            .filter(|text| length == 0 || text.len() == longest || text.len() + 1 == longest)
            .flat_map(|text| letters.iter().map(move |letter| format!("{text}{letter}")))
            .collect();
        texts.extend(grown);
    }
    texts.sort();
    texts.dedup();
    let mut menu = vec![
        ask("read", Value::Null, texts.into_iter().map(Value::from).collect()),
        put("write", "w"),
    ];
    menu.extend(letters.iter().map(|letter| put("append", *letter)));
    menu
}

pub(super) fn mutex(_: i64) -> Vec<Question> {
    ["acquire", "release"].map(|f| ask(f, Value::Null, vec![Value::Null])).into()
}

pub(super) fn fencing_lock(values: i64) -> Vec<Question> {
    let mut menu = vec![
        ask("acquire", Value::Null, numbers(2 * values).collect()),
        ask("release", Value::Null, vec![Value::Null]),
    ];
    menu.extend(numbers(values).map(|token| ask("release", token.clone(), vec![token])));
    menu
}

pub(super) fn counter(values: i64) -> Vec<Question> {
    let mut menu =
        vec![ask("read", Value::Null, (-values..=2 * values).map(Value::from).collect())];
    menu.extend((-1..=values).filter(|it| *it != 0).map(|it| put("add", it)));
    menu
}

/// Elements that are added, removed and looked up.
pub(super) fn elements(values: i64) -> Vec<Question> {
    let mut menu = Vec::new();
    for element in numbers(values) {
        let said = |said: bool| pair(element.clone(), said);
        let argument = pair(element.clone(), Value::Null);
        menu.push(put("add", element.clone()));
        for (f, once) in [("add", true), ("remove", false), ("contains", false)] {
            let answers = vec![said(true), said(false)];
            menu.push(Question { once, ..ask(f, argument.clone(), answers) });
        }
    }
    menu
}

/// A set that is read as a whole.
pub(super) fn whole_set(values: i64) -> Vec<Question> {
    let subsets = (0..1_u32 << values).map(|members| {
        Value::list((1..=values).filter(|it| members & (1 << (it - 1)) != 0).map(Value::from))
    });
    let mut menu = vec![ask("read", Value::Null, subsets.collect())];
    menu.extend(numbers(values).map(|element| put("add", element)));
    menu.extend(
        numbers(values.min(1)).map(|element| ask("remove", element.clone(), vec![element])),
    );
    menu
}

pub(super) fn log(values: i64) -> Vec<Question> {
    let offsets = 0..=values;
    let mut menu: Vec<Question> = numbers(values)
        .map(|value| Question {
            once: true,
            ..ask("append", value, offsets.clone().map(Value::from).collect())
        })
        .collect();
    let two = numbers(values).flat_map(|one| {
        numbers(values)
            .filter_map(move |other| (other != one).then(|| pair(one.clone(), other.clone())))
    });
    let polled: Vec<Value> = std::iter::once(Value::list([]))
        .chain(numbers(values).map(|it| Value::list([it])))
        .chain(two)
        .collect();
    for offset in 0..values {
        menu.push(ask("read", offset, or_null(numbers(values))));
        menu.push(ask("poll", offset, polled.clone()));
    }
    menu
}

fn collection(values: i64, insert: &'static str, remove: &'static str) -> Vec<Question> {
    let mut menu: Vec<Question> = numbers(values).map(|value| put(insert, value)).collect();
    menu.push(ask(remove, Value::Null, or_null(numbers(values))));
    menu
}

pub(super) fn queue(values: i64) -> Vec<Question> {
    collection(values, "enqueue", "dequeue")
}

pub(super) fn stack(values: i64) -> Vec<Question> {
    collection(values, "push", "pop")
}

pub(super) fn priority_queue(values: i64) -> Vec<Question> {
    collection(values, "insert", "delete-min")
}

pub(super) fn max_priority_queue(values: i64) -> Vec<Question> {
    collection(values, "insert", "delete-max")
}

/// With looks at what is next.
pub(super) fn with_peeks(mut menu: Vec<Question>, values: i64) -> Vec<Question> {
    menu.push(ask("peek", Value::Null, or_null(numbers(values))));
    menu
}

/// Transactions on two keys; `write` is `append`, or `w` for registers.
pub(super) fn transactions(write: &'static str) -> Vec<Question> {
    let reads: Vec<Value> = match write {
        "append" => ["[]", "[1]", "[1,2]"].iter().filter_map(|it| it.parse().ok()).collect(),
        _ => or_null(numbers(2)),
    };
    let read = |key: &'static str| reads.iter().map(move |value| part("r", key, value.clone()));
    let txn = |parts: Vec<Value>, answers: Vec<Value>, once| Question {
        once,
        ..ask("txn", Value::list(parts), answers)
    };
    let question = |key: &str| part("r", key, Value::Null);
    let mut menu = vec![
        txn(vec![question("x")], read("x").map(|x| Value::list([x])).collect(), false),
        txn(
            vec![question("x"), question("y")],
            read("x").flat_map(|x| read("y").map(move |y| Value::list([x.clone(), y]))).collect(),
            false,
        ),
    ];
    for value in numbers(2) {
        let [x, y] = ["x", "y"].map(|key| part(write, key, value.clone()));
        let both = Value::list([x.clone(), y.clone()]);
        menu.push(txn(vec![x.clone(), y], vec![both], true));
        let answers = read("y").map(|y| Value::list([y, x.clone()])).collect();
        menu.push(txn(vec![question("y"), x], answers, true));
    }
    menu
}

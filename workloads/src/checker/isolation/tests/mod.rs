//! The checkers against direct definitions, planted anomalies, simulations, and any shape of input.

mod cycles;
mod differential;
mod evidence;
mod malformed;
mod planted;
mod weak;

use super::Level;
use super::judge::check_list_append;
use super::judge_registers::check_rw_register;
use crate::checker::linearizable::Unlimited;
use crate::checker::{Check, Verdict};
use crate::history::{Operation, Outcome, Value};
use crate::model::Initial;

/// Transactions as text: each `process invoked-completed steps`, with `?` or `!` behind the interval
/// for unknown outcome and failure. Steps are `ax1` (append 1 to x), `wx1` (write), `rx12` (read x =
/// [1, 2]; in a history of registers x = 12), `rx_` (read nothing).
fn history(text: &str) -> Vec<Operation> {
    let registers = text.split_whitespace().any(|word| word.starts_with('w'));
    let mut operations: Vec<Operation> = text
        .split(';')
        .map(|part| {
            let mut words = part.split_whitespace();
            let process = words.next().unwrap().parse().unwrap();
            let interval = words.next().unwrap();
            let outcome = match interval.chars().last() {
                Some('?') => Outcome::Info,
                Some('!') => Outcome::Fail,
                _ => Outcome::Ok,
            };
            let (from, to) = interval.trim_end_matches(['?', '!']).split_once('-').unwrap();
            let steps = words.map(|word| step(word, registers)).collect::<Vec<_>>();
            let end = (outcome == Outcome::Ok).then(|| to.parse().unwrap());
            operation(process, from.parse().unwrap(), end, outcome, steps)
        })
        .collect();
    operations.sort_by_key(|operation| operation.invoke_index);
    operations
}

fn step(word: &str, registers: bool) -> Value {
    let (f, key, value) = (&word[..1], &word[1..2], &word[2..]);
    let f = if f == "a" { "append" } else { f };
    let value = match (f, value) {
        (_, "_") => Value::Null,
        ("r", digits) if !registers => {
            Value::list(digits.chars().map(|digit| Value::from(digit.to_digit(10).unwrap())))
        }
        (_, number) => Value::from(number.parse::<i64>().unwrap()),
    };
    Value::from(vec![f.into(), key.into(), value])
}

fn operation(
    process: u64,
    invoke_index: u64,
    complete_index: Option<u64>,
    outcome: Outcome,
    steps: Vec<Value>,
) -> Operation {
    let value = Value::from(steps);
    Operation {
        process,
        f: "txn".into(),
        key: None,
        invoked: value.clone(),
        result: if outcome == Outcome::Ok { value } else { Value::Null },
        outcome,
        invoke_index,
        invoke_time: invoke_index * 1_000_000,
        complete_index,
        complete_time: complete_index.map(|index| index * 1_000_000),
        node: None,
        error: None,
    }
}

fn lists(operations: &[Operation], level: Level) -> Check {
    check_list_append(operations, level, true, &Unlimited).unwrap()
}

fn registers(operations: &[Operation], level: Level) -> Check {
    check_rw_register(operations, level, &Initial::Value(Value::Null), &Unlimited).unwrap()
}

fn kinds(check: &Check) -> Vec<&str> {
    let mut kinds: Vec<&str> = check.anomalies.iter().map(|it| it.kind.as_str()).collect();
    kinds.dedup();
    kinds
}

#[test]
fn nothing_at_all_proves_nothing() {
    assert_eq!(lists(&[], Level::StrictSerializable).verdict, Verdict::Unknown);
    assert_eq!(registers(&[], Level::StrictSerializable).verdict, Verdict::Unknown);
}

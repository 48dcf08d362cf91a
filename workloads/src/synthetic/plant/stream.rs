//! Violations of logs in the manner of Kafka.

use rand_chacha::ChaCha8Rng;

use super::{from, is_ok, with};
use crate::history::{Operation, Value};

/// A poll's messages by key: `{"1":[[0,7]]}`.
fn polled(operation: &Operation) -> &[(Value, Value)] {
    match operation.f == "poll" {
        true => operation.result[0][1].as_map().unwrap_or(&[]),
        false => &[],
    }
}

/// Puts other messages into a poll.
fn replace(operation: &mut Operation, messages: Vec<(Value, Value)>) {
    let poll = Value::list([Value::from("poll"), Value::Map(messages.into())]);
    operation.result = Value::list([poll]);
}

/// An acknowledged message that somebody polled together with a later one vanishes from all polls.
pub(in crate::synthetic) fn lost_message(
    operations: &mut [Operation],
    at: f64,
    _random: &mut ChaCha8Rng,
) -> Option<String> {
    let mut found = None;
    'search: for poll in from(operations, at).filter(|&it| is_ok(&operations[it], "poll")) {
        for (key, messages) in polled(&operations[poll]) {
            let [first, _, ..] = messages.as_list().unwrap_or(&[]) else { continue };
            let number: Option<u64> = key.as_str().and_then(|it| it.parse().ok());
            let sent = operations.iter().any(|it| {
                is_ok(it, "send") && it.result[0][2] == *first && it.result[0][1].as_u64() == number
            });
            if sent {
                found = Some((key.clone(), first.clone()));
                break 'search;
            }
        }
    }
    let (key, lost) = found?;
    for operation in operations.iter_mut() {
        let messages = polled(operation);
        if !messages.iter().any(|(name, list)| {
            *name == key && list.as_list().is_some_and(|list| list.contains(&lost))
        }) {
            continue;
        }
        let kept = messages
            .iter()
            .map(|(name, list)| {
                let list = list.as_list().unwrap_or(&[]);
                let kept = list.iter().filter(|it| *name != key || **it != lost).cloned();
                (name.clone(), Value::list(kept))
            })
            .collect();
        replace(operation, kept);
    }
    Some(format!("nobody polls {} of log {key}", lost[1]))
}

/// A poll has the same message at a second offset.
pub(in crate::synthetic) fn duplicate_message(
    operations: &mut [Operation],
    at: f64,
    _random: &mut ChaCha8Rng,
) -> Option<String> {
    change(operations, at, |list| {
        let last = list.last()?;
        let copy = Value::list([last[0].clone(), list[0][1].clone()]);
        Some((with(list, list.len() - 1, copy), format!("{} is polled twice", list[0][1])))
    })
}

/// A poll has two messages with their offsets the other way round.
pub(in crate::synthetic) fn reordered_poll(
    operations: &mut [Operation],
    at: f64,
    _random: &mut ChaCha8Rng,
) -> Option<String> {
    change(operations, at, |list| {
        let [first, second, rest @ ..] = list else { return None };
        let swapped = [second, first].into_iter().chain(rest).cloned();
        Some((Value::list(swapped), format!("{} is polled before {}", second[1], first[1])))
    })
}

/// Changes the first list of two messages or more that one poll has of one log.
fn change(
    operations: &mut [Operation],
    at: f64,
    change: impl Fn(&[Value]) -> Option<(Value, String)>,
) -> Option<String> {
    for poll in from(operations, at).filter(|&it| is_ok(&operations[it], "poll")) {
        let messages = polled(&operations[poll]);
        let several =
            messages.iter().position(|(_, list)| list.as_list().is_some_and(|list| list.len() > 1));
        let Some(number) = several else { continue };
        let Some((list, text)) = messages[number].1.as_list().and_then(&change) else { continue };
        let mut changed = messages.to_vec();
        changed[number].1 = list;
        replace(&mut operations[poll], changed);
        return Some(text);
    }
    None
}

//! Violations of transactions. Values are written once.

use rand_chacha::ChaCha8Rng;

use super::{before, from, is_ok, with};
use crate::history::{Operation, Outcome, Value};

/// Transactions that are looked through for the writers of a key.
const NEARBY: usize = 20_000;

fn writes<'o>(operation: &'o Operation, f: &str, key: &Value) -> Option<&'o Value> {
    let micros = operation.result.as_list().unwrap_or(&[]);
    micros.iter().rev().find(|it| it[0].as_str() == Some(f) && it[1] == *key).map(|it| &it[2])
}

/// A micro-operation that reads a key which its transaction does not write.
fn external_reads<'o>(
    operation: &'o Operation,
    write: &str,
) -> impl Iterator<Item = (usize, &'o Value)> {
    let micros = operation.result.as_list().unwrap_or(&[]);
    micros.iter().enumerate().filter(move |(_, it)| {
        let once = micros.iter().filter(|other| other[1] == it[1]).count() == 1;
        it[0].as_str() == Some("r") && once && writes(operation, write, &it[1]).is_none()
    })
}

fn set_micro(operation: &mut Operation, number: usize, value: Value) {
    let micros = operation.result.as_list().unwrap_or(&[]);
    let micro = with(micros[number].as_list().unwrap_or(&[]), 2, value);
    operation.result = with(micros, number, micro);
}

/// A read of a list lacks its last element, whose append ended before the read began.
pub(in crate::synthetic) fn stale_list(
    operations: &mut [Operation],
    at: f64,
    _random: &mut ChaCha8Rng,
) -> Option<String> {
    for position in from(operations, at).filter(|&it| is_ok(&operations[it], "txn")).take(300) {
        let reading = &operations[position];
        let stale = external_reads(reading, "append").find_map(|(number, micro)| {
            let (last, rest) = micro[2].as_list()?.split_last()?;
            let earlier = operations[..position].iter().rev().take(NEARBY);
            let appended = earlier.filter(|it| it.outcome == Outcome::Ok && before(it, reading));
            let is_known = appended.into_iter().any(|it| {
                let micros = it.result.as_list().unwrap_or(&[]);
                micros.iter().any(|it| it[0].as_str() == Some("append") && it[2] == *last)
            });
            is_known.then(|| (number, last.clone(), Value::list(rest.iter().cloned())))
        });
        if let Some((number, last, list)) = stale {
            set_micro(&mut operations[position], number, list);
            return Some(format!("a read lacks {last}, which was appended before it began"));
        }
    }
    None
}

/// A read has one element twice.
pub(in crate::synthetic) fn duplicate_append(
    operations: &mut [Operation],
    at: f64,
    _random: &mut ChaCha8Rng,
) -> Option<String> {
    for position in from(operations, at).filter(|&it| is_ok(&operations[it], "txn")) {
        let longer = external_reads(&operations[position], "append").find_map(|(number, micro)| {
            let list = micro[2].as_list()?;
            let first = list.first()?.clone();
            Some((number, first.clone(), Value::list(list.iter().cloned().chain([first]))))
        });
        if let Some((number, element, list)) = longer {
            set_micro(&mut operations[position], number, list);
            return Some(format!("a read has {element} twice"));
        }
    }
    None
}

/// A read has its last two elements in the order that another read contradicts.
pub(in crate::synthetic) fn incompatible_order(
    operations: &mut [Operation],
    at: f64,
    _random: &mut ChaCha8Rng,
) -> Option<String> {
    for position in from(operations, at).filter(|&it| is_ok(&operations[it], "txn")).take(300) {
        let swapped =
            external_reads(&operations[position], "append").find_map(|(number, micro)| {
                let list = micro[2].as_list()?;
                let [rest @ .., first, second] = list else { return None };
                let others = operations.iter().enumerate().skip(position.saturating_sub(NEARBY));
                let contradicted = others.take(2 * NEARBY).any(|(other, it)| {
                    other != position
                        && it.outcome == Outcome::Ok
                        && it.result.as_list().unwrap_or(&[]).iter().any(|other| {
                            let seen = other[2].as_list().unwrap_or(&[]);
                            other[0].as_str() == Some("r")
                                && other[1] == micro[1]
                                && seen.len() >= list.len()
                                && seen[..list.len()] == *list
                        })
                });
                let reversed = rest.iter().chain([second, first]).cloned();
                contradicted.then(|| (number, Value::list(reversed)))
            });
        if let Some((number, list)) = swapped {
            set_micro(&mut operations[position], number, list);
            return Some("two reads have two elements in opposite orders".to_owned());
        }
    }
    None
}

/// A read of a register returns what T1 wrote, where T1 ended before T2 began, which wrote the same
/// key, and T2 ended before the read began.
pub(in crate::synthetic) fn stale_row(
    operations: &mut [Operation],
    at: f64,
    _random: &mut ChaCha8Rng,
) -> Option<String> {
    for position in from(operations, at).filter(|&it| is_ok(&operations[it], "txn")).take(300) {
        let reading = &operations[position];
        let stale = external_reads(reading, "w").find_map(|(number, micro)| {
            let writers: Vec<&Operation> = operations[..position]
                .iter()
                .rev()
                .take(NEARBY)
                .filter(|it| it.outcome == Outcome::Ok && writes(it, "w", &micro[1]).is_some())
                .collect();
            let newer = writers.iter().find(|it| before(it, reading))?;
            let older = writers.iter().find(|it| before(it, newer))?;
            Some((number, writes(older, "w", &micro[1])?.clone()))
        });
        if let Some((number, value)) = stale {
            set_micro(&mut operations[position], number, value.clone());
            return Some(format!("a read returns {value}, which was overwritten before it began"));
        }
    }
    None
}

/// Two reads of a group see one key each, and not the same.
pub(in crate::synthetic) fn long_fork(
    operations: &mut [Operation],
    at: f64,
    _random: &mut ChaCha8Rng,
) -> Option<String> {
    let is_read = |it: &Operation| is_ok(it, "read");
    for first in from(operations, at).filter(|&it| is_read(&operations[it])) {
        let same = |it: &Operation| is_read(it) && it.invoked == operations[first].invoked;
        let second = operations.iter().enumerate().skip(first + 1).take(NEARBY);
        let Some((second, _)) = second.into_iter().find(|(_, it)| same(it)) else { continue };
        for (position, seen) in [(first, 0), (second, 1)] {
            for number in 0..operations[position].result.as_list().map_or(0, <[Value]>::len) {
                let value = Value::from((number == seen).then_some(1_u64));
                set_micro(&mut operations[position], number, value);
            }
        }
        return Some("two reads see one of two writes each".to_owned());
    }
    None
}

//! Violations of counters, banks, generators of ids and locks.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rustc_hash::FxHashMap;

use super::{acknowledged, before, from, is_ok};
use crate::history::{Operation, Outcome, Value};

/// Sums over all operations of a key that did not fail and that `counts`.
fn sum(operations: &[Operation], key: Option<&Value>, counts: impl Fn(&Operation) -> bool) -> i64 {
    operations
        .iter()
        .filter(|it| it.f == "add" && it.key.as_ref() == key && counts(it))
        .filter_map(|it| it.invoked.as_i64())
        .sum()
}

/// A read returns one more than all additions together that did not fail.
pub(in crate::synthetic) fn counter_too_high(
    operations: &mut [Operation],
    at: f64,
    _random: &mut ChaCha8Rng,
) -> Option<String> {
    let read = from(operations, at).find(|&it| is_ok(&operations[it], "read"))?;
    let key = operations[read].key.clone();
    let all = sum(operations, key.as_ref(), |it| it.outcome != Outcome::Fail);
    operations[read].result = Value::from(all + 1);
    Some(format!("the read at {} returns {}", operations[read].invoke_index, all + 1))
}

/// A read returns one less than all additions together that ended before it began.
pub(in crate::synthetic) fn counter_too_low(
    operations: &mut [Operation],
    at: f64,
    _random: &mut ChaCha8Rng,
) -> Option<String> {
    let read = from(operations, at).find(|&it| is_ok(&operations[it], "read"))?;
    let (key, reading) = (operations[read].key.clone(), operations[read].clone());
    let ended = sum(operations, key.as_ref(), |it| before(it, &reading));
    operations[read].result = Value::from(ended - 1);
    Some(format!("the read at {} returns {}", operations[read].invoke_index, ended - 1))
}

/// A read lacks what a transfer moved to an account: the total is wrong, whatever the order.
pub(in crate::synthetic) fn half_transfer(
    operations: &mut [Operation],
    at: f64,
    _random: &mut ChaCha8Rng,
) -> Option<String> {
    for read in from(operations, at).filter(|&it| is_ok(&operations[it], "read")).take(300) {
        let reading = &operations[read];
        let transfer = operations[..read]
            .iter()
            .rev()
            .find(|it| it.key == reading.key && is_ok(it, "transfer") && before(it, reading));
        let Some(transfer) = transfer else { continue };
        let field = |name: &str| transfer.invoked.get(name).and_then(Value::as_i64);
        let (Some(to), Some(amount)) = (field("to"), field("amount")) else { continue };
        let text = format!("the read at {} lacks the credit of {amount}", reading.invoke_index);
        operations[read].result = adjusted(&reading.result, &to.to_string(), -amount);
        return Some(text);
    }
    None
}

/// A read shows an account below zero; another one has what it lacks, so that the total is right.
pub(in crate::synthetic) fn negative_balance(
    operations: &mut [Operation],
    at: f64,
    _random: &mut ChaCha8Rng,
) -> Option<String> {
    let read = from(operations, at).find(|&it| is_ok(&operations[it], "read"))?;
    let result = &operations[read].result;
    let lacking = result.get("0").and_then(Value::as_i64)? + 1;
    operations[read].result = adjusted(&adjusted(result, "0", -lacking), "1", lacking);
    Some(format!("the read at {} shows -1", operations[read].invoke_index))
}

/// Balances with one changed by an amount.
fn adjusted(balances: &Value, account: &str, amount: i64) -> Value {
    let entries = balances.as_map().unwrap_or(&[]).iter().map(|(name, balance)| {
        let change = if name.as_str() == Some(account) { amount } else { 0 };
        (name.clone(), Value::from(balance.as_i64().unwrap_or(0) + change))
    });
    Value::Map(entries.collect())
}

/// Two operations are given the same id.
pub(in crate::synthetic) fn duplicate_id(
    operations: &mut [Operation],
    at: f64,
    random: &mut ChaCha8Rng,
) -> Option<String> {
    let given: Vec<usize> =
        from(operations, at).filter(|&it| is_ok(&operations[it], "generate")).collect();
    let (first, rest) = given.split_first()?;
    let second = *rest.get(random.random_range(0..rest.len().max(1)))?;
    operations[second].result = operations[*first].result.clone();
    Some(format!("{} is given twice", operations[second].result))
}

/// An `acquire` that was refused succeeds, although another process surely held the lock for all of
/// it: that one's `acquire` ended before it began, and its `release` begins after it ended.
pub(in crate::synthetic) fn two_holders(
    operations: &mut [Operation],
    at: f64,
    _random: &mut ChaCha8Rng,
) -> Option<String> {
    // The releases of each process, in order.
    let mut releases: FxHashMap<u64, Vec<usize>> = FxHashMap::default();
    for (position, operation) in operations.iter().enumerate() {
        if operation.f == "release" {
            releases.entry(operation.process).or_default().push(position);
        }
    }
    let mut found = None;
    'search: for held in from(operations, at).filter(|&it| is_ok(&operations[it], "acquire")) {
        let (holder, Some(since)) = (&operations[held], acknowledged(&operations[held])) else {
            continue;
        };
        let until = releases
            .get(&holder.process)
            .and_then(|all| all.get(all.partition_point(|&it| operations[it].invoke_index < since)))
            .map_or(u64::MAX, |&it| operations[it].invoke_index);
        for (second, it) in operations.iter().enumerate().skip(held).take(200) {
            if it.f == "acquire"
                && it.key == holder.key
                && it.process != holder.process
                && it.outcome == Outcome::Fail
                && it.invoke_index > since
                && it.complete_index.is_some_and(|ended| ended < until)
            {
                found = Some(second);
                break 'search;
            }
        }
    }
    let second = found?;
    operations[second].outcome = Outcome::Ok;
    Some(format!(
        "the acquire at {} succeeds while the lock is held",
        operations[second].invoke_index
    ))
}

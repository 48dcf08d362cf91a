//! Violations of registers. Values are written once.

use rand_chacha::ChaCha8Rng;

use super::{before, from, is_ok};
use crate::history::{Operation, Outcome, Value};

/// The value that an operation writes.
fn written(operation: &Operation) -> Option<&Value> {
    match operation.f.as_str() {
        "write" => Some(&operation.invoked),
        "cas" => Some(&operation.invoked[1]),
        _ => None,
    }
}

/// A read returns what W1 wrote, where W1 ended before W2 began, and W2 before the read began; only W1
/// wrote that value, so W2 is between it and the read in every order.
pub(in crate::synthetic) fn stale_read(
    operations: &mut [Operation],
    at: f64,
    _random: &mut ChaCha8Rng,
) -> Option<String> {
    // Attempts are not free: each looks through the history of one key.
    for read in from(operations, at).filter(|&it| is_ok(&operations[it], "read")).take(200) {
        let reading = &operations[read];
        let writes = || {
            operations.iter().filter(|it| {
                it.key == reading.key && it.outcome == Outcome::Ok && written(it).is_some()
            })
        };
        let Some(second) =
            writes().filter(|it| before(it, reading)).max_by_key(|it| it.invoke_index)
        else {
            continue;
        };
        let first = writes().filter(|it| before(it, second)).max_by_key(|it| it.invoke_index);
        let Some(value) = first.and_then(written).cloned() else { continue };
        let newer = written(second).map(Value::to_string).unwrap_or_default();
        operations[read].result = value.clone();
        let index = operations[read].invoke_index;
        return Some(format!(
            "the read at {index} returns {value}, although {newer} was written later"
        ));
    }
    None
}

/// A read returns what nobody wrote.
pub(in crate::synthetic) fn phantom_read(
    operations: &mut [Operation],
    at: f64,
    _random: &mut ChaCha8Rng,
) -> Option<String> {
    let read = from(operations, at).find(|&it| is_ok(&operations[it], "read"))?;
    operations[read].result = Value::from(-7);
    Some(format!("the read at {} returns -7, which nobody wrote", operations[read].invoke_index))
}

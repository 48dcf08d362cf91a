//! Violations that are certain: what is changed, and where.
//!
//! Times below are those of invocations and completions. "X ended before Y began" means that X was
//! acknowledged before Y was invoked, so that every legal order has X before Y.

mod collection;
mod register;
mod small;
mod stream;
mod transaction;

pub(super) use collection::{
    duplicate, false_empty, lost_add, lost_element, lost_enqueues, order_swap_priority,
    order_swap_queue, order_swap_stack, phantom, stale_contains, stale_set,
};
pub(super) use register::{phantom_read, stale_read};
pub(super) use small::{
    counter_too_high, counter_too_low, duplicate_id, half_transfer, negative_balance, two_holders,
};
pub(super) use stream::{duplicate_message, lost_message, reordered_poll};
pub(super) use transaction::{
    duplicate_append, incompatible_order, long_fork, stale_list, stale_row,
};

use rand_chacha::ChaCha8Rng;

use crate::history::{Operation, Outcome, Value};

/// Changes a valid history, looking for a place from a share of it on. Says what was planted; none if
/// there is no place.
pub(super) type PlantFn = fn(&mut [Operation], f64, &mut ChaCha8Rng) -> Option<String>;

/// Positions of all operations, from a share of the history on and then from its start.
fn from(operations: &[Operation], at: f64) -> impl Iterator<Item = usize> + use<> {
    let count = operations.len();
    let first = ((count as f64 * at.clamp(0.0, 1.0)) as usize).min(count);
    (first..count).chain(0..first)
}

/// When an operation was acknowledged.
fn acknowledged(operation: &Operation) -> Option<u64> {
    operation.complete_index.filter(|_| operation.outcome == Outcome::Ok)
}

/// Whether the first ended before the second began.
fn before(first: &Operation, second: &Operation) -> bool {
    acknowledged(first).is_some_and(|ended| ended < second.invoke_index)
}

/// Whether it is an acknowledged operation with this function.
fn is_ok(operation: &Operation, f: &str) -> bool {
    operation.outcome == Outcome::Ok && operation.f == f
}

/// A list with one element changed.
fn with(list: &[Value], position: usize, value: Value) -> Value {
    Value::list(
        list.iter().enumerate().map(
            |(number, old)| {
                if number == position { value.clone() } else { old.clone() }
            },
        ),
    )
}

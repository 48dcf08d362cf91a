//! What happened when: operations of one key, and their events in the order of the history.

use rustc_hash::FxHashMap;

use crate::history::{Operation, Outcome, Value};

/// Positions of the operations of each key, keys in order of first appearance.
pub(super) fn by_key(operations: &[Operation]) -> Vec<(Option<&Value>, Vec<usize>)> {
    let mut numbers: FxHashMap<Option<&Value>, usize> = FxHashMap::default();
    let mut keys: Vec<(Option<&Value>, Vec<usize>)> = Vec::new();
    for (position, operation) in operations.iter().enumerate() {
        let number = *numbers.entry(operation.key.as_ref()).or_insert(keys.len());
        if number == keys.len() {
            keys.push((operation.key.as_ref(), Vec::new()));
        }
        keys[number].1.push(position);
    }
    keys
}

/// An event of the operation at a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// It started.
    Invoked(usize),
    /// It completed, as `ok`, `fail` or `info`.
    Completed(usize),
}

/// The events of the operations at the positions `members`, which ascend, in the order of the history.
pub(super) fn moments<'a>(
    operations: &'a [Operation],
    members: &'a [usize],
) -> impl Iterator<Item = Moment> + 'a {
    let mut completions: Vec<(u64, usize)> = members
        .iter()
        .filter_map(|&position| Some((operations[position].complete_index?, position)))
        .collect();
    completions.sort_unstable();
    let mut completions = completions.into_iter().peekable();
    let mut invocations = members.iter().copied().peekable();
    std::iter::from_fn(move || {
        let invoked = invocations.peek().map(|&position| operations[position].invoke_index);
        match (invoked, completions.peek()) {
            (Some(invoked), Some(&(completed, _))) if invoked < completed => {
                invocations.next().map(Moment::Invoked)
            }
            (Some(_), None) => invocations.next().map(Moment::Invoked),
            (_, Some(_)) => completions.next().map(|(_, position)| Moment::Completed(position)),
            (None, None) => None,
        }
    })
}

/// When the operation had surely taken effect: the index of its completion, if that is `ok`.
pub(super) fn acknowledged(operation: &Operation) -> Option<u64> {
    operation.complete_index.filter(|_| operation.outcome == Outcome::Ok)
}

/// Whether `first` had surely taken effect before `second` began.
pub(super) fn precedes(first: &Operation, second: &Operation) -> bool {
    acknowledged(first).is_some_and(|completed| completed < second.invoke_index)
}

/// Keys of maps are texts in JSON and anything in EDN: `"3"` and `3` are the same name.
pub(super) fn name(value: &Value) -> Value {
    match value {
        Value::Text(text) => text.parse::<i64>().map_or_else(|_| value.clone(), Value::Int),
        other => other.clone(),
    }
}

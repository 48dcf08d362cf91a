//! Equal lists of a history, held once.
//!
//! Results repeat what was asked for, and reads of a list repeat what was read before: in a history of
//! transactions on lists that is most of the memory.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::Value;

/// Keys of which the last list is kept, in each of the tables.
const KEYS_MAX: usize = 1 << 16;

/// What was asked and read last, by key.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shared {
    /// Steps of transactions that ask for a value, such as `["r", 3, null]`.
    questions: FxHashMap<Value, Value>,
    /// The same, with the list that was read.
    answers: FxHashMap<Value, Value>,
    /// Lists that are the result of an operation on a key.
    results: FxHashMap<Option<Value>, Value>,
}

impl Shared {
    /// The same argument, with the steps of earlier ones where they are equal.
    pub(crate) fn ask(&mut self, invoked: &Value) -> Value {
        let Value::List(steps) = invoked else { return invoked.clone() };
        replace(steps, |_, step| match step.as_list() {
            Some([_, key, Value::Null]) => known(&mut self.questions, key, step),
            _ => None,
        })
    }

    /// The same result of an operation on `key`, with parts of `invoked` and of earlier results where
    /// they are equal.
    pub(crate) fn share(&mut self, key: &Option<Value>, invoked: &Value, result: &Value) -> Value {
        let Value::List(told) = result else { return result.clone() };
        let Value::List(asked) = invoked else {
            return known(&mut self.results, key, result).unwrap_or_else(|| result.clone());
        };
        if is_equal(invoked, result) {
            return invoked.clone();
        }
        if !told.iter().all(|step| matches!(step, Value::List(_))) {
            return result.clone();
        }
        replace(told, |at, step| match (asked.get(at), step.as_list()) {
            (Some(same), _) if is_equal(same, step) => (!is_one(same, step)).then(|| same.clone()),
            (_, Some([_, key, Value::List(_)])) => known(&mut self.answers, key, step),
            _ => None,
        })
    }
}

/// What is equal and was kept for this key before, if that is something else in memory; else `value` is
/// kept.
fn known<K: Clone + Eq + std::hash::Hash>(
    kept: &mut FxHashMap<K, Value>,
    key: &K,
    value: &Value,
) -> Option<Value> {
    match kept.get_mut(key) {
        Some(last) if is_equal(last, value) => (!is_one(last, value)).then(|| last.clone()),
        Some(last) => {
            *last = value.clone();
            None
        }
        None => {
            if kept.len() == KEYS_MAX {
                kept.clear();
            }
            kept.insert(key.clone(), value.clone());
            None
        }
    }
}

/// Whether values are equal. Lists that grow differ at their ends first, so these are looked at first.
fn is_equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::List(one), Value::List(other)) => {
            Arc::ptr_eq(one, other)
                || one.len() == other.len()
                    && one
                        .iter()
                        .rev()
                        .zip(other.iter().rev())
                        .all(|(one, other)| is_equal(one, other))
        }
        (one, other) => one == other,
    }
}

/// Whether both are the same list in memory.
fn is_one(one: &Value, other: &Value) -> bool {
    matches!((one, other), (Value::List(one), Value::List(other)) if Arc::ptr_eq(one, other))
}

/// The list with other elements where `other` has some; the same one in memory if there are none.
fn replace(list: &Arc<[Value]>, mut other: impl FnMut(usize, &Value) -> Option<Value>) -> Value {
    let mut replaced: Vec<Value> = Vec::new();
    for (at, element) in list.iter().enumerate() {
        match other(at, element) {
            Some(other) => {
                replaced.extend_from_slice(&list[replaced.len()..at]);
                replaced.push(other);
            }
            None if replaced.is_empty() => {}
            None => replaced.push(element.clone()),
        }
    }
    if replaced.is_empty() { Value::List(Arc::clone(list)) } else { Value::from(replaced) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    fn list(value: &Value) -> &Arc<[Value]> {
        let Value::List(list) = value else { panic!("{value} is no list") };
        list
    }

    #[test]
    fn what_is_equal_is_held_once() {
        let mut shared = Shared::default();
        let asked = value(r#"[["append","x",3],["r","x",null]]"#);
        let first = shared.share(&None, &asked, &value(r#"[["append","x",3],["r","x",[1,2,3]]]"#));
        assert_eq!(first, value(r#"[["append","x",3],["r","x",[1,2,3]]]"#));
        assert!(Arc::ptr_eq(list(&list(&asked)[0]), list(&list(&first)[0])));
        let asked = value(r#"[["r","y",null],["r","x",null]]"#);
        let second =
            shared.share(&None, &asked, &value(r#"[["r","y",[1,2,3]],["r","x",[1,2,3]]]"#));
        let read = |value: &Value, at: usize| Arc::clone(list(&list(&list(value)[at])[2]));
        assert!(Arc::ptr_eq(&read(&first, 1), &read(&second, 1)));
        assert!(!Arc::ptr_eq(&read(&first, 1), &read(&second, 0)));
    }

    #[test]
    fn questions_and_whole_results_are_held_once() {
        let mut shared = Shared::default();
        let text = r#"[["append","x",3],["r","x",null]]"#;
        let [first, second] = [(); 2].map(|()| shared.ask(&value(text)));
        assert_eq!((&first, &second), (&value(text), &value(text)));
        assert!(Arc::ptr_eq(list(&first[1]), list(&second[1])));
        assert!(!Arc::ptr_eq(list(&first[0]), list(&second[0])));
        let mut read = |key: u64, text: &str| {
            shared.share(&Some(Value::from(key)), &Value::Null, &value(text))
        };
        let sets = [read(1, "[1,2]"), read(1, "[1,2]"), read(2, "[1,2]"), read(1, "[1,2,3]")];
        assert!(Arc::ptr_eq(list(&sets[0]), list(&sets[1])));
        assert!(!Arc::ptr_eq(list(&sets[0]), list(&sets[2])));
        assert_eq!(sets[3], value("[1,2,3]"));
    }

    #[test]
    fn what_differs_is_left_as_it_is() {
        let mut shared = Shared::default();
        for (asked, told) in [
            ("null", "7"),
            ("[1,2]", "[1,2]"),
            (r#"[["r",1,null]]"#, r#"[["r",1,[]]]"#),
            (r#"[["r",1,null]]"#, r#"[["r",1,[5]]]"#),
            (r#"[["r",1,null]]"#, r#"[["r",1,[4,5]],["r",1,5]]"#),
            (r#"[["r",1,null]]"#, "null"),
        ] {
            assert_eq!(shared.share(&None, &value(asked), &value(told)), value(told));
        }
    }
}

//! Equal lists of a history, held once.
//!
//! Results repeat what was asked for, and reads of a list repeat what was read before: in a history of
//! transactions on lists that is most of the memory.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::Value;

/// Keys of which the last list is kept.
const KEYS_MAX: usize = 1 << 16;

/// The lists that were read last, by key.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shared {
    last: FxHashMap<Value, Arc<[Value]>>,
}

impl Shared {
    /// The same result, with parts of `invoked` and of earlier results where they are equal.
    pub(crate) fn share(&mut self, invoked: &Value, result: &Value) -> Value {
        let (Value::List(asked), Value::List(told)) = (invoked, result) else {
            return result.clone();
        };
        if asked == told {
            return invoked.clone();
        }
        if !told.iter().all(|step| matches!(step, Value::List(_))) {
            return result.clone();
        }
        let steps = told.iter().enumerate().map(|(at, step)| match asked.get(at) {
            Some(same) if same == step => same.clone(),
            _ => self.share_read(step),
        });
        Value::List(steps.collect())
    }

    /// The same step, with the list that was read of its key before if that is equal.
    fn share_read(&mut self, step: &Value) -> Value {
        let Some([f, key, Value::List(read)]) = step.as_list() else { return step.clone() };
        if let Some(last) = self.last.get_mut(key) {
            if last.last() == read.last() && last == read {
                return Value::List([f.clone(), key.clone(), Value::List(last.clone())].into());
            }
            *last = read.clone();
        } else {
            if self.last.len() == KEYS_MAX {
                self.last.clear();
            }
            self.last.insert(key.clone(), read.clone());
        }
        step.clone()
    }
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
        let first = shared.share(&asked, &value(r#"[["append","x",3],["r","x",[1,2,3]]]"#));
        assert_eq!(first, value(r#"[["append","x",3],["r","x",[1,2,3]]]"#));
        assert!(Arc::ptr_eq(list(&list(&asked)[0]), list(&list(&first)[0])));
        let asked = value(r#"[["r","y",null],["r","x",null]]"#);
        let second = shared.share(&asked, &value(r#"[["r","y",[1,2,3]],["r","x",[1,2,3]]]"#));
        let read = |value: &Value, at: usize| Arc::clone(list(&list(&list(value)[at])[2]));
        assert!(Arc::ptr_eq(&read(&first, 1), &read(&second, 1)));
        assert!(!Arc::ptr_eq(&read(&first, 1), &read(&second, 0)));
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
            assert_eq!(shared.share(&value(asked), &value(told)), value(told));
        }
    }
}

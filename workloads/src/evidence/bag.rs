//! A queue without order, of which nobody knows what crashed removals took.

use std::collections::BTreeMap;

use crate::history::Value;

/// What is inside, and the removals that may have taken some of it.
///
/// Nobody learned when a removal of unknown result was over, so that it may act at any time after it
/// began, and what it took matters only where somebody finds the bag empty: it waits until then.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Bag {
    inside: BTreeMap<Value, usize>,
    removals: usize,
}

impl Bag {
    /// Puts an element in.
    pub(super) fn insert(&mut self, element: Value) {
        *self.inside.entry(element).or_default() += 1;
    }

    /// Takes an element out; false if it is not inside.
    pub(super) fn remove(&mut self, element: &Value) -> bool {
        let Some(times) = self.inside.get_mut(element) else { return false };
        *times -= 1;
        if *times == 0 {
            self.inside.remove(element);
        }
        true
    }

    /// Whether an element is inside.
    pub(super) fn contains(&self, element: &Value) -> bool {
        self.inside.contains_key(element)
    }

    /// Lets something be taken out, nobody knows what and when.
    pub(super) fn remove_unknown(&mut self) {
        self.removals += 1;
    }

    /// Finds nothing inside; false if something must be.
    pub(super) fn find_empty(&mut self) -> bool {
        let size: usize = self.inside.values().sum();
        self.inside.clear();
        let left = self.removals.checked_sub(size);
        self.removals = left.unwrap_or(0);
        left.is_some()
    }
}

//! Who wrote which value of which key.

use rustc_hash::FxHashMap;

use super::transactions::{NONE, Transactions};
use crate::history::Outcome;

/// A write or append of a transaction that did not fail.
#[derive(Debug, Clone, Copy)]
pub(super) struct Write {
    pub(super) key: u32,
    pub(super) value: u32,
    pub(super) writer: u32,
    /// Which step of its transaction it is.
    pub(super) at: u32,
    /// Whether it is the last one of its transaction to this key.
    pub(super) last: bool,
}

/// All writes of a history.
#[derive(Default)]
pub(super) struct Writes {
    /// Those of transactions that did not fail, in the order of their transactions.
    pub(super) list: Vec<Write>,
    /// Of each value, a write of it: a position in `list`. Values are numbered as they come, so that
    /// this is looked up more or less in order.
    by_value: Vec<u32>,
    /// Writes of values that were written to another key before, by key and value.
    number: FxHashMap<u64, u32>,
    failed: FxHashMap<u64, u32>,
    ambiguous: FxHashMap<u64, u32>,
}

/// A key and a value as one number.
fn pair(key: u32, value: u32) -> u64 {
    u64::from(key) << 32 | u64::from(value)
}

impl Writes {
    /// Adds those of a transaction.
    pub(super) fn add(&mut self, transactions: &Transactions<'_>, transaction: u32) {
        let failed = transactions.outcome(transaction) == Outcome::Fail;
        let steps = transactions.steps(transaction);
        for (at, step) in steps.iter().enumerate().filter(|(_, step)| step.write) {
            let pair = pair(step.key, step.value);
            if failed {
                self.failed.insert(pair, transaction);
                continue;
            }
            if self.note(step.key, step.value, self.list.len() as u32) {
                self.ambiguous.insert(pair, transaction);
            }
            let (key, value, at, last) = (step.key, step.value, at as u32, step.last);
            self.list.push(Write { key, value, writer: transaction, at, last });
        }
    }

    /// Notes where the write of this value is; whether there is one already.
    fn note(&mut self, key: u32, value: u32, position: u32) -> bool {
        let place = value as usize;
        if place >= self.by_value.len() {
            self.by_value.resize(place + 1, NONE);
        }
        let first = self.by_value[place];
        if first != NONE && self.list[first as usize].key != key {
            return self.number.insert(pair(key, value), position).is_some();
        }
        self.by_value[place] = position;
        first != NONE
    }

    /// The write of this value: a position in `list`. None if there is none, or more than one.
    pub(super) fn find(&self, key: u32, value: u32) -> Option<u32> {
        let first = *self.by_value.get(value as usize)?;
        let position = match self.list.get(first as usize)?.key == key {
            true => first,
            false => *self.number.get(&pair(key, value))?,
        };
        let is_known = self.ambiguous.is_empty() || !self.is_ambiguous(key, value);
        is_known.then_some(position)
    }

    /// Who wrote this value and failed.
    pub(super) fn failed(&self, key: u32, value: u32) -> Option<u32> {
        self.failed.get(&pair(key, value)).copied()
    }

    /// Whether any write is known to have failed.
    pub(super) fn any_failed(&self) -> bool {
        !self.failed.is_empty()
    }

    /// Whether more than one write wrote this value, so that nobody knows which was seen.
    pub(super) fn is_ambiguous(&self, key: u32, value: u32) -> bool {
        self.ambiguous.contains_key(&pair(key, value))
    }

    /// A value that was written more than once to a key, and a transaction that did; the first one.
    pub(super) fn ambiguity(&self) -> Option<(u32, u32, u32)> {
        let of = |(&pair, &writer): (&u64, &u32)| (writer, (pair >> 32) as u32, pair as u32);
        self.ambiguous.iter().map(of).min()
    }

    /// What it takes in memory.
    pub(super) fn bytes(&self) -> usize {
        // A hash map has up to two places of 16 bytes and a byte of control for each entry.
        self.list.len() * (20 + 4) + self.number.len() * 34
    }
}

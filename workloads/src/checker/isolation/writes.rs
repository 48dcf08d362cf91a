//! Who wrote which value of which key.

use rustc_hash::FxHashMap;

use super::transactions::Transactions;
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
            if self.number.insert(pair, self.list.len() as u32).is_some() {
                self.ambiguous.insert(pair, transaction);
            }
            let (key, value, at, last) = (step.key, step.value, at as u32, step.last);
            self.list.push(Write { key, value, writer: transaction, at, last });
        }
    }

    /// The write of this value: a position in `list`. None if there is none, or more than one.
    pub(super) fn find(&self, key: u32, value: u32) -> Option<u32> {
        let pair = pair(key, value);
        self.number.get(&pair).copied().filter(|_| !self.ambiguous.contains_key(&pair))
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
        // The hash map has up to two places of 16 bytes and a byte of control for each write.
        self.list.len() * (20 + 34)
    }
}

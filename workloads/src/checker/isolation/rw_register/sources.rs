//! Which write each read returned.

use crate::checker::isolation::meter::{Meter, Stop};
use crate::checker::isolation::transactions::Transactions;
use crate::checker::isolation::writes::Writes;
use crate::history::Value;
use crate::model::Initial;

/// Where the value of a read comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::checker::isolation) enum Source {
    /// From this write: a position in the list of writes.
    Write(u32),
    /// It is what the key held at first.
    Initial,
    /// From this transaction, which failed.
    Failed(u32),
    /// From one of several writes of the same value.
    Ambiguous,
    /// Nobody wrote it.
    Nobody,
}

/// Who wrote what, and what was there at first.
pub(in crate::checker::isolation) struct Sources {
    pub(in crate::checker::isolation) writes: Writes,
    /// The number of the initial value; `None` if any value that nobody wrote may be initial.
    initial: Option<Option<u32>>,
}

impl Sources {
    /// Gathers the writes.
    pub(in crate::checker::isolation) fn new(
        transactions: &Transactions<'_>,
        initial: &Initial,
        meter: &mut Meter<'_>,
    ) -> Result<Self, Stop> {
        let mut writes = Writes::default();
        for transaction in transactions.all() {
            writes.add(transactions, transaction);
            meter.step(|| writes.bytes())?;
        }
        let initial = match initial {
            Initial::Any => None,
            Initial::Value(value) => Some(transactions.values.find(value)),
        };
        Ok(Self { writes, initial })
    }

    /// Where the value of a read comes from. A value that was written is taken from its write, even if
    /// it is also the initial one.
    pub(in crate::checker::isolation) fn of(&self, key: u32, value: u32) -> Source {
        if let Some(write) = self.writes.find(key, value) {
            Source::Write(write)
        } else if self.writes.is_ambiguous(key, value) {
            Source::Ambiguous
        } else if self.initial.is_some_and(|initial| initial == Some(value)) {
            Source::Initial
        } else if let Some(writer) = self.writes.failed(key, value) {
            Source::Failed(writer)
        } else if self.initial.is_none() {
            Source::Initial
        } else {
            Source::Nobody
        }
    }

    /// Whether it is certain who read the initial value of a key: nobody wrote it there again.
    pub(in crate::checker::isolation) fn initial_is_clear(&self, key: u32) -> bool {
        match self.initial {
            Some(Some(value)) => {
                self.writes.find(key, value).is_none() && !self.writes.is_ambiguous(key, value)
            }
            Some(None) | None => true,
        }
    }
}

/// A value in words.
pub(in crate::checker::isolation) fn value<'t>(
    transactions: &'t Transactions<'_>,
    number: u32,
) -> &'t Value {
    &transactions.values.values[number as usize]
}

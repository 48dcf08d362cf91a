//! Who read from whom, in flat arrays.

use rustc_hash::FxHashMap;

use crate::checker::isolation::meter::{Meter, Stop};
use crate::checker::isolation::rw_register::{Source, Sources};
use crate::checker::isolation::transactions::{NONE, Transactions};
use crate::history::Outcome;

/// The writer of what keys held at first.
pub(in crate::checker::isolation) const INITIAL: u32 = NONE - 1;

/// One read of a version that another transaction wrote, or the initial one.
#[derive(Debug, Clone, Copy)]
pub(in crate::checker::isolation) struct Read {
    pub(in crate::checker::isolation) key: u32,
    pub(in crate::checker::isolation) writer: u32,
    /// Whether the transaction had not used the key before.
    pub(in crate::checker::isolation) external: bool,
    /// Whether the transaction had written the key before.
    pub(in crate::checker::isolation) own: bool,
}

/// Whether the order of each process counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::checker::isolation) enum Sessions {
    Count,
    Ignore,
}

/// Sessions, reads and writes of the transactions that took effect.
pub(in crate::checker::isolation) struct Reads {
    /// Whether the order of each process counts; if not, each transaction has a process of its own.
    pub(in crate::checker::isolation) order: Sessions,
    /// Which transactions took effect.
    pub(in crate::checker::isolation) present: Vec<bool>,
    /// Of each transaction, the one of its process before it, or `NONE`.
    pub(in crate::checker::isolation) before: Vec<u32>,
    /// Of each transaction, its process and how many of that process came before it.
    pub(in crate::checker::isolation) place: Vec<(u32, u32)>,
    /// Reads of an own version that the transaction had replaced: the transaction and the key.
    pub(in crate::checker::isolation) replaced: Vec<(u32, u32)>,
    /// How many processes there are.
    pub(in crate::checker::isolation) sessions: u32,
    first_read: Vec<u32>,
    reads: Vec<Read>,
    first_key: Vec<u32>,
    keys: Vec<u32>,
}

impl Reads {
    /// Gathers them. Reads whose writer is not known are left out.
    pub(in crate::checker::isolation) fn new(
        transactions: &Transactions<'_>,
        sources: &Sources,
        sessions: Sessions,
        meter: &mut Meter<'_>,
    ) -> Result<Self, Stop> {
        let count = transactions.len();
        let mut these = Reads {
            order: sessions,
            present: transactions.all().map(|it| transactions.outcome(it) == Outcome::Ok).collect(),
            before: vec![NONE; count],
            place: vec![(NONE, 0); count],
            replaced: Vec::new(),
            sessions: 0,
            first_read: vec![0],
            reads: Vec::new(),
            first_key: vec![0],
            keys: Vec::new(),
        };
        // Of each step, whether its key was written by then.
        let mut written: Vec<bool> = Vec::new();
        for transaction in transactions.all() {
            written.clear();
            for step in transactions.steps(transaction) {
                let own = written.get(step.before as usize).copied().unwrap_or(false);
                written.push(own || step.write);
                if step.last {
                    these.keys.push(step.key);
                }
                if step.write {
                    continue;
                }
                let writer = match sources.of(step.key, step.value) {
                    Source::Write(write) => sources.writes.list[write as usize].writer,
                    Source::Initial if sources.initial_is_clear(step.key) => INITIAL,
                    _ => continue,
                };
                let before = transactions.steps(transaction).get(step.before as usize);
                if writer == transaction
                    && own
                    && before.is_some_and(|before| before.value != step.value)
                {
                    these.replaced.push((transaction, step.key));
                }
                if writer != transaction {
                    let external = step.before == NONE;
                    these.reads.push(Read { key: step.key, writer, external, own });
                }
                if writer != INITIAL {
                    these.present[writer as usize] = true;
                }
            }
            let first = these.first_key[transaction as usize] as usize;
            these.keys[first..].sort_unstable();
            these.first_key.push(these.keys.len() as u32);
            these.first_read.push(these.reads.len() as u32);
            meter.step(|| these.bytes())?;
        }
        these.add_sessions(transactions);
        Ok(these)
    }

    fn add_sessions(&mut self, transactions: &Transactions<'_>) {
        let mut numbers: FxHashMap<u64, u32> = FxHashMap::default();
        let mut last: Vec<(u32, u32)> = Vec::new();
        for transaction in transactions.all().filter(|&it| self.present[it as usize]) {
            let process = match self.order {
                Sessions::Count => transactions.operations[transaction as usize].process,
                Sessions::Ignore => u64::from(transaction),
            };
            let session = *numbers.entry(process).or_insert(last.len() as u32);
            if session as usize == last.len() {
                last.push((NONE, 0));
            }
            let (before, position) = &mut last[session as usize];
            self.before[transaction as usize] = *before;
            self.place[transaction as usize] = (session, *position);
            // What may act later is before nothing: others of its process do not come after it.
            if transactions.outcome(transaction) == Outcome::Ok {
                (*before, *position) = (transaction, *position + 1);
            } else {
                self.place[transaction as usize] = (last.len() as u32, 0);
                last.push((NONE, 0));
            }
        }
        self.sessions = last.len() as u32;
    }

    /// What a transaction read from others, in its order.
    pub(in crate::checker::isolation) fn of(&self, transaction: u32) -> &[Read] {
        let transaction = transaction as usize;
        let range = self.first_read[transaction]..self.first_read[transaction + 1];
        &self.reads[range.start as usize..range.end as usize]
    }

    /// The keys that a transaction wrote, ascending.
    pub(in crate::checker::isolation) fn written(&self, transaction: u32) -> &[u32] {
        let transaction = transaction as usize;
        let range = self.first_key[transaction]..self.first_key[transaction + 1];
        &self.keys[range.start as usize..range.end as usize]
    }

    /// What it takes in memory.
    pub(in crate::checker::isolation) fn bytes(&self) -> usize {
        self.present.len() * 21 + self.reads.len() * 12 + self.keys.len() * 4
    }
}

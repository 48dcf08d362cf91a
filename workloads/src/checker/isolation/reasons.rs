//! Why one transaction comes before another, in words.

use super::graph::{PROCESS, REALTIME, RW, WR, WW};
use super::search::Step;
use super::transactions::{NONE, Transactions, external_reads};
use super::words::{list, plain};
use super::writes::Writes;
use crate::checker::DependencyEdge;

/// What is needed to give reasons.
pub(super) struct Reasons<'r, 'a> {
    pub(super) transactions: &'r Transactions<'a>,
    pub(super) writes: &'r Writes,
    /// Of lists: of each append, how many elements the list had with it (0: nobody read it), and of
    /// each key, the append of each position.
    pub(super) order: Option<(&'r [u32], &'r [Vec<u32>])>,
}

impl Reasons<'_, '_> {
    /// The edges of a cycle, for transactions with these labels.
    pub(super) fn edges(&self, cycle: &[Step]) -> Vec<DependencyEdge> {
        let count = cycle.len();
        let edge = |(at, step): (usize, &Step)| {
            let (from, to) = (super::words::label(at), super::words::label((at + 1) % count));
            DependencyEdge {
                from: at,
                to: (at + 1) % count,
                kind: kind_name(step.kind).to_owned(),
                reason: self.reason(step, &from, &to),
            }
        };
        cycle.iter().enumerate().map(edge).collect()
    }

    /// The keys that a cycle is about.
    pub(super) fn keys(&self, cycle: &[Step]) -> Vec<u32> {
        let data = cycle.iter().filter(|step| step.kind & (WW | WR | RW) != 0);
        let mut keys: Vec<u32> =
            data.map(|step| self.writes.list[step.version as usize].key).collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    fn reason(&self, step: &Step, from: &str, to: &str) -> String {
        match step.kind {
            PROCESS => {
                let process = self.transactions.operations[step.from as usize].process;
                format!("process {process} ran {from} before {to}")
            }
            REALTIME => format!("{to} began after {from} had completed"),
            _ => {
                let write = self.writes.list[step.version as usize];
                let key = plain(&self.transactions.keys[write.key as usize]);
                let value = plain(&self.transactions.values.values[write.value as usize]);
                match self.order {
                    Some((lengths, order)) => {
                        let length = lengths[step.version as usize];
                        let order = &order[write.key as usize];
                        self.list_reason(step, from, to, (&key, &value), length, order)
                    }
                    None => self.register_reason(step, from, to, &key, &value),
                }
            }
        }
    }

    fn list_reason(
        &self,
        step: &Step,
        from: &str,
        to: &str,
        (key, element): (&str, &str),
        length: u32,
        order: &[u32],
    ) -> String {
        let number = self.writes.list[step.version as usize].key;
        match step.kind {
            WW => {
                let behind = if length == 0 { order } else { &order[..length as usize - 1] };
                let before = behind.iter().rfind(|&&append| {
                    append != NONE && self.writes.list[append as usize].writer == step.from
                });
                let before = before.map(|&append| {
                    let value = self.writes.list[append as usize].value;
                    plain(&self.transactions.values.values[value as usize])
                });
                let before = before.unwrap_or_default();
                if length == 0 {
                    format!(
                        "{to} appended {element} to {key}, which no read has returned, so it came after \
                         {from}'s append of {before}, the last one that was read"
                    )
                } else {
                    format!(
                        "reads of {key} have {to}'s append of {element} after {from}'s append of {before}"
                    )
                }
            }
            WR => {
                let read = self.list_read(step.to, number, |list| {
                    list.last().is_some_and(|last| plain(last) == element)
                });
                format!("{to} read {key} = {read}, whose last element {element} is from {from}")
            }
            _ => {
                // The read that misses the append: it is shorter, or lacks the element.
                let read = self.list_read(step.from, number, |list| {
                    length == 0 || list.len() < length as usize
                });
                match length {
                    0 => format!(
                        "{from} read {key} = {read}, without {to}'s append of {element}, which no read \
                         has returned"
                    ),
                    _ => format!("{from} read {key} = {read}, without {to}'s append of {element}"),
                }
            }
        }
    }

    /// The list that a transaction read of a key, preferably one that fits.
    fn list_read(
        &self,
        reader: u32,
        key: u32,
        fits: impl Fn(&[crate::history::Value]) -> bool,
    ) -> String {
        let steps = self.transactions.steps(reader).iter();
        let mut lists = steps
            .filter(|step| !step.write && step.key == key)
            .map(|step| self.transactions.lists[step.value as usize]);
        let first = lists.clone().next().unwrap_or(&[]);
        list(lists.find(|list| fits(list)).unwrap_or(first))
    }

    fn register_reason(&self, step: &Step, from: &str, to: &str, key: &str, value: &str) -> String {
        let number = self.writes.list[step.version as usize].key;
        let read_by = |reader: u32| {
            let mut reads = external_reads(self.transactions.steps(reader));
            let read = reads.find(|read| read.key == number);
            let read = read.map(|read| &self.transactions.values.values[read.value as usize]);
            read.map(plain).unwrap_or_default()
        };
        match step.kind {
            WW => {
                let read = read_by(step.to);
                format!("{to} read {key} = {read}, which {from} wrote, and then wrote {value}")
            }
            WR => format!("{to} read {key} = {value}, which {from} wrote"),
            _ => {
                let read = read_by(step.from);
                format!("{from} read {key} = {read}, which {to} replaced by writing {value}")
            }
        }
    }
}

/// The name of a kind of edge.
fn kind_name(kind: super::graph::Kinds) -> &'static str {
    match kind {
        WW => "ww",
        WR => "wr",
        RW => "rw",
        PROCESS => "process",
        _ => "realtime",
    }
}

//! The order of appends of each key.

use crate::checker::isolation::findings::Findings;
use crate::checker::isolation::kind::Kind;
use crate::checker::isolation::meter::{Meter, Stop};
use crate::checker::isolation::transactions::{NONE, Transactions};
use crate::checker::isolation::words;
use crate::checker::isolation::writes::Writes;
use crate::history::Value;

/// What is known of the order of appends.
pub(in crate::checker::isolation) struct Versions<'a> {
    /// All appends.
    pub(in crate::checker::isolation) writes: Writes,
    /// Of each key, the longest list read, without duplicates, and who read it.
    pub(in crate::checker::isolation) longest: Vec<(Order<'a>, u32)>,
    /// Of each key, the append (a position in the list of writes) of each element of it, or `NONE`.
    pub(in crate::checker::isolation) order: Vec<Vec<u32>>,
    /// Of each append, how many elements the list had with it; 0 if no read returned it.
    pub(in crate::checker::isolation) length: Vec<u32>,
}

/// A list of elements: as read, or without its duplicates.
pub(in crate::checker::isolation) enum Order<'a> {
    Read(&'a [Value]),
    Distinct(Vec<Value>),
}

impl Order<'_> {
    pub(in crate::checker::isolation) fn elements(&self) -> &[Value] {
        match self {
            Order::Read(elements) => elements,
            Order::Distinct(elements) => elements,
        }
    }
}

impl<'a> Versions<'a> {
    /// Gathers appends and longest reads.
    pub(in crate::checker::isolation) fn new(
        transactions: &Transactions<'a>,
        meter: &mut Meter<'_>,
    ) -> Result<Self, Stop> {
        let mut these = Versions {
            writes: Writes::default(),
            longest: (0..transactions.keys.len()).map(|_| (Order::Read(&[]), NONE)).collect(),
            order: Vec::new(),
            length: Vec::new(),
        };
        for transaction in transactions.all() {
            these.gather(transactions, transaction);
            meter.step(|| these.bytes())?;
        }
        these.length = vec![0; these.writes.list.len()];
        for key in 0..these.longest.len() {
            let order = these.order_of(transactions, key);
            for (&append, length) in order.iter().zip(1..) {
                if append != NONE {
                    these.length[append as usize] = length;
                }
            }
            these.order.push(order);
            meter.step(|| these.bytes())?;
        }
        Ok(these)
    }

    /// What it takes in memory.
    pub(in crate::checker::isolation) fn bytes(&self) -> usize {
        self.writes.bytes() + self.writes.list.len() * 8 + self.longest.len() * 64
    }

    /// How many elements of the order a reader of `list` saw: all of them, if it is the beginning of
    /// the order; else those up to its last one. None if that is not in the order.
    pub(in crate::checker::isolation) fn position(
        &self,
        transactions: &Transactions<'_>,
        key: u32,
        list: &[Value],
    ) -> Option<u32> {
        let longest = self.longest[key as usize].0.elements();
        if begins_with(longest, list) {
            return Some(list.len() as u32);
        }
        let last = transactions.values.find(list.last()?)?;
        let append = self.writes.find(key, last)?;
        Some(self.length[append as usize]).filter(|&length| length > 0)
    }

    fn gather(&mut self, transactions: &Transactions<'a>, transaction: u32) {
        self.writes.add(transactions, transaction);
        for step in transactions.steps(transaction).iter().filter(|step| !step.write) {
            let list = transactions.lists[step.value as usize];
            let (longest, reader) = &mut self.longest[step.key as usize];
            if *reader == NONE || list.len() > longest.elements().len() {
                (*longest, *reader) = (Order::Read(list), transaction);
            }
        }
    }

    /// The appends of the longest list of a key; takes duplicates out of the list first.
    fn order_of(&mut self, transactions: &Transactions<'a>, key: usize) -> Vec<u32> {
        let may_repeat = |element: &Value| {
            let value = transactions.values.find(element);
            value.is_some_and(|value| self.writes.is_ambiguous(key as u32, value))
        };
        let elements = self.longest[key].0.elements();
        let mut seen = rustc_hash::FxHashSet::default();
        if elements.iter().any(|element| !seen.insert(element) && !may_repeat(element)) {
            let mut seen = rustc_hash::FxHashSet::default();
            let kept = elements.iter().filter(|&it| seen.insert(it) || may_repeat(it)).cloned();
            self.longest[key].0 = Order::Distinct(kept.collect());
        }
        let elements = self.longest[key].0.elements().iter();
        let append = |element| self.writes.find(key as u32, transactions.values.find(element)?);
        elements.map(|element| append(element).unwrap_or(NONE)).collect()
    }

    /// Reports reads with duplicates and reads that are not the beginning of the longest one.
    pub(in crate::checker::isolation) fn check_orders(
        &self,
        transactions: &Transactions<'_>,
        findings: &mut Findings,
        meter: &mut Meter<'_>,
    ) -> Result<(), Stop> {
        for reader in transactions.all() {
            for step in transactions.steps(reader).iter().filter(|step| !step.write) {
                let list = transactions.lists[step.value as usize];
                let (longest, other) = &self.longest[step.key as usize];
                meter.step(|| 0)?;
                if begins_with(longest.elements(), list) {
                    continue;
                }
                let key = words::plain(&transactions.keys[step.key as usize]);
                let mut seen = rustc_hash::FxHashSet::default();
                let twice = list.iter().find(|&element| {
                    let value = transactions.values.find(element);
                    !seen.insert(element)
                        && !value.is_some_and(|it| self.writes.is_ambiguous(step.key, it))
                });
                if let Some(twice) = twice {
                    findings.add(Kind::DuplicateElements, || {
                        let text = words::plain(twice);
                        let lines = vec![
                            format!("T1 read {key} = {}.", words::list(list)),
                            format!("The element {text} is in it more than once."),
                            format!("At most one transaction appended {text} to {key}."),
                        ];
                        let kind = Kind::DuplicateElements;
                        words::anomaly(transactions, kind, &[step.key], &[reader], vec![], lines)
                    });
                }
                let pairs = list.iter().zip(longest.elements());
                let Some(at) = pairs.clone().position(|(one, other)| one != other) else {
                    continue;
                };
                findings.add(Kind::IncompatibleOrder, || {
                    let of = if *other == reader { vec![reader] } else { vec![*other, reader] };
                    let second = words::label(of.len() - 1);
                    let lines = vec![
                        format!("T1 read {key} = {}.", words::list(longest.elements())),
                        format!("{second} read {key} = {}.", words::list(list)),
                        format!(
                            "At position {} the first list has {}, the second one {}.",
                            at + 1,
                            words::plain(&longest.elements()[at]),
                            words::plain(&list[at]),
                        ),
                        "Lists only grow at their end, so one of two reads is the beginning of the \
                         other: at least one of these saw a list that was taken back."
                            .to_owned(),
                    ];
                    let kind = Kind::IncompatibleOrder;
                    words::anomaly(transactions, kind, &[step.key], &of, vec![], lines)
                });
            }
        }
        self.check_own_orders(transactions, findings, meter)
    }

    /// Reports lists that have two appends of one transaction the wrong way round, next to each other;
    /// with others in between it is a cycle.
    fn check_own_orders(
        &self,
        transactions: &Transactions<'_>,
        findings: &mut Findings,
        meter: &mut Meter<'_>,
    ) -> Result<(), Stop> {
        for (key, (order, (longest, reader))) in (0..).zip(self.order.iter().zip(&self.longest)) {
            meter.step(|| 0)?;
            let known = || order.iter().copied().filter(|&append| append != NONE);
            for (first, second) in known().zip(known().skip(1)) {
                let [early, late] = [second, first].map(|it| &self.writes.list[it as usize]);
                if early.writer != late.writer || early.at >= late.at {
                    continue;
                }
                findings.add(Kind::IncompatibleOrder, || {
                    let [early, late] = [early, late]
                        .map(|it| words::plain(&transactions.values.values[it.value as usize]));
                    let (writer, name) =
                        (self.writes.list[first as usize].writer, &transactions.keys[key as usize]);
                    let name = words::plain(name);
                    let of = if writer == *reader { vec![writer] } else { vec![writer, *reader] };
                    let lines = vec![
                        format!("T1 appended {early} to {name}, and then {late}."),
                        format!(
                            "But {} read {name} = {}, with {late} in front of {early}.",
                            words::label(of.len() - 1),
                            words::list(longest.elements())
                        ),
                        "Lists only grow at their end, so what was appended first comes first."
                            .to_owned(),
                    ];
                    let kind = Kind::IncompatibleOrder;
                    words::anomaly(transactions, kind, &[key], &of, vec![], lines)
                });
            }
        }
        Ok(())
    }
}

/// Whether `list` is a beginning of `whole`.
pub(in crate::checker::isolation) fn begins_with(whole: &[Value], list: &[Value]) -> bool {
    if list.len() > whole.len() {
        return false;
    }
    // The same list, or two lists of integers, are what there is most of the time.
    std::ptr::eq(list.as_ptr(), whole.as_ptr())
        || list.iter().zip(whole).all(|(one, other)| match (one, other) {
            (Value::Int(one), Value::Int(other)) => one == other,
            (one, other) => one == other,
        })
}

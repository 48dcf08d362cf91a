//! The decision: gather what must have committed before what, and look for a circle.

use super::causal::causal;
use super::local::{read_atomic, read_committed};
use super::reads::{INITIAL, Reads, Sessions};
use crate::checker::DependencyEdge;
use crate::checker::isolation::circle::{Circle, Misses, Pattern};
use crate::checker::isolation::components::{Adjacency, components};
use crate::checker::isolation::findings::Findings;
use crate::checker::isolation::graph::{Edges, Graph, PROCESS, WR, WW};
use crate::checker::isolation::kind::{Class, Kind, Variant};
use crate::checker::isolation::meter::{Meter, Stop};
use crate::checker::isolation::search::{Search, Step};
use crate::checker::isolation::transactions::{NONE, Transactions};
use crate::checker::isolation::words::{self, label, plain};

/// A level that is decided here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::checker::isolation) enum Weak {
    ReadCommitted,
    ReadAtomic,
    Causal,
}

impl Weak {
    /// What a history that breaks it shows.
    pub(in crate::checker::isolation) fn kind(self) -> Kind {
        match self {
            Weak::ReadCommitted => Kind::NonMonotonicRead,
            Weak::ReadAtomic => Kind::FracturedRead,
            Weak::Causal => Kind::CausalityViolation,
        }
    }
}

/// `known` wrote `key`, and `reader`, which should know that, read it from `other`: so `known` committed
/// before `other`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Inference {
    pub(super) reader: u32,
    pub(super) key: u32,
    pub(super) known: u32,
    pub(super) other: u32,
}

/// All inferences.
#[derive(Default)]
pub(super) struct Inferences {
    list: Vec<Inference>,
    /// One that puts a write before the initial version.
    pub(super) impossible: Option<Inference>,
}

impl Inferences {
    /// One more.
    pub(super) fn add(&mut self, inference: Inference) {
        if inference.other == INITIAL {
            self.impossible.get_or_insert(inference);
        } else {
            self.list.push(inference);
        }
    }

    /// What it takes in memory.
    pub(super) fn bytes(&self) -> usize {
        self.list.len() * 16
    }
}

/// Decides a level; what breaks it goes to the findings. Returns whether it holds.
pub(in crate::checker::isolation) fn decide(
    level: Weak,
    transactions: &Transactions<'_>,
    reads: &Reads,
    findings: &mut Findings,
    meter: &mut Meter<'_>,
) -> Result<bool, Stop> {
    let mut inferences = Inferences::default();
    match level {
        Weak::ReadCommitted => read_committed(transactions, reads, &mut inferences, meter)?,
        Weak::ReadAtomic => read_atomic(transactions, reads, &mut inferences, meter)?,
        Weak::Causal => {
            // Who has a circle of causes needs no clocks to see that it is not causal.
            if let Some(order) = causes_first(reads) {
                causal(&order, reads, &mut inferences, meter)?;
            }
        }
    }
    if let Some(inference) = inferences.impossible {
        before_the_beginning(level.kind(), transactions, reads.order, inference, findings);
        return Ok(false);
    }
    if let Some(&(reader, key)) = reads.replaced.first() {
        own_past(level.kind(), transactions, reader, key, findings);
        return Ok(false);
    }
    let mut edges = Edges::new(transactions.len());
    for reader in transactions.all() {
        if reads.before[reader as usize] != NONE {
            edges.add(reads.before[reader as usize], reader, PROCESS, NONE);
        }
        for (read, at) in reads.of(reader).iter().zip(0..) {
            if read.writer != INITIAL {
                edges.add(read.writer, reader, WR, at);
            }
        }
    }
    for (inference, number) in inferences.list.iter().zip(0..) {
        edges.add(inference.known, inference.other, WW, number);
    }
    meter.ask(inferences.bytes() + edges.list.len() * 28)?;
    let graph = Graph::new(transactions, edges, reads.present.clone(), false);
    let circles = graph.circles(meter)?;
    let holds = circles.is_empty();
    let mut scratch = if holds { vec![] } else { vec![NONE; graph.nodes() as usize] };
    for members in circles {
        let circle = Circle::new(&graph, members, &mut scratch);
        let mut search = Search::new(&circle);
        let pattern = Pattern { free: WW | WR | PROCESS, misses: Misses::Never };
        if let Some(cycle) = search.cycle(pattern, 1_000_000, meter)? {
            tell(level.kind(), transactions, reads, &inferences, &cycle, findings);
        }
    }
    Ok(holds)
}

/// All transactions that took effect, causes first; none if there is a circle of causes.
fn causes_first(reads: &Reads) -> Option<Vec<u32>> {
    let count = reads.present.len();
    let adjacency = Adjacency::new(count, |add| {
        for reader in 0..count as u32 {
            if reads.before[reader as usize] != NONE {
                add(reads.before[reader as usize], reader);
            }
            for read in reads.of(reader).iter().filter(|read| read.writer != INITIAL) {
                add(read.writer, reader);
            }
        }
    });
    let (component, found) = components(&adjacency);
    if (found as usize) < count {
        return None;
    }
    let mut order = vec![0; count];
    for (&component, transaction) in component.iter().zip(0..) {
        order[count - 1 - component as usize] = transaction;
    }
    order.retain(|&transaction| reads.present[transaction as usize]);
    Some(order)
}

/// A transaction read the initial version of a key although it should know a later one.
fn before_the_beginning(
    kind: Kind,
    transactions: &Transactions<'_>,
    order: Sessions,
    inference: Inference,
    findings: &mut Findings,
) {
    let Inference { reader, key, known, .. } = inference;
    findings.add(kind, || {
        let name = plain(&transactions.keys[key as usize]);
        let lines = if known == reader {
            vec![
                format!("T1 wrote {name}."),
                format!("After that T1 read what {name} held before anybody wrote it."),
            ]
        } else {
            vec![
                format!("T1 wrote {name}."),
                format!("T2 {} T1.", comes_after(kind, order)),
                format!("But T2 read what {name} held before anybody wrote it."),
            ]
        };
        let of = if known == reader { vec![reader] } else { vec![known, reader] };
        words::anomaly(transactions, kind, &[key], &of, vec![], lines)
    });
}

/// A transaction read a version of its own that it had replaced.
fn own_past(
    kind: Kind,
    transactions: &Transactions<'_>,
    reader: u32,
    key: u32,
    findings: &mut Findings,
) {
    findings.add(kind, || {
        let name = plain(&transactions.keys[key as usize]);
        let lines = vec![
            format!("T1 wrote {name} more than once."),
            format!("After that T1 read {name}, and did not see its own last write."),
        ];
        words::anomaly(transactions, kind, &[key], &[reader], vec![], lines)
    });
}

/// How a reader is bound to what it should know.
fn comes_after(kind: Kind, order: Sessions) -> &'static str {
    match (kind, order) {
        (Kind::NonMonotonicRead, _) => "had already read from",
        (Kind::FracturedRead, Sessions::Ignore) => "read from",
        (Kind::FracturedRead, Sessions::Count) => "read from, or ran in the same process after,",
        (_, Sessions::Ignore) => "depends, through what was read, on",
        (_, Sessions::Count) => "depends, through what was read and the order of processes, on",
    }
}

fn tell(
    kind: Kind,
    transactions: &Transactions<'_>,
    reads: &Reads,
    inferences: &Inferences,
    cycle: &[Step],
    findings: &mut Findings,
) {
    let inferred = cycle.iter().any(|step| step.kind == WW);
    let in_session = cycle.iter().any(|step| step.kind == PROCESS);
    // Without an inference it is a circle of causes, which has a name of its own.
    let variant = if in_session { Variant::Process } else { Variant::Plain };
    let kind = if inferred { kind } else { Kind::Cycle(Class::G1c, variant) };
    findings.add(kind, || {
        let first = (0..cycle.len()).min_by_key(|&at| cycle[at].from).unwrap_or_default();
        let cycle = [&cycle[first..], &cycle[..first]].concat();
        let mut of: Vec<u32> = cycle.iter().map(|step| step.from).collect();
        let (mut edges, mut lines, mut keys) = (Vec::new(), Vec::new(), Vec::new());
        for (step, at) in cycle.iter().zip(0..) {
            let next = (at + 1) % cycle.len();
            let (from, to) = (label(at), label(next));
            let (name, reason) = match step.kind {
                PROCESS => ("process", format!("the same process ran {from} before {to}")),
                WR => {
                    let read = reads.of(step.to)[step.version as usize];
                    let key = plain(&transactions.keys[read.key as usize]);
                    keys.push(read.key);
                    ("wr", format!("{to} read {key} from {from}"))
                }
                _ => {
                    let inference = inferences.list[step.version as usize];
                    keys.push(inference.key);
                    let reader = match of.iter().position(|&it| it == inference.reader) {
                        Some(position) => position,
                        None => {
                            of.push(inference.reader);
                            of.len() - 1
                        }
                    };
                    let (key, reader) =
                        (plain(&transactions.keys[inference.key as usize]), label(reader));
                    let reason = if reader == from {
                        format!("{from} wrote {key}, and after that read it from {to}")
                    } else {
                        format!(
                            "both wrote {key}; {reader} {} {from}, but read {key} from {to}",
                            comes_after(kind, reads.order)
                        )
                    };
                    ("ww", reason)
                }
            };
            lines.push(format!("{from} comes before {to}: {reason}."));
            edges.push(DependencyEdge { from: at, to: next, kind: name.to_owned(), reason });
        }
        lines.push("So T1 would have to come before itself, which is impossible.".to_owned());
        words::anomaly(transactions, kind, &keys, &of, edges, lines)
    });
}

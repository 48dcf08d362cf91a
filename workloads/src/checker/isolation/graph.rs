//! The graph of dependencies: who must come before whom, and why.
//!
//! ```text
//! node      a transaction, or a hub: a joint of many edges, which are all the same dependency
//! edge      ww, wr, rw, process; realtime is not stored: it leads to all that begin after the end
//! reader ─rw─> hub ─> hub ─> ...       every reader of a version comes before every writer of a
//!               └> writer └> writer    later one; hubs keep that linear in memory
//! ```

use super::components::{Adjacency, components};
use super::meter::{Meter, Stop};
use super::transactions::{NONE, Transactions};
use crate::history::{Operation, Outcome};
use rustc_hash::FxHashMap;

/// Kinds of dependencies, as a set of bits.
pub(super) type Kinds = u8;
/// The second overwrites what the first wrote.
pub(super) const WW: Kinds = 1;
/// The second read what the first wrote.
pub(super) const WR: Kinds = 2;
/// The second overwrites what the first read.
pub(super) const RW: Kinds = 4;
/// The same process ran one after another.
pub(super) const PROCESS: Kinds = 8;
/// The second began when the first had ended.
pub(super) const REALTIME: Kinds = 16;
/// From a hub on: part of the same dependency.
pub(super) const HUB: Kinds = 32;

/// A dependency.
#[derive(Debug, Clone, Copy)]
pub(super) struct Edge {
    pub(super) from: u32,
    pub(super) to: u32,
    /// The version that it is about: the one read, or the one written by the second.
    pub(super) version: u32,
    pub(super) kind: Kinds,
}

/// Dependencies while they are gathered.
#[derive(Clone)]
pub(super) struct Edges {
    pub(super) list: Vec<Edge>,
    nodes: u32,
}

impl Edges {
    /// None yet, between so many transactions.
    pub(super) fn new(transactions: usize) -> Self {
        Self { list: Vec::new(), nodes: transactions as u32 }
    }

    /// A dependency; nobody depends on oneself.
    pub(super) fn add(&mut self, from: u32, to: u32, kind: Kinds, version: u32) {
        if from != to {
            self.list.push(Edge { from, to, version, kind });
        }
    }

    /// Every reader misses what every writer writes (with its version), itself excepted.
    pub(super) fn miss(&mut self, readers: &[u32], writers: &[(u32, u32)]) {
        if readers.len() * writers.len() <= 2 * (readers.len() + writers.len()) {
            for &reader in readers {
                for &(writer, version) in writers {
                    self.add(reader, writer, RW, version);
                }
            }
            return;
        }
        let count = writers.len() as u32;
        // Hubs that lead to a writer and all behind it, and hubs that lead to all before it as well.
        let forward = self.nodes;
        let backward = forward + count;
        self.nodes += 2 * count;
        let mut position: FxHashMap<u32, u32> = FxHashMap::default();
        for (&(writer, version), at) in writers.iter().zip(0..) {
            position.insert(writer, at);
            self.add(forward + at, writer, HUB, version);
            self.add(backward + at, writer, HUB, version);
            if at + 1 < count {
                self.add(forward + at, forward + at + 1, HUB, NONE);
                self.add(backward + at + 1, backward + at, HUB, NONE);
            }
        }
        for &reader in readers {
            match position.get(&reader) {
                None => self.add(reader, forward, RW, NONE),
                Some(&at) => {
                    if at + 1 < count {
                        self.add(reader, forward + at + 1, RW, NONE);
                    }
                    if at > 0 {
                        self.add(reader, backward + at - 1, RW, NONE);
                    }
                }
            }
        }
    }

    /// Hubs in a row: each leads to a writer (with its version) and to the next hub. Returns the first.
    pub(super) fn chain(&mut self, writers: &[(u32, u32)]) -> u32 {
        let (first, count) = (self.nodes, writers.len() as u32);
        self.nodes += count;
        for (&(writer, version), at) in writers.iter().zip(0..) {
            self.add(first + at, writer, HUB, version);
            if at + 1 < count {
                self.add(first + at, first + at + 1, HUB, NONE);
            }
        }
        first
    }

    /// The order in which each process did what it did. What may act later is before nothing.
    pub(super) fn add_processes(&mut self, transactions: &Transactions<'_>, present: &[bool]) {
        let mut last: FxHashMap<u64, u32> = FxHashMap::default();
        for (operation, transaction) in transactions.operations.iter().zip(0..) {
            if !present[transaction as usize] {
                continue;
            }
            if let Some(&before) = last.get(&operation.process) {
                self.add(before, transaction, PROCESS, NONE);
            }
            if operation.outcome == Outcome::Ok {
                last.insert(operation.process, transaction);
            }
        }
    }
}

/// All dependencies of a history.
pub(super) struct Graph {
    pub(super) transactions: u32,
    first: Vec<u32>,
    edges: Vec<(u32, u32, Kinds)>,
    /// Of each transaction, the first one that began after its end; `NONE` if it has no end.
    after: Vec<u32>,
    present: Vec<bool>,
}

impl Graph {
    /// Sorts the edges by where they begin. `present` are the transactions that took effect.
    pub(super) fn new(
        transactions: &Transactions<'_>,
        edges: Edges,
        present: Vec<bool>,
        realtime: bool,
    ) -> Self {
        let mut first = vec![0u32; edges.nodes as usize + 2];
        for edge in &edges.list {
            first[edge.from as usize + 2] += 1;
        }
        for node in 2..first.len() {
            first[node] += first[node - 1];
        }
        let mut sorted = vec![(0, 0, 0); edges.list.len()];
        for edge in &edges.list {
            let slot = &mut first[edge.from as usize + 1];
            sorted[*slot as usize] = (edge.to, edge.version, edge.kind);
            *slot += 1;
        }
        let operations = transactions.operations;
        let after = operations.iter().enumerate().map(|(at, operation)| {
            let end = operation.complete_index.filter(|_| operation.outcome == Outcome::Ok);
            match end.filter(|_| realtime) {
                Some(end) => begun_after(operations, at, end).map_or(NONE, |later| later as u32),
                None => NONE,
            }
        });
        Self {
            transactions: operations.len() as u32,
            first,
            edges: sorted,
            after: after.collect(),
            present,
        }
    }

    /// Where edges lead from a node, with the version and kind of each.
    pub(super) fn out(&self, node: u32) -> &[(u32, u32, Kinds)] {
        &self.edges[self.first[node as usize] as usize..self.first[node as usize + 1] as usize]
    }

    /// The first transaction that began after the end of this one.
    pub(super) fn after(&self, transaction: u32) -> Option<u32> {
        Some(self.after[transaction as usize]).filter(|&later| later != NONE)
    }

    /// Transactions and hubs.
    pub(super) fn nodes(&self) -> u32 {
        (self.first.len() - 2) as u32
    }

    /// Whether nothing depends on anything, but for time.
    pub(super) fn has_no_data(&self) -> bool {
        !self.edges.iter().any(|(_, _, kind)| kind & (WW | WR | RW) != 0)
    }

    /// What it takes in memory.
    pub(super) fn bytes(&self) -> usize {
        self.first.len() * 4 + self.edges.len() * 12 + self.after.len() * 5
    }

    /// The sets of nodes in which everything depends on everything, each in ascending order.
    pub(super) fn circles(&self, meter: &mut Meter<'_>) -> Result<Vec<Vec<u32>>, Stop> {
        let component = self.components(meter)?;
        let count = component.iter().max().map_or(0, |last| last + 1);
        let mut sizes = vec![0u32; count as usize];
        for node in 0..self.transactions {
            sizes[component[node as usize] as usize] += 1;
        }
        let mut circles: Vec<Vec<u32>> = Vec::new();
        let mut circle_of: FxHashMap<u32, usize> = FxHashMap::default();
        for node in 0..self.nodes() {
            let component = component[node as usize];
            if sizes[component as usize] > 1 {
                let circle = *circle_of.entry(component).or_insert(circles.len());
                if circle == circles.len() {
                    circles.push(Vec::new());
                }
                circles[circle].push(node);
            }
        }
        Ok(circles)
    }

    /// The transactions that took effect, each behind all that it depends on; none if there are
    /// circles.
    pub(super) fn order(&self, meter: &mut Meter<'_>) -> Result<Option<Vec<u32>>, Stop> {
        let component = self.components(meter)?;
        let mut order: Vec<u32> =
            (0..self.transactions).filter(|&it| self.present[it as usize]).collect();
        order.sort_unstable_by_key(|&it| std::cmp::Reverse(component[it as usize]));
        let is_circle =
            order.windows(2).any(|two| component[two[0] as usize] == component[two[1] as usize]);
        Ok((!is_circle).then_some(order))
    }

    /// Of each node, the number of its component; an edge never leads to a higher number.
    ///
    /// For realtime there is a chain: a transaction leads to the link of the first one that began
    /// after its end, a link to its transaction and to the next link.
    fn components(&self, meter: &mut Meter<'_>) -> Result<Vec<u32>, Stop> {
        let nodes = self.nodes();
        let chained = self.after.iter().any(|&later| later != NONE);
        let links = if chained { self.transactions } else { 0 };
        let adjacency = Adjacency::new((nodes + links) as usize, |add| {
            for node in 0..nodes {
                self.out(node).iter().for_each(|&(to, ..)| add(node, to));
            }
            for link in 0..links {
                if let Some(later) = self.after(link) {
                    add(link, nodes + later);
                }
                if self.present[link as usize] {
                    add(nodes + link, link);
                }
                if link + 1 < links {
                    add(nodes + link, nodes + link + 1);
                }
            }
        });
        meter.ask(adjacency.bytes() + adjacency.nodes() * 12)?;
        Ok(components(&adjacency).0)
    }
}

/// The first operation that began after `end`, which is the end of the one at `at`. It is near in most
/// cases, so the search begins there.
fn begun_after(operations: &[Operation], at: usize, end: u64) -> Option<usize> {
    let mut width = 1;
    while operations.get(at + width).is_some_and(|it| it.invoke_index <= end) {
        width *= 2;
    }
    let near = at + width / 2..operations.len().min(at + width);
    let begun = operations[near.clone()].partition_point(|it| it.invoke_index <= end);
    Some(near.start + begun).filter(|&later| later < operations.len())
}

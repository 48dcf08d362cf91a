//! One circle: nodes of the graph that all depend on each other, numbered anew from 0.

use super::components::{Adjacency, components};
use super::graph::{Graph, HUB, Kinds, REALTIME, RW};
use super::transactions::NONE;

/// How a cycle may use edges of kind rw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Misses {
    /// Not at all.
    Never,
    /// As it likes.
    Any,
    /// Only right after an edge of one of these kinds, so never twice in a row.
    After(Kinds),
    /// Exactly once: as the first edge.
    First,
}

/// The cycles that a search is after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pattern {
    /// Kinds that may be used freely.
    pub(super) free: Kinds,
    pub(super) misses: Misses,
}

impl Pattern {
    /// The layer in which one arrives by an edge of this kind; none if the edge must not be taken.
    ///
    /// The layer says what happened before. `After`: 1 if an rw may come next. `First`: 1 once the rw
    /// is behind.
    pub(super) fn next(self, layer: u32, kind: Kinds) -> Option<u32> {
        if kind & HUB != 0 {
            return (self.misses != Misses::Never).then_some(layer);
        }
        let miss = kind & RW != 0;
        if !miss && kind & self.free == 0 {
            return None;
        }
        match self.misses {
            Misses::Never => (!miss).then_some(1),
            Misses::Any => Some(1),
            Misses::After(_) if miss => (layer == 1).then_some(0),
            Misses::After(kinds) => Some(u32::from(kind & kinds != 0)),
            Misses::First => (miss == (layer == 0)).then_some(1),
        }
    }
}

/// A part of the graph.
pub(super) struct Circle {
    /// Its nodes, ascending: transactions, then hubs.
    pub(super) members: Vec<u32>,
    /// How many of them are transactions.
    pub(super) transactions: u32,
    first: Vec<u32>,
    edges: Vec<(u32, u32, Kinds)>,
    after: Vec<u32>,
}

impl Circle {
    /// Copies the edges between these nodes. `scratch` has a place for each node of the graph, all
    /// `NONE`, and is left so.
    pub(super) fn new(graph: &Graph, members: Vec<u32>, scratch: &mut [u32]) -> Self {
        let transactions = members.partition_point(|&node| node < graph.transactions) as u32;
        for (&node, position) in members.iter().zip(0..) {
            scratch[node as usize] = position;
        }
        let (mut first, mut edges) = (vec![0u32], Vec::new());
        for &node in &members {
            for &(to, version, kind) in graph.out(node) {
                let to = scratch[to as usize];
                if to != NONE {
                    edges.push((to, version, kind));
                }
            }
            first.push(edges.len() as u32);
        }
        let after = members[..transactions as usize].iter().map(|&node| {
            graph.after(node).map_or(transactions, |later| {
                members[..transactions as usize].partition_point(|&it| it < later) as u32
            })
        });
        let after = after.collect();
        for &node in &members {
            scratch[node as usize] = NONE;
        }
        Self { members, transactions, first, edges, after }
    }

    /// Transactions and hubs.
    pub(super) fn nodes(&self) -> u32 {
        self.members.len() as u32
    }

    /// Where edges lead from a node, with the version and kind of each.
    pub(super) fn out(&self, node: u32) -> &[(u32, u32, Kinds)] {
        &self.edges[self.first[node as usize] as usize..self.first[node as usize + 1] as usize]
    }

    /// The transactions of the circle from this one on began after the end of `node`.
    pub(super) fn after(&self, node: u32) -> u32 {
        self.after.get(node as usize).copied().unwrap_or(self.transactions)
    }

    /// Components of the states (node, layer) of a pattern, and whether some component is a cycle.
    pub(super) fn components(&self, pattern: Pattern) -> (Vec<u32>, bool) {
        let (adjacency, states) = self.adjacency(pattern);
        let (mut component, count) = components(&adjacency);
        let cyclic = (count as usize) < component.len();
        component.truncate(states as usize);
        (component, cyclic)
    }

    /// The graph of states, `2 * node + layer`, and the links of the chain that stands for realtime.
    fn adjacency(&self, pattern: Pattern) -> (Adjacency, u32) {
        let states = 2 * self.nodes();
        let arrival = match (pattern.free & REALTIME != 0, pattern.misses) {
            (false, _) => None,
            (true, Misses::First) => Some(1),
            (true, _) => pattern.next(0, REALTIME),
        };
        let links = if arrival.is_some() { self.transactions } else { 0 };
        let adjacency = Adjacency::new((states + links) as usize, |add| {
            for node in 0..self.nodes() {
                for layer in 0..2 {
                    for &(to, _, kind) in self.out(node) {
                        if let Some(next) = pattern.next(layer, kind) {
                            add(2 * node + layer, 2 * to + next);
                        }
                    }
                    if arrival.is_some()
                        && pattern.next(layer, REALTIME).is_some()
                        && self.after(node) < self.transactions
                    {
                        add(2 * node + layer, states + self.after(node));
                    }
                }
            }
            for link in 0..links {
                if let Some(layer) = arrival {
                    add(states + link, 2 * link + layer);
                }
                if link + 1 < links {
                    add(states + link, states + link + 1);
                }
            }
        });
        (adjacency, states)
    }

    /// A rank for each node: edges of these kinds never lead to a lower rank, and only nodes that reach
    /// each other share one. Among what is free to choose, earlier transactions rank lower. Hubs,
    /// which only an rw leads to, rank 0.
    pub(super) fn ranks(&self, free: Kinds) -> Vec<u32> {
        use std::cmp::Reverse;
        let pattern = Pattern { free, misses: Misses::Never };
        let (adjacency, states) = self.adjacency(pattern);
        let (component, count) = components(&adjacency);
        // When a component could come at the earliest: links count as their transaction.
        let mut time = vec![u32::MAX; count as usize];
        let mut indegree = vec![0u32; count as usize];
        for state in 0..adjacency.nodes() as u32 {
            let here = component[state as usize] as usize;
            let at = if state < states { state / 2 } else { state - states };
            time[here] = time[here].min(at);
            for &to in adjacency.out(state) {
                let there = component[to as usize] as usize;
                indegree[there] += u32::from(there != here);
            }
        }
        let condensed = Adjacency::new(count as usize, |add| {
            for state in 0..adjacency.nodes() as u32 {
                let here = component[state as usize];
                for &to in adjacency.out(state) {
                    if component[to as usize] != here {
                        add(here, component[to as usize]);
                    }
                }
            }
        });
        let mut ready: std::collections::BinaryHeap<Reverse<(u32, u32)>> = (0..count)
            .filter(|&it| indegree[it as usize] == 0)
            .map(|it| Reverse((time[it as usize], it)))
            .collect();
        let (mut rank, mut next) = (vec![0u32; count as usize], 0);
        while let Some(Reverse((_, it))) = ready.pop() {
            rank[it as usize] = next;
            next += 1;
            for &to in condensed.out(it) {
                indegree[to as usize] -= 1;
                if indegree[to as usize] == 0 {
                    ready.push(Reverse((time[to as usize], to)));
                }
            }
        }
        let rank_of = |node: u32| match node < self.transactions {
            true => rank[component[2 * node as usize + 1] as usize],
            false => 0,
        };
        (0..self.nodes()).map(rank_of).collect()
    }
}

//! The graph of versions of one register, and circles in it.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use super::{Guarantee, Judgement};
use crate::checker::linearizable::{describe_operation, label};
use crate::checker::{Anomaly, DependencyEdge};
use crate::history::{Operation, Value};
use crate::model::{Entry, Model, Register, RegisterOp};

const NONE: u32 = u32::MAX;

/// Why one version is before another: two operations of a session, or a cas.
#[derive(Clone, Copy)]
struct Reason {
    earlier: u32,
    later: u32,
}

/// Versions, by number of their value, and further nodes for what a session read so far.
struct Graph {
    edges: Vec<Vec<(u32, Reason)>>,
}

impl Graph {
    fn add(&mut self, before: u32, after: u32, earlier: usize, later: usize) {
        let reason = Reason { earlier: earlier as u32, later: later as u32 };
        self.edges[before as usize].push((after, reason));
    }

    fn node(&mut self) -> u32 {
        self.edges.push(Vec::new());
        self.edges.len() as u32 - 1
    }
}

/// Judges one guarantee on one register.
pub(super) fn judge(
    guarantee: Guarantee,
    register: &Register,
    key: &Option<Value>,
    operations: &[&Operation],
    entries: &[Entry<RegisterOp>],
) -> Judgement {
    let initial = register.held(&register.initial());
    let mut writer = vec![NONE; register.values()];
    let mut is_ambiguous = vec![false; register.values()];
    for (position, entry) in entries.iter().enumerate() {
        if let Some(value) = register.writes(&entry.op) {
            let known = std::mem::replace(&mut writer[value as usize], position as u32);
            is_ambiguous[value as usize] |= known != NONE || initial == Some(value);
        }
    }
    let told = Told { register, key, operations, entries };
    // What was read but never written has no place in any order.
    for (position, entry) in entries.iter().enumerate().filter(|(_, entry)| !entry.is_crashed()) {
        if let Some(value) = register.observes(&entry.op)
            && writer[value as usize] == NONE
            && initial.is_some_and(|initial| initial != value)
        {
            return Judgement::Broken(Box::new(told.phantom(position, value)));
        }
    }
    let find = |is_ambiguous: &[bool]| {
        let graph = graph(guarantee, register, operations, entries, is_ambiguous);
        circle(&graph, initial, is_ambiguous)
    };
    // A value that nobody told us of was there at first: if it is one of the circle, the circle says
    // nothing, since what was read may be older than what was written.
    let holds_from = |value: u32| {
        let mut is_ambiguous = is_ambiguous.clone();
        is_ambiguous[value as usize] = true;
        find(&is_ambiguous).is_none()
    };
    match find(&is_ambiguous) {
        Some(circle) => {
            let values = circle.iter().map(|it| it.0).filter(|&it| it < register.values() as u32);
            match initial.is_none() && values.into_iter().any(holds_from) {
                true => Judgement::Unknown(
                    "what was read may have been there at first, which nobody told".to_owned(),
                ),
                false => Judgement::Broken(Box::new(told.circle(guarantee, &circle))),
            }
        }
        None => match is_ambiguous.iter().filter(|it| **it).count() {
            0 => Judgement::Holds,
            ambiguous => Judgement::Unknown(format!(
                "{ambiguous} values were written more than once, so it is not known which write was read"
            )),
        },
    }
}

/// What the guarantee says of the order of versions.
fn graph(
    guarantee: Guarantee,
    register: &Register,
    operations: &[&Operation],
    entries: &[Entry<RegisterOp>],
    is_ambiguous: &[bool],
) -> Graph {
    let mut graph = Graph { edges: vec![Vec::new(); register.values()] };
    add_cas(&mut graph, entries, is_ambiguous);
    let mut sessions: FxHashMap<u64, Session> = FxHashMap::default();
    let mut order: Vec<usize> = (0..entries.len()).collect();
    order.sort_by_key(|&position| entries[position].invoked);
    for position in order {
        let entry = &entries[position];
        let session = sessions.entry(operations[entry.id].process).or_default();
        let clear = |value: Option<u32>| value.filter(|&value| !is_ambiguous[value as usize]);
        let read = clear(register.observes(&entry.op)).filter(|_| !entry.is_crashed());
        let written = clear(register.writes(&entry.op));
        session.step(guarantee, &mut graph, position, read, written);
    }
    graph
}

/// A cas puts its version behind the one that it replaced.
fn add_cas(graph: &mut Graph, entries: &[Entry<RegisterOp>], is_ambiguous: &[bool]) {
    for (position, entry) in entries.iter().enumerate() {
        if let RegisterOp::Cas { expected, new } = entry.op
            && !entry.is_crashed()
            && !is_ambiguous[expected as usize]
            && !is_ambiguous[new as usize]
        {
            graph.add(expected, new, position, position);
        }
    }
}

/// What a session did last: the value and the operation.
#[derive(Default)]
struct Session {
    written: Option<(u32, usize)>,
    read: Option<(u32, usize)>,
    /// The node behind all that was read so far.
    seen: Option<u32>,
    /// What the session wrote before its last write.
    overwritten: FxHashMap<u32, usize>,
}

impl Session {
    fn step(
        &mut self,
        guarantee: Guarantee,
        graph: &mut Graph,
        position: usize,
        read: Option<u32>,
        written: Option<u32>,
    ) {
        if let Some(value) = read {
            match guarantee {
                Guarantee::ReadYourWrites => {
                    if let Some((own, earlier)) = self.written
                        && own != value
                    {
                        graph.add(own, value, earlier, position);
                        // Its own writes it knows to be in order.
                        if let Some(&first) = self.overwritten.get(&value) {
                            graph.add(value, own, first, earlier);
                        }
                    }
                }
                Guarantee::MonotonicReads => {
                    if let Some((last, earlier)) = self.read
                        && last != value
                    {
                        graph.add(last, value, earlier, position);
                    }
                }
                Guarantee::WritesFollowReads => {
                    let node = graph.node();
                    if let Some(seen) = self.seen {
                        graph.add(seen, node, position, position);
                    }
                    graph.add(value, node, position, position);
                    self.seen = Some(node);
                }
                Guarantee::MonotonicWrites => {}
            }
            self.read = Some((value, position));
        }
        if let Some(value) = written {
            match guarantee {
                Guarantee::MonotonicWrites => {
                    if let Some((last, earlier)) = self.written {
                        graph.add(last, value, earlier, position);
                    }
                }
                Guarantee::WritesFollowReads => {
                    if let Some(seen) = self.seen {
                        graph.add(seen, value, position, position);
                    }
                }
                Guarantee::ReadYourWrites | Guarantee::MonotonicReads => {}
            }
            if let Some((last, earlier)) = self.written.replace((value, position)) {
                self.overwritten.insert(last, earlier);
            }
        }
    }
}

/// A short circle, as edges; an edge to the starting version is one by itself, since that is before
/// all others.
fn circle(
    graph: &Graph,
    initial: Option<u32>,
    is_ambiguous: &[bool],
) -> Option<Vec<(u32, u32, Reason)>> {
    if let Some(initial) = initial
        && !is_ambiguous[initial as usize]
    {
        for (node, edges) in graph.edges.iter().enumerate() {
            if let Some((_, reason)) = edges.iter().find(|(to, _)| *to == initial) {
                return Some(vec![(node as u32, initial, *reason)]);
            }
        }
    }
    // Take away nodes that nothing precedes; what is left has a circle.
    let mut incoming = vec![0_u32; graph.edges.len()];
    for (to, _) in graph.edges.iter().flatten() {
        incoming[*to as usize] += 1;
    }
    let mut free: Vec<usize> = (0..incoming.len()).filter(|&node| incoming[node] == 0).collect();
    while let Some(node) = free.pop() {
        for (to, _) in &graph.edges[node] {
            incoming[*to as usize] -= 1;
            if incoming[*to as usize] == 0 {
                free.push(*to as usize);
            }
        }
    }
    let left = |node: usize| incoming[node] > 0;
    let starts = (0..incoming.len()).filter(|&node| left(node)).take(STARTS_MAX);
    starts.filter_map(|start| shortest(graph, start as u32, &left)).min_by_key(Vec::len)
}

/// Nodes from which a circle is looked for.
const STARTS_MAX: usize = 64;

/// The shortest circle through `start`, breadth first.
fn shortest(
    graph: &Graph,
    start: u32,
    left: &impl Fn(usize) -> bool,
) -> Option<Vec<(u32, u32, Reason)>> {
    let mut from: FxHashMap<u32, (u32, Reason)> = FxHashMap::default();
    let mut queue = VecDeque::from([start]);
    while let Some(node) = queue.pop_front() {
        for &(to, reason) in &graph.edges[node as usize] {
            if !left(to as usize) || from.contains_key(&to) {
                continue;
            }
            from.insert(to, (node, reason));
            if to == start {
                let mut circle = Vec::new();
                let mut at = start;
                loop {
                    let (before, reason) = from[&at];
                    circle.push((before, at, reason));
                    at = before;
                    if at == start {
                        circle.reverse();
                        return Some(circle);
                    }
                }
            }
            queue.push_back(to);
        }
    }
    None
}

/// What there is to tell about.
struct Told<'a> {
    register: &'a Register,
    key: &'a Option<Value>,
    operations: &'a [&'a Operation],
    entries: &'a [Entry<RegisterOp>],
}

impl Told<'_> {
    fn value(&self, value: u32) -> String {
        self.register.describe_value(value)
    }

    fn anomaly(&self, kind: &str, positions: &[u32]) -> Anomaly {
        let operations = positions
            .iter()
            .enumerate()
            .map(|(number, &position)| {
                let entry = &self.entries[position as usize];
                describe_operation(self.register, number, entry, self.operations[entry.id])
            })
            .collect();
        Anomaly {
            kind: kind.to_owned(),
            key: self.key.clone(),
            operations,
            edges: Vec::new(),
            wrong: Vec::new(),
            explanation: Vec::new(),
        }
    }

    fn phantom(&self, position: usize, value: u32) -> Anomaly {
        let value = self.value(value);
        let mut anomaly = self.anomaly("never-written", &[position as u32]);
        anomaly.explanation = vec![
            format!("A saw {value}, but nothing ever wrote it, and it was not there at the start."),
            "So it has no place in any order of versions.".to_owned(),
        ];
        anomaly
    }

    /// The edges in words. Further nodes are left out: they only collect what was read.
    fn circle(&self, guarantee: Guarantee, circle: &[(u32, u32, Reason)]) -> Anomaly {
        let mut positions: Vec<u32> = Vec::new();
        for (_, _, reason) in circle {
            positions.extend([reason.earlier, reason.later]);
        }
        positions.sort_by_key(|&position| self.entries[position as usize].invoked);
        positions.dedup();
        let mut anomaly = self.anomaly(guarantee.name(), &positions);
        let name = |position: u32| {
            label(positions.iter().position(|&it| it == position).unwrap_or_default())
        };
        let is_version = |node: u32| (node as usize) < self.values();
        let turn = circle.iter().position(|(from, _, _)| is_version(*from)).unwrap_or(0);
        let mut before: Option<(u32, Reason)> = None;
        for step in 0..circle.len() {
            let (from, to, reason) = circle[(turn + step) % circle.len()];
            let (start, first) = before.unwrap_or((from, reason));
            if !is_version(to) {
                before = Some((start, first));
                continue;
            }
            before = None;
            let (old, new) = (self.value(start), self.value(to));
            let process = self.operations[self.entries[reason.later as usize].id].process;
            let (a, b) = (name(first.earlier), name(reason.later));
            let why = if first.earlier == reason.later {
                format!("process {process} replaced {old} by {new} ({a})")
            } else {
                match guarantee {
                    Guarantee::ReadYourWrites
                        if self.wrote(reason.later, to) && !self.saw(reason.later, to) =>
                    {
                        format!("process {process} wrote {old} ({a}) and then {new} ({b})")
                    }
                    Guarantee::ReadYourWrites => {
                        format!("process {process} wrote {old} ({a}) and then read {new} ({b})")
                    }
                    Guarantee::MonotonicReads => {
                        format!("process {process} read {old} ({a}) and then {new} ({b})")
                    }
                    Guarantee::MonotonicWrites => {
                        format!("process {process} wrote {old} ({a}) and then {new} ({b})")
                    }
                    Guarantee::WritesFollowReads => {
                        format!("process {process} read {old} ({a}) and then wrote {new} ({b})")
                    }
                }
            };
            anomaly.explanation.push(format!("{why}, so {old} must be before {new}."));
            let at = |position: u32| positions.iter().position(|&it| it == position).unwrap_or(0);
            anomaly.edges.push(DependencyEdge {
                from: at(first.earlier),
                to: at(reason.later),
                kind: "version".to_owned(),
                reason: why,
            });
        }
        // It is a circle of versions; one of operations too only if each edge begins where one ended.
        let next = anomaly.edges.iter().cycle().skip(1);
        if anomaly.edges.iter().zip(next).any(|(edge, next)| edge.to != next.from) {
            anomaly.edges.clear();
        }
        anomaly.explanation.push(if circle.len() == 1 {
            "But that is the value from the start, which is before all others.".to_owned()
        } else {
            "These go round in a circle, so there is no such order of versions.".to_owned()
        });
        anomaly
    }

    fn values(&self) -> usize {
        self.register.values()
    }

    fn wrote(&self, position: u32, value: u32) -> bool {
        self.register.writes(&self.entries[position as usize].op) == Some(value)
    }

    fn saw(&self, position: u32, value: u32) -> bool {
        self.register.observes(&self.entries[position as usize].op) == Some(value)
    }
}

//! The general search: Wing & Gong (1993) with the memoisation of Lowe (2017).
//!
//! Depth first over configurations: which operations have taken effect, and the state. An operation
//! may come next if it was invoked before the earliest completion (the *frontier*) of those that
//! have not taken effect. Open operations are kept in a doubly linked list of invocations and
//! completions, from which an operation is lifted when it takes effect.
//!
//! A configuration is remembered as the frontier, one bit for each operation that is open there,
//! one bit for each crashed operation, and the state: everything that completed before the frontier
//! has taken effect, and nothing invoked after it has. This takes bits in the order of the number
//! of clients, not of the length of the history.
//!
//! What keeps the search small. Each rule keeps some explanation if there is one:
//!
//! * **Reads at once.** A read-only operation that is open and matches the state takes effect at
//!   once: where it came later in an explanation, it changed nothing and can be moved here.
//! * **Earliest of equals.** Of equal open operations only the one that completes first is tried,
//!   a crashed one last and in order of invocation: exchanging equals in an explanation keeps it.
//! * **Crashed only to be observed.** A crashed operation is tried only if an open operation
//!   observes its value: an explanation with the fewest crashed operations puts an observer right
//!   behind each of them, else it could do without.
//! * **Unobserved writes ride along.** When a blind write takes effect, all open writes whose
//!   value nobody is left to observe take effect right before it: in any explanation they are
//!   followed by another write, so they can be moved here.
//! * **No value is left behind.** A value that acknowledged operations are still to observe, and
//!   nobody is left to write, must not be overwritten.
//! * **Unobservable is unobservable.** Values that nobody is left to observe are one state.

use rustc_hash::FxHashMap;

use super::meter::Meter;
use super::visited::Visited;
use crate::model::{Decision, Entry, Model};

const NONE: u32 = u32::MAX;

/// Searches for an order of `entries`; the error is the name of the budget that ran out.
pub(super) fn search<M: Model>(
    model: &M,
    entries: &[Entry<M::Op>],
    meter: &mut Meter<'_>,
) -> Result<Decision, String> {
    let mut search = Search::new(model, entries);
    Ok(if search.run(meter)? {
        Decision::Order(search.trail.iter().map(|&op| search.entry(op).id).collect())
    } else {
        Decision::Impossible
    })
}

/// A configuration on the path from the start.
struct Frame<S> {
    /// Operations that had taken effect when it was reached.
    trail: usize,
    state: S,
    /// Its moves are `moves[next..end]`, the best last.
    first: usize,
    end: usize,
}

struct Search<'a, M: Model> {
    model: &'a M,
    /// Acknowledged entries by invocation, then crashed ones by invocation.
    entries: Vec<&'a Entry<M::Op>>,
    acknowledged: usize,
    /// Equal operations have equal classes.
    class: Vec<u32>,
    observes: Vec<u32>,
    writes: Vec<u32>,
    /// Crashed operations of each class that has some, by invocation, and how many were used.
    crashed: Vec<(Vec<u32>, usize)>,
    crashed_group: Vec<u32>,

    /// List of invocations (node 2i+1) and completions (node 2i+2); node 0 is the head.
    next: Vec<u32>,
    previous: Vec<u32>,
    /// Rank of each acknowledged operation's completion, and who is open at each rank.
    rank: Vec<u32>,
    open_start: Vec<u32>,
    open_at: Vec<u32>,

    done: Vec<bool>,
    trail: Vec<u32>,
    /// For each value: operations not yet done that may observe it, must observe it, may write it.
    may_observe: Vec<u32>,
    must_observe: Vec<u32>,
    may_write: Vec<u32>,

    states: FxHashMap<M::State, u32>,
    visited: Visited,
    key: Vec<u64>,
    open_words: usize,
    frames: Vec<Frame<M::State>>,
    moves: Vec<u32>,
    /// Scratch: open acknowledged operations, and the best of each class (with a stamp).
    open: Vec<u32>,
    best: Vec<(u64, u32)>,
    stamp: u64,
    scored: Vec<((u8, u64), u32)>,
}

impl<'a, M: Model> Search<'a, M> {
    fn new(model: &'a M, given: &'a [Entry<M::Op>]) -> Self {
        let (mut entries, mut crashed): (Vec<_>, Vec<_>) =
            given.iter().partition(|entry| !entry.is_crashed());
        entries.sort_by_key(|entry| entry.invoked);
        crashed.sort_by_key(|entry| entry.invoked);
        let acknowledged = entries.len();
        entries.append(&mut crashed);

        let mut classes: FxHashMap<&M::Op, u32> = FxHashMap::default();
        let class: Vec<u32> = entries
            .iter()
            .map(|entry| {
                let fresh = classes.len() as u32;
                *classes.entry(&entry.op).or_insert(fresh)
            })
            .collect();
        let observes: Vec<u32> =
            entries.iter().map(|entry| model.observes(&entry.op).unwrap_or(NONE)).collect();
        let writes: Vec<u32> =
            entries.iter().map(|entry| model.writes(&entry.op).unwrap_or(NONE)).collect();

        let mut group_of_class: FxHashMap<u32, u32> = FxHashMap::default();
        let mut groups: Vec<(Vec<u32>, usize)> = Vec::new();
        let mut crashed_group = Vec::new();
        for op in acknowledged..entries.len() {
            let group = *group_of_class.entry(class[op]).or_insert_with(|| {
                groups.push((Vec::new(), 0));
                groups.len() as u32 - 1
            });
            groups[group as usize].0.push(op as u32);
            crashed_group.push(group);
        }

        let values = model.values();
        let mut may_observe = vec![0; values];
        let mut must_observe = vec![0; values];
        let mut may_write = vec![0; values];
        for op in 0..entries.len() {
            if observes[op] != NONE {
                may_observe[observes[op] as usize] += 1;
                must_observe[observes[op] as usize] += u32::from(op < acknowledged);
            }
            if writes[op] != NONE {
                may_write[writes[op] as usize] += 1;
            }
        }

        let list = List::new(&entries[..acknowledged]);
        let open_words = list.widest.div_ceil(64);
        let crashed_words = (entries.len() - acknowledged).div_ceil(64);
        let stride = 1 + open_words + crashed_words;
        Self {
            model,
            acknowledged,
            best: vec![(0, NONE); classes.len()],
            class,
            observes,
            writes,
            crashed: groups,
            crashed_group,
            next: list.next,
            previous: list.previous,
            rank: list.rank,
            open_start: list.open_start,
            open_at: list.open_at,
            done: vec![false; entries.len()],
            entries,
            trail: Vec::new(),
            may_observe,
            must_observe,
            may_write,
            states: FxHashMap::default(),
            visited: Visited::new(stride),
            key: vec![0; stride],
            open_words,
            frames: Vec::new(),
            moves: Vec::new(),
            open: Vec::new(),
            stamp: 0,
            scored: Vec::new(),
        }
    }

    fn entry(&self, op: u32) -> &'a Entry<M::Op> {
        self.entries[op as usize]
    }

    /// Whether there is an order; if so, it is the trail.
    fn run(&mut self, meter: &mut Meter<'_>) -> Result<bool, String> {
        meter.ask(self.bytes())?;
        let held = self.model.held(&self.model.initial());
        // Nobody writes it, and it was not there: no need to search.
        let phantom = (0..self.must_observe.len()).any(|value| {
            self.must_observe[value] > 0
                && self.may_write[value] == 0
                && held.is_some_and(|held| held as usize != value)
        });
        if phantom {
            return Ok(false);
        }
        let mut found = self.enter(self.model.initial());
        loop {
            if found {
                return Ok(true);
            }
            let Some(frame) = self.frames.last_mut() else { return Ok(false) };
            let trail = frame.trail;
            let tried = (frame.first < frame.end).then(|| {
                frame.end -= 1;
                (self.moves[frame.end], frame.state.clone())
            });
            self.moves.truncate(self.frames.last().map_or(0, |frame| frame.end));
            self.undo(trail);
            let Some((op, state)) = tried else {
                self.frames.pop();
                continue;
            };
            meter.step(|| self.bytes())?;
            found = match self.apply(op, &state) {
                Some(state) => self.enter(state),
                None => false,
            };
        }
    }

    fn bytes(&self) -> usize {
        self.visited.bytes()
            + self.entries.len() * 64
            + self.open_at.len() * 4
            + self.frames.capacity() * size_of::<Frame<M::State>>()
            + self.moves.capacity() * 4
    }

    /// Comes into a configuration. True if everything has taken effect; otherwise, unless it was
    /// visited before, there is a new frame with its moves.
    fn enter(&mut self, mut state: M::State) -> bool {
        let Some(frontier) = self.take_reads(&state) else { return true };
        if let Some(value) = self.model.held(&state)
            && self.may_observe[value as usize] == 0
            && let Some(unobservable) = self.model.unobservable()
        {
            state = unobservable;
        }
        if !self.remember(frontier, &state) {
            return false;
        }
        let first = self.moves.len();
        self.collect_moves(frontier, &state);
        self.frames.push(Frame { trail: self.trail.len(), state, first, end: self.moves.len() });
        false
    }

    /// Lets all open read-only operations take effect that match, and lists who else is open.
    /// Returns the operation that completes first, none if all have taken effect.
    fn take_reads(&mut self, state: &M::State) -> Option<u32> {
        self.open.clear();
        let mut node = self.next[0];
        while node != NONE {
            let op = (node - 1) / 2;
            if node.is_multiple_of(2) {
                return Some(op);
            }
            let entry = self.entry(op);
            if self.model.is_read_only(&entry.op)
                && self.model.step(state, &entry.op).as_ref() == Some(state)
            {
                self.lift(op);
                // The lifted invocation may still point to the lifted completion.
                node = self.next[self.previous[node as usize] as usize];
            } else {
                self.open.push(op);
                node = self.next[node as usize];
            }
        }
        None
    }

    /// Adds the configuration to those visited; false if it is there already.
    fn remember(&mut self, frontier: u32, state: &M::State) -> bool {
        let fresh = self.states.len() as u32;
        let state = match self.states.get(state) {
            Some(&number) => number,
            None => *self.states.entry(state.clone()).or_insert(fresh),
        };
        self.key.fill(0);
        let rank = self.rank[frontier as usize] as usize;
        self.key[0] = (rank as u64) << 32 | u64::from(state);
        let open = self.open_start[rank] as usize..self.open_start[rank + 1] as usize;
        for (bit, &op) in self.open_at[open].iter().enumerate() {
            self.key[1 + bit / 64] |= u64::from(self.done[op as usize]) << (bit % 64);
        }
        for bit in 0..self.entries.len() - self.acknowledged {
            self.key[1 + self.open_words + bit / 64] |=
                u64::from(self.done[self.acknowledged + bit]) << (bit % 64);
        }
        self.visited.insert(&self.key)
    }

    /// Puts what may come next on `moves`, the best last.
    fn collect_moves(&mut self, frontier: u32, state: &M::State) {
        self.stamp += 1;
        for &op in &self.open {
            let best = &mut self.best[self.class[op as usize] as usize];
            let earlier = best.0 == self.stamp
                && self.entries[best.1 as usize].completed <= self.entries[op as usize].completed;
            if !earlier {
                *best = (self.stamp, op);
            }
        }
        self.scored.clear();
        // What the most urgent operation waits for is tried first.
        let needed = self.observes[frontier as usize];
        for &op in &self.open {
            let best = self.best[self.class[op as usize] as usize].1;
            if best == op && self.model.step(state, &self.entry(op).op).is_some() {
                let score = match op {
                    _ if op == frontier => 0,
                    _ if needed != NONE && self.writes[op as usize] == needed => 1,
                    _ => 2,
                };
                self.scored.push(((score, self.entry(op).completed), op));
            }
        }
        let now = self.entry(frontier).completed;
        let held = self.model.held(state);
        for (ops, used) in &self.crashed {
            let Some(&op) = ops.get(*used) else { continue };
            let entry = self.entry(op);
            let written = self.writes[op as usize];
            let candidate = entry.invoked < now
                && self.best[self.class[op as usize] as usize].0 != self.stamp
                && self.model.step(state, &entry.op).is_some()
                && (written == NONE
                    || (held != Some(written) && self.is_awaited(written, op, now)));
            if candidate {
                let score = if needed != NONE && written == needed { 3 } else { 4 };
                self.scored.push(((score, entry.invoked), op));
            }
        }
        self.scored.sort_unstable_by(|a, b| b.cmp(a));
        self.moves.extend(self.scored.iter().map(|&(_, op)| op));
    }

    /// Whether an open operation other than `writer` observes `value`.
    fn is_awaited(&self, value: u32, writer: u32, now: u64) -> bool {
        self.open.iter().any(|&op| self.observes[op as usize] == value)
            || self.crashed.iter().any(|(ops, used)| {
                ops.get(*used).is_some_and(|&op| {
                    op != writer
                        && self.observes[op as usize] == value
                        && self.entry(op).invoked < now
                })
            })
    }

    /// Lets `op` take effect; none if that leads nowhere.
    fn apply(&mut self, op: u32, state: &M::State) -> Option<M::State> {
        let after = self.model.step(state, &self.entry(op).op)?;
        if self.observes[op as usize] == NONE && self.writes[op as usize] != NONE {
            self.take_unobserved_writes(op);
        }
        self.lift(op);
        let left_behind = self.model.held(state).is_some_and(|value| {
            self.must_observe[value as usize] > 0
                && self.may_write[value as usize] == 0
                && self.model.held(&after) != Some(value)
        });
        (!left_behind).then_some(after)
    }

    /// Lets all open blind writes but `op` take effect whose value nobody is left to observe.
    fn take_unobserved_writes(&mut self, op: u32) {
        let mut node = self.next[0];
        while node != NONE && !node.is_multiple_of(2) {
            let other = (node - 1) / 2;
            let written = self.writes[other as usize];
            if other != op
                && self.observes[other as usize] == NONE
                && written != NONE
                && self.may_observe[written as usize] == 0
            {
                self.lift(other);
                node = self.next[self.previous[node as usize] as usize];
            } else {
                node = self.next[node as usize];
            }
        }
    }

    /// Takes an operation out of the list and puts it on the trail.
    fn lift(&mut self, op: u32) {
        self.done[op as usize] = true;
        self.trail.push(op);
        self.count(op, |counter| *counter -= 1);
        if (op as usize) < self.acknowledged {
            for node in [2 * op + 1, 2 * op + 2] {
                let (previous, next) = (self.previous[node as usize], self.next[node as usize]);
                self.next[previous as usize] = next;
                if next != NONE {
                    self.previous[next as usize] = previous;
                }
            }
        } else {
            self.crashed[self.crashed_group[op as usize - self.acknowledged] as usize].1 += 1;
        }
    }

    /// Puts back the operations on the trail beyond `length`, the last first.
    fn undo(&mut self, length: usize) {
        while self.trail.len() > length {
            let Some(op) = self.trail.pop() else { return };
            self.done[op as usize] = false;
            self.count(op, |counter| *counter += 1);
            if (op as usize) < self.acknowledged {
                for node in [2 * op + 2, 2 * op + 1] {
                    let (previous, next) = (self.previous[node as usize], self.next[node as usize]);
                    self.next[previous as usize] = node;
                    if next != NONE {
                        self.previous[next as usize] = node;
                    }
                }
            } else {
                self.crashed[self.crashed_group[op as usize - self.acknowledged] as usize].1 -= 1;
            }
        }
    }

    fn count(&mut self, op: u32, change: fn(&mut u32)) {
        let (observes, writes) = (self.observes[op as usize], self.writes[op as usize]);
        if observes != NONE {
            change(&mut self.may_observe[observes as usize]);
            if (op as usize) < self.acknowledged {
                change(&mut self.must_observe[observes as usize]);
            }
        }
        if writes != NONE {
            change(&mut self.may_write[writes as usize]);
        }
    }
}

/// The linked list and who is open at each completion.
struct List {
    next: Vec<u32>,
    previous: Vec<u32>,
    rank: Vec<u32>,
    open_start: Vec<u32>,
    open_at: Vec<u32>,
    widest: usize,
}

impl List {
    fn new<O>(entries: &[&Entry<O>]) -> Self {
        let count = entries.len();
        let mut nodes: Vec<(u64, u32)> = Vec::with_capacity(2 * count);
        for (op, entry) in entries.iter().enumerate() {
            nodes.push((entry.invoked, 2 * op as u32 + 1));
            nodes.push((entry.completed, 2 * op as u32 + 2));
        }
        nodes.sort_unstable();
        let mut list = Self {
            next: vec![NONE; 2 * count + 1],
            previous: vec![0; 2 * count + 1],
            rank: vec![0; count],
            open_start: vec![0],
            open_at: Vec::new(),
            widest: 0,
        };
        let mut last = 0;
        let mut open: Vec<u32> = Vec::new();
        let mut rank = 0;
        for (_, node) in nodes {
            list.next[last as usize] = node;
            list.previous[node as usize] = last;
            last = node;
            let op = (node - 1) / 2;
            if node.is_multiple_of(2) {
                list.rank[op as usize] = rank;
                rank += 1;
                list.open_at.extend_from_slice(&open);
                list.open_start.push(list.open_at.len() as u32);
                list.widest = list.widest.max(open.len());
                open.retain(|&other| other != op);
            } else {
                open.push(op);
            }
        }
        list
    }
}

//! The general search: Wing & Gong (1993) with the memoisation of Lowe (2017).
//!
//! Depth first over configurations: which operations have taken effect, and the state. An operation
//! may come next if it was invoked before the earliest completion (the *frontier*) of those that
//! have not taken effect. Open operations are kept in a doubly linked list of invocations and
//! completions, from which an operation is lifted when it takes effect.
//!
//! A configuration is remembered as the frontier, the state, one bit for each operation that can be
//! open at the same time, and how many crashed operations of each kind were used: everything that
//! completed before the frontier has taken effect, and nothing invoked after it has. This takes bits
//! in the order of the number of clients, not of the length of the history, and configurations at
//! quiescent points, where nothing is open, fall together however they were reached.
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
//! * **The more crashed are left, the better.** A configuration that was visited with fewer crashed
//!   operations used is not visited with more: whatever works with fewer left works with more.
//! * **Unobserved writes ride along.** When a blind write takes effect, all open writes whose
//!   value nobody is left to observe take effect right before it: in any explanation they are
//!   followed by another write, so they can be moved here.
//! * **No value is left behind.** A value that acknowledged operations are still to observe, and
//!   nobody is left to write, must not be overwritten.
//! * **No observer waits in vain.** Operations that complete before the next invocation must find
//!   their value in the state, or a writer of it that is open.
//! * **Unobservable is unobservable.** Values that nobody is left to observe are one state.

use rustc_hash::FxHashMap;

use super::crashed::Crashed;
use super::meter::Meter;
use super::timeline::Timeline;
use super::visited::Visited;
use crate::model::{Decision, Entry, Model};

pub(super) const NONE: u32 = u32::MAX;

/// Searches for an order of `entries`; the error is the name of the budget that ran out.
pub(super) fn search<M: Model>(
    model: &M,
    entries: &[Entry<M::Op>],
    meter: &mut Meter<'_>,
) -> Result<Decision, String> {
    let mut search = Search::new(model, entries);
    let found = search.run(meter)?;
    meter.reach(search.reached);
    Ok(if found {
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
    /// Its moves are `moves[first..end]`, the best last.
    first: usize,
    end: usize,
}

/// What is known of an operation.
#[derive(Clone, Copy)]
struct Fact {
    /// Equal operations have equal classes.
    class: u32,
    observes: u32,
    writes: u32,
    is_read_only: bool,
}

struct Search<'a, M: Model> {
    model: &'a M,
    /// Acknowledged entries by invocation, then crashed ones by invocation.
    entries: Vec<&'a Entry<M::Op>>,
    facts: Vec<Fact>,
    acknowledged: usize,
    timeline: Timeline,
    crashed: Crashed,

    trail: Vec<u32>,
    /// The latest frontier so far, as a moment.
    reached: u64,
    /// For each value: operations not yet done that may observe it, must observe it, may write it.
    may_observe: Vec<u32>,
    must_observe: Vec<u32>,
    may_write: Vec<u32>,

    states: FxHashMap<M::State, u32>,
    state_bytes: usize,
    visited: Visited,
    key: Vec<u64>,
    frames: Vec<Frame<M::State>>,
    moves: Vec<u32>,
    /// Scratch, some with the stamp of the configuration that it is of: open acknowledged operations,
    /// the best of each class, values that open operations write, values that they wait for.
    open: Vec<u32>,
    best: Vec<(u64, u32)>,
    written: Vec<u64>,
    awaited: Vec<u64>,
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
        let facts: Vec<Fact> = entries
            .iter()
            .map(|entry| {
                let fresh = classes.len() as u32;
                Fact {
                    class: *classes.entry(&entry.op).or_insert(fresh),
                    observes: model.observes(&entry.op).unwrap_or(NONE),
                    writes: model.writes(&entry.op).unwrap_or(NONE),
                    is_read_only: model.is_read_only(&entry.op),
                }
            })
            .collect();
        let crashed = Crashed::new(
            facts[acknowledged..].iter().map(|fact| (fact.class, fact.writes)),
            acknowledged,
        );
        let timeline = Timeline::new(&entries[..acknowledged]);
        let place = 1 + timeline.slots().div_ceil(64);
        let visited = Visited::new(place, crashed.guards());
        let key = vec![0; place + crashed.guards().len()];

        let values = model.values();
        let mut search = Self {
            model,
            entries,
            acknowledged,
            timeline,
            crashed,
            trail: Vec::new(),
            reached: 0,
            may_observe: vec![0; values],
            must_observe: vec![0; values],
            may_write: vec![0; values],
            states: FxHashMap::default(),
            state_bytes: 0,
            visited,
            key,
            frames: Vec::new(),
            moves: Vec::new(),
            open: Vec::new(),
            best: vec![(0, NONE); classes.len()],
            written: vec![0; values],
            awaited: vec![0; values],
            stamp: 0,
            scored: Vec::new(),
            facts,
        };
        for op in 0..search.entries.len() as u32 {
            search.count(op, true);
        }
        for value in 0..values {
            if search.may_observe[value] == 0 {
                search.crashed.set_observable(value as u32, false);
            }
        }
        search
    }

    fn entry(&self, op: u32) -> &'a Entry<M::Op> {
        self.entries[op as usize]
    }

    fn fact(&self, op: u32) -> Fact {
        self.facts[op as usize]
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
            + self.timeline.bytes()
            + self.crashed.bytes()
            + self.entries.len() * (size_of::<Fact>() + 16)
            + self.may_observe.len() * 28
            + 2 * self.state_bytes
            + self.states.capacity() * (size_of::<M::State>() + 5)
            + self.frames.capacity() * size_of::<Frame<M::State>>()
            + self.moves.capacity() * 4
    }

    /// Comes into a configuration. True if everything has taken effect; otherwise, unless it was
    /// visited before or leads nowhere, there is a new frame with its moves.
    fn enter(&mut self, mut state: M::State) -> bool {
        let Some(frontier) = self.take_reads(&state) else { return true };
        self.reached = self.reached.max(self.entry(frontier).completed);
        if self.is_vain(&state, frontier) {
            return false;
        }
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
        self.stamp += 1;
        self.open.clear();
        let mut node = self.timeline.first();
        while node != NONE {
            let op = Timeline::op(node);
            if Timeline::is_completion(node) {
                return Some(op);
            }
            let fact = self.fact(op);
            if fact.is_read_only
                && self.model.step(state, &self.entry(op).op).as_ref() == Some(state)
            {
                self.lift(op);
                node = self.timeline.after_lifted(node);
            } else {
                if fact.writes != NONE {
                    self.written[fact.writes as usize] = self.stamp;
                }
                self.open.push(op);
                node = self.timeline.after(node);
            }
        }
        None
    }

    /// Whether an operation that completes before the next invocation cannot find its value.
    fn is_vain(&self, state: &M::State, frontier: u32) -> bool {
        let held = match self.model.held(state) {
            Some(held) => held,
            None if self.model.unobservable().as_ref() == Some(state) => NONE,
            None => return false,
        };
        let mut node = Timeline::completion(frontier);
        while node != NONE && Timeline::is_completion(node) {
            let observer = Timeline::op(node);
            let wanted = self.fact(observer).observes;
            let deadline = self.entry(observer).completed;
            if wanted != NONE
                && wanted != held
                && self.written[wanted as usize] != self.stamp
                && !self
                    .crashed
                    .writers(wanted)
                    .any(|group| group.next().is_some_and(|op| self.entry(op).invoked < deadline))
            {
                return true;
            }
            node = self.timeline.after(node);
        }
        false
    }

    /// Adds the configuration to those visited; false if it leads nowhere new.
    fn remember(&mut self, frontier: u32, state: &M::State) -> bool {
        let fresh = self.states.len() as u32;
        let state = match self.states.get(state) {
            Some(&number) => number,
            None => {
                self.state_bytes += self.model.state_bytes(state);
                *self.states.entry(state.clone()).or_insert(fresh)
            }
        };
        self.key.fill(0);
        self.key[0] = u64::from(frontier) << 32 | u64::from(state);
        for &op in &self.open {
            let slot = self.timeline.slot(op);
            self.key[1 + slot as usize / 64] |= 1 << (slot % 64);
        }
        let place = self.key.len() - self.crashed.guards().len();
        for (word, counts) in self.key[place..].iter_mut().zip(self.crashed.counts()) {
            *word = counts;
        }
        self.visited.insert(&self.key)
    }

    /// Puts what may come next on `moves`, the best last.
    fn collect_moves(&mut self, frontier: u32, state: &M::State) {
        for &op in &self.open {
            let fact = self.fact(op);
            if fact.observes != NONE {
                self.awaited[fact.observes as usize] = self.stamp;
            }
            let best = &mut self.best[fact.class as usize];
            let earlier = best.0 == self.stamp
                && self.entries[best.1 as usize].completed <= self.entries[op as usize].completed;
            if !earlier {
                *best = (self.stamp, op);
            }
        }
        self.scored.clear();
        // What the most urgent operation waits for is tried first.
        let needed = self.fact(frontier).observes;
        for &op in &self.open {
            let fact = self.fact(op);
            let best = self.best[fact.class as usize].1;
            if best == op && self.model.step(state, &self.entry(op).op).is_some() {
                let score = match op {
                    _ if op == frontier => 0,
                    _ if needed != NONE && fact.writes == needed => 1,
                    _ => 2,
                };
                self.scored.push(((score, self.entry(op).completed), op));
            }
        }
        let now = self.entry(frontier).completed;
        let held = self.model.held(state);
        let next = |search: &Self, at: usize| {
            search.crashed.groups()[at].next().filter(|&op| search.entry(op).invoked < now)
        };
        let groups = self.crashed.groups().len();
        for at in 0..groups {
            if let Some(op) = next(self, at)
                && self.fact(op).observes != NONE
            {
                let observed = self.fact(op).observes;
                self.awaited[observed as usize] = self.stamp;
            }
        }
        for at in 0..groups {
            let Some(op) = next(self, at) else { continue };
            let fact = self.fact(op);
            let entry = self.entry(op);
            let candidate = self.best[fact.class as usize].0 != self.stamp
                && (fact.writes == NONE
                    || (held != Some(fact.writes)
                        && self.awaited[fact.writes as usize] == self.stamp))
                && self.model.step(state, &entry.op).is_some();
            if candidate {
                let score = if needed != NONE && fact.writes == needed { 3 } else { 4 };
                self.scored.push(((score, entry.invoked), op));
            }
        }
        self.scored.sort_unstable_by(|a, b| b.cmp(a));
        self.moves.extend(self.scored.iter().map(|&(_, op)| op));
    }

    /// Lets `op` take effect; none if that leads nowhere.
    fn apply(&mut self, op: u32, state: &M::State) -> Option<M::State> {
        let after = self.model.step(state, &self.entry(op).op)?;
        let fact = self.fact(op);
        if fact.observes == NONE && fact.writes != NONE {
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
        let mut node = self.timeline.first();
        while node != NONE && !Timeline::is_completion(node) {
            let other = Timeline::op(node);
            let fact = self.fact(other);
            if other != op
                && fact.observes == NONE
                && fact.writes != NONE
                && self.may_observe[fact.writes as usize] == 0
            {
                self.lift(other);
                node = self.timeline.after_lifted(node);
            } else {
                node = self.timeline.after(node);
            }
        }
    }

    /// Takes an operation out of the list and puts it on the trail.
    fn lift(&mut self, op: u32) {
        self.trail.push(op);
        self.count(op, false);
        if (op as usize) < self.acknowledged {
            self.timeline.lift(op);
        } else {
            self.crashed.take(op);
        }
    }

    /// Puts back the operations on the trail beyond `length`, the last first.
    fn undo(&mut self, length: usize) {
        while self.trail.len() > length {
            let Some(op) = self.trail.pop() else { return };
            self.count(op, true);
            if (op as usize) < self.acknowledged {
                self.timeline.unlift(op);
            } else {
                self.crashed.untake(op);
            }
        }
    }

    /// Counts an operation among those not yet done, or no longer.
    fn count(&mut self, op: u32, pending: bool) {
        let change = |counter: &mut u32| {
            if pending { *counter += 1 } else { *counter -= 1 }
        };
        let Fact { observes, writes, .. } = self.fact(op);
        if observes != NONE {
            let may_observe = &mut self.may_observe[observes as usize];
            change(may_observe);
            if *may_observe == u32::from(pending) {
                self.crashed.set_observable(observes, pending);
            }
            if (op as usize) < self.acknowledged {
                change(&mut self.must_observe[observes as usize]);
            }
        }
        if writes != NONE {
            change(&mut self.may_write[writes as usize]);
        }
    }
}

//! The general search: Wing & Gong (1993) with the memoisation of Lowe (2017).
//!
//! Depth first over configurations: which operations have taken effect, and the state. An operation
//! may come next if it was invoked before the earliest completion (the *frontier*) of those that
//! have not taken effect. Open operations are kept in a doubly linked list of invocations and
//! completions, from which an operation is lifted when it takes effect.
//!
//! A configuration is remembered as the frontier, the state, one bit for each operation that can be
//! open at the same time (two for reads and blind writes), and how many crashed operations of each
//! kind were used: everything that completed before the frontier has taken effect, and nothing invoked
//! after it has. This takes bits in the order of the number of clients, not of the length of the history,
//! and configurations at quiescent points, where nothing is open, fall together however they were
//! reached.
//!
//! What keeps the search small. Each rule keeps some explanation if there is one:
//!
//! * **Reads at once.** A read-only operation that is open and matches the state takes effect at
//!   once: where it came later in an explanation, it changed nothing and can be moved here.
//! * **Earliest of equals.** Of equal open operations only the one that completes first is tried,
//!   a crashed one last and in order of invocation: exchanging equals in an explanation keeps it.
//! * **Crashed only to be observed.** A crashed operation is tried only if an open operation
//!   observes its value: an explanation with the fewest crashed operations puts an observer right
//!   behind each of them, else it could do without. (Or if it leaves the state as it is, and other
//!   writes must ride along with one.)
//! * **The more crashed are left, the better.** A configuration that was visited with fewer crashed
//!   operations used is not visited with more: whatever works with fewer left works with more.
//! * **Writes ride along.** When a blind write takes effect, each open blind write may as well have
//!   done so right before it, unseen. From then on it is optional: it may still be used, and is left
//!   out at its completion if it was not (see `riders`). So a blind write is tried only if an open
//!   operation observes its value, or if its completion is next.
//! * **Fewer used, fewer owed.** Of two configurations that differ only in that one has more optional
//!   writes left, and fewer writes and reads that must still take effect, that one is enough.
//! * **No value is left behind.** A value that acknowledged operations are still to observe, and
//!   nobody is left to write, must not be overwritten.
//! * **No observer waits in vain.** Operations that complete before the next invocation must find
//!   their value in the state, or a writer of it that is open.
//! * **Unobservable is unobservable.** Values that nobody is left to observe are one state.

use rustc_hash::FxHashMap;

use super::crashed::Crashed;
use super::key::{Fact, Key};
use super::meter::Meter;
use super::riders::Riders;
use super::timeline::Timeline;
use super::visited::Visited;
use crate::model::{Decision, Entry, Model};

pub(super) const NONE: u32 = u32::MAX;

/// Marks a write on the trail, or a move, that is left to ride along.
pub(super) const RODE: u32 = 1 << 31;

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
        let order = search.riders.order(&search.trail);
        Decision::Order(order.into_iter().map(|op| search.entry(op).id).collect())
    } else {
        Decision::Impossible
    })
}

/// A configuration on the path from the start.
struct Frame<S> {
    /// Operations that had taken effect when it was reached.
    trail: usize,
    /// Writes that could ride along.
    riders: usize,
    state: S,
    /// Its moves are `moves[first..end]`, the best last.
    first: usize,
    end: usize,
}

pub(super) struct Search<'a, M: Model> {
    pub(super) model: &'a M,
    /// Acknowledged entries by invocation, then crashed ones by invocation.
    entries: Vec<&'a Entry<M::Op>>,
    facts: Vec<Fact>,
    acknowledged: usize,
    pub(super) timeline: Timeline,
    pub(super) crashed: Crashed,
    pub(super) riders: Riders,

    pub(super) trail: Vec<u32>,
    /// The latest frontier so far, as a moment.
    reached: u64,
    /// For each value: operations not yet done that may observe it, must observe it, may write it.
    pub(super) may_observe: Vec<u32>,
    must_observe: Vec<u32>,
    may_write: Vec<u32>,

    states: FxHashMap<M::State, u32>,
    state_bytes: usize,
    visited: Visited,
    key: Key,
    frames: Vec<Frame<M::State>>,
    pub(super) moves: Vec<u32>,
    /// Scratch, some with the stamp of the configuration that it is of: open acknowledged operations,
    /// the best of each class, values that open operations write, values that they wait for.
    pub(super) open: Vec<u32>,
    pub(super) best: Vec<(u64, u32)>,
    written: Vec<u64>,
    pub(super) awaited: Vec<u64>,
    pub(super) stamp: u64,
    pub(super) scored: Vec<((u8, u64), u32)>,
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
        let key = Key::new(&facts[..acknowledged], timeline.slots(), crashed.guards().len());
        let visited = Visited::new(key.place(), key.bits(), crashed.guards());

        let values = model.values();
        let mut search = Self {
            model,
            entries,
            acknowledged,
            timeline,
            crashed,
            riders: Riders::new(acknowledged),
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

    pub(super) fn entry(&self, op: u32) -> &'a Entry<M::Op> {
        self.entries[op as usize]
    }

    pub(super) fn fact(&self, op: u32) -> Fact {
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
            let (trail, riders) = (frame.trail, frame.riders);
            let tried = (frame.first < frame.end).then(|| {
                frame.end -= 1;
                (self.moves[frame.end], frame.state.clone())
            });
            self.moves.truncate(self.frames.last().map_or(0, |frame| frame.end));
            self.undo(trail);
            self.riders.undo(riders);
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
            + self.riders.bytes()
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
        let frontier = loop {
            let Some(frontier) = self.take_reads(&state) else { return true };
            self.board_equals(&state);
            if !self.riders.may_ride(frontier) || self.is_wanted(frontier) {
                break frontier;
            }
            self.lift(frontier | RODE);
            if self.is_lost(self.fact(frontier).writes, &state) {
                return false;
            }
        };
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
        self.frames.push(Frame {
            trail: self.trail.len(),
            riders: self.riders.count(),
            state,
            first,
            end: self.moves.len(),
        });
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
        self.key.begin(frontier, state);
        for &op in &self.open {
            let slot = self.timeline.slot(op) as usize;
            self.key.open(self.facts[op as usize], slot, self.riders.may_ride(op));
        }
        self.visited.insert(self.key.end(self.crashed.counts()))
    }

    /// Lets `op` take effect, or ride along; none if that leads nowhere.
    fn apply(&mut self, op: u32, state: &M::State) -> Option<M::State> {
        if op & RODE != 0 {
            self.lift(op);
            let is_lost = self.is_lost(self.fact(op & !RODE).writes, state);
            return (!is_lost).then(|| state.clone());
        }
        let after = self.model.step(state, &self.entry(op).op)?;
        if self.fact(op).is_blind() {
            self.take_unobserved_writes(op);
            self.board_all(op);
        }
        self.lift(op);
        let left_behind = self.model.held(state).is_some_and(|value| self.is_lost(value, &after));
        (!left_behind).then_some(after)
    }

    /// Whether a value is still to be observed, but not there, and nobody is left to write it.
    fn is_lost(&self, value: u32, state: &M::State) -> bool {
        self.must_observe[value as usize] > 0
            && self.may_write[value as usize] == 0
            && self.model.held(state) != Some(value)
    }

    /// Takes an operation, or one that rides along, out of the list and puts it on the trail.
    pub(super) fn lift(&mut self, op: u32) {
        self.trail.push(op);
        let op = op & !RODE;
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
            let op = op & !RODE;
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

//! Depth first over how far each process has come, with memory.

use rustc_hash::FxHashSet;

use crate::checker::linearizable::Meter;
use crate::model::{Decision, Entry, Model};

/// A configuration on the path from the start.
struct Frame<S> {
    /// Operations that had taken effect when it was reached.
    trail: usize,
    state: S,
    /// Processes whose next operation is still to be tried, the best last.
    moves: Vec<u32>,
}

struct Search<'a, M: Model> {
    model: &'a M,
    processes: &'a [Vec<&'a Entry<M::Op>>],
    positions: Vec<u32>,
    /// Processes whose operations took effect, in order.
    trail: Vec<u32>,
    /// For each value: operations not yet done that must observe it, and that may write it.
    must_observe: Vec<u32>,
    may_write: Vec<u32>,
    visited: FxHashSet<(Box<[u32]>, M::State)>,
    state_bytes: usize,
}

/// Searches for an order that keeps that of each process.
pub(super) fn search<M: Model>(
    model: &M,
    processes: &[Vec<&Entry<M::Op>>],
    meter: &mut Meter<'_>,
) -> Result<Decision, String> {
    let mut search = Search {
        model,
        processes,
        positions: vec![0; processes.len()],
        trail: Vec::new(),
        must_observe: vec![0; model.values()],
        may_write: vec![0; model.values()],
        visited: FxHashSet::default(),
        state_bytes: 0,
    };
    for entry in processes.iter().flatten() {
        search.count(entry, true);
    }
    let mut frames: Vec<Frame<M::State>> = Vec::new();
    let mut entered = search.enter(model.initial());
    loop {
        match entered {
            Entered::Done => return Ok(Decision::Order(search.order())),
            Entered::Fresh(frame) => frames.push(frame),
            Entered::DeadEnd => {}
        }
        let Some(frame) = frames.last_mut() else { return Ok(Decision::Impossible) };
        search.undo(frame.trail);
        let Some(process) = frame.moves.pop() else {
            frames.pop();
            entered = Entered::DeadEnd;
            continue;
        };
        meter.step(|| search.bytes() + frames.len() * 64)?;
        let Some(frame) = frames.last() else { return Ok(Decision::Impossible) };
        entered = match search.apply(process, &frame.state) {
            Some(state) => search.enter(state),
            None => Entered::DeadEnd,
        };
    }
}

/// What came of entering a configuration.
enum Entered<S> {
    /// Everything has taken effect.
    Done,
    /// It was not visited before.
    Fresh(Frame<S>),
    /// It was, or leads nowhere.
    DeadEnd,
}

impl<'a, M: Model> Search<'a, M> {
    fn next(&self, process: usize) -> Option<&'a Entry<M::Op>> {
        self.processes[process].get(self.positions[process] as usize).copied()
    }

    /// Reads that match take effect at once: they change nothing, so they may as well come here.
    fn enter(&mut self, state: M::State) -> Entered<M::State> {
        let mut moves = Vec::new();
        for process in 0..self.processes.len() {
            while let Some(entry) = self.next(process)
                && self.model.is_read_only(&entry.op)
                && self.model.step(&state, &entry.op).as_ref() == Some(&state)
            {
                self.take(process as u32);
            }
            if self.next(process).is_some() {
                moves.push(process as u32);
            }
        }
        let next = |process: u32| self.next(process as usize);
        if moves.iter().all(|&it| next(it).is_none_or(|entry| entry.is_crashed())) {
            return Entered::Done;
        }
        moves.retain(|&it| {
            next(it).is_some_and(|entry| self.model.step(&state, &entry.op).is_some())
        });
        // The order of time is mostly right; crashed operations come last.
        moves.sort_by_key(|&it| {
            std::cmp::Reverse(next(it).map(|entry| (entry.is_crashed(), entry.completed)))
        });
        self.state_bytes += self.model.state_bytes(&state);
        if !self.visited.insert((self.positions.clone().into(), state.clone())) {
            return Entered::DeadEnd;
        }
        Entered::Fresh(Frame { trail: self.trail.len(), state, moves })
    }

    /// The state after the next operation of a process; none if that leads nowhere.
    fn apply(&mut self, process: u32, state: &M::State) -> Option<M::State> {
        let entry = self.next(process as usize)?;
        let after = self.model.step(state, &entry.op)?;
        self.take(process);
        let left_behind = self.model.held(state).is_some_and(|value| {
            self.must_observe[value as usize] > 0
                && self.may_write[value as usize] == 0
                && self.model.held(&after) != Some(value)
        });
        (!left_behind).then_some(after)
    }

    fn take(&mut self, process: u32) {
        if let Some(entry) = self.next(process as usize) {
            self.count(entry, false);
            self.positions[process as usize] += 1;
            self.trail.push(process);
        }
    }

    fn undo(&mut self, length: usize) {
        while self.trail.len() > length {
            let Some(process) = self.trail.pop() else { return };
            self.positions[process as usize] -= 1;
            if let Some(entry) = self.next(process as usize) {
                self.count(entry, true);
            }
        }
    }

    fn count(&mut self, entry: &Entry<M::Op>, pending: bool) {
        let change = |counter: &mut u32| {
            if pending { *counter += 1 } else { *counter -= 1 }
        };
        if let Some(value) = self.model.observes(&entry.op)
            && !entry.is_crashed()
        {
            change(&mut self.must_observe[value as usize]);
        }
        if let Some(value) = self.model.writes(&entry.op) {
            change(&mut self.may_write[value as usize]);
        }
    }

    /// The ids in the order of the trail.
    fn order(&self) -> Vec<usize> {
        let mut positions = vec![0; self.processes.len()];
        self.trail
            .iter()
            .map(|&process| {
                let position = &mut positions[process as usize];
                *position += 1;
                self.processes[process as usize][*position - 1].id
            })
            .collect()
    }

    fn bytes(&self) -> usize {
        let configuration = self.positions.len() * 4 + size_of::<(Box<[u32]>, M::State)>() + 16;
        self.visited.capacity() * configuration + self.state_bytes + self.trail.capacity() * 4
    }
}

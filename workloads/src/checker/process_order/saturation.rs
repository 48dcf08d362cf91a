//! Who must come before whom, where each value is written once.
//!
//! If `r` observes what `w` wrote and `x` writes something else, then
//!
//! * if `x` comes before `r`, it comes before `w`;
//! * if `w` comes before `x`, so does `r`.
//!
//! These rules are applied until nothing new follows, or an operation comes before itself: then there
//! is no order. Otherwise there may be one, but need not.
//!
//! What comes before an operation is kept as a clock: how many operations of each process do.

use crate::checker::linearizable::Meter;
use crate::model::{Entry, Model};

/// Clocks that are kept at most: operations times processes.
const CLOCKS_MAX: usize = 16_000_000;

const NONE: u32 = u32::MAX;

struct Clocks {
    processes: usize,
    process: Vec<u32>,
    /// Position in its process, from 1.
    place: Vec<u32>,
    clocks: Vec<u32>,
    changed: bool,
}

/// An operation comes before itself.
struct Circle;

impl Clocks {
    fn of(&self, op: u32) -> &[u32] {
        let start = op as usize * self.processes;
        &self.clocks[start..start + self.processes]
    }

    /// `before` comes before `op`, and so does all that comes before it.
    fn join(&mut self, op: u32, before: u32) -> Result<(), Circle> {
        for process in 0..self.processes {
            let earlier = self.clocks[before as usize * self.processes + process];
            let known = &mut self.clocks[op as usize * self.processes + process];
            if *known < earlier {
                *known = earlier;
                self.changed = true;
            }
        }
        let own = self.of(op)[self.process[op as usize] as usize];
        if own > self.place[op as usize] { Err(Circle) } else { Ok(()) }
    }
}

/// Whether there is certainly no order. False if that is not known.
pub(super) fn is_impossible<M: Model>(
    model: &M,
    processes: &[Vec<&Entry<M::Op>>],
    meter: &mut Meter<'_>,
) -> Result<bool, String> {
    let Some(mut saturation) = Saturation::new(model, processes) else { return Ok(false) };
    loop {
        saturation.clocks.changed = false;
        for op in 0..saturation.clocks.place.len() as u32 {
            let bytes = saturation.clocks.clocks.len() * 4;
            meter.step(|| bytes)?;
            if saturation.propagate(op).is_err() {
                return Ok(true);
            }
        }
        if !saturation.clocks.changed {
            return Ok(false);
        }
    }
}

struct Saturation {
    clocks: Clocks,
    /// The operation before it in its process, and who wrote what it observes.
    previous: Vec<u32>,
    source: Vec<u32>,
    observes: Vec<bool>,
    /// Writes of each process, in its order.
    writes: Vec<Vec<u32>>,
}

impl Saturation {
    /// None if a value has several sources, or there is too much.
    fn new<M: Model>(model: &M, processes: &[Vec<&Entry<M::Op>>]) -> Option<Self> {
        let initial = model.held(&model.initial())?;
        let mut writer = vec![NONE; model.values()];
        let mut is_observed = vec![false; model.values()];
        let everyone = || processes.iter().flatten();
        for entry in everyone().filter(|entry| !entry.is_crashed()) {
            if let Some(value) = model.observes(&entry.op) {
                is_observed[value as usize] = true;
            }
        }
        // A crashed operation of which nothing was seen may be left out. What a crashed cas found is no
        // evidence, unless that cas was seen; to stay simple, such histories are left to the search.
        let counts = |entry: &Entry<M::Op>| {
            !entry.is_crashed()
                || model.writes(&entry.op).is_some_and(|value| is_observed[value as usize])
        };
        let count = everyone().filter(|entry| counts(entry)).count();
        if count * processes.len() > CLOCKS_MAX {
            return None;
        }
        let mut it = Saturation {
            clocks: Clocks {
                processes: processes.len(),
                process: Vec::with_capacity(count),
                place: Vec::with_capacity(count),
                clocks: vec![0; count * processes.len()],
                changed: false,
            },
            previous: Vec::with_capacity(count),
            source: vec![NONE; count],
            observes: vec![false; count],
            writes: vec![Vec::new(); processes.len()],
        };
        let mut observed = vec![NONE; count];
        for (process, entries) in processes.iter().enumerate() {
            let counted = entries.iter().filter(|entry| counts(entry));
            for (place, entry) in counted.enumerate() {
                let op = it.clocks.place.len() as u32;
                it.clocks.process.push(process as u32);
                it.clocks.place.push(place as u32 + 1);
                it.clocks.clocks[op as usize * processes.len() + process] = place as u32 + 1;
                it.previous.push(if place == 0 { NONE } else { op - 1 });
                if let Some(value) = model.writes(&entry.op) {
                    let known = std::mem::replace(&mut writer[value as usize], op);
                    if known != NONE || value == initial {
                        return None;
                    }
                    it.writes[process].push(op);
                }
                observed[op as usize] = model.observes(&entry.op).unwrap_or(NONE);
            }
        }
        for (op, &value) in observed.iter().enumerate().filter(|(_, value)| **value != NONE) {
            it.observes[op] = true;
            it.source[op] = writer[value as usize];
            if it.source[op] == NONE && value != initial {
                return None;
            }
        }
        Some(it)
    }

    /// Applies all rules to one operation.
    fn propagate(&mut self, op: u32) -> Result<(), Circle> {
        let previous = self.previous[op as usize];
        if previous != NONE {
            self.clocks.join(op, previous)?;
        }
        if !self.observes[op as usize] {
            return Ok(());
        }
        let source = self.source[op as usize];
        if source != NONE {
            self.clocks.join(op, source)?;
        }
        for process in 0..self.writes.len() {
            self.earlier_writes(op, source, process)?;
            self.later_writes(op, source, process)?;
        }
        Ok(())
    }

    /// The last write of the process that comes before the observer comes before its source.
    fn earlier_writes(&mut self, op: u32, source: u32, process: usize) -> Result<(), Circle> {
        let known = self.clocks.of(op)[process];
        let place = &self.clocks.place;
        let writes = &self.writes[process];
        let count = writes.partition_point(|&it| place[it as usize] <= known);
        let last = writes[..count].iter().rev().copied().find(|&it| it != op);
        match last {
            Some(last) if last != source => {
                if source == NONE {
                    return Err(Circle);
                }
                self.clocks.join(source, last)
            }
            _ => Ok(()),
        }
    }

    /// The first write of the process that comes after the source comes after the observer.
    fn later_writes(&mut self, op: u32, source: u32, process: usize) -> Result<(), Circle> {
        let writes = &self.writes[process];
        let first = match source {
            NONE => 0,
            _ => {
                let (home, place) = (
                    self.clocks.process[source as usize] as usize,
                    self.clocks.place[source as usize],
                );
                writes.partition_point(|&it| self.clocks.of(it)[home] < place)
            }
        };
        // While clocks are still growing, those of a process need not be in order.
        let is_later = |it: u32| match source {
            NONE => true,
            _ => {
                let home = self.clocks.process[source as usize] as usize;
                self.clocks.of(it)[home] >= self.clocks.place[source as usize]
            }
        };
        let next =
            writes[first..].iter().copied().find(|&it| it != op && it != source && is_later(it));
        match next {
            Some(next) => self.clocks.join(next, op),
            None => Ok(()),
        }
    }
}

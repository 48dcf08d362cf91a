//! Making a counterexample small.
//!
//! First the shortest prefix in time that fails, by binary search: linearizability is prefix-closed
//! (Herlihy & Wing 1990). Then operations are dropped in ever smaller chunks as long as the rest
//! still fails (Zeller & Hildebrandt 2002). Whoever may owe its result to a dropped operation is
//! dropped with it, so that no contradiction appears that the history does not have.

use super::decide::decide;
use super::meter::Meter;
use crate::model::{Decision, Entry, Model, OPEN};

/// Steps that one attempt at a smaller set may take. An attempt that needs more is not taken.
const STEPS_PER_ATTEMPT: u64 = 100_000;

/// Attempts at a smaller set.
const ATTEMPTS_MAX: usize = 10_000;

/// Positions of a small subset of `entries` that no order explains, by invocation.
///
/// `entries` as a whole must be impossible. If a budget runs out, the subset may be larger.
pub(super) fn minimise<M: Model>(
    model: &M,
    entries: &[Entry<M::Op>],
    meter: &Meter<'_>,
) -> Vec<usize> {
    let mut minimiser = Minimiser {
        model,
        entries,
        support: model.support(entries),
        dropped: vec![false; entries.len()],
        attempts: 0,
        meter,
    };
    let mut all: Vec<usize> = (0..entries.len()).collect();
    all.sort_by_key(|&position| entries[position].invoked);
    let cut = minimiser.cut();
    let early: Vec<usize> =
        all.iter().copied().filter(|&position| entries[position].invoked < cut).collect();
    let early = minimiser.close(early);
    let start = if minimiser.fails(&early) { early } else { all };
    minimiser.shrink(start)
}

struct Minimiser<'a, 'b, M: Model> {
    model: &'a M,
    entries: &'a [Entry<M::Op>],
    support: Vec<Vec<usize>>,
    /// Scratch of `close`.
    dropped: Vec<bool>,
    attempts: usize,
    meter: &'a Meter<'b>,
}

impl<M: Model> Minimiser<'_, '_, M> {
    /// The first completion at which the history so far fails.
    fn cut(&mut self) -> u64 {
        let mut completions: Vec<u64> = self
            .entries
            .iter()
            .filter(|entry| !entry.is_crashed())
            .map(|entry| entry.completed)
            .collect();
        completions.sort_unstable();
        // All of `..low` hold or are unknown, and `high` fails.
        let (mut low, mut high) = (0, completions.len().saturating_sub(1));
        while low < high {
            let middle = low + (high - low) / 2;
            let prefix = self.prefix(completions[middle]);
            if self.impossible(&prefix) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        completions.get(high).copied().unwrap_or(OPEN)
    }

    /// The entries as they stood at `moment`.
    fn prefix(&self, moment: u64) -> Vec<Entry<M::Op>> {
        self.entries
            .iter()
            .filter(|entry| entry.invoked < moment)
            .filter(|entry| entry.completed <= moment || !self.model.is_read_only(&entry.op))
            .cloned()
            .map(|mut entry| {
                if entry.completed > moment {
                    entry.completed = OPEN;
                }
                entry
            })
            .collect()
    }

    /// Leaves out whoever may owe its result to an entry that is not there.
    fn close(&mut self, mut subset: Vec<usize>) -> Vec<usize> {
        self.dropped.fill(true);
        for &position in &subset {
            self.dropped[position] = false;
        }
        loop {
            let before = subset.len();
            subset.retain(|&position| {
                let stays = self.support[position].iter().all(|&source| !self.dropped[source]);
                self.dropped[position] = !stays;
                stays
            });
            if subset.len() == before {
                return subset;
            }
        }
    }

    fn fails(&mut self, subset: &[usize]) -> bool {
        let entries: Vec<_> =
            subset.iter().map(|&position| self.entries[position].clone()).collect();
        self.impossible(&entries)
    }

    fn impossible(&mut self, entries: &[Entry<M::Op>]) -> bool {
        self.attempts += 1;
        if self.attempts > ATTEMPTS_MAX || self.meter.ask(0).is_err() {
            return false;
        }
        let mut meter = self.meter.attempt(STEPS_PER_ATTEMPT);
        decide(self.model, entries, &mut meter) == Ok(Decision::Impossible)
    }

    /// Drops chunks, then single entries, until none can be dropped.
    fn shrink(&mut self, mut subset: Vec<usize>) -> Vec<usize> {
        let mut chunk = subset.len().div_ceil(2).max(1);
        loop {
            let mut start = 0;
            let mut shrunk = false;
            while start < subset.len() {
                let end = (start + chunk).min(subset.len());
                let rest: Vec<usize> =
                    subset[..start].iter().chain(&subset[end..]).copied().collect();
                let rest = self.close(rest);
                if !rest.is_empty() && self.fails(&rest) {
                    subset = rest;
                    shrunk = true;
                } else {
                    start = end;
                }
            }
            if chunk == 1 && !shrunk {
                return subset;
            }
            chunk = chunk.div_ceil(2).min(subset.len().max(1));
        }
    }
}

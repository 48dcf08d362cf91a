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

/// Steps of all attempts, on top of twice what the decision took.
const STEPS_MAX: u64 = 3_000_000;

/// Attempts at a smaller set.
const ATTEMPTS_MAX: usize = 10_000;

/// Sets with more operations than this are not tried again with the exact cas operations.
const EXACT_MAX: usize = 64;

/// A small subset of `entries` that no order explains, by invocation.
///
/// `entries` as a whole must be impossible. If a budget runs out, the subset may be larger.
///
/// Where a crashed operation needs something to act (a cas needs a value to replace), that drags in
/// whoever may have provided it, and so on back to the start. So it is first tried whether the
/// history is impossible even if crashed operations need nothing, which proves more.
pub(super) fn minimise<M: Model>(
    model: &M,
    entries: &[Entry<M::Op>],
    meter: &Meter<'_>,
) -> Vec<Entry<M::Op>> {
    let known = model.conflict(entries).map(|known| -> Vec<Entry<M::Op>> {
        model.narrow(known.into_iter().map(|position| entries[position].clone()).collect())
    });
    let known = known.or_else(|| impossible_part(model, entries, meter));
    // Where it is known what is wrong, nothing else has to be looked at.
    let mut entries = known
        .filter(|known| {
            let mut meter = meter.attempt(STEPS_PER_ATTEMPT);
            decide(model, known, &mut meter) == Ok(Decision::Impossible)
        })
        .unwrap_or_else(|| entries.to_vec());
    entries.sort_by_key(|entry| entry.invoked);
    let mut weakened = entries.clone();
    for entry in weakened.iter_mut().filter(|entry| entry.is_crashed()) {
        entry.op = model.weaken(&entry.op);
    }
    let pick = |entries: &[Entry<M::Op>], positions: Vec<usize>| -> Vec<Entry<M::Op>> {
        positions.into_iter().map(|position| entries[position].clone()).collect()
    };
    let mut exact = Minimiser::new(model, &entries, meter);
    exact.allowance = STEPS_PER_ATTEMPT.max(meter.spent().saturating_mul(2));
    if weakened != entries && exact.impossible(&weakened) {
        let small = Minimiser::new(model, &weakened, meter).run();
        // A closed set around a closed set that is impossible is impossible.
        let whole = exact.complete(&small);
        if whole.len() <= EXACT_MAX {
            exact.allowance = STEPS_PER_ATTEMPT;
            let shrunk = exact.shrink(whole);
            if shrunk.len() <= small.len() {
                return pick(&entries, shrunk);
            }
        }
        return pick(&weakened, small);
    }
    let small = exact.run();
    pick(&entries, small)
}

/// A part that is impossible by itself, if the entries have parts. What acts on other parts of the state
/// supports nobody in it.
fn impossible_part<M: Model>(
    model: &M,
    entries: &[Entry<M::Op>],
    meter: &Meter<'_>,
) -> Option<Vec<Entry<M::Op>>> {
    let parts = model.parts(entries)?;
    let parts = parts.into_iter().map(|part| -> Vec<Entry<M::Op>> {
        part.into_iter().map(|position| entries[position].clone()).collect()
    });
    let mut left = meter.spent().saturating_mul(2).saturating_add(STEPS_MAX);
    for part in parts {
        let mut attempt = meter.attempt(left);
        let decision = decide(model, &part, &mut attempt);
        left = left.saturating_sub(attempt.spent()).max(1);
        if decision == Ok(Decision::Impossible) {
            return Some(part);
        }
    }
    None
}

struct Minimiser<'a, 'b, M: Model> {
    model: &'a M,
    entries: &'a [Entry<M::Op>],
    support: Vec<Vec<usize>>,
    /// Scratch of `close`: entries with the current stamp are kept.
    kept: Vec<u64>,
    stamp: u64,
    attempts: usize,
    /// Steps that one attempt may take, and all that are left.
    allowance: u64,
    left: u64,
    meter: &'a Meter<'b>,
}

impl<'a, 'b, M: Model> Minimiser<'a, 'b, M> {
    /// `entries` must be sorted by invocation.
    fn new(model: &'a M, entries: &'a [Entry<M::Op>], meter: &'a Meter<'b>) -> Self {
        let support = model.support(entries);
        Self {
            model,
            entries,
            support,
            kept: vec![0; entries.len()],
            stamp: 0,
            attempts: 0,
            allowance: STEPS_PER_ATTEMPT,
            left: meter.spent().saturating_mul(2).saturating_add(STEPS_MAX),
            meter,
        }
    }

    /// Cuts, then shrinks.
    fn run(&mut self) -> Vec<usize> {
        let before = |minimiser: &Self, moment: u64| -> Vec<usize> {
            (0..minimiser.entries.len())
                .filter(|&position| minimiser.entries[position].invoked < moment)
                .collect()
        };
        // Where the search got stuck is where to look first, and costs no further search.
        let stuck = before(self, self.meter.reached());
        if let Some(window) = self.window(&stuck) {
            return self.shrink(window);
        }
        // A prefix is about as hard as the whole, and few are tried.
        self.allowance = STEPS_PER_ATTEMPT.max(self.meter.spent().saturating_mul(2));
        let cut = self.cut();
        let early = before(self, cut);
        let start = self.window(&early).unwrap_or_else(|| {
            let early = self.close(early);
            if self.fails(&early) { early } else { (0..self.entries.len()).collect() }
        });
        self.allowance = STEPS_PER_ATTEMPT;
        self.shrink(start)
    }

    /// The last few of `early` that fail: what went wrong is mostly near the end, and small sets are
    /// decided fast where the whole is hard.
    fn window(&mut self, early: &[usize]) -> Option<Vec<usize>> {
        let mut size = 8;
        while size < early.len() {
            let last = self.close(early[early.len() - size..].to_vec());
            if self.fails(&last) {
                return Some(last);
            }
            size *= 2;
        }
        None
    }

    /// Adds whoever an entry may owe its result to.
    fn complete(&mut self, subset: &[usize]) -> Vec<usize> {
        let mut wanted = vec![false; self.entries.len()];
        let mut pending = subset.to_vec();
        while let Some(position) = pending.pop() {
            if !std::mem::replace(&mut wanted[position], true) {
                pending.extend(&self.support[position]);
            }
        }
        (0..wanted.len()).filter(|&position| wanted[position]).collect()
    }

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
        self.stamp += 1;
        for &position in &subset {
            self.kept[position] = self.stamp;
        }
        loop {
            let before = subset.len();
            subset.retain(|&position| {
                let stays =
                    self.support[position].iter().all(|&source| self.kept[source] == self.stamp);
                if !stays {
                    self.kept[position] = 0;
                }
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
        if self.attempts > ATTEMPTS_MAX || self.left == 0 || self.meter.ask(0).is_err() {
            return false;
        }
        let mut meter = self.meter.attempt(self.allowance.min(self.left));
        let decision = decide(self.model, entries, &mut meter);
        self.left -= meter.spent().min(self.left);
        decision == Ok(Decision::Impossible)
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

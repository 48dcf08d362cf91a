//! An exact decision without search: revisions are the order.
//!
//! Acknowledged changes stand in the order of their revisions, and behind each of them those who read
//! it. A revision that was read but that no acknowledged change made was made by a crashed write of
//! that value; of several, the one that was invoked first takes the first such revision (exchanging
//! two of them in an explanation keeps it). All other crashed changes may be left out. What remains is
//! to look whether this one order keeps to real time and to the values. `O(n log n)`.

use rustc_hash::FxHashMap;

use super::{VersionedRegisterOp as Op, VersionedRegisterState};
use crate::model::{Decision, Entry};

/// Why there is no order. Operations are positions in the entries.
enum Obstacle {
    /// Not all revisions are known, or a crashed cas may be part of it: another way must decide.
    Unsuited,
    /// No order explains these operations and their sources.
    Impossible(Vec<usize>),
}

/// Decides, or none if revisions do not tell the order.
pub(super) fn decide(initial: VersionedRegisterState, entries: &[Entry<Op>]) -> Option<Decision> {
    match order(initial, entries) {
        Ok(order) => {
            let ids = order.into_iter().map(|position| entries[position].id).collect();
            Some(Decision::Order(ids))
        }
        Err(Obstacle::Impossible(_)) => Some(Decision::Impossible),
        Err(Obstacle::Unsuited) => None,
    }
}

/// A few operations that no order explains, with their sources.
pub(super) fn conflict(
    initial: VersionedRegisterState,
    entries: &[Entry<Op>],
) -> Option<Vec<usize>> {
    let Err(Obstacle::Impossible(mut core)) = order(initial, entries) else { return None };
    let sources = Sources::new(entries);
    let mut known: rustc_hash::FxHashSet<usize> = core.iter().copied().collect();
    let mut next = 0;
    while let Some(&position) = core.get(next) {
        next += 1;
        core.extend(sources.of(entries, position).into_iter().filter(|&it| known.insert(it)));
    }
    core.sort_unstable();
    core.dedup();
    Some(core)
}

/// For each entry, who may have made the revision that it read, or what it replaced.
pub(super) fn support(entries: &[Entry<Op>]) -> Vec<Vec<usize>> {
    let sources = Sources::new(entries);
    (0..entries.len()).map(|position| sources.of(entries, position)).collect()
}

/// Changes by revision, and those without one by value.
struct Sources {
    made: Vec<(i64, usize)>,
    unknown: FxHashMap<u32, Vec<usize>>,
}

impl Sources {
    fn new(entries: &[Entry<Op>]) -> Self {
        let mut sources = Self { made: Vec::new(), unknown: FxHashMap::default() };
        for (position, entry) in entries.iter().enumerate() {
            match (entry.op.writes(), entry.op.revision()) {
                (Some(_), Some(revision)) => sources.made.push((revision, position)),
                (Some(value), None) => sources.unknown.entry(value).or_default().push(position),
                (None, _) => {}
            }
        }
        sources.made.sort_unstable();
        sources
    }

    fn of(&self, entries: &[Entry<Op>], position: usize) -> Vec<usize> {
        let (value, revision) = match entries[position].op {
            Op::Read { revision, value } => (value, revision),
            // It replaced what was made before it.
            Op::Cas { revision, expected, .. } => (expected, revision.map(|it| it - 1)),
            Op::Write { .. } => return Vec::new(),
        };
        let unknown = || self.unknown.get(&value).cloned().unwrap_or_default();
        match revision {
            Some(revision) => {
                let before = self.made.partition_point(|it| it.0 <= revision);
                let last = before.checked_sub(1).map(|at| self.made[at]);
                let same = last.filter(|&(made, _)| made == revision);
                let is_read = matches!(entries[position].op, Op::Read { .. });
                let mut sources = match same {
                    Some(_) => Vec::new(),
                    None => unknown(),
                };
                sources.extend(if is_read { same } else { last }.map(|(_, position)| position));
                sources.retain(|&it| it != position);
                sources
            }
            None => {
                let mut sources: Vec<usize> = self.made.iter().map(|&(_, at)| at).collect();
                sources.extend(unknown());
                sources.retain(|&it| it != position && entries[it].op.writes() == Some(value));
                sources
            }
        }
    }
}

/// The only order, as positions.
fn order(initial: VersionedRegisterState, entries: &[Entry<Op>]) -> Result<Vec<usize>, Obstacle> {
    let (true, Some(initial_value)) = (initial.exact, initial.value) else {
        return Err(Obstacle::Unsuited);
    };
    // Acknowledged operations by revision: first the change, then reads by invocation.
    let mut known: Vec<(i64, bool, u64, usize)> = Vec::with_capacity(entries.len());
    let mut crashed: FxHashMap<u32, std::collections::VecDeque<usize>> = FxHashMap::default();
    for (position, entry) in entries.iter().enumerate() {
        let is_read = matches!(entry.op, Op::Read { .. });
        match (entry.is_crashed(), entry.op, entry.op.revision()) {
            (true, Op::Write { value, .. }, _) => {
                crashed.entry(value).or_default().push_back(position);
            }
            (true, Op::Cas { .. } | Op::Read { .. }, _) | (false, _, None) => {
                return Err(Obstacle::Unsuited);
            }
            (false, _, Some(revision)) => {
                known.push((revision, is_read, entry.invoked, position));
            }
        }
    }
    for writers in crashed.values_mut() {
        writers.make_contiguous().sort_unstable_by_key(|&it| entries[it].invoked);
    }
    known.sort_unstable();
    let mut order = Vec::with_capacity(entries.len());
    let (mut revision, mut value) = (initial.revision, initial_value);
    // The operation that made the revision, and the latest to be invoked so far.
    let (mut maker, mut latest): (Option<usize>, Option<usize>) = (None, None);
    let mut place = |position: usize, order: &mut Vec<usize>| {
        order.push(position);
        match latest {
            Some(latest) if entries[position].completed < entries[latest].invoked => {
                Err(Obstacle::Impossible(vec![latest, position]))
            }
            Some(before) if entries[position].invoked <= entries[before].invoked => Ok(()),
            _ => {
                latest = Some(position);
                Ok(())
            }
        }
    };
    for (made, _, _, position) in known {
        let pair = || {
            let core: Vec<usize> = maker.into_iter().chain([position]).collect();
            Err(Obstacle::Impossible(core))
        };
        match entries[position].op {
            Op::Read { value: seen, .. } => {
                if made < revision || made == revision && seen != value {
                    return pair();
                }
                if made > revision {
                    // Somebody made it who never learned so.
                    let writer = crashed.get_mut(&seen).and_then(|writers| writers.pop_front());
                    let Some(writer) = writer else { return pair() };
                    place(writer, &mut order)?;
                    (revision, value, maker) = (made, seen, Some(writer));
                }
            }
            Op::Write { value: new, .. } => {
                if made <= revision {
                    return pair();
                }
                (revision, value, maker) = (made, new, Some(position));
            }
            Op::Cas { expected, new, .. } => {
                if made <= revision {
                    return pair();
                }
                if expected != value {
                    // What it replaced may have been written by someone who never learned so.
                    let hidden = crashed.get(&expected).is_some_and(|it| !it.is_empty());
                    return if hidden { Err(Obstacle::Unsuited) } else { pair() };
                }
                (revision, value, maker) = (made, new, Some(position));
            }
        }
        place(position, &mut order)?;
    }
    Ok(order)
}

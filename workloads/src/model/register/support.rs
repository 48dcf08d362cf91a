//! Which operations a read or cas may owe its value to.
//!
//! A smaller set of operations proves something about the whole only if dropping the others cannot
//! create a contradiction. It cannot if, with every operation that observes a value, all possible
//! sources of that value are kept: restrict an order that explains the whole to the set, and each
//! observer still finds its source as the last writer before it.

use super::{RegisterOp, RegisterState};
use crate::model::{Entry, OPEN};

/// For each entry, the positions of its possible sources, none for those that observe nothing.
///
/// A writer is a possible source unless it is invoked after the observer completed, or another
/// write came wholly between the two. Where this leaves no source at all, the observer alone is a
/// contradiction; then its support is the nearest writer, so that a person can see what is wrong.
pub(in crate::model) fn support(
    values: usize,
    initial: RegisterState,
    entries: &[Entry<RegisterOp>],
) -> Vec<Vec<usize>> {
    let mut sources: Vec<Sources> = (0..values).map(|_| Sources::default()).collect();
    let mut by_invocation: Vec<usize> = (0..entries.len()).collect();
    by_invocation.sort_by_key(|&position| entries[position].invoked);
    for &position in &by_invocation {
        let op = entries[position].op;
        // To replace a value by itself takes the value from somewhere else.
        if let Some(value) = op.writes()
            && op.observes() != Some(value)
        {
            sources[value as usize].add(position, entries[position].completed);
        }
    }
    let overwritten = overwritten_before(entries);
    entries
        .iter()
        .enumerate()
        .map(|(position, entry)| {
            let Some(value) = entry.op.observes() else { return Vec::new() };
            let sources = &sources[value as usize];
            let is_early = |&writer: &usize| entries[writer].invoked < entry.completed;
            let mut possible = Vec::new();
            let in_time = sources.acknowledged.partition_point(is_early);
            for at in (0..in_time).rev() {
                if sources.latest_completion[at] <= overwritten[position] {
                    break;
                }
                let writer = sources.acknowledged[at];
                if writer != position && entries[writer].completed > overwritten[position] {
                    possible.push(writer);
                }
            }
            let crashed = sources.crashed.iter().take_while(|it| is_early(it));
            possible.extend(crashed.filter(|&&it| it != position));
            possible.sort_unstable();
            let initial_is_possible = overwritten[position] == 0
                && matches!(initial, RegisterState::Holds(initial) if initial == value);
            if !possible.is_empty() || initial_is_possible {
                return possible;
            }
            let nearest = sources.acknowledged[..in_time].iter().rfind(|&&it| it != position);
            let nearest = nearest.or(sources.acknowledged.iter().find(|&&it| it != position));
            nearest
                .or(sources.crashed.iter().find(|&&it| it != position))
                .copied()
                .into_iter()
                .collect()
        })
        .collect()
}

/// Writers of one value, by invocation.
#[derive(Default)]
struct Sources {
    acknowledged: Vec<usize>,
    /// The latest completion of each acknowledged writer and those before it.
    latest_completion: Vec<u64>,
    crashed: Vec<usize>,
}

impl Sources {
    fn add(&mut self, writer: usize, completed: u64) {
        if completed == OPEN {
            self.crashed.push(writer);
        } else {
            let latest = self.latest_completion.last().copied().unwrap_or(0);
            self.latest_completion.push(latest.max(completed));
            self.acknowledged.push(writer);
        }
    }
}

/// For each observer, the latest invocation of a write of another value that completed before it
/// was invoked: what completed before that moment is overwritten. 0 if there is none.
fn overwritten_before(entries: &[Entry<RegisterOp>]) -> Vec<u64> {
    let mut by_completion: Vec<usize> =
        (0..entries.len()).filter(|&position| entries[position].op.writes().is_some()).collect();
    by_completion.sort_by_key(|&position| entries[position].completed);
    let mut by_invocation: Vec<usize> = (0..entries.len()).collect();
    by_invocation.sort_by_key(|&position| entries[position].invoked);

    // The latest invocation so far, and the latest among writes of any other value.
    let mut latest: Option<(u64, u32)> = None;
    let mut latest_other: Option<(u64, u32)> = None;
    let mut result = vec![0; entries.len()];
    let mut completed = by_completion.into_iter().peekable();
    for position in by_invocation {
        let entry = &entries[position];
        while let Some(&write) = completed.peek()
            && entries[write].completed < entry.invoked
        {
            completed.next();
            let Some(value) = entries[write].op.writes() else { continue };
            let candidate = Some((entries[write].invoked, value));
            if candidate > latest {
                if latest.is_some_and(|(_, other)| other != value) {
                    latest_other = latest;
                }
                latest = candidate;
            } else if latest.is_some_and(|(_, other)| other != value) && candidate > latest_other {
                latest_other = candidate;
            }
        }
        if let Some(value) = entry.op.observes() {
            let overwrite = match latest {
                Some((_, other)) if other == value => latest_other,
                _ => latest,
            };
            result[position] = overwrite.map_or(0, |(invoked, _)| invoked.max(1));
        }
    }
    result
}

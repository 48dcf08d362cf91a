//! What can be known about crashed operations before any search.
//!
//! Fault runs leave many operations of unknown outcome, and each doubles what a search must look
//! at. With unique values nearly all of them can be settled:
//!
//! 1. **A crashed operation whose value nobody observes can go.** Call a value observed if an
//!    acknowledged read or cas expects it, or a crashed cas does whose own value is observed.
//!    Take any order that explains the history and delete all crashed operations whose value is
//!    not observed. Whoever is left and observes a value finds the same last writer before it as
//!    before: that writer's value is observed, so the writer stayed, and nothing was inserted. So
//!    the rest is explained. The other direction is trivial: a crashed operation may have had no
//!    effect. A cas that replaces a value by itself changes nothing, and goes by the same token.
//! 2. **A value with one writer dates that writer.** If an acknowledged operation observes `v`,
//!    `v` is not the initial value, and only `w` writes it, then `w` took effect before that
//!    operation completed. So `w` may as well have completed right before that moment: a crashed
//!    `w` becomes an ordinary operation with a deadline, and what `w` itself observes (if it is a
//!    cas) gets a deadline in turn. With an unknown initial value this is not sound, and not done.

use rustc_hash::FxHashMap;

use super::{RegisterOp, RegisterState};
use crate::model::Entry;

/// Leaves out crashed cas operations that expect a value that cannot have been there, because
/// neither the start, nor a write, nor a cas that may have acted put it there.
pub(super) fn without_inert(
    values: usize,
    initial: RegisterState,
    mut entries: Vec<Entry<RegisterOp>>,
) -> Vec<Entry<RegisterOp>> {
    let RegisterState::Holds(initial) = initial else { return entries };
    let crashed_cas =
        |entry: &Entry<RegisterOp>| entry.is_crashed() && entry.op.observes().is_some();
    if !entries.iter().any(crashed_cas) {
        return entries;
    }
    let mut possible = vec![false; values];
    let mut waiting: Vec<Vec<u32>> = vec![Vec::new(); values];
    let mut pending = vec![initial];
    for entry in &entries {
        match entry.op {
            RegisterOp::Cas { expected, new } if entry.is_crashed() => {
                waiting[expected as usize].push(new);
            }
            op => pending.extend(op.writes()),
        }
    }
    while let Some(value) = pending.pop() {
        if !std::mem::replace(&mut possible[value as usize], true) {
            pending.append(&mut waiting[value as usize]);
        }
    }
    entries.retain(|entry| {
        !entry.is_crashed() || entry.op.observes().is_none_or(|value| possible[value as usize])
    });
    entries
}

/// Leaves out crashed operations that cannot matter, and tightens completions.
pub(in crate::model) fn simplify(
    values: usize,
    initial: RegisterState,
    mut entries: Vec<Entry<RegisterOp>>,
) -> Vec<Entry<RegisterOp>> {
    if entries.iter().any(Entry::is_crashed) {
        let observed = observed_values(values, &entries);
        entries.retain(|entry| {
            !entry.is_crashed()
                || entry.op.writes().is_some_and(|value| {
                    observed[value as usize] && entry.op.observes() != Some(value)
                })
        });
    }
    if let RegisterState::Holds(initial) = initial {
        set_deadlines(values, initial, &mut entries);
    }
    entries
}

/// Which values an acknowledged operation observes, directly or through crashed cas operations.
fn observed_values(values: usize, entries: &[Entry<RegisterOp>]) -> Vec<bool> {
    let mut observed = vec![false; values];
    let mut crashed_cas: FxHashMap<u32, Vec<u32>> = FxHashMap::default();
    let mut pending: Vec<u32> = Vec::new();
    for entry in entries {
        match (entry.is_crashed(), entry.op) {
            (true, RegisterOp::Cas { expected, new }) => {
                crashed_cas.entry(new).or_default().push(expected);
            }
            (true, RegisterOp::Read(_) | RegisterOp::Write(_)) => {}
            (false, op) => {
                if let Some(value) = op.observes()
                    && !std::mem::replace(&mut observed[value as usize], true)
                {
                    pending.push(value);
                }
            }
        }
    }
    while let Some(value) = pending.pop() {
        for expected in crashed_cas.remove(&value).unwrap_or_default() {
            if !std::mem::replace(&mut observed[expected as usize], true) {
                pending.push(expected);
            }
        }
    }
    observed
}

/// Gives the only writer of a value the completion of the first acknowledged observer.
fn set_deadlines(values: usize, initial: u32, entries: &mut [Entry<RegisterOp>]) {
    const NONE: u32 = u32::MAX;
    const MANY: u32 = u32::MAX - 1;
    let mut writer = vec![NONE; values];
    writer[initial as usize] = MANY;
    for (position, entry) in entries.iter().enumerate() {
        if let Some(value) = entry.op.writes() {
            let writer = &mut writer[value as usize];
            *writer = if *writer == NONE { position as u32 } else { MANY };
        }
    }
    for position in 0..entries.len() {
        let observer = &entries[position];
        if observer.is_crashed() {
            continue;
        }
        let mut deadline = observer.completed;
        let mut observed = observer.op.observes();
        // Deadlines only ever shrink and are completions of the history, so this ends.
        while let Some(value) = observed
            && writer[value as usize] < MANY
        {
            let entry = &mut entries[writer[value as usize] as usize];
            // A writer that starts too late stays impossible with the shortest of intervals.
            deadline = deadline.max(entry.invoked + 1);
            if deadline >= entry.completed {
                break;
            }
            entry.completed = deadline;
            observed = entry.op.observes();
        }
    }
}

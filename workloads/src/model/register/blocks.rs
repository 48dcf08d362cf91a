//! An exact decision without search, where every value is written at most once.
//!
//! Gibbons & Korach (1997) decide such histories of reads and writes: all operations on one value
//! must be next to each other in any explanation, so only the order of these groups is open. We
//! extend the groups to cas: a cas from `e` to `n` ends the group of `e` and begins that of `n`,
//! so a chain of cas operations ties groups into one *block* whose inner order is forced. Hence
//!
//! * each block must be in order by itself, and
//! * block `A` comes before `B` if an operation of `A` completes before one of `B` is invoked,
//!   that is, if the first completion in `A` precedes the last invocation in `B`.
//!
//! A history is explained exactly if the second relation has no cycle. Repeatedly taking a block
//! that nothing else must precede finds an order, or a set of blocks that all have a predecessor
//! within the set, which is a cycle. This takes `O(n log n)` for any number of clients.

use super::{RegisterOp, RegisterState};
use crate::model::{Decision, Entry};

const NONE: usize = usize::MAX;

/// Operations on one value.
struct Group {
    writer: usize,
    readers: Vec<usize>,
    cas: usize,
}

/// Operations that must be next to each other, in their only possible order.
struct Block {
    order: Vec<usize>,
    first_completion: u64,
    last_invocation: u64,
}

/// Decides, or none if a value is written twice or an operation may have had no effect.
pub(super) fn decide(
    values: usize,
    initial: RegisterState,
    entries: &[Entry<RegisterOp>],
) -> Option<Decision> {
    let mut groups: Vec<Group> =
        (0..values).map(|_| Group { writer: NONE, readers: Vec::new(), cas: NONE }).collect();
    let mut impossible = false;
    for (position, entry) in entries.iter().enumerate() {
        if entry.is_crashed() {
            return None;
        }
        if let Some(value) = entry.op.writes() {
            let writer = &mut groups[value as usize].writer;
            if std::mem::replace(writer, position) != NONE {
                return None;
            }
        }
        match entry.op {
            RegisterOp::Read(value) => groups[value as usize].readers.push(position),
            RegisterOp::Cas { expected, .. } => {
                // The first of two cas operations removes the value for good.
                impossible |=
                    std::mem::replace(&mut groups[expected as usize].cas, position) != NONE;
            }
            RegisterOp::Write(_) => {}
        }
    }
    let initial = initial_value(initial, &groups)?;
    if let Some(initial) = initial
        && groups[initial].writer != NONE
    {
        return None;
    }
    if impossible {
        return Some(Decision::Impossible);
    }
    let mut blocks = Vec::new();
    let mut placed = 0;
    let roots = entries.iter().filter_map(|entry| match entry.op {
        RegisterOp::Write(value) => Some(value as usize),
        RegisterOp::Read(_) | RegisterOp::Cas { .. } => None,
    });
    for value in initial.into_iter().chain(roots) {
        let Some(mut block) = block(value, &mut groups, entries) else {
            return Some(Decision::Impossible);
        };
        placed += block.order.len();
        if Some(value) == initial {
            // The initial value was there before anything else.
            block.first_completion = 0;
        }
        if !block.order.is_empty() {
            blocks.push(block);
        }
    }
    // What no chain reaches observes a value that was never written.
    if placed < entries.len() {
        return Some(Decision::Impossible);
    }
    Some(match arrange(&blocks) {
        Some(arrangement) => Decision::Order(
            arrangement
                .into_iter()
                .flat_map(|block| &blocks[block].order)
                .map(|&position| entries[position].id)
                .collect(),
        ),
        None => Decision::Impossible,
    })
}

/// The initial value as a position in `groups`; the outer none means that it cannot be told.
fn initial_value(initial: RegisterState, groups: &[Group]) -> Option<Option<usize>> {
    match initial {
        RegisterState::Holds(value) => Some(Some(value as usize)),
        RegisterState::Unknown => {
            // A value that is observed but never written can only be the initial one.
            let mut unwritten = groups.iter().enumerate().filter(|(_, group)| {
                group.writer == NONE && (group.cas != NONE || !group.readers.is_empty())
            });
            match (unwritten.next(), unwritten.next()) {
                (Some((value, _)), None) => Some(Some(value)),
                _ => None,
            }
        }
        RegisterState::Unobservable => Some(None),
    }
}

/// The block that starts with the writer of `value`, or none if it is not in order by itself.
fn block(value: usize, groups: &mut [Group], entries: &[Entry<RegisterOp>]) -> Option<Block> {
    let mut order = Vec::new();
    let mut next = Some(value);
    while let Some(value) = next {
        let group = &mut groups[value];
        if group.writer != NONE {
            order.push(group.writer);
        }
        let mut readers = std::mem::take(&mut group.readers);
        readers.sort_by_key(|&position| entries[position].invoked);
        order.append(&mut readers);
        // Each cas is the only writer of its value and is taken here once, so chains end.
        next = match std::mem::replace(&mut group.cas, NONE) {
            NONE => None,
            cas => entries[cas].op.writes().map(|value| value as usize),
        };
    }
    let mut first_completion = u64::MAX;
    let mut last_invocation = 0;
    for &position in &order {
        let entry = &entries[position];
        if entry.completed < last_invocation {
            return None;
        }
        first_completion = first_completion.min(entry.completed);
        last_invocation = last_invocation.max(entry.invoked);
    }
    Some(Block { order, first_completion, last_invocation })
}

/// An order of the blocks in which none follows a block that it must precede.
fn arrange(blocks: &[Block]) -> Option<Vec<usize>> {
    let sorted = |moment: fn(&Block) -> u64| {
        let mut positions: Vec<usize> = (0..blocks.len()).collect();
        positions.sort_by_key(|&position| moment(&blocks[position]));
        positions
    };
    let by_completion = sorted(|block| block.first_completion);
    let by_invocation = sorted(|block| block.last_invocation);
    let mut taken = vec![false; blocks.len()];
    let mut arrangement = Vec::with_capacity(blocks.len());
    let (mut completion, mut invocation) = (0, 0);
    while arrangement.len() < blocks.len() {
        while taken[by_completion[completion]] {
            completion += 1;
        }
        while taken[by_invocation[invocation]] {
            invocation += 1;
        }
        let urgent = by_completion[completion];
        let earliest = by_invocation[invocation];
        // Only the first completion of the others can force a block to wait. If the block that was
        // invoked first has to wait, so have all but the urgent one, whose own completion is no bar.
        let chosen = if earliest == urgent
            || blocks[earliest].last_invocation < blocks[urgent].first_completion
        {
            earliest
        } else {
            urgent
        };
        let bar = if chosen == urgent {
            by_completion[completion + 1..].iter().find(|&&other| !taken[other])
        } else {
            Some(&urgent)
        };
        if bar.is_some_and(|&bar| blocks[bar].first_completion < blocks[chosen].last_invocation) {
            return None;
        }
        taken[chosen] = true;
        arrangement.push(chosen);
    }
    Some(arrangement)
}

//! Where values are unique and no order explains the history: a few operations that show it.

use super::blocks::{Block, Obstacle, Values, arrange};
use super::simplify::simplify;
use super::{RegisterOp, RegisterState};
use crate::model::Entry;

/// A small set of operations that no order explains, with the sources of all that they observe, as
/// positions in `entries` (not simplified). None if it takes another way to find one.
pub(in crate::model) fn conflict(
    values: usize,
    initial: RegisterState,
    entries: &[Entry<RegisterOp>],
) -> Option<Vec<usize>> {
    let simplified = simplify(values, initial, entries.to_vec());
    let mut positions = Vec::with_capacity(simplified.len());
    let mut kept = simplified.iter().peekable();
    for (position, entry) in entries.iter().enumerate() {
        if kept.next_if(|kept| kept.id == entry.id).is_some() {
            positions.push(position);
        }
    }
    let completions: Vec<u64> =
        positions.iter().map(|&position| entries[position].completed).collect();
    let core = core(values, initial, &simplified, &completions)?;
    Some(core.into_iter().map(|at| positions[at as usize]).collect())
}

/// [`conflict`] of simplified entries; `completions` are what those were in the history.
fn core(
    values: usize,
    initial: RegisterState,
    entries: &[Entry<RegisterOp>],
    completions: &[u64],
) -> Option<Vec<u32>> {
    let values = match Values::new(values, initial, entries) {
        Ok(values) => values,
        Err(Obstacle::Unsuited | Obstacle::Disorder(_)) => return None,
        Err(Obstacle::Impossible(core)) => return Some(sorted(core)),
    };
    if values.presumed {
        return None;
    }
    let core = match values.blocks(entries) {
        Ok((order, blocks)) => {
            let completed = |position: &&u32| completions[**position as usize];
            let members = |it: &Block| &order[it.start as usize..it.end as usize];
            // A deadline that was set stands for an observer in the same block, whose completion it is.
            // Of those that began too late, the one that was done first shows it first.
            let first = |it: &Block| members(it).iter().min_by_key(completed);
            let late = |it: &Block, other: &Block| {
                let is_late =
                    |position: &&u32| entries[**position as usize].invoked > other.first_completion;
                members(it).iter().filter(is_late).min_by_key(completed)
            };
            match forgotten(&blocks, |start, other| late(start, other).copied(), entries) {
                Some((newest, observer)) => {
                    first(newest).into_iter().copied().chain([observer]).collect()
                }
                None => {
                    let (a, b) = arrange(&blocks).err()?;
                    let (a, b) = (&blocks[a as usize], &blocks[b as usize]);
                    let core = [first(a), first(b), late(a, b), late(b, a)];
                    core.into_iter().flatten().copied().collect()
                }
            }
        }
        Err(Obstacle::Disorder(chain)) => disorder(&chain, entries, completions)?,
        Err(Obstacle::Impossible(core)) => core,
        Err(Obstacle::Unsuited) => return None,
    };
    Some(sorted(values.with_sources(core, entries)))
}

/// What shows best that everything was forgotten: the first to find the value from the start again
/// although another was there before, and the newest of those others.
fn forgotten<'a>(
    blocks: &'a [Block],
    late: impl Fn(&Block, &Block) -> Option<u32>,
    entries: &[Entry<RegisterOp>],
) -> Option<(&'a Block, u32)> {
    let (start, others) = blocks.split_first().filter(|(start, _)| start.first_completion == 0)?;
    let oldest = others.iter().min_by_key(|it| it.first_completion)?;
    let observer = late(start, oldest)?;
    let began = entries[observer as usize].invoked;
    let newest = others.iter().filter(|it| it.first_completion < began);
    Some((newest.max_by_key(|it| it.first_completion)?, observer))
}

fn sorted(mut positions: Vec<u32>) -> Vec<u32> {
    positions.sort_unstable();
    positions
}

/// Two operations of a chain in its forced order of which the later completed before the earlier
/// was invoked.
fn disorder(chain: &[u32], entries: &[Entry<RegisterOp>], completions: &[u64]) -> Option<Vec<u32>> {
    let mut latest = *chain.first()?;
    for &position in chain {
        if completions[position as usize] < entries[latest as usize].invoked {
            return Some(vec![latest, position]);
        }
        if entries[position as usize].invoked > entries[latest as usize].invoked {
            latest = position;
        }
    }
    None
}

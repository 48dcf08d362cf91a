//! Sets that are added to and read as a whole: the reads line everything up.
//!
//! The set only grows, so what reads return must be a chain: of any two, one contains the other. Reads that
//! returned the same form a group, the groups have one possible order, and an element is added after the
//! last group without it and before the first with it. Hence all operations fall into steps whose order is
//! forced: the adds that the first group saw first, the first group, the adds that the second group saw
//! first, and so on; then the adds that nobody saw. Within a step, any order of time is right. So there is
//! an order exactly if no operation was over before one of an earlier step began. If an element is added
//! several times, only the first add in the order counts: take the one that began first, which makes the
//! step wait least; the others may come at any time after.
//!
//! This is linear in what the reads returned.

use rustc_hash::FxHashMap;

use super::SetOp;
use crate::model::Entry;
use crate::model::judgement::Judgement;

const NONE: u32 = u32::MAX;

/// Reads that returned the same, and the adds that they saw first.
struct Group<'a> {
    elements: &'a [u32],
    reads: Vec<u32>,
    adds: Vec<u32>,
}

/// Decides entries that are adds of unknown novelty and reads, and nothing else.
pub(super) fn judge(entries: &[Entry<SetOp>]) -> Judgement {
    // Adds of each element, the one that began first ahead.
    let mut adds: FxHashMap<u32, Vec<u32>> = FxHashMap::default();
    let mut reads: Vec<(usize, u32)> = Vec::new();
    for (position, entry) in entries.iter().enumerate() {
        match &entry.op {
            SetOp::Add(element, None) => adds.entry(*element).or_default().push(position as u32),
            SetOp::Read(elements) => reads.push((elements.len(), position as u32)),
            _ => return Judgement::Unclear,
        }
    }
    reads.sort_unstable();
    let all_adds = |element: u32| adds.get(&element).cloned().unwrap_or_default();
    let mut groups: Vec<Group<'_>> = Vec::new();
    // The group that saw an element first.
    let mut seen: FxHashMap<u32, u32> = FxHashMap::default();
    for &(size, read) in &reads {
        let SetOp::Read(elements) = &entries[read as usize].op else { continue };
        if elements.iter().any(|element| !adds.contains_key(element)) {
            return Judgement::Contradiction(vec![read]);
        }
        let known = elements.iter().filter(|element| seen.contains_key(element)).count();
        let before = groups.last().map_or(0, |group| group.elements.len());
        if known < before {
            let Some(group) = groups.last() else { return Judgement::Unclear };
            let mut core = vec![group.reads[0], read];
            let lost = group.elements.iter().find(|it| elements.binary_search(it).is_err());
            let other = elements.iter().find(|it| group.elements.binary_search(it).is_err());
            core.extend(lost.into_iter().chain(other).flat_map(|&element| all_adds(element)));
            return Judgement::Contradiction(core);
        }
        if size == before && !groups.is_empty() {
            if let Some(group) = groups.last_mut() {
                group.reads.push(read);
            }
            continue;
        }
        let mut group = Group { elements, reads: vec![read], adds: Vec::new() };
        for &element in elements.iter() {
            if let std::collections::hash_map::Entry::Vacant(place) = seen.entry(element) {
                place.insert(groups.len() as u32);
                group.adds.extend(adds.get(&element).map(|adds| adds[0]));
            }
        }
        groups.push(group);
    }
    place(entries, &adds, groups, &seen)
}

/// The operations placed so far: when, how many before, and position.
struct Line<'a> {
    entries: &'a [Entry<SetOp>],
    placed: Vec<(u64, u32, u32)>,
    /// The last to begin.
    latest: u32,
    moment: u64,
}

impl Line<'_> {
    /// Places the next step; the error is an earlier operation, and one of the step that was over before
    /// that began.
    fn step(&mut self, operations: &mut [u32]) -> Result<(), (u32, u32)> {
        operations.sort_unstable_by_key(|&it| self.entries[it as usize].invoked);
        for &mut position in operations {
            let entry = &self.entries[position as usize];
            if entry.completed < self.moment {
                return Err((self.latest, position));
            }
            if entry.invoked >= self.moment {
                (self.latest, self.moment) = (position, entry.invoked);
            }
            self.placed.push((self.moment, self.placed.len() as u32, position));
        }
        Ok(())
    }
}

/// Places all operations step by step.
fn place(
    entries: &[Entry<SetOp>],
    adds: &FxHashMap<u32, Vec<u32>>,
    mut groups: Vec<Group<'_>>,
    seen: &FxHashMap<u32, u32>,
) -> Judgement {
    let mut line =
        Line { entries, placed: Vec::with_capacity(entries.len()), latest: NONE, moment: 0 };
    let mut repeated: Vec<(u64, u32, u32)> = Vec::new();
    let mut failed = None;
    'groups: for group in &mut groups {
        for operations in [&mut group.adds, &mut group.reads] {
            if let Err(pair) = line.step(operations) {
                failed = Some(pair);
                break 'groups;
            }
        }
        let first = line.placed.len() - group.adds.len() - group.reads.len();
        for at in first..first + group.adds.len() {
            let (moment, _, add) = line.placed[at];
            let Some(element) = entries[add as usize].op.element() else { continue };
            for &again in adds[&element].iter().filter(|&&it| it != add) {
                let entry = &entries[again as usize];
                if entry.completed < moment {
                    failed = Some((line.placed_at(moment), again));
                    break 'groups;
                }
                if !entry.is_crashed() {
                    repeated.push((moment.max(entry.invoked), u32::MAX, again));
                }
            }
        }
    }
    if failed.is_none() {
        let unseen = adds.iter().filter(|(element, _)| !seen.contains_key(element));
        let mut unseen: Vec<u32> = unseen
            .flat_map(|(_, adds)| adds.iter().copied())
            .filter(|&it| !entries[it as usize].is_crashed())
            .collect();
        failed = line.step(&mut unseen).err();
    }
    if let Some((early, late)) = failed {
        return Judgement::Contradiction(core(entries, adds, &groups, seen, early, late));
    }
    line.placed.append(&mut repeated);
    line.placed.sort_unstable();
    Judgement::Order(line.placed.into_iter().map(|(.., position)| position).collect())
}

impl Line<'_> {
    /// The operation that began at a moment.
    fn placed_at(&self, moment: u64) -> u32 {
        let found = self
            .placed
            .iter()
            .rev()
            .find(|(_, _, position)| self.entries[*position as usize].invoked == moment);
        found.map_or(self.latest, |&(.., position)| position)
    }
}

/// Two operations in the wrong order, with those that show what the order must be.
fn core(
    entries: &[Entry<SetOp>],
    adds: &FxHashMap<u32, Vec<u32>>,
    groups: &[Group<'_>],
    seen: &FxHashMap<u32, u32>,
    early: u32,
    late: u32,
) -> Vec<u32> {
    let mut core = vec![early, late];
    match (&entries[early as usize].op, &entries[late as usize].op) {
        (SetOp::Read(before), SetOp::Read(after)) => {
            let new = after.iter().find(|element| before.binary_search(element).is_err());
            core.extend(new.and_then(|element| adds.get(element)).into_iter().flatten());
        }
        (SetOp::Add(before, _), SetOp::Add(after, _)) => {
            core.extend(&adds[before]);
            core.extend(&adds[after]);
            core.extend(seen.get(before).map(|&group| groups[group as usize].reads[0]));
        }
        (SetOp::Add(element, _), _) | (_, SetOp::Add(element, _)) => core.extend(&adds[element]),
        _ => {}
    }
    core
}

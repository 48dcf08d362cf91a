//! Deciding histories of a log without search: offsets line everything up.
//!
//! The append at offset `o` is the one that says so; or else a crashed one whose value was read there; or
//! else, if a greater offset is known to be in use, any other crashed append. For those holes it does not
//! matter which, except for when they were invoked; as appends act in the order of their offsets, the
//! earliest hole takes the one that was invoked first.
//!
//! Let appends act one after the other, each as early as it may: not before it was invoked, not before the
//! append at the offset before, and not before an operation began that found nothing at its offset (which
//! acts when it begins). Reads act as soon as all that they saw is there. If an operation is over before
//! that, no order explains the history: each moment is the earliest possible. This is exact, and takes
//! `O(n log n)`. Only if crashed appends have equal values, the search must tell them apart.

use rustc_hash::FxHashMap;

use super::LogOp;
use crate::model::Entry;
use crate::model::judgement::Judgement;

const NONE: u32 = u32::MAX;

/// What is known of an offset.
#[derive(Clone, Copy)]
struct Slot {
    append: u32,
    value: u32,
    /// Who says what the value is.
    evidence: u32,
    /// The last to begin of those who found nothing here.
    nothing: u32,
}

/// Decides entries that are sorted by invocation. Offsets of narrowed appends do not count the appends
/// before them, so those are left to the search.
pub(super) fn judge(entries: &[Entry<LogOp>]) -> Judgement {
    if entries.iter().any(|it| matches!(it.op, LogOp::Append { exact: false, .. })) {
        return Judgement::Unclear;
    }
    match Slots::fill(entries) {
        Ok(slots) => slots.place(entries),
        Err(judgement) => judgement,
    }
}

/// All that began before an operation was over.
fn everything_before(entries: &[Entry<LogOp>], late: u32) -> Vec<u32> {
    let over = entries[late as usize].completed;
    (0..entries.len() as u32).filter(|&it| entries[it as usize].invoked < over).collect()
}

struct Slots {
    slots: Vec<Slot>,
    /// Whether an append was put where any would do.
    guessed: bool,
}

impl Slots {
    fn fill(entries: &[Entry<LogOp>]) -> Result<Slots, Judgement> {
        let mut appends_of: FxHashMap<u32, (u32, u32)> = FxHashMap::default();
        let mut count = 0_u64;
        for (position, entry) in entries.iter().enumerate() {
            if let LogOp::Append { value, offset, .. } = entry.op {
                count += 1;
                let (known, crashed) = appends_of.entry(value).or_insert((NONE, NONE));
                match offset {
                    Some(_) => *known = position as u32,
                    None if !entry.is_crashed() => return Err(Judgement::Unclear),
                    None if *crashed != NONE => return Err(Judgement::Unclear),
                    None => *crashed = position as u32,
                }
            }
        }
        let mut slots: Vec<Slot> = Vec::new();
        let free = Slot { append: NONE, value: NONE, evidence: NONE, nothing: NONE };
        // There are at most as many offsets as appends, so a greater one ends this.
        let reach = |slots: &mut Vec<Slot>, offset: u64, by: u32| {
            if offset >= count {
                return Err(Judgement::Contradiction(everything_before(entries, by)));
            }
            if slots.len() as u64 <= offset {
                slots.resize(offset as usize + 1, free);
            }
            Ok(offset as usize)
        };
        for (position, entry) in entries.iter().enumerate() {
            let position = position as u32;
            match &entry.op {
                LogOp::Append { value, offset: Some(offset), .. } => {
                    let at = reach(&mut slots, *offset, position)?;
                    let slot = &mut slots[at];
                    if slot.append != NONE {
                        return Err(Judgement::Contradiction(vec![slot.append, position]));
                    }
                    slot.append = position;
                    slot.see(*value, position)?;
                }
                LogOp::Read(offset, values) => {
                    for (&value, offset) in values.iter().zip(*offset..) {
                        if !appends_of.contains_key(&value) {
                            return Err(Judgement::Contradiction(vec![position]));
                        }
                        let at = reach(&mut slots, offset, position)?;
                        slots[at].see(value, position)?;
                    }
                }
                LogOp::Append { offset: None, .. } | LogOp::Nothing(_) => {}
            }
        }
        for (position, entry) in entries.iter().enumerate() {
            if let LogOp::Nothing(offset) = entry.op
                && let Some(slot) = usize::try_from(offset).ok().and_then(|at| slots.get_mut(at))
            {
                let invoked = |it: u32| entries[it as usize].invoked;
                if slot.nothing == NONE || invoked(slot.nothing) < entry.invoked {
                    slot.nothing = position as u32;
                }
            }
        }
        let mut slots = Slots { slots, guessed: false };
        slots.place_crashed(entries, &appends_of)?;
        Ok(slots)
    }

    /// Finds the appends that crashed.
    fn place_crashed(
        &mut self,
        entries: &[Entry<LogOp>],
        appends_of: &FxHashMap<u32, (u32, u32)>,
    ) -> Result<(), Judgement> {
        let mut used = vec![false; entries.len()];
        for slot in self.slots.iter_mut().filter(|it| it.append == NONE && it.value != NONE) {
            let (known, crashed) = appends_of.get(&slot.value).copied().unwrap_or((NONE, NONE));
            if crashed == NONE || std::mem::replace(&mut used[crashed as usize], true) {
                // It was read at more offsets than it was appended to.
                let mut core = everything_before(entries, slot.evidence);
                if crashed == NONE && known != NONE {
                    core.push(known);
                }
                core.sort_unstable();
                core.dedup();
                return Err(Judgement::Contradiction(core));
            }
            slot.append = crashed;
        }
        let mut spare = (0..entries.len()).filter(|&at| {
            matches!(entries[at].op, LogOp::Append { offset: None, .. }) && !used[at]
        });
        for slot in self.slots.iter_mut().filter(|slot| slot.append == NONE) {
            let Some(append) = spare.next() else {
                return Err(Judgement::Contradiction((0..entries.len() as u32).collect()));
            };
            slot.append = append as u32;
            self.guessed = true;
        }
        Ok(())
    }

    fn place(&self, entries: &[Entry<LogOp>]) -> Judgement {
        let mut placed: Vec<(u64, u8, u64, u32)> = Vec::with_capacity(entries.len());
        let mut moment = 0;
        // Who made the appends up to here wait, and at which offset.
        let mut waits: Vec<(u64, u32, u32)> = Vec::with_capacity(self.slots.len());
        let mut latest = (NONE, NONE);
        for (offset, slot) in self.slots.iter().enumerate() {
            for cause in [slot.nothing, slot.append] {
                if cause != NONE && entries[cause as usize].invoked >= moment {
                    moment = entries[cause as usize].invoked;
                    latest = (cause, offset as u32);
                }
            }
            if entries[slot.append as usize].completed < moment {
                return self.stuck(entries, latest, slot.append, offset);
            }
            waits.push((moment, latest.0, latest.1));
            placed.push((moment, 1, offset as u64, slot.append));
        }
        for (position, entry) in entries.iter().enumerate() {
            match &entry.op {
                LogOp::Append { .. } => {}
                LogOp::Nothing(_) => placed.push((entry.invoked, 0, 0, position as u32)),
                LogOp::Read(offset, values) => {
                    let last = *offset as usize + values.len() - 1;
                    let (there, cause, at) = waits[last];
                    if entry.completed < there {
                        return self.stuck(entries, (cause, at), position as u32, last);
                    }
                    placed.push((there.max(entry.invoked), 2, 0, position as u32));
                }
            }
        }
        placed.sort_unstable();
        Judgement::Order(placed.into_iter().map(|(.., position)| position).collect())
    }

    /// Why `late`, which is at or saw offset `last`, was over before `cause` began, which is at an
    /// offset before or the same.
    fn stuck(
        &self,
        entries: &[Entry<LogOp>],
        (cause, at): (u32, u32),
        late: u32,
        last: usize,
    ) -> Judgement {
        if self.guessed {
            return Judgement::Contradiction(everything_before(entries, cause.max(late)));
        }
        let mut core = vec![cause, late, self.slots[last].append];
        core.extend([self.slots[last].evidence, self.slots[at as usize].evidence]);
        core.retain(|&it| it != NONE);
        // What a read saw last must be there for it.
        for at in 0..core.len() {
            if let LogOp::Read(offset, values) = &entries[core[at] as usize].op {
                core.push(self.slots[*offset as usize + values.len() - 1].append);
            }
        }
        Judgement::Contradiction(core)
    }
}

impl Slot {
    /// Notes that `value` is here.
    fn see(&mut self, value: u32, evidence: u32) -> Result<(), Judgement> {
        if self.value != NONE && self.value != value {
            return Err(Judgement::Contradiction(vec![self.evidence, evidence]));
        }
        if self.value == NONE {
            (self.value, self.evidence) = (value, evidence);
        }
        Ok(())
    }
}

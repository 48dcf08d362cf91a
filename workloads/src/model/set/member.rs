//! Sets without reads of all elements: each element by itself, in one pass.
//!
//! Elements do not influence each other, and linearizability is local (Herlihy & Wing, section 3.1): given
//! a moment for each operation that explains every element, all operations in order of their moments
//! explain the whole.
//!
//! Take an element of which one operation at most may put it in (`A`, at moment `in`) and one at most may
//! take it out (`R`, at `out`). Those who saw it must act between `in` and `out`, those who missed it
//! before or after. So `in` comes before the first end and `out` after the last start of those who saw it.
//! Within these bounds, the later `in` is and the earlier `out` is, the more room is there for those who
//! missed it. If `in` may be as late as `out` may be early, let them act one right after the other, with
//! all who saw it in between; then nobody is hindered. Otherwise take the latest `in` and the earliest
//! `out`.
//!
//! A removal that does not say what it found may also come before `A`, or, if it crashed, never act; then
//! the element stays once it is in. This helps only where it cannot come after `A`, so it is tried last.
//! An `A` that crashed and whose element nobody saw is left out.

use super::SetOp;
use crate::model::Entry;
use crate::model::judgement::Judgement;
use crate::model::lookup::Lookup;

/// Moments are twice those of the entries, so that there is an odd moment in each gap.
const ENDLESS: u64 = u64::MAX;

/// Operations on one element, as positions in the entries.
#[derive(Default)]
struct Element {
    add: Option<u32>,
    remove: Option<u32>,
    saw: Vec<u32>,
    missed: Vec<u32>,
}

/// When an operation acts, its place among those of the same moment, and its position.
type Placed = (u64, u8, u32);

/// Decides entries that are each about one element.
pub(super) fn judge(entries: &[Entry<SetOp>]) -> Judgement {
    // Entries of each element in a row: `of_element[starts[number]..starts[number + 1]]`.
    let elements = entries.iter().filter_map(|entry| entry.op.element());
    let mut numbers = Lookup::new(elements.max().unwrap_or(0), entries.len());
    let mut starts: Vec<u32> = vec![0];
    for entry in entries {
        let Some(element) = entry.op.element() else { return Judgement::Unclear };
        match numbers.get(element) {
            Some(number) => starts[number as usize + 1] += 1,
            None => {
                numbers.insert(element, starts.len() as u32 - 1);
                starts.push(1);
            }
        }
    }
    for number in 1..starts.len() {
        starts[number] += starts[number - 1];
    }
    let mut next = starts.clone();
    let mut of_element = vec![0; entries.len()];
    for (position, entry) in (0..).zip(entries) {
        if let Some(number) = entry.op.element().and_then(|element| numbers.get(element)) {
            let place = &mut next[number as usize];
            of_element[*place as usize] = position;
            *place += 1;
        }
    }
    drop((numbers, next));
    let mut placed: Vec<Placed> = Vec::with_capacity(entries.len());
    let mut element = Element::default();
    let mut is_clear = true;
    for pair in starts.windows(2) {
        let positions = &of_element[pair[0] as usize..pair[1] as usize];
        if !element.read(entries, positions) {
            // Another element may be impossible all the same.
            is_clear = false;
        } else if !element.place(entries, &mut placed) {
            return Judgement::Contradiction(positions.to_vec());
        }
    }
    if !is_clear {
        return Judgement::Unclear;
    }
    drop((starts, of_element));
    placed.sort_unstable();
    Judgement::Order(placed.into_iter().map(|(.., position)| position).collect())
}

fn from(entries: &[Entry<SetOp>], position: u32) -> u64 {
    2 * entries[position as usize].invoked
}

fn by(entries: &[Entry<SetOp>], position: u32) -> u64 {
    let entry = &entries[position as usize];
    if entry.is_crashed() { ENDLESS } else { 2 * entry.completed }
}

impl Element {
    /// Reads the operations on an element; false if several may add or remove it.
    fn read(&mut self, entries: &[Entry<SetOp>], positions: &[u32]) -> bool {
        self.saw.clear();
        self.missed.clear();
        (self.add, self.remove) = (None, None);
        positions.iter().all(|&position| match entries[position as usize].op {
            SetOp::Add(_, Some(false)) | SetOp::Contains(_, true) => {
                self.saw.push(position);
                true
            }
            SetOp::Remove(_, Some(false)) | SetOp::Contains(_, false) => {
                self.missed.push(position);
                true
            }
            SetOp::Add(..) => self.add.replace(position).is_none(),
            SetOp::Remove(..) => self.remove.replace(position).is_none(),
            SetOp::Read(_) | SetOp::Twice(_) | SetOp::Saw(_) => false,
        })
    }

    /// Places all operations on the element; false if that is impossible.
    fn place(&self, entries: &[Entry<SetOp>], placed: &mut Vec<Placed>) -> bool {
        let removed_surely = self.remove.filter(|&it| entries[it as usize].op.may_remove_surely());
        let may_stay_out = self.add.is_none_or(|add| by(entries, add) == ENDLESS);
        if may_stay_out && self.saw.is_empty() && removed_surely.is_none() {
            let acknowledged = self.remove.filter(|&it| by(entries, it) != ENDLESS);
            for &position in self.missed.iter().chain(&acknowledged) {
                placed.push((from(entries, position) + 1, 0, position));
            }
            return true;
        }
        let Some(add) = self.add else { return false };
        let last_start = self.saw.iter().map(|&it| from(entries, it)).max().unwrap_or(0);
        let first_end = self.saw.iter().map(|&it| by(entries, it)).min().unwrap_or(ENDLESS);
        let in_from = from(entries, add);
        let in_by = by(entries, add).min(first_end);
        if let Some(remove) = self.remove {
            let out_by = by(entries, remove);
            let in_by = in_by.min(out_by);
            let out_from = from(entries, remove).max(last_start).max(in_from);
            if in_from < in_by && out_from < out_by {
                let (going_in, leaving) = match in_by <= out_from {
                    true => (in_by - 1, out_from + 1),
                    false => (out_from + 1, out_from + 1),
                };
                if self.fits(entries, going_in, leaving) {
                    placed.push((leaving, 3, remove));
                    self.put(entries, add, going_in, leaving, placed);
                    return true;
                }
            }
            if removed_surely.is_some() {
                return false;
            }
        }
        // It stays. Somebody saw it, or it surely went in, so that has an end.
        let going_in = in_by - 1;
        if in_from >= in_by || !self.fits(entries, going_in, ENDLESS) {
            return false;
        }
        if let Some(remove) = self.remove.filter(|&it| by(entries, it) != ENDLESS) {
            if from(entries, remove) > going_in {
                return false;
            }
            placed.push((from(entries, remove) + 1, 0, remove));
        }
        self.put(entries, add, going_in, ENDLESS, placed);
        true
    }

    /// Whether those who missed the element can act while it is not inside.
    fn fits(&self, entries: &[Entry<SetOp>], going_in: u64, leaving: u64) -> bool {
        self.missed.iter().all(|&it| from(entries, it) < going_in || by(entries, it) > leaving)
    }

    /// Places all but the removal.
    fn put(
        &self,
        entries: &[Entry<SetOp>],
        add: u32,
        going_in: u64,
        leaving: u64,
        placed: &mut Vec<Placed>,
    ) {
        placed.push((going_in, 1, add));
        for &position in &self.saw {
            placed.push((going_in.max(from(entries, position) + 1), 2, position));
        }
        for &position in &self.missed {
            let from = from(entries, position);
            if from < going_in {
                placed.push((from + 1, 0, position));
            } else {
                placed.push((leaving.max(from + 1), 4, position));
            }
        }
    }
}

impl SetOp {
    /// Whether it is known to have taken its element out.
    fn may_remove_surely(&self) -> bool {
        matches!(self, SetOp::Remove(_, Some(true)))
    }
}

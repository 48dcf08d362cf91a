//! Histories that insert each value at most once: one interval of presence for each element.
//!
//! ```text
//! in_from        in_by          out_from        out_by
//!    |--- insert ---|   inside      |--- remove ---|
//! ```
//!
//! An element goes in after `in_from` and before `in_by`, and leaves after `out_from` and before
//! `out_by`. As it cannot leave before it is in, `in_by <= out_by` and `in_from <= out_from` can be
//! assumed, which also dates crashed insertions whose value was seen. From `in_by` to `out_from` it is
//! surely inside, if that is an interval at all; then the element is called solid.
//!
//! Moments here are twice those of the entries, so that there is an odd moment in each gap.

use super::CollectionOp;
use crate::model::Entry;
use crate::model::lookup::Lookup;

/// No position.
pub(super) const NONE: u32 = u32::MAX;

/// After everything: when elements leave that stay.
pub(super) const FOREVER: u64 = u64::MAX - 1;

/// The end of an interval that has none.
pub(super) const ENDLESS: u64 = u64::MAX;

/// An element with the operations on it, as positions in the entries.
#[derive(Debug, Clone, Copy)]
pub(super) struct Element {
    pub(super) value: u32,
    pub(super) insert: u32,
    /// Who takes it out; [`NONE`] if it stays.
    pub(super) remove: u32,
    pub(super) in_from: u64,
    pub(super) in_by: u64,
    pub(super) out_from: u64,
    /// [`ENDLESS`] if nobody saw it leave.
    pub(super) out_by: u64,
}

impl Element {
    /// Whether it is surely inside for some time.
    pub(super) fn is_solid(&self) -> bool {
        self.in_by < self.out_from
    }

    /// Whether nobody saw it leave: it may have stayed, or a crashed removal took it.
    pub(super) fn is_loose(&self) -> bool {
        self.out_by == ENDLESS
    }
}

/// An operation that found nothing inside.
#[derive(Debug, Clone, Copy)]
pub(super) struct Emptiness {
    pub(super) entry: u32,
    pub(super) from: u64,
    pub(super) by: u64,
    /// When nothing is inside; an odd moment, set by [`super::empties::place`].
    pub(super) at: u64,
}

/// A history that inserts each value at most once.
#[derive(Debug, Clone, Default)]
pub struct Unambiguous {
    /// By invocation of the insertion.
    pub(super) elements: Vec<Element>,
    pub(super) empties: Vec<Emptiness>,
    /// Crashed removals by invocation: from when, and position.
    pub(super) hidden: Vec<(u64, u32)>,
    /// Whether loose elements may leave as they stand, however many crashed removals there are.
    pub(super) relaxed: bool,
}

/// Operations that no order explains.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unexplained {
    /// Positions in the elements.
    pub(super) elements: Vec<u32>,
    /// Positions in the entries, of other operations.
    pub(super) entries: Vec<u32>,
}

/// What the entries are.
pub(super) enum Reading {
    Unambiguous(Unambiguous),
    /// These entries contradict each other.
    Contradiction(Vec<u32>),
    /// A value may have been inserted twice, or there are operations that only the search takes.
    Ambiguous,
}

/// Reads entries that are sorted by invocation.
pub(super) fn read(entries: &[Entry<CollectionOp>]) -> Reading {
    let mut history = Unambiguous::default();
    let values = entries.iter().filter_map(|entry| match entry.op {
        CollectionOp::Insert(value) | CollectionOp::Remove(value) => Some(value),
        CollectionOp::Empty | CollectionOp::Peek(_) | CollectionOp::RemoveUnknown => None,
    });
    let mut of_value = Lookup::new(values.max().unwrap_or(0), entries.len());
    for (position, entry) in entries.iter().enumerate() {
        match entry.op {
            CollectionOp::Insert(value) => {
                let fresh = history.elements.len() as u32;
                if of_value.insert(value, fresh).is_some() {
                    return Reading::Ambiguous;
                }
                history.elements.push(Element {
                    value,
                    insert: position as u32,
                    remove: NONE,
                    in_from: from(entry),
                    in_by: by(entry),
                    out_from: FOREVER,
                    out_by: ENDLESS,
                });
            }
            CollectionOp::Empty if !entry.is_crashed() => history.empties.push(Emptiness {
                entry: position as u32,
                from: from(entry),
                by: by(entry),
                at: 0,
            }),
            CollectionOp::Empty | CollectionOp::Remove(_) => {}
            CollectionOp::RemoveUnknown if entry.is_crashed() => {
                history.hidden.push((from(entry), position as u32));
            }
            CollectionOp::Peek(_) | CollectionOp::RemoveUnknown => return Reading::Ambiguous,
        }
    }
    let mut contradiction = None;
    for (position, entry) in entries.iter().enumerate() {
        let CollectionOp::Remove(value) = entry.op else { continue };
        if entry.is_crashed() {
            // Shrinking cuts histories off in the middle of operations.
            return Reading::Ambiguous;
        }
        let Some(element) = of_value.get(value) else {
            contradiction.get_or_insert_with(|| vec![position as u32]);
            continue;
        };
        let element = &mut history.elements[element as usize];
        if element.remove != NONE {
            contradiction
                .get_or_insert_with(|| vec![element.insert, element.remove, position as u32]);
            continue;
        }
        element.remove = position as u32;
        (element.out_from, element.out_by) = (from(entry), by(entry));
        if element.out_by < element.in_from {
            contradiction.get_or_insert_with(|| vec![element.insert, position as u32]);
        }
        element.in_by = element.in_by.min(element.out_by);
        element.out_from = element.out_from.max(element.in_from);
    }
    if let Some(contradiction) = contradiction {
        return Reading::Contradiction(contradiction);
    }
    history.elements.retain(|element| element.remove != NONE || element.in_by != ENDLESS);
    history.hidden.sort_unstable();
    Reading::Unambiguous(history)
}

fn from(entry: &Entry<CollectionOp>) -> u64 {
    2 * entry.invoked
}

fn by(entry: &Entry<CollectionOp>) -> u64 {
    if entry.is_crashed() { ENDLESS } else { 2 * entry.completed }
}

impl Unambiguous {
    /// All operations of a contradiction, as positions in the entries.
    ///
    /// A crashed removal may have taken an element that nobody saw leave; those that were invoked
    /// when all else was over cannot matter.
    pub(super) fn positions(
        &self,
        unexplained: &Unexplained,
        entries: &[Entry<CollectionOp>],
    ) -> Vec<u32> {
        let mut positions = unexplained.entries.clone();
        let mut is_loose = false;
        for &element in &unexplained.elements {
            let element = &self.elements[element as usize];
            is_loose |= element.is_loose();
            positions.push(element.insert);
            if !element.is_loose() {
                positions.push(element.remove);
            }
        }
        let over = positions
            .iter()
            .map(|&position| by(&entries[position as usize]))
            .filter(|&by| by != ENDLESS)
            .max()
            .unwrap_or(0);
        if is_loose {
            let in_time = self.hidden.iter().filter(|&&(from, _)| from < over);
            positions.extend(in_time.map(|&(_, position)| position));
        }
        positions.sort_unstable();
        positions.dedup();
        positions
    }
}

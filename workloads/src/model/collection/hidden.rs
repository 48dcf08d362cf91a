//! Deciding unambiguous histories, and which crashed removal took what.
//!
//! ```text
//! read ── deadlines ── place emptiness ── assign crashed removals ── arrange ──> order
//!   │          └ cannot be met: impossible                              │ stuck
//!   └ values never inserted, or removed twice: impossible               v
//!                                          every loose element may leave as soon as any could:
//!                                          still stuck: impossible      else: the search decides
//! ```
//!
//! Crashed removals are given to loose elements in the order of their deadlines. For queues and bags
//! that decides exactly (see there); for stacks and priority queues it finds an order nearly always.

use super::CollectionOp;
use super::discipline::Discipline;
use super::empties;
use super::unambiguous::{Reading, Unambiguous, read};
use crate::model::Entry;
use crate::model::judgement::Judgement;

/// Decides entries that are sorted by invocation.
pub(super) fn judge<D: Discipline>(entries: &[Entry<CollectionOp>]) -> Judgement {
    let mut history = match read(entries) {
        Reading::Unambiguous(history) => history,
        Reading::Contradiction(positions) => return Judgement::Contradiction(positions),
        Reading::Ambiguous => return Judgement::Unclear,
    };
    if history.hidden.is_empty() {
        let arranged = empties::place(&mut history, None).and_then(|()| D::arrange(&history));
        return match arranged {
            Ok(order) => Judgement::Order(order),
            Err(core) => Judgement::Contradiction(history.positions(&core, entries)),
        };
    }
    let mut deadlines = D::deadlines(&history);
    if let Err(core) = empties::place(&mut history, Some(&deadlines)) {
        return Judgement::Contradiction(history.positions(&core, entries));
    }
    assign(&mut history, &mut deadlines);
    let core = match D::arrange(&history) {
        Ok(order) => return Judgement::Order(order),
        Err(core) => core,
    };
    if !core.elements.iter().any(|&element| history.elements[element as usize].is_loose()) {
        return Judgement::Contradiction(history.positions(&core, entries));
    }
    history.relaxed = true;
    let first = history.hidden[0].0;
    for element in history.elements.iter_mut().filter(|element| element.is_loose()) {
        element.out_from = first.max(element.in_from);
    }
    match empties::place(&mut history, None).and_then(|()| D::arrange(&history)) {
        Ok(_) => Judgement::Unclear,
        Err(core) => Judgement::Contradiction(history.positions(&core, entries)),
    }
}

/// Gives crashed removals to loose elements, the earliest to the one with the earliest deadline.
fn assign(history: &mut Unambiguous, deadlines: &mut [(u64, u32)]) {
    let mut moments: Vec<u64> = history.empties.iter().map(|empty| empty.at).collect();
    moments.sort_unstable();
    let mut loose: Vec<(u64, u64, u32)> = Vec::new();
    for (position, element) in history.elements.iter().enumerate() {
        if element.is_loose() {
            let empty = moments.partition_point(|&at| at < element.in_by);
            let deadline = &mut deadlines[position].0;
            *deadline = (*deadline).min(moments.get(empty).copied().unwrap_or(u64::MAX));
            loose.push((*deadline, element.in_by, position as u32));
        }
    }
    loose.sort_unstable();
    for (&(from, entry), &(_, _, element)) in history.hidden.iter().zip(&loose) {
        let element = &mut history.elements[element as usize];
        element.remove = entry;
        element.out_from = from.max(element.in_from);
    }
}

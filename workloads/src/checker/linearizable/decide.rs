//! One decision about the operations of one key.

use super::meter::Meter;
use super::search::search;
use crate::model::{Decision, Entry, Model};

/// Decides by the model's shortcut if it has one for these entries, else by search.
///
/// The error is the name of the budget that ran out.
pub(in crate::checker) fn decide<M: Model>(
    model: &M,
    entries: &[Entry<M::Op>],
    meter: &mut Meter<'_>,
) -> Result<Decision, String> {
    let simplified = model.simplify(entries.to_vec());
    if let Some(decision) = model.decide(&simplified) {
        return Ok(decision);
    }
    match model.parts(&simplified) {
        Some(parts) => decide_parts(model, &simplified, &parts, meter),
        None => search(model, &simplified, meter),
    }
}

/// Decides each part by itself. Linearizability is local (Herlihy & Wing, section 3.1): operations act
/// at the latest invocation of those up to them in the order of their part, and all in order of time.
fn decide_parts<M: Model>(
    model: &M,
    entries: &[Entry<M::Op>],
    parts: &[Vec<usize>],
    meter: &mut Meter<'_>,
) -> Result<Decision, String> {
    let mut invoked = vec![0; entries.iter().map(|entry| entry.id + 1).max().unwrap_or(0)];
    for entry in entries {
        invoked[entry.id] = entry.invoked;
    }
    let mut placed: Vec<(u64, usize, usize)> = Vec::with_capacity(entries.len());
    for part in parts {
        let part: Vec<_> = part.iter().map(|&position| entries[position].clone()).collect();
        let decision = match model.decide(&part) {
            Some(decision) => decision,
            None => search(model, &part, meter)?,
        };
        let Decision::Order(order) = decision else { return Ok(Decision::Impossible) };
        let mut moment = 0;
        for id in order {
            moment = moment.max(invoked[id]);
            placed.push((moment, placed.len(), id));
        }
    }
    placed.sort_unstable();
    Ok(Decision::Order(placed.into_iter().map(|(.., id)| id).collect()))
}

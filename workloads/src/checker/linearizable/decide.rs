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
    match model.decide(&simplified) {
        Some(decision) => Ok(decision),
        None => search(model, &simplified, meter),
    }
}

//! What still holds of objects that are not linearizable.

use super::meter::Meter;
use crate::checker::Budget;
use crate::checker::process_order::sequential;
use crate::checker::staleness::{Staleness, at_most, staleness};
use crate::history::Operation;
use crate::model::{Decision, Initial, ObjectModel, UnsuitableOperation};

/// Objects that are looked at, and operations that they may have: this is an extra.
const OBJECTS_MAX: usize = 4;
const OPERATIONS_MAX: usize = 2_000;

/// Steps for each question.
const STEPS_MAX: u64 = 20_000;

/// A clause for the end of the summary, such as `; still, there is an order that keeps that of each
/// process (sequential consistency), and every read is at most 0.12 s stale`. None if nothing is
/// known to hold on all of them.
pub(super) fn still_holds<M: ObjectModel>(
    invalid: &[&[&Operation]],
    initial: &Initial,
    budget: &dyn Budget,
) -> Result<Option<String>, UnsuitableOperation> {
    let is_small = invalid.iter().all(|operations| operations.len() <= OPERATIONS_MAX);
    if !M::may_hold_less() || invalid.is_empty() || invalid.len() > OBJECTS_MAX || !is_small {
        return Ok(None);
    }
    let meter = Meter::new(budget);
    let mut is_sequential = true;
    let mut worst = Some(0);
    for operations in invalid {
        let (model, entries) = M::encode(operations, initial)?;
        is_sequential = is_sequential
            && meter.ask(0).is_ok()
            && matches!(
                sequential(&model, operations, &entries, &mut meter.attempt(STEPS_MAX)),
                Ok(Decision::Order(_))
            );
        worst = worst.filter(|_| meter.ask(0).is_ok()).and_then(|worst: u64| {
            match staleness(&model, operations, &entries, &mut meter.attempt(STEPS_MAX)) {
                Ok(Staleness::AtMost(time)) => Some(worst.max(time)),
                Ok(Staleness::Unbounded) | Err(_) => None,
            }
        });
    }
    let mut clauses = Vec::new();
    if is_sequential {
        clauses.push(
            "there is an order that keeps that of each process (sequential consistency)".to_owned(),
        );
    }
    // Not late at all, by a clock that says nothing: then it is no comfort.
    if let Some(worst) = worst.filter(|worst| *worst > 0) {
        clauses.push(format!("every read is {}", at_most(worst)));
    }
    Ok((!clauses.is_empty()).then(|| format!("; still, {}", clauses.join(", and "))))
}

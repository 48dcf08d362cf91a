//! No vacuous pass: a run in which an operation kind never succeeded proves nothing about it.

use std::collections::BTreeMap;

use super::{Check, Verdict};
use crate::history::{Operation, Outcome};

/// Checks that each of the `required` functions succeeded at least once.
pub fn exercised(operations: &[Operation], required: &[&str]) -> Check {
    let count = |f: &str| {
        operations
            .iter()
            .filter(|operation| operation.f == f && operation.outcome == Outcome::Ok)
            .count()
    };
    let missing: Vec<&str> = required.iter().copied().filter(|f| count(f) == 0).collect();
    let (verdict, summary, reason) = if missing.is_empty() {
        let counts: Vec<String> = required.iter().map(|f| format!("{} {f}", count(f))).collect();
        (Verdict::Valid, format!("operations that succeeded: {}", counts.join(", ")), None)
    } else {
        let summary = format!("no {} ever succeeded", missing.join(" and no "));
        let reason = match commonest_error(operations, &missing) {
            Some((error, count)) => format!("{summary}; {count} of them ended by: {error}"),
            None => summary.clone(),
        };
        (
            Verdict::Unknown,
            format!("the run proves nothing about {}", missing.join(", ")),
            Some(reason),
        )
    };
    Check { reason, ..Check::new("exercised", verdict, summary) }
}

/// Of the operations of these functions, and how many ended by it.
fn commonest_error<'a>(operations: &'a [Operation], of: &[&str]) -> Option<(&'a str, usize)> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let of = operations.iter().filter(|operation| of.contains(&operation.f.as_str()));
    for error in of.filter_map(|operation| operation.error.as_deref()) {
        *counts.entry(error).or_default() += 1;
    }
    counts.into_iter().max_by_key(|&(_, count)| count)
}

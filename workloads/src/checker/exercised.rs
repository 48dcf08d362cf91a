//! No vacuous pass: a run in which an operation kind never succeeded proves nothing about it.

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
        let reason = format!("no {} ever succeeded", missing.join(" and no "));
        (Verdict::Unknown, format!("{reason}, so the run proves nothing about it"), Some(reason))
    };
    Check { reason, ..Check::new("exercised", verdict, summary) }
}

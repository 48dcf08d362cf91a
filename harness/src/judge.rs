//! Runs the checks that a workload's expectation names.

use workloads::checker::linearizable::{LinearizableOptions, check};
use workloads::checker::{Budget, Check, Verdict};
use workloads::history::{Event, operations};
use workloads::model::{Initial, ModelInfo, model};
use workloads::workload::{Expectation, Workload};

/// A history cannot be judged at all.
#[derive(Debug, thiserror::Error)]
pub enum JudgeError {
    /// Events that do not belong together.
    #[error(transparent)]
    History(#[from] workloads::history::HistoryError),
    /// An operation that the model does not have.
    #[error(transparent)]
    Operation(#[from] workloads::model::UnsuitableOperation),
}

/// All checks of a workload on a recorded history. What cannot be judged is unknown, with the reason.
pub fn checks(workload: &Workload, events: &[Event], budget: &dyn Budget) -> Vec<Check> {
    let Expectation::Linearizable(name) = workload.expectation;
    let model = model(name).expect("the registry names models that exist");
    let mut checks = Vec::new();
    match linearizable(events, model, Initial::Value(serde_json::Value::Null), budget) {
        Ok(check) => checks.push(check),
        Err(error) => {
            checks.push(unknown("the history could not be judged", &error.to_string()));
        }
    }
    if let Ok(operations) = operations(events) {
        checks.push(workloads::checker::exercised(&operations, workload.required));
    }
    checks
}

/// Checks that each key is a linearizable object of the model.
pub fn linearizable(
    events: &[Event],
    model: &ModelInfo,
    initial: Initial,
    budget: &dyn Budget,
) -> Result<Check, JudgeError> {
    let operations = operations(events)?;
    if operations.is_empty() {
        return Ok(unknown(
            "no operation was recorded",
            "a history without operations proves nothing",
        ));
    }
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    Ok(check(&operations, model, &LinearizableOptions { initial, threads }, budget)?)
}

/// Stands in for the checks of a checker that panicked: our fault, so that nothing is known.
pub fn checker_panicked() -> Check {
    unknown(
        "the checker panicked; this is a defect of the harness",
        "the checker panicked; its message is above",
    )
}

fn unknown(summary: &str, reason: &str) -> Check {
    Check {
        name: "linearizable".to_owned(),
        verdict: Verdict::Unknown,
        summary: summary.to_owned(),
        reason: Some(reason.to_owned()),
        partitions: None,
        counterexamples: Vec::new(),
    }
}

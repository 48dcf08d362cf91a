//! Runs the checks that a workload's expectation names.

use workloads::checker::linearizable::{LinearizableOptions, check};
use workloads::checker::{Budget, Check, Verdict};
use workloads::history::{Event, Operation, Value, operations};
use workloads::model::{Initial, ModelInfo, UnsuitableOperation, model};
use workloads::workload::{Expectation, Workload};

/// All checks of a workload on a recorded history. What cannot be judged is unknown, with the reason.
pub fn checks(workload: &Workload, events: &[Event], budget: &dyn Budget) -> Vec<Check> {
    let Expectation::Linearizable(name) = workload.expectation;
    let model = model(name).expect("the registry names models that exist");
    let operations = match operations(events) {
        Ok(operations) => operations,
        Err(error) => return vec![not_judged(&error.to_string())],
    };
    let initial = Initial::Value(Value::Null);
    vec![
        linearizable(&operations, model, initial, budget)
            .unwrap_or_else(|error| not_judged(&error.to_string())),
        workloads::checker::exercised(&operations, workload.required),
    ]
}

/// Checks that each key is a linearizable object of the model.
pub fn linearizable(
    operations: &[Operation],
    model: &ModelInfo,
    initial: Initial,
    budget: &dyn Budget,
) -> Result<Check, UnsuitableOperation> {
    if operations.is_empty() {
        return Ok(unknown(
            "no operation was recorded",
            "a history without operations proves nothing",
        ));
    }
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    check(operations, model, &LinearizableOptions { initial, threads }, budget)
}

/// Stands in for the checks of a checker that panicked: our fault, so that nothing is known.
pub fn checker_panicked() -> Check {
    unknown(
        "the checker panicked; this is a defect of the harness",
        "the checker panicked; its message is above",
    )
}

fn not_judged(reason: &str) -> Check {
    unknown("the history could not be judged", reason)
}

fn unknown(summary: &str, reason: &str) -> Check {
    Check {
        reason: Some(reason.to_owned()),
        ..Check::new("linearizable", Verdict::Unknown, summary.to_owned())
    }
}

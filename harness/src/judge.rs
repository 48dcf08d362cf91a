//! Runs the checks that a workload's expectation names.

use workloads::checker::{Budget, CHECKERS, Check, CheckOptions, Verdict, checker};
use workloads::history::{Event, Operation, operations};
use workloads::workload::{Expectation, Workload};

use crate::system::ReadMode;

/// By what a run is judged.
#[derive(Debug, Clone, Copy)]
pub struct Promise {
    /// What a workload promises depends on how reads are done.
    pub read_mode: ReadMode,
    /// What the system promises in place of that, such as `snapshot-isolation`.
    pub property: Option<&'static str>,
}

impl Promise {
    /// What is expected of a workload; not empty if the property is [`offered`] for it.
    pub fn expectations(self, workload: &Workload) -> Vec<Expectation> {
        let expectations = match self.read_mode {
            ReadMode::Linearizable => workload.expectations,
            ReadMode::Local => workload.local_expectations,
        };
        let Some(property) = self.property else { return expectations.to_vec() };
        expectations
            .iter()
            .filter(|expected| checker(expected.model, Some(property)).is_some())
            .map(|expected| Expectation { property, ..*expected })
            .collect()
    }
}

/// The properties by which runs of a workload can be judged.
pub fn offered(workload: &Workload) -> impl Iterator<Item = &'static str> {
    let models = workload.expectations.iter().map(|expected| expected.model);
    let of = |model| CHECKERS.iter().filter(move |it| it.models.contains(&model));
    models.flat_map(of).map(|it| it.property)
}

/// All checks of a workload on a recorded history. What cannot be judged is unknown, with the reason.
pub fn checks(
    workload: &Workload,
    promise: Promise,
    events: &[Event],
    budget: &dyn Budget,
) -> Vec<Check> {
    let operations = match operations(events) {
        Ok(operations) => operations,
        Err(error) => return vec![not_judged(&error.to_string())],
    };
    let mut checks: Vec<Check> = promise
        .expectations(workload)
        .iter()
        .map(|expected| property(&operations, expected, workload, budget))
        .collect();
    checks.push(workloads::checker::exercised(&operations, workload.required));
    checks
}

/// Whether the history has the property that is expected of it.
fn property(
    operations: &[Operation],
    expected: &Expectation,
    workload: &Workload,
    budget: &dyn Budget,
) -> Check {
    if operations.is_empty() {
        return nothing_recorded();
    }
    let checker = checker(expected.model, Some(expected.property))
        .expect("the registry names checkers that exist");
    let options =
        CheckOptions { threads: threads(), total: workload.total, ..CheckOptions::default() };
    (checker.check)(operations, &options, budget)
        .unwrap_or_else(|error| not_judged(&error.to_string()))
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn nothing_recorded() -> Check {
    unknown("no operation was recorded", "a history without operations proves nothing")
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

#[cfg(all(test, feature = "simulation"))]
mod tests;

//! Judges the history of a run as a set of linearizable registers.

use workloads::checker::Verdict;
use workloads::checker::linearizable::{LinearizableOptions, StepBudget, check};
use workloads::history::{Event, Value, operations};
use workloads::model::{Initial, model};

/// Questions that the checker may ask its budget, about a thousand steps each.
const BUDGET_QUESTIONS: u64 = 20_000;

/// What the history says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Judgement {
    /// It is linearizable.
    Valid,
    /// It is not, and this is why.
    Invalid(String),
    /// The checker gave up.
    Undecided(String),
}

/// Is there an order of the operations that explains the history?
pub(super) fn judge(history: &[Event]) -> Judgement {
    let operations = match operations(history) {
        Ok(operations) => operations,
        Err(error) => return Judgement::Undecided(format!("the history is malformed: {error}")),
    };
    let model = model("register").expect("the table of models has the register");
    let options = LinearizableOptions { initial: Initial::Value(Value::Null), threads: 1 };
    match check(&operations, model, &options, &StepBudget::new(BUDGET_QUESTIONS)) {
        Err(error) => Judgement::Undecided(error.to_string()),
        Ok(check) => match check.verdict {
            Verdict::Valid => Judgement::Valid,
            Verdict::Unknown => Judgement::Undecided(check.reason.unwrap_or(check.summary)),
            Verdict::Invalid => Judgement::Invalid(match check.counterexamples.first() {
                Some(example) => {
                    let operations: Vec<String> = example
                        .operations
                        .iter()
                        .map(|operation| format!("{}: {}", operation.label, operation.text))
                        .collect();
                    format!("{} [{}]", check.summary, operations.join("; "))
                }
                None => check.summary,
            }),
        },
    }
}

//! The checker against brute force, simulations and written-down explanations.

mod brute;
mod collections;
mod exhaustive;
mod explanations;
mod models;
mod mutation;
mod random;
mod reference;
mod simulate;
mod verdicts;
mod witness;

use super::{LinearizableOptions, StepBudget, Unlimited, check};
use crate::checker::{Check, Verdict};
use crate::history::{Operation, notation, operations};
use crate::model::{Initial, model};

fn parse(text: &str) -> Vec<Operation> {
    operations(&notation::parse(text).unwrap()).unwrap()
}

fn check_with(operations: &[Operation], initial: &str) -> Check {
    let options = LinearizableOptions { initial: initial.parse::<Initial>().unwrap(), threads: 2 };
    check(operations, model("register").unwrap(), &options, &Unlimited).unwrap()
}

fn verdict(text: &str, initial: &str) -> Verdict {
    check_with(&parse(text), initial).verdict
}

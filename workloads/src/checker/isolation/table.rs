//! The rows of the table of checkers: each level of each model.

use super::judge::check_list_append;
use super::judge_registers::check_rw_register;
use super::level::Level;
use crate::checker::{Budget, Check, CheckOptions, CheckerInfo};
use crate::history::{Operation, Value};
use crate::model::{Initial, UnsuitableOperation};

/// How many levels there are.
const LEVELS: usize = Level::ALL.len();

/// `LEVEL` counts from the strongest level.
fn list_append<const LEVEL: usize>(
    operations: &[Operation],
    options: &CheckOptions,
    budget: &dyn Budget,
) -> Result<Check, UnsuitableOperation> {
    check_list_append(operations, Level::ALL[LEVELS - 1 - LEVEL], options.witness, budget)
}

/// `LEVEL` counts from the strongest level.
fn rw_register<const LEVEL: usize>(
    operations: &[Operation],
    options: &CheckOptions,
    budget: &dyn Budget,
) -> Result<Check, UnsuitableOperation> {
    let initial = options.initial.clone().unwrap_or(Initial::Value(Value::Null));
    check_rw_register(operations, Level::ALL[LEVELS - 1 - LEVEL], &initial, budget)
}

macro_rules! rows {
    ($check:ident, $model:literal: $($number:literal)*) => {
        [$(CheckerInfo {
            models: &[$model],
            property: Level::ALL[LEVELS - 1 - $number].name(),
            about: Level::ALL[LEVELS - 1 - $number].about(),
            check: $check::<$number>,
        }),*]
    };
}

/// All levels of both models, the strongest first.
const ROWS: [[CheckerInfo; LEVELS]; 2] = [
    rows!(list_append, "list-append":
        0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24),
    rows!(rw_register, "rw-register":
        0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24),
];

/// Checkers of transactional isolation; of each model the strongest level first, the default.
pub const CHECKERS: &[CheckerInfo] = ROWS.as_flattened();

//! Counting what a check spends.

use crate::checker::Budget;
use crate::model::UnsuitableOperation;

/// Why a check ends early.
#[derive(Debug)]
pub(super) enum Stop {
    /// The history is not one of this model.
    Unsuitable(UnsuitableOperation),
    /// A budget ran out.
    Spent(String),
}

/// Steps between two questions to the budget.
const STEPS_PER_QUESTION: u32 = 4096;

/// Spends a budget.
pub(super) struct Meter<'a> {
    budget: &'a dyn Budget,
    steps: u32,
    /// What is held beside what a caller of [`Meter::step`] knows of.
    held: usize,
}

impl<'a> Meter<'a> {
    pub(super) fn new(budget: &'a dyn Budget) -> Self {
        Self { budget, steps: 0, held: 0 }
    }

    /// Takes note that so many bytes stay in memory from now on.
    pub(super) fn hold(&mut self, bytes: usize) -> Result<(), Stop> {
        self.held = bytes;
        self.ask(0)
    }

    /// Counts a step; says what ran out. `bytes` is what is held beside what was told before.
    pub(super) fn step(&mut self, bytes: impl FnOnce() -> usize) -> Result<(), Stop> {
        self.steps += 1;
        if self.steps < STEPS_PER_QUESTION {
            return Ok(());
        }
        self.steps = 0;
        self.ask(bytes())
    }

    /// Asks at once.
    pub(super) fn ask(&self, bytes: usize) -> Result<(), Stop> {
        self.budget.exhausted(self.held + bytes).map_or(Ok(()), |spent| Err(Stop::Spent(spent)))
    }
}

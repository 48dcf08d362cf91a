//! Counting what a check spends.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::checker::Budget;

/// A budget that never runs out.
#[derive(Debug, Clone, Copy)]
pub struct Unlimited;

impl Budget for Unlimited {
    fn exhausted(&self, _bytes: usize) -> Option<String> {
        None
    }
}

/// A budget of questions, for tests: it runs out when asked once too often.
///
/// Checkers ask about once in a thousand steps.
#[derive(Debug)]
pub struct StepBudget {
    questions: AtomicU64,
    limit: u64,
}

impl StepBudget {
    /// A budget that answers `limit` questions.
    pub fn new(limit: u64) -> Self {
        Self { questions: AtomicU64::new(0), limit }
    }
}

impl Budget for StepBudget {
    fn exhausted(&self, _bytes: usize) -> Option<String> {
        let asked = self.questions.fetch_add(1, Ordering::Relaxed);
        (asked >= self.limit).then(|| format!("budget of {} questions", self.limit))
    }
}

/// Steps between two questions to the budget.
const STEPS_PER_QUESTION: u64 = 1024;

/// Spends a budget, and perhaps a smaller allowance for one attempt.
pub(in crate::checker) struct Meter<'a> {
    budget: &'a dyn Budget,
    steps: u64,
    allowance: u64,
    reached: u64,
}

impl<'a> Meter<'a> {
    /// All of the budget.
    pub(in crate::checker) fn new(budget: &'a dyn Budget) -> Self {
        Self { budget, steps: 0, allowance: u64::MAX, reached: 0 }
    }

    /// At most `steps` steps of the same budget.
    pub(in crate::checker) fn attempt(&self, steps: u64) -> Meter<'a> {
        Meter { budget: self.budget, steps: 0, allowance: steps, reached: 0 }
    }

    /// The latest moment that some order led up to; 0 if that was not looked for.
    pub(super) fn reached(&self) -> u64 {
        self.reached
    }

    /// Notes that some order leads up to `moment`.
    pub(super) fn reach(&mut self, moment: u64) {
        self.reached = self.reached.max(moment);
    }

    /// Steps counted so far.
    pub(super) fn spent(&self) -> u64 {
        self.steps
    }

    /// Counts a step; says what ran out. `bytes` is what is held in memory.
    pub(in crate::checker) fn step(&mut self, bytes: impl FnOnce() -> usize) -> Result<(), String> {
        self.steps += 1;
        if self.steps > self.allowance {
            return Err(format!("allowance of {} steps", self.allowance));
        }
        if self.steps.is_multiple_of(STEPS_PER_QUESTION)
            && let Some(spent) = self.budget.exhausted(bytes())
        {
            return Err(spent);
        }
        Ok(())
    }

    /// Asks at once, before something that is not counted in steps.
    pub(in crate::checker) fn ask(&self, bytes: usize) -> Result<(), String> {
        self.budget.exhausted(bytes).map_or(Ok(()), Err)
    }
}

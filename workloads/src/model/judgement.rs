//! What the decision procedures of models find out without search.

use super::{Decision, Entry};

/// What is known without search. Operations are positions in the entries.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    /// This order explains them.
    Order(Vec<u32>),
    /// No order explains these.
    Contradiction(Vec<u32>),
    /// The search must decide.
    Unclear,
}

impl Judgement {
    /// What [`Model::decide`](super::Model::decide) answers about these entries.
    pub(super) fn decision<O>(self, entries: &[Entry<O>]) -> Option<Decision> {
        match self {
            Judgement::Order(order) => Some(Decision::Order(
                order.into_iter().map(|position| entries[position as usize].id).collect(),
            )),
            Judgement::Contradiction(_) => Some(Decision::Impossible),
            Judgement::Unclear => None,
        }
    }

    /// What [`Model::conflict`](super::Model::conflict) answers.
    pub(super) fn conflict(self) -> Option<Vec<usize>> {
        let Judgement::Contradiction(core) = self else { return None };
        let mut core: Vec<usize> = core.into_iter().map(|position| position as usize).collect();
        core.sort_unstable();
        core.dedup();
        Some(core)
    }
}

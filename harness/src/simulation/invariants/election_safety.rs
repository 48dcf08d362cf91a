//! Election safety: at most one leader can be elected in a given term (Raft §5.2, figure 3).

use std::collections::BTreeMap;

use server::types::{NodeId, Term};

use super::violation::{InvariantViolation, ensure};

/// Who led each term.
#[derive(Debug, Default)]
pub(super) struct ElectionSafety {
    leaders: BTreeMap<Term, NodeId>,
}

impl ElectionSafety {
    /// `node` leads `term`.
    pub(super) fn leads(&mut self, node: NodeId, term: Term) -> Result<(), InvariantViolation> {
        let leader = *self.leaders.entry(term).or_insert(node);
        ensure(leader == node, "election-safety", || {
            format!("nodes {leader} and {node} both lead term {term}")
        })
    }
}

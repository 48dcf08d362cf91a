//! Writes that were proposed here and wait for their fate.

use std::collections::BTreeMap;

use super::effects::{Rejection, Reply};
use super::input::AppliedEntry;
use crate::types::{LogIndex, RequestId, Term};

/// A proposal whose fate is open.
#[derive(Debug, Clone, Copy, Hash)]
struct Pending {
    request: RequestId,
    term: Term,
    /// Tick at which it is given up.
    deadline: u64,
}

/// Proposals by the log index at which they were appended.
///
/// An entry is named by (index, term) and can be committed at its own index only. So once another
/// entry is committed there, the proposal surely never will be; before that its fate is open, even
/// if this replica's own log no longer holds it: another replica may still spread it.
#[derive(Debug, Default, Hash)]
pub(super) struct Proposals {
    pending: BTreeMap<LogIndex, Pending>,
}

impl Proposals {
    pub(super) fn len(&self) -> usize {
        self.pending.len()
    }

    /// Remembers a proposal. One that was at this index in an older term ends as uncertain.
    pub(super) fn insert(
        &mut self,
        index: LogIndex,
        term: Term,
        request: RequestId,
        deadline: u64,
    ) -> Option<(RequestId, Reply)> {
        self.pending
            .insert(index, Pending { request, term, deadline })
            .map(|older| (older.request, Reply::Rejected(Rejection::Uncertain)))
    }

    /// Settles everything up to `index`.
    pub(super) fn applied(
        &mut self,
        index: LogIndex,
        entries: Vec<AppliedEntry>,
    ) -> Vec<(RequestId, Reply)> {
        let open = self.pending.split_off(&LogIndex(index.0 + 1));
        let settled = std::mem::replace(&mut self.pending, open);
        let mut outcomes: BTreeMap<LogIndex, AppliedEntry> = BTreeMap::new();
        if !settled.is_empty() {
            outcomes.extend(entries.into_iter().map(|entry| (entry.index, entry)));
        }
        settled
            .into_iter()
            .map(|(index, pending)| {
                let reply = match outcomes.remove(&index) {
                    Some(entry) if entry.term == pending.term => {
                        Reply::Applied { term: entry.term, outcome: entry.outcome }
                    }
                    _ => Reply::Rejected(Rejection::Overwritten),
                };
                (pending.request, reply)
            })
            .collect()
    }

    /// Gives up on everything up to `index`: it was committed or overwritten, and which of the two is
    /// not to be seen here.
    pub(super) fn forget(&mut self, index: LogIndex) -> Vec<(RequestId, Reply)> {
        let open = self.pending.split_off(&LogIndex(index.0.saturating_add(1)));
        let forgotten = std::mem::replace(&mut self.pending, open).into_values();
        forgotten.map(|it| (it.request, Reply::Rejected(Rejection::Uncertain))).collect()
    }

    /// Gives up what waited until `tick`.
    pub(super) fn expire(&mut self, tick: u64) -> Vec<(RequestId, Reply)> {
        let mut expired = Vec::new();
        self.pending.retain(|_, pending| {
            let keep = pending.deadline > tick;
            if !keep {
                expired.push((pending.request, Reply::Rejected(Rejection::Timeout)));
            }
            keep
        });
        expired
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Outcome;

    fn entry(index: u64, term: u64) -> AppliedEntry {
        AppliedEntry {
            index: LogIndex(index),
            term: Term(term),
            outcome: Outcome { revision: index, ..Outcome::default() },
        }
    }

    #[test]
    fn a_proposal_whose_index_went_to_another_term_was_overwritten() {
        let mut proposals = Proposals::default();
        proposals.insert(LogIndex(5), Term(2), RequestId(1), 100);
        proposals.insert(LogIndex(6), Term(2), RequestId(2), 100);
        proposals.insert(LogIndex(7), Term(2), RequestId(3), 100);
        let replies = proposals.applied(LogIndex(6), vec![entry(5, 2), entry(6, 3)]);
        assert!(matches!(replies[0], (RequestId(1), Reply::Applied { .. })));
        assert_eq!(replies[1], (RequestId(2), Reply::Rejected(Rejection::Overwritten)));
        assert_eq!(proposals.len(), 1);
    }

    #[test]
    fn a_proposal_that_a_snapshot_covers_is_uncertain() {
        let mut proposals = Proposals::default();
        proposals.insert(LogIndex(5), Term(2), RequestId(1), 100);
        proposals.insert(LogIndex(6), Term(2), RequestId(2), 100);
        let replies = proposals.forget(LogIndex(5));
        assert_eq!(replies, vec![(RequestId(1), Reply::Rejected(Rejection::Uncertain))]);
        assert_eq!(proposals.len(), 1);
        assert_eq!(proposals.forget(LogIndex(u64::MAX)).len(), 1);
    }

    #[test]
    fn a_proposal_replaced_before_anything_was_committed_is_uncertain() {
        let mut proposals = Proposals::default();
        proposals.insert(LogIndex(5), Term(2), RequestId(1), 100);
        let older = proposals.insert(LogIndex(5), Term(4), RequestId(9), 100);
        assert_eq!(older, Some((RequestId(1), Reply::Rejected(Rejection::Uncertain))));
    }
}

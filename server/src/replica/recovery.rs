//! Do the log and the state that a process finds fit together?
//!
//! ```text
//! applied      behind the log      StateBehindLog: what it lacks is compacted
//!              within it           goes on; the terms must agree
//!              beyond it           LogBehindState, unless the state was installed there:
//!                                  then a crash hit between switching the state and resetting the
//!                                  log, and the log is reset now
//! ```
//!
//! A state that was installed and then applied more entries is not ahead of its log without loss:
//! those entries were handed out because the log after the snapshot was durable.

use super::config::{AppliedState, ReplicaError};
use crate::log_store::{LogPosition, RecoveredLog};
use crate::types::{LogIndex, Term};

/// A log that fits its state.
#[derive(Debug)]
pub(super) struct FittingLog {
    pub(super) log: RecoveredLog,
    /// Must the log store be told to begin anew at the log's base?
    pub(super) reset: bool,
}

/// Compares the two, and resets the log if it is behind an installed state.
pub(super) fn fit(log: RecoveredLog, state: &AppliedState) -> Result<FittingLog, ReplicaError> {
    let applied = state.position;
    let (base, last) = (log.base, log.last_index());
    if applied.index < base.index {
        return Err(ReplicaError::StateBehindLog { applied: applied.index, base: base.index });
    }
    let found = term_at(&log, applied);
    if found == Some(applied.term) {
        return Ok(FittingLog { log, reset: false });
    }
    if state.installed == Some(applied) {
        return Ok(FittingLog { log: reset(log, applied), reset: true });
    }
    Err(match found {
        None => ReplicaError::LogBehindState { applied: applied.index, last },
        Some(found) => {
            ReplicaError::LogContradictsState { index: applied.index, applied: applied.term, found }
        }
    })
}

fn term_at(log: &RecoveredLog, position: LogPosition) -> Option<Term> {
    match position.index.0.checked_sub(log.base.index.0 + 1) {
        None => Some(log.base.term),
        Some(offset) => log.entries.get(offset as usize).map(|entry| Term(entry.term)),
    }
}

/// The log as it comes back from a store whose keys are indices as text, and which nobody told that
/// 10 follows 9: a planted bug.
pub(super) fn in_order_of_text(mut log: RecoveredLog) -> RecoveredLog {
    log.entries.sort_by_key(|entry| entry.index.to_string());
    for (entry, index) in log.entries.iter_mut().zip(log.base.index.0 + 1..) {
        entry.index = index;
    }
    log
}

/// The log without what is behind this entry: a planted bug.
pub(super) fn up_to(mut log: RecoveredLog, last: LogIndex) -> RecoveredLog {
    log.entries.retain(|entry| entry.index <= last.0);
    log.hard_state.commit = log.hard_state.commit.min(log.last_index().0);
    log
}

/// The snapshot came from a leader of at least its term; a vote of an older term counts no more.
fn reset(log: RecoveredLog, position: LogPosition) -> RecoveredLog {
    let mut hard_state = log.hard_state;
    if hard_state.term < position.term.0 {
        hard_state.term = position.term.0;
        hard_state.vote = 0;
    }
    hard_state.commit = position.index.0;
    RecoveredLog { hard_state, base: position, entries: Vec::new(), ..log }
}

#[cfg(test)]
mod tests {
    use raft::eraftpb::Entry;

    use super::*;

    fn position(index: u64, term: u64) -> LogPosition {
        LogPosition { index: LogIndex(index), term: Term(term) }
    }

    /// Entries 11..=20 of term 2.
    fn log() -> RecoveredLog {
        let entry = |index| Entry { index, term: 2, ..Entry::default() };
        let mut log = RecoveredLog {
            base: position(10, 1),
            entries: (11..=20).map(entry).collect(),
            ..RecoveredLog::default()
        };
        log.hard_state.term = 3;
        log.hard_state.vote = 2;
        log.hard_state.commit = 15;
        log
    }

    fn state(position: LogPosition, installed: Option<LogPosition>) -> AppliedState {
        AppliedState { position, installed, ..AppliedState::default() }
    }

    #[test]
    fn a_state_within_the_log_goes_on() {
        for applied in [position(10, 1), position(11, 2), position(20, 2)] {
            for installed in [None, Some(applied), Some(position(5, 1))] {
                let fitting = fit(log(), &state(applied, installed)).expect("they fit");
                assert!(!fitting.reset);
                assert_eq!(fitting.log, log());
            }
        }
    }

    #[test]
    fn a_log_behind_an_installed_state_is_reset() {
        let applied = position(30, 4);
        let fitting = fit(log(), &state(applied, Some(applied))).expect("it was installed");
        assert!(fitting.reset);
        assert_eq!((fitting.log.base, fitting.log.last_index()), (applied, applied.index));
        let hard_state = fitting.log.hard_state;
        assert_eq!((hard_state.term, hard_state.vote, hard_state.commit), (4, 0, 30));
    }

    #[test]
    fn a_log_that_contradicts_an_installed_state_is_reset_and_the_vote_is_kept() {
        let applied = position(15, 3);
        let fitting = fit(log(), &state(applied, Some(applied))).expect("it was installed");
        assert!(fitting.reset);
        let hard_state = fitting.log.hard_state;
        assert_eq!((hard_state.term, hard_state.vote, hard_state.commit), (3, 2, 15));
    }

    #[test]
    fn a_log_behind_a_state_that_grew_there_was_lost() {
        for installed in [None, Some(position(25, 4))] {
            let error = fit(log(), &state(position(30, 4), installed)).expect_err("it was lost");
            assert!(matches!(error, ReplicaError::LogBehindState { .. }), "{error}");
        }
    }

    #[test]
    fn a_state_behind_the_log_and_a_foreign_state_are_refused() {
        let error = fit(log(), &state(position(9, 1), None)).expect_err("it is compacted");
        assert!(matches!(error, ReplicaError::StateBehindLog { .. }), "{error}");
        let error = fit(log(), &state(position(15, 3), None)).expect_err("another history");
        assert!(matches!(error, ReplicaError::LogContradictsState { .. }), "{error}");
    }
}

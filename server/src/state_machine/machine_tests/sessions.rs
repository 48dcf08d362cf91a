//! Sessions.

use super::fixture::*;
use crate::command::OutcomeKind;

#[test]
fn a_session_is_named_by_its_log_index_or_as_the_command_says() {
    on_every_store(|machine| {
        assert_eq!(machine.run(open_session(0)), done(1, None));
        assert_eq!(machine.run(open_session(900)), done(2, None));
        assert_eq!(machine.run_in(1, 1, put("k", "a")), done(3, None));
        assert_eq!(machine.run_in(900, 1, put("k", "b")), done(4, Some(held("a", 3, 1))));
        let unknown = machine.run_in(2, 1, put("k", "c"));
        assert_eq!(unknown, outcome(5, OutcomeKind::SessionExpired));
        assert_eq!(machine.value("k"), Some(bytes("b")));
    });
}

#[test]
fn a_retry_gets_the_first_answer_and_has_no_effect() {
    on_every_store(|machine| {
        machine.run(open_session(0));
        machine.run(put("k", "a"));
        let first = machine.run_in(1, 1, cas("k", Some("a"), "b"));
        assert_eq!(first, done(3, Some(held("a", 2, 1))));
        machine.run(put("k", "a"));
        machine.restart();
        assert_eq!(machine.run_in(1, 1, cas("k", Some("a"), "b")), first);
        assert_eq!(machine.get("k"), Some(held("a", 4, 3)));
    });
}

#[test]
fn refusals_are_answered_again_too() {
    on_every_store(|machine| {
        machine.run(open_session(0));
        let refused = machine.run_in(1, 1, put_with("k", "a", 3));
        assert_eq!(refused, outcome(2, OutcomeKind::LeaseNotFound));
        machine.run(grant(1));
        assert_eq!(machine.run_in(1, 1, put_with("k", "a", 3)), refused);
        assert_eq!(machine.get("k"), None);
    });
}

#[test]
fn a_sequence_number_of_the_past_is_stale() {
    on_every_store(|machine| {
        machine.run(open_session(0));
        machine.run_in(1, 5, put("k", "a"));
        assert_eq!(machine.run_in(1, 4, put("k", "b")), outcome(3, OutcomeKind::StaleSequence));
        assert_eq!(machine.run_in(1, 6, put("k", "c")), done(4, Some(held("a", 2, 1))));
    });
}

#[test]
fn a_session_that_is_opened_again_is_kept() {
    on_every_store(|machine| {
        machine.run(open_session(7));
        let first = machine.run_in(7, 1, put("k", "a"));
        machine.run(open_session(7));
        assert_eq!(machine.run_in(7, 1, put("k", "b")), first);
        assert_eq!(machine.value("k"), Some(bytes("a")));
        assert_eq!(machine.dump().sessions.len(), 1);
    });
}

/// Uses of a session, of which opening it again is one, save it from expiry. What was in memory only
/// would be lost by the restart.
#[test]
fn the_least_recently_used_session_expires_also_after_a_restart() {
    for restart in [false, true] {
        on_every_store(|machine| {
            for id in [11, 12, 13] {
                machine.run(open_session(id));
            }
            machine.run_in(11, 1, put("k", "a"));
            machine.run(open_session(12));
            if restart {
                machine.restart();
            }
            machine.run(open_session(14));
            let open: Vec<u64> = machine.dump().sessions.iter().map(|(id, _)| *id).collect();
            assert_eq!(open, [11, 12, 14]);
            machine.run_in(12, 1, put("k", "a"));
            machine.run(open_session(15));
            let expired = machine.run_in(11, 2, put("k", "b"));
            assert_eq!(expired.kind(), OutcomeKind::SessionExpired);
            assert_eq!(machine.run_in(12, 2, put("k", "c")).kind(), OutcomeKind::Done);
        });
    }
}

#[test]
fn a_session_that_is_open_again_makes_no_other_expire() {
    on_every_store(|machine| {
        for id in [11, 12, 13, 11] {
            machine.run(open_session(id));
        }
        let open: Vec<u64> = machine.dump().sessions.iter().map(|(id, _)| *id).collect();
        assert_eq!(open, [11, 12, 13]);
    });
}

//! Locks.

use super::fixture::*;
use crate::command::{LockHolder, Outcome, OutcomeKind};

fn held_by(revision: u64, kind: OutcomeKind, lease: u64, token: u64) -> Outcome {
    Outcome { holder: Some(LockHolder { lease, token }), ..outcome(revision, kind) }
}

#[test]
fn a_free_lock_is_taken_with_the_log_index_as_token() {
    on_every_store(|machine| {
        machine.run(grant(1));
        assert_eq!(machine.run(lock("l", 1)), held_by(2, OutcomeKind::Done, 1, 2));
        assert_eq!(machine.lease(1).unwrap().locks, [bytes("l")]);
        assert_eq!(machine.get("l"), None, "locks are no keys");
    });
}

#[test]
fn the_holder_is_told_its_token_again_and_others_are_told_the_holder() {
    on_every_store(|machine| {
        machine.run(grant(1));
        machine.run(grant(1));
        machine.run(lock("l", 1));
        assert_eq!(machine.run(lock("l", 1)), held_by(4, OutcomeKind::Done, 1, 3));
        assert_eq!(machine.run(lock("l", 2)), held_by(5, OutcomeKind::Mismatch, 1, 3));
        assert_eq!(machine.run(lock("other", 2)), held_by(6, OutcomeKind::Done, 2, 6));
    });
}

#[test]
fn unlock_needs_the_token() {
    on_every_store(|machine| {
        machine.run(grant(1));
        machine.run(lock("l", 1));
        assert_eq!(machine.run(unlock("l", 1)), held_by(3, OutcomeKind::Mismatch, 1, 2));
        assert_eq!(machine.run(unlock("l", 2)), outcome(4, OutcomeKind::Done));
        assert_eq!(machine.run(unlock("l", 2)), outcome(5, OutcomeKind::Mismatch));
        assert_eq!(machine.lease(1).unwrap().locks, Vec::<bytes::Bytes>::new());
        assert_eq!(machine.run(lock("l", 1)), held_by(6, OutcomeKind::Done, 1, 6));
    });
}

#[test]
fn the_end_of_a_lease_frees_its_locks_and_tokens_grow() {
    on_every_store(|machine| {
        machine.run(grant(1));
        machine.run(grant(1));
        machine.run(lock("l", 1));
        machine.run(lock("m", 1));
        machine.run(unlock("m", 4));
        machine.run(lock("m", 2));
        machine.run(revoke(1));
        assert_eq!(machine.run(lock("l", 2)), held_by(8, OutcomeKind::Done, 2, 8));
        assert_eq!(machine.run(lock("m", 2)), held_by(9, OutcomeKind::Done, 2, 6));
    });
}

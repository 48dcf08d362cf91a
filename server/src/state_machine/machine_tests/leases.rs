//! Leases, and the keys that end with them.

use super::super::{LeaseChange, LeaseStatus};
use super::fixture::*;
use crate::command::{Command, OutcomeKind, Versioned};

#[test]
fn a_lease_is_named_by_the_log_index_of_its_grant() {
    on_every_store(|machine| {
        machine.run(put("k", "v"));
        assert_eq!(machine.run(grant(40)), done(2, None));
        let status = LeaseStatus { ttl_ticks: 40, keys: vec![], locks: vec![] };
        assert_eq!(machine.lease(2), Some(status));
        assert_eq!(machine.lease(1), None);
    });
}

#[test]
fn a_lease_takes_its_keys_with_it_in_order_at_one_revision() {
    on_every_store(|machine| {
        machine.run(grant(40));
        machine.run(put_with("b", "1", 1));
        machine.run(put_with("a", "2", 1));
        machine.run(put("c", "3"));
        let applied = machine.apply(&[entry(5, &in_no_session(revoke(1)))]);
        let with_lease = |versioned| Some(Versioned { lease: 1, ..versioned });
        let expected = [
            change(5, "a", None, with_lease(held("2", 3, 1))),
            change(5, "b", None, with_lease(held("1", 2, 1))),
        ];
        assert_eq!(applied.events, expected);
        assert_eq!(applied.leases, [LeaseChange::Ended { id: 1 }]);
        assert_eq!((machine.value("a"), machine.value("b")), (None, None));
        assert_eq!(machine.value("c"), Some(bytes("3")));
        assert_eq!(machine.lease(1), None);
    });
}

#[test]
fn a_put_replaces_the_lease_of_its_key() {
    on_every_store(|machine| {
        machine.run(grant(1));
        machine.run(grant(2));
        machine.run(put_with("k", "a", 1));
        machine.run(put_with("k", "b", 2));
        assert_eq!(machine.get("k").unwrap().lease, 2);
        assert_eq!(machine.lease(1).unwrap().keys, Vec::<bytes::Bytes>::new());
        assert_eq!(machine.lease(2).unwrap().keys, [bytes("k")]);
        machine.run(revoke(1));
        assert_eq!(machine.value("k"), Some(bytes("b")));
        machine.run(put("k", "c"));
        machine.run(revoke(2));
        assert_eq!(machine.value("k"), Some(bytes("c")));
    });
}

#[test]
fn compare_and_set_and_append_leave_the_lease_of_their_key() {
    on_every_store(|machine| {
        machine.run(grant(1));
        machine.run(put_with("k", "a", 1));
        machine.run(cas("k", Some("a"), "b"));
        machine.run(Command::Append(append("k", "c")));
        assert_eq!(machine.get("k").unwrap().lease, 1);
        machine.run(revoke(1));
        assert_eq!(machine.get("k"), None);
    });
}

#[test]
fn a_deleted_key_leaves_its_lease() {
    on_every_store(|machine| {
        machine.run(grant(1));
        machine.run(put_with("k", "a", 1));
        machine.run(delete("k"));
        machine.run(put("k", "b"));
        machine.run(revoke(1));
        assert_eq!(machine.value("k"), Some(bytes("b")));
    });
}

#[test]
fn a_lease_that_does_not_live_is_refused_and_nothing_changes() {
    on_every_store(|machine| {
        machine.run(put("k", "a"));
        machine.run(grant(5));
        machine.run(revoke(2));
        let refused = [put_with("k", "b", 2), put_with("k", "b", 1), revoke(2), lock("l", 2)];
        for (index, command) in (4..).zip(refused) {
            assert_eq!(machine.run(command), outcome(index, OutcomeKind::LeaseNotFound));
        }
        assert_eq!(machine.get("k"), Some(held("a", 1, 1)));
    });
}

#[test]
fn changes_of_leases_are_reported_and_the_living_can_be_listed() {
    on_every_store(|machine| {
        let commands = [grant(7), grant(8), revoke(1), revoke(1), grant(9)];
        let entries: Vec<_> =
            (1..).zip(commands).map(|(index, it)| entry(index, &in_no_session(it))).collect();
        let granted = |id, ttl_ticks| LeaseChange::Granted { id, ttl_ticks };
        let ended = LeaseChange::Ended { id: 1 };
        let leases = machine.apply(&entries).leases;
        assert_eq!(leases, [granted(1, 7), granted(2, 8), ended, granted(5, 9)]);
        machine.restart();
        assert_eq!(machine.living_leases(), [granted(2, 8), granted(5, 9)]);
    });
}

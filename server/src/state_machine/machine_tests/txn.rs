//! Transactions.

use super::fixture::*;
use crate::command::{
    Command, Comparison, Operand, Outcome, OutcomeKind, Relation, StepResult, Txn, TxnOperation,
    Versioned,
};

fn compare(key: &'static str, relation: Relation, right: Operand) -> Comparison {
    Comparison { key: bytes(key), relation: relation as i32, right: Some(right) }
}

fn txn(compare: Vec<Comparison>, then: Vec<TxnOperation>, otherwise: Vec<TxnOperation>) -> Command {
    Command::Txn(Txn { compare, then, otherwise })
}

fn found(outcome: Outcome) -> Vec<Option<Versioned>> {
    outcome.results.into_iter().map(|StepResult { found }| found).collect()
}

#[test]
fn each_step_sees_the_steps_before_it_and_says_what_it_found() {
    on_every_store(|machine| {
        machine.run(put("a", "1"));
        let steps = vec![
            read("a"),
            step(put("a", "2")),
            step(Command::Append(append("a", "3"))),
            read("a"),
            step(delete("a")),
            read("a"),
            step(put("a", "4")),
            step(put("b", "5")),
        ];
        let outcome = machine.run(txn(vec![], steps, vec![]));
        assert_eq!(outcome.kind(), OutcomeKind::Done);
        assert_eq!(outcome.revision, 2);
        let expected = [
            Some(held("1", 1, 1)),
            Some(held("1", 1, 1)),
            Some(held("2", 2, 2)),
            Some(held("23", 2, 3)),
            Some(held("23", 2, 3)),
            None,
            None,
            None,
        ];
        assert_eq!(found(outcome), expected);
        assert_eq!(machine.get("a"), Some(held("4", 2, 1)));
        assert_eq!(machine.get("b"), Some(held("5", 2, 1)));
    });
}

#[test]
fn the_other_list_is_performed_if_one_comparison_does_not_hold() {
    on_every_store(|machine| {
        machine.run(put("a", "1"));
        let holds = compare("a", Relation::Equal, Operand::Value(bytes("1")));
        let fails = compare("b", Relation::Greater, Operand::Version(0));
        let lists = || (vec![step(put("x", "then"))], vec![read("a"), step(put("x", "else"))]);
        let (then, otherwise) = lists();
        let outcome = machine.run(txn(vec![holds.clone(), fails], then, otherwise));
        assert_eq!(outcome.kind(), OutcomeKind::Mismatch);
        assert_eq!(found(outcome), [Some(held("1", 1, 1)), None]);
        assert_eq!(machine.value("x"), Some(bytes("else")));
        let (then, otherwise) = lists();
        let outcome = machine.run(txn(vec![holds], then, otherwise));
        assert_eq!(outcome.kind(), OutcomeKind::Done);
        assert_eq!(found(outcome), [Some(held("else", 2, 1))]);
        assert_eq!(machine.value("x"), Some(bytes("then")));
    });
}

#[test]
fn comparisons_relate_what_the_key_holds_to_the_right_side() {
    on_every_store(|machine| {
        machine.run(put("a", "m"));
        machine.run(put("a", "m"));
        let (value, revision, version) = (Operand::Value, Operand::Revision, Operand::Version);
        // (key, right side, equal, less, greater)
        let cases = [
            ("a", value(bytes("m")), true, false, false),
            ("a", value(bytes("ma")), false, true, false),
            ("a", value(bytes("")), false, false, true),
            ("a", revision(2), true, false, false),
            ("a", revision(3), false, true, false),
            ("a", revision(1), false, false, true),
            ("a", version(2), true, false, false),
            ("a", version(3), false, true, false),
            ("a", version(0), false, false, true),
            ("none", value(bytes("")), true, false, false),
            ("none", value(bytes("a")), false, true, false),
            ("none", revision(0), true, false, false),
            ("none", version(0), true, false, false),
            ("none", version(1), false, true, false),
        ];
        for (key, right, equal, less, greater) in cases {
            let relations = [
                (Relation::Equal, equal),
                (Relation::NotEqual, !equal),
                (Relation::Less, less),
                (Relation::Greater, greater),
            ];
            for (relation, holds) in relations {
                let comparison = compare(key, relation, right.clone());
                let outcome = machine.run(txn(vec![comparison.clone()], vec![], vec![]));
                assert_eq!(outcome.kind() == OutcomeKind::Done, holds, "{comparison:?}");
            }
        }
    });
}

#[test]
fn a_comparison_without_a_right_side_does_not_hold_and_a_step_without_content_does_nothing() {
    on_every_store(|machine| {
        let comparison =
            Comparison { right: None, ..compare("a", Relation::Equal, Operand::Version(0)) };
        let nothing = TxnOperation { step: None };
        let outcome = machine.run(txn(vec![comparison], vec![], vec![nothing]));
        assert_eq!(outcome.kind(), OutcomeKind::Mismatch);
        assert_eq!(found(outcome), [None]);
    });
}

#[test]
fn a_step_that_cannot_be_performed_undoes_the_whole_transaction() {
    on_every_store(|machine| {
        machine.run(put("a", "12345"));
        let before = machine.dump();
        let too_long = step(Command::Append(append("a", "67")));
        let no_lease = step(put_with("c", "x", 77));
        for (bad, kind) in
            [(too_long, OutcomeKind::ValueTooLong), (no_lease, OutcomeKind::LeaseNotFound)]
        {
            let steps = vec![step(put("b", "x")), step(delete("a")), step(put("a", "12345")), bad];
            let index = machine.applied().index.0 + 1;
            let applied =
                machine.apply(&[entry(index, &in_no_session(txn(vec![], steps, vec![])))]);
            assert_eq!(applied.entries[0].outcome, outcome(index, kind));
            assert_eq!(applied.events, []);
            assert_eq!(machine.dump().keys, before.keys);
        }
    });
}

#[test]
fn a_transaction_is_one_change_of_each_of_its_keys() {
    on_every_store(|machine| {
        machine.run(put("b", "old"));
        let steps = vec![
            step(put("b", "1")),
            step(put("c", "passing")),
            step(put("a", "2")),
            step(put("b", "3")),
            step(delete("c")),
        ];
        let events = machine.apply(&[entry(2, &in_no_session(txn(vec![], steps, vec![])))]).events;
        let expected = [
            change(2, "a", Some(held("2", 2, 1)), None),
            change(2, "b", Some(held("3", 2, 3)), Some(held("old", 1, 1))),
        ];
        assert_eq!(events, expected);
    });
}

#[test]
fn leases_of_keys_follow_the_last_step() {
    on_every_store(|machine| {
        machine.run(grant(10));
        let steps = vec![
            step(put_with("a", "x", 1)),
            step(put("a", "y")),
            step(put_with("b", "x", 1)),
            step(Command::Append(append("b", "y"))),
        ];
        machine.run(txn(vec![], steps, vec![]));
        assert_eq!(machine.lease(1).unwrap().keys, [bytes("b")]);
        machine.run(revoke(1));
        assert_eq!((machine.value("a"), machine.value("b")), (Some(bytes("y")), None));
    });
}

//! Put, delete, compare-and-set and append.

use super::fixture::*;
use crate::command::{Command, Outcome, OutcomeKind};

#[test]
fn put_answers_what_was_there_and_counts_versions() {
    on_every_store(|machine| {
        assert_eq!(machine.run(put("k", "a")), done(1, None));
        assert_eq!(machine.run(put("k", "")), done(2, Some(held("a", 1, 1))));
        assert_eq!(machine.run(put("other", "b")), done(3, None));
        assert_eq!(machine.get("k"), Some(held("", 2, 2)));
        assert_eq!(machine.get("kk"), None);
    });
}

#[test]
fn delete_answers_what_was_there_and_versions_begin_anew() {
    on_every_store(|machine| {
        machine.run(put("k", "a"));
        assert_eq!(machine.run(delete("k")), done(2, Some(held("a", 1, 1))));
        assert_eq!(machine.get("k"), None);
        machine.run(put("k", "b"));
        assert_eq!(machine.get("k"), Some(held("b", 3, 1)));
    });
}

#[test]
fn delete_of_a_missing_key_changes_nothing() {
    on_every_store(|machine| {
        assert_eq!(machine.run(delete("k")), done(1, None));
        let applied = machine.apply(&[entry(2, &in_no_session(delete("k")))]);
        assert_eq!(applied.events, []);
    });
}

#[test]
fn compare_and_set_compares_values_and_absence() {
    on_every_store(|machine| {
        let mismatch =
            |revision, previous| Outcome { previous, ..outcome(revision, OutcomeKind::Mismatch) };
        assert_eq!(machine.run(cas("k", Some(""), "a")), mismatch(1, None));
        assert_eq!(machine.run(cas("k", None, "a")), done(2, None));
        assert_eq!(machine.run(cas("k", None, "b")), mismatch(3, Some(held("a", 2, 1))));
        assert_eq!(machine.run(cas("k", Some("b"), "c")), mismatch(4, Some(held("a", 2, 1))));
        assert_eq!(machine.get("k"), Some(held("a", 2, 1)));
        assert_eq!(machine.run(cas("k", Some("a"), "c")), done(5, Some(held("a", 2, 1))));
        assert_eq!(machine.get("k"), Some(held("c", 5, 2)));
    });
}

#[test]
fn append_adds_at_the_end_and_a_missing_key_counts_as_empty() {
    on_every_store(|machine| {
        assert_eq!(machine.run(Command::Append(append("k", "abc"))), done(1, None));
        let second = machine.run(Command::Append(append("k", "def")));
        assert_eq!(second, done(2, Some(held("abc", 1, 1))));
        assert_eq!(machine.get("k"), Some(held("abcdef", 2, 2)));
    });
}

#[test]
fn append_beyond_the_limit_changes_nothing() {
    on_every_store(|machine| {
        machine.run(put("k", "abcdef"));
        let too_long = machine.run(Command::Append(append("k", "g")));
        assert_eq!(too_long, outcome(2, OutcomeKind::ValueTooLong));
        assert_eq!(machine.get("k"), Some(held("abcdef", 1, 1)));
        assert_eq!(machine.run(Command::Append(append("k", ""))).kind(), OutcomeKind::Done);
    });
}

#[test]
fn events_say_what_changed_and_what_was_there_before() {
    on_every_store(|machine| {
        let commands = [put("b", "1"), put("a", "2"), delete("b"), cas("a", Some("x"), "y")];
        let entries: Vec<_> =
            (1..).zip(commands).map(|(index, it)| entry(index, &in_no_session(it))).collect();
        let events = machine.apply(&entries).events;
        let expected = [
            change(1, "b", Some(held("1", 1, 1)), None),
            change(2, "a", Some(held("2", 2, 1)), None),
            change(3, "b", None, Some(held("1", 1, 1))),
        ];
        assert_eq!(events, expected);
    });
}

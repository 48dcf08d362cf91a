use super::*;
use crate::checker::Verdict;
use crate::checker::script::{judged, kinds, words};

/// A change of a key, such as `(5, "a", 1)`.
fn event(revision: i64, key: &str, value: i64, more: &str) -> String {
    format!(r#"{{"revision":{revision},"key":"{key}","value":{value}{more}}}"#)
}

fn response(events: &[(i64, &str, i64)]) -> String {
    let events: Vec<String> =
        events.iter().map(|&(revision, key, value)| event(revision, key, value, "")).collect();
    format!(r#"{{"events":[{}]}}"#, events.join(","))
}

fn watch(process: u64, asked: &str, responses: &[String]) -> String {
    format!("{process} watch {asked} -> [{}]", responses.join(","))
}

/// A watch of everything that gets each change in a response of its own.
fn all(process: u64, events: &[(i64, &str, i64)]) -> String {
    let responses: Vec<String> = events.iter().map(|it| response(&[*it])).collect();
    watch(process, r#"{"from":1}"#, &responses)
}

#[track_caller]
fn valid(parts: &[String]) {
    let check = judged(check, &parts.join(" ; "));
    assert_eq!(check.verdict, Verdict::Valid, "{}", words(&check));
}

#[track_caller]
fn invalid(parts: &[String], kind: &str) {
    let check = judged(check, &parts.join(" ; "));
    assert_eq!(kinds(&check), [kind], "{}", words(&check));
}

#[test]
fn all_changes_in_order() {
    let events = [(1, "a", 1), (2, "b", 1), (3, "a", 2)];
    valid(&[all(0, &events), all(1, &events)]);
    // A watch that ended early misses nothing before its end.
    valid(&[all(0, &events), all(1, &events[..2])]);
}

#[test]
fn filter() {
    invalid(&[watch(0, r#"{"key":"a"}"#, &[response(&[(1, "b", 1)])])], "filter");
    invalid(&[watch(0, r#"{"prefix":"a"}"#, &[response(&[(1, "ba", 1)])])], "filter");
    invalid(&[watch(0, r#"{"from":5}"#, &[response(&[(4, "a", 1)])])], "filter");
    valid(&[watch(0, r#"{"prefix":"a","from":4}"#, &[response(&[(4, "ab", 1)])])]);
}

#[test]
fn ordered() {
    invalid(&[all(0, &[(2, "a", 1), (1, "b", 1)])], "ordered");
}

#[test]
fn unique() {
    invalid(&[watch(0, "{}", &[response(&[(1, "a", 1), (1, "a", 1)])])], "unique");
    // Two keys in one revision are two changes.
    valid(&[watch(0, "{}", &[response(&[(1, "a", 1), (1, "b", 1)])])]);
}

#[test]
fn atomic() {
    invalid(&[all(0, &[(1, "a", 1), (1, "b", 1)])], "atomic");
}

#[test]
fn bookmarkable() {
    let bookmark = |revision: i64| format!(r#"{{"progress":{revision}}}"#);
    let with = |revision| {
        [watch(0, "{}", &[response(&[(1, "a", 1)]), bookmark(revision), response(&[(4, "a", 2)])])]
    };
    valid(&with(3));
    invalid(&with(4), "bookmarkable");
}

#[test]
fn reliable() {
    let events = [(1, "a", 1), (2, "a", 2), (3, "a", 3)];
    let gap = [events[0], events[2]];
    invalid(&[all(0, &events), all(1, &gap)], "reliable");
    // An acknowledged write is a change too.
    invalid(&[r#"2 put ["a",2] -> {"revision":2}"#.to_owned(), all(1, &gap)], "reliable");
    let other_key = watch(1, r#"{"key":"b","from":1}"#, &[response(&[(9, "b", 1)])]);
    valid(&[all(0, &events), other_key]);
}

#[test]
fn a_bookmark_promises_what_is_before_it() {
    let events = [(1, "a", 1), (2, "a", 2)];
    let promised = [response(&[events[0]]), r#"{"progress":2}"#.to_owned()];
    invalid(&[all(0, &events), watch(1, "{}", &promised)], "reliable");
    let nothing = [r#"{"progress":2}"#.to_owned()];
    invalid(&[all(0, &events), watch(1, r#"{"from":1}"#, &nothing)], "reliable");
    valid(&[all(0, &events), watch(1, r#"{"from":3}"#, &nothing)]);
}

#[test]
fn resumable() {
    let events = [(1, "a", 1), (2, "a", 2), (3, "a", 3)];
    let resumed = |from: i64| watch(1, &format!(r#"{{"from":{from}}}"#), &[response(&[events[2]])]);
    invalid(&[all(0, &events), resumed(2)], "resumable");
    valid(&[all(0, &events), resumed(3)]);
    // Without a first revision it begins wherever it likes.
    valid(&[all(0, &events), watch(1, "{}", &[response(&[events[2]])])]);
}

#[test]
fn previous_values() {
    let with = |more: &str| {
        let second = format!(r#"{{"events":[{}]}}"#, event(2, "a", 2, more));
        [watch(0, "{}", &[response(&[(1, "a", 1)]), second])]
    };
    valid(&with(r#","prev":1"#));
    invalid(&with(r#","prev":7"#), "prev-kv");
    invalid(&with(r#","prev":null"#), "prev-kv");
    valid(&with(r#","create":false"#));
    invalid(&with(r#","create":true"#), "is-create");
}

#[test]
fn a_deletion_comes_before_a_creation() {
    let with = |more: &str| {
        let deletion = r#"{"events":[{"revision":2,"key":"a","deleted":true}]}"#.to_owned();
        let third = format!(r#"{{"events":[{}]}}"#, event(3, "a", 3, more));
        [watch(0, "{}", &[response(&[(1, "a", 1)]), deletion, third])]
    };
    valid(&with(r#","create":true,"prev":null"#));
    invalid(&with(r#","create":false"#), "is-create");
    invalid(&with(r#","prev":1"#), "prev-kv");
}

#[test]
fn two_watches_that_tell_differently() {
    invalid(&[all(0, &[(1, "a", 1)]), all(1, &[(1, "a", 2)])], "inconsistent-change");
}

#[test]
fn what_a_crashed_watch_delivered_counts() {
    let crashed = format!("{} ?", all(0, &[(2, "a", 1), (1, "b", 1)]));
    invalid(&[crashed], "ordered");
}

#[test]
fn a_left_out_change_is_explained() {
    let events = [(1, "a", 1), (2, "a", 2), (3, "a", 3)];
    let check = judged(check, &[all(0, &events), all(1, &[events[0], events[2]])].join(" ; "));
    let words = words(&check);
    assert!(words.contains(r#"B shows "a" = 2 at revision 2."#), "{words}");
    assert!(
        words.contains("A got changes up to revision 3, but did not get that change."),
        "{words}"
    );
}

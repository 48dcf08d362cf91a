use super::*;
use crate::checker::Verdict;
use crate::checker::script::{judged, kinds, number, words};

#[track_caller]
fn valid(text: &str) {
    let check = judged(check, text);
    assert_eq!(check.verdict, Verdict::Valid, "{text}: {}", words(&check));
}

#[track_caller]
fn invalid(text: &str, kind: &str) {
    let check = judged(check, text);
    assert_eq!(kinds(&check), [kind], "{text}: {}", words(&check));
}

/// A send of one message that gets an offset.
fn send(process: u64, message: i64, offset: i64) -> String {
    format!(r#"{process} send [["send",1,{message}]] -> [["send",1,[{offset},{message}]]]"#)
}

/// A poll that returns messages with their offsets.
fn poll(process: u64, messages: &[(i64, i64)]) -> String {
    let pairs: Vec<String> =
        messages.iter().map(|(offset, message)| format!("[{offset},{message}]")).collect();
    format!(r#"{process} poll [["poll"]] -> [["poll",{{"1":[{}]}}]]"#, pairs.join(","))
}

fn history(parts: &[String]) -> String {
    parts.join(" ; ")
}

#[test]
fn what_is_sent_is_polled_in_order() {
    valid(&history(&[send(0, 7, 0), send(0, 8, 1), poll(1, &[(0, 7)]), poll(1, &[(1, 8)])]));
    // Offsets may have gaps.
    valid(&history(&[send(0, 7, 0), send(0, 8, 4), poll(1, &[(0, 7), (4, 8)])]));
}

#[test]
fn a_message_before_a_polled_one_must_be_polled_too() {
    let lost = history(&[send(0, 7, 0), send(0, 8, 1), poll(1, &[(1, 8)])]);
    invalid(&lost, "lost-write");
    expect_test::expect![[r#"
        lost-write
          A: send [["send",1,7]] -> [["send",1,[0,7]]]
          B: poll [["poll"]] -> [["poll",{"1":[[1,8]]}]]
          A sent 7 and was acknowledged.
          B polled 8, which is behind 7 in the log; but nobody ever polled 7.
    "#]]
    .assert_eq(&words(&judged(check, &lost)));
    // Another consumer polled it.
    valid(&history(&[send(0, 7, 0), send(0, 8, 1), poll(1, &[(1, 8)]), poll(2, &[(0, 7)])]));
}

#[test]
fn a_message_at_the_end_may_be_unseen_unless_all_was_polled() {
    let unseen = history(&[send(0, 7, 0), send(0, 8, 1), poll(1, &[(0, 7)])]);
    valid(&unseen);
    assert_eq!(number(&judged(check, &unseen), "messages unseen"), 1.into());
    assert_eq!(kinds(&judged(check_drained, &unseen)), ["unseen"]);
}

#[test]
fn a_send_of_unknown_outcome_owes_nothing_unless_part_of_it_was_polled() {
    let crashed = r#"0 send [["send",1,7]] ?"#.to_owned();
    valid(&history(&[crashed, send(1, 8, 1), poll(2, &[(1, 8)])]));
    let half = r#"0 txn [["send",1,7],["send",1,8]] -> [["send",1,[0,7]],["send",1,[1,8]]] ?"#;
    invalid(&history(&[half.to_owned(), poll(2, &[(1, 8)])]), "lost-write");
}

#[test]
fn a_failed_send_is_not_polled() {
    let failed = r#"0 send [["send",1,7]] !"#.to_owned();
    invalid(&history(&[failed, poll(1, &[(0, 7)])]), "G1a");
    let crashed = r#"0 send [["send",1,7]] ?"#.to_owned();
    valid(&history(&[crashed, poll(1, &[(0, 7)])]));
    invalid(&poll(1, &[(0, 7)]), "unexpected-message");
}

#[test]
fn an_offset_has_one_message() {
    let text = history(&[send(0, 7, 0), send(1, 8, 0), poll(2, &[(0, 8)]), poll(3, &[(0, 7)])]);
    invalid(&text, "inconsistent-offsets");
}

#[test]
fn a_message_has_one_offset() {
    let text = history(&[send(0, 7, 0), poll(1, &[(0, 7), (1, 7)])]);
    invalid(&text, "duplicate");
}

#[test]
fn a_consumer_neither_skips_nor_goes_back() {
    let sends = [send(0, 7, 0), send(0, 8, 1), send(0, 9, 2)];
    let all = poll(9, &[(0, 7), (1, 8), (2, 9)]);
    let with =
        |polls: &[String]| history(&[&sends[..], std::slice::from_ref(&all), polls].concat());
    invalid(&with(&[poll(1, &[(0, 7)]), poll(1, &[(2, 9)])]), "poll-skip");
    invalid(&with(&[poll(1, &[(0, 7), (2, 9)])]), "int-poll-skip");
    invalid(&with(&[poll(1, &[(1, 8)]), poll(1, &[(0, 7)])]), "nonmonotonic-poll");
    invalid(&with(&[poll(1, &[(1, 8)]), poll(1, &[(1, 8)])]), "nonmonotonic-poll");
    invalid(&with(&[poll(1, &[(1, 8), (0, 7)])]), "int-nonmonotonic-poll");
    let skip = judged(check, &with(&[poll(1, &[(0, 7)]), poll(1, &[(2, 9)])]));
    assert!(words(&skip).contains("Between them is 8, which was skipped."), "{}", words(&skip));
    // Another process stands elsewhere.
    valid(&with(&[poll(1, &[(0, 7)]), poll(2, &[(2, 9)])]));
}

#[test]
fn a_consumer_that_was_assigned_anew_stands_elsewhere() {
    let sends = [send(0, 7, 0), send(0, 8, 1), poll(9, &[(0, 7), (1, 8)])];
    let with = |between: &[&str]| {
        let between: Vec<String> = between.iter().map(|it| (*it).to_owned()).collect();
        history(&[&sends[..], &[poll(1, &[(1, 8)])], &between, &[poll(1, &[(0, 7)])]].concat())
    };
    valid(&with(&["1 assign [2]", "1 assign [1]"]));
    // Assigned to the same key, it goes on where it stood.
    invalid(&with(&["1 assign [1]"]), "nonmonotonic-poll");
    // Whoever subscribed may be rebalanced.
    valid(&with(&["1 subscribe [1]"]));
}

#[test]
fn a_producer_sends_in_order() {
    let text = history(&[send(0, 7, 1), send(0, 8, 0), poll(1, &[(0, 8), (1, 7)])]);
    invalid(&text, "nonmonotonic-send");
    // Two producers may be in any order.
    valid(&history(&[send(0, 7, 1), send(1, 8, 0), poll(2, &[(0, 8), (1, 7)])]));
    let within = r#"0 txn [["send",1,7],["send",1,8]] -> [["send",1,[1,7]],["send",1,[0,8]]]"#;
    invalid(&history(&[within.to_owned(), poll(1, &[(0, 8), (1, 7)])]), "int-nonmonotonic-send");
}

#[test]
fn a_transaction_does_not_poll_what_it_sends() {
    let text = r#"0 txn [["send",1,7],["poll"]] -> [["send",1,[0,7]],["poll",{"1":[[0,7]]}]]"#;
    invalid(text, "precommitted-read");
}

#[test]
fn other_operations_are_let_pass() {
    valid("0 crash ? ; 1 assign [1] ; 1 poll [[\"poll\"]] -> [[\"poll\",{}]]");
}

use super::*;
use crate::checker::script::{
    judged, judged_for_nothing, judged_with, kinds, number, options, script, words,
};
use crate::checker::{CheckOptions, Verdict};
use crate::model::Initial;

#[track_caller]
fn valid(text: &str) {
    let check = judged(check, text);
    assert_eq!(check.verdict, Verdict::Valid, "{text}: {}", words(&check));
}

#[track_caller]
fn invalid(text: &str, kind: &str) {
    let check = judged(check, text);
    assert_eq!(check.verdict, Verdict::Invalid, "{text}");
    assert_eq!(kinds(&check), [kind], "{text}: {}", words(&check));
}

#[test]
fn what_was_added_is_found() {
    valid("0 add 1 ; 1 read -> [1]");
    invalid("0 add 1 ; 1 read -> []", "lost-element");
    invalid("0 add 1 ; 1 read -> [1] ; 1 read -> []", "lost-element");
}

#[test]
fn an_element_that_shows_up_late_is_stale_and_not_lost() {
    let check = judged(check, "0 add 1 ; 1 read -> [] ; 1 read -> [1]");
    assert_eq!(check.verdict, Verdict::Valid);
    assert_eq!(number(&check, "stale"), 1.into());
    assert_eq!(number(&check, "stable"), 1.into());
    assert_eq!(number(&check, "until stable, longest, ms").to_string(), "1.0");
}

#[test]
fn a_read_beside_the_addition_may_miss_it() {
    let check = judged(check, "0 add 1 | 1 read -> [] ; 0 add 2 ; 1 read -> [2]");
    // 1 was missed by a read that began when it was known.
    assert_eq!(kinds(&check), ["lost-element"]);
    let check = judged(super::check, "1 read ... ; 0 add 1 ; 1 ok -> [] ; 0 add 2");
    assert_eq!(check.verdict, Verdict::Unknown);
    assert_eq!(number(&check, "never read"), 2.into());
}

#[test]
fn an_addition_of_unknown_outcome_owes_nothing_until_it_is_found() {
    let check = judged(check, "0 add 1 ? ; 1 add 2 ; 1 read -> [2]");
    assert_eq!(check.verdict, Verdict::Valid);
    assert_eq!(number(&check, "never read"), 1.into());
    valid("0 add 1 ? ; 1 read -> [] ; 1 read -> [1]");
    invalid("0 add 1 ? ; 1 read -> [1] ; 1 read -> []", "lost-element");
}

#[test]
fn two_reads_side_by_side_may_differ() {
    valid("0 add 1 ... ; 1 read -> [1] | 2 read -> [] ; 1 read -> [1]");
}

#[test]
fn an_element_that_comes_from_nowhere() {
    invalid("0 add 1 ; 1 read -> [1,7]", "unexpected-element");
    invalid("0 add 1 ! ; 1 add 2 ; 1 read -> [1,2]", "failed-add-visible");
    invalid("1 read -> [1] ; 0 add 1 ; 1 read -> [1]", "unexpected-element");
    // The second attempt may have succeeded.
    valid("0 add 1 ! ; 0 add 1 ; 1 read -> [1]");
}

#[test]
fn an_element_that_was_there_from_the_start() {
    let start = |initial| CheckOptions { initial: Some(initial), ..options() };
    let text = "0 read -> [7]";
    let list = Initial::Value([7].into());
    assert_eq!(judged_with(check, &start(list), text).verdict, Verdict::Valid);
    assert_eq!(judged_with(check, &start(Initial::Any), text).verdict, Verdict::Valid);
}

#[test]
fn an_element_must_not_be_there_twice() {
    invalid("0 add 1 ; 1 read -> [1,1]", "duplicate-element");
}

#[test]
fn each_key_is_a_set() {
    valid("0 @a add 1 ; 0 @b add 2 ; 0 @a read -> [1] ; 0 @b read -> [2]");
    invalid(
        "0 @a add 1 ; 0 @b add 2 ; 0 @a read -> [1] ; 0 @b read -> [2,1]",
        "unexpected-element",
    );
}

#[test]
fn nothing_stable_proves_nothing() {
    assert_eq!(judged(check, "0 read -> []").verdict, Verdict::Unknown);
}

#[test]
fn a_lost_element_is_explained() {
    let check = judged(check, "0 add 5 ; 1 read -> [5] ; 2 read -> []");
    expect_test::expect![[r#"
        lost-element
          A: add 5
          B: read -> 1 element, with 5
          C: read -> 0 elements, without 5
          A added 5, which was acknowledged.
          B was the last read to find 5.
          C began 3 ms after A ended, and did not find 5; nor did any read after it. Nothing removes elements, so it was lost.
    "#]]
    .assert_eq(&words(&check));
}

#[test]
fn a_spent_budget_is_no_verdict() {
    let text: Vec<String> = (0..5000).map(|it| format!("0 add {it}")).collect();
    let history = script(&format!("{} ; 0 read -> []", text.join(" ; ")));
    let check = judged_for_nothing(check, &history);
    assert_eq!(check.verdict, Verdict::Unknown);
    assert_eq!(check.reason.as_deref(), Some("nothing to spend"));
}

/// Against Jepsen's definition, which looks at each element and each read.
#[test]
fn the_last_reads_are_those_of_the_definition() {
    use rand::{RngExt, SeedableRng};
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(5);
    for round in 0..1000 {
        let mut text = Vec::new();
        let mut open = [false; 3];
        for element in 0..8 {
            for _ in 0..3 {
                let process = random.random_range(1..3_usize);
                let found: Vec<String> = (0..element)
                    .filter(|_| random.random_bool(0.7))
                    .map(|it| it.to_string())
                    .collect();
                text.push(match open[process] {
                    true => format!("{process} ok -> [{}]", found.join(",")),
                    false => format!("{process} read ..."),
                });
                open[process] = !open[process];
            }
            text.push(format!("0 add {element}"));
        }
        let operations = script(&text.join(" ; "));
        let judged = judged(check, &text.join(" ; "));
        let lost = (0..8).filter(|&element| is_lost(&operations, element)).count() as u64;
        assert_eq!(number(&judged, "lost"), lost.into(), "round {round}: {}", text.join(" ; "));
    }
}

fn is_lost(operations: &[crate::history::Operation], element: i64) -> bool {
    let element = crate::history::Value::from(element);
    let reads = || operations.iter().filter(|it| it.f == "read" && it.complete_index.is_some());
    let has = |read: &crate::history::Operation| {
        read.result.as_list().is_some_and(|list| list.contains(&element))
    };
    let add = operations.iter().find(|it| it.f == "add" && it.invoked == element);
    let known = reads()
        .filter(|read| has(read))
        .chain(add)
        .filter_map(|it| it.complete_index)
        .min()
        .expect("every addition is acknowledged");
    let present = reads().filter(|read| has(read)).map(|read| read.invoke_index).max();
    let absent = reads().filter(|read| !has(read)).map(|read| read.invoke_index).max();
    absent.is_some() && absent > present && absent > Some(known)
}

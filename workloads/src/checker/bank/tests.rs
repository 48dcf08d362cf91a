use super::*;
use crate::checker::script::{judged, judged_with, kinds, number, options, words};
use crate::checker::{CheckOptions, Verdict};
use crate::model::Initial;

fn transfer(process: u64, from: i64, to: i64, amount: i64) -> String {
    format!(r#"{process} transfer {{"from":{from},"to":{to},"amount":{amount}}}"#)
}

fn read(process: u64, balances: &[i64]) -> String {
    let entries: Vec<String> =
        balances.iter().enumerate().map(|(it, balance)| format!(r#""{it}":{balance}"#)).collect();
    format!("{process} read -> {{{}}}", entries.join(","))
}

#[track_caller]
fn valid(text: &str) {
    let check = judged(check_total, text);
    assert_eq!(check.verdict, Verdict::Valid, "{text}: {}", words(&check));
}

#[test]
fn a_read_shows_the_total() {
    valid(&format!("{} ; {} ; {}", read(0, &[10, 0]), transfer(1, 0, 1, 3), read(0, &[7, 3])));
}

#[test]
fn a_history_without_reads_is_valid() {
    valid(&transfer(0, 0, 1, 3));
}

#[test]
fn the_total_is_conserved_whatever_becomes_of_a_transfer() {
    for end in ["?", "!", "..."] {
        for balances in [[10, 0], [7, 3]] {
            let transfer = transfer(1, 0, 1, 3);
            valid(&format!("{} ; {transfer} {end} ; {}", read(0, &[10, 0]), read(0, &balances)));
        }
    }
}

#[test]
fn a_half_seen_transfer_is_named() {
    let check = judged(
        check_total,
        &format!(
            "{} ; {} ; {} | {} | {}",
            read(0, &[10, 10, 10]),
            transfer(1, 2, 0, 5),
            transfer(2, 0, 1, 3),
            transfer(3, 1, 2, 4),
            // 5 moved from 2 to 0, 4 from 1 to 2, and 3 left 0 without arriving.
            read(0, &[12, 6, 9]),
        ),
    );
    assert_eq!(kinds(&check), ["wrong-total"]);
    assert_eq!(check.broken, ["snapshot-isolation"]);
    let words = words(&check);
    expect_test::expect![[r#"
        wrong-total
          A: read -> {"0":12,"1":6,"2":9}
          B: transfer {"from":0,"to":1,"amount":3}
          C: read -> {"0":10,"1":10,"2":10}
          A shows 27 in all. It must be 30: transfers conserve it.
          B moved 3 from account 0 to account 1. A saw it leave account 0, but not arrive in account 1: half of B.
          Compared with C, an earlier read that was right, every other transfer is seen whole or not at all.
    "#]]
    .assert_eq(&words);
}

#[test]
fn a_transfer_that_surely_happened_can_be_half_seen_too() {
    let check = judged(
        check_total,
        &format!("{} ; {} ; {}", read(0, &[10, 10]), transfer(1, 0, 1, 3), read(0, &[10, 13])),
    );
    assert!(words(&check).contains("arrive in account 1, but not leave account 0"));
}

#[test]
fn a_wrong_total_that_no_transfer_explains() {
    let check = judged(check_total, &format!("{} ; {}", read(0, &[10, 10]), read(0, &[10, 9])));
    assert!(words(&check).contains("1 is missing, and no single one of the 0 transfers"));
}

#[test]
fn the_total_can_be_told() {
    let told = CheckOptions { total: Some(30), ..options() };
    assert_eq!(judged_with(check_total, &told, &read(0, &[10, 10, 10])).verdict, Verdict::Valid);
    assert_eq!(judged_with(check_total, &told, &read(0, &[10, 10])).verdict, Verdict::Invalid);
}

#[test]
fn without_a_total_that_of_most_reads_is_right() {
    let text = format!("{} ; {} ; {}", read(0, &[10, 9]), read(0, &[10, 10]), read(0, &[10, 10]));
    let check = judged(check_total, &text);
    assert_eq!(number(&check, "wrong-total"), 1.into());
    assert_eq!(number(&check, "lowest wrong total"), 19.into());
}

#[test]
fn an_account_must_not_be_overdrawn_unless_that_is_allowed() {
    let text = format!("{} ; {}", read(0, &[10, 10]), read(0, &[21, -1]));
    assert_eq!(kinds(&judged(check_total, &text)), ["negative-value"]);
    assert_eq!(judged(check_total_signed, &text).verdict, Verdict::Valid);
}

#[test]
fn a_balance_must_not_be_missing() {
    let check = judged(check_total, r#"0 read -> {"0":10,"1":null}"#);
    assert_eq!(kinds(&check), ["nil-balance"]);
}

#[test]
fn an_account_that_nobody_opened() {
    let start = Initial::Value(r#"{"0":10,"1":10}"#.parse().unwrap());
    let told = CheckOptions { initial: Some(start), ..options() };
    let check = judged_with(check_total, &told, &read(0, &[10, 10, 0]));
    assert_eq!(kinds(&check), ["unexpected-key"]);
    assert_eq!(judged_with(check_total, &told, &read(0, &[9, 11])).verdict, Verdict::Valid);
}

#[test]
fn each_key_is_a_bank() {
    valid(r#"0 @a read -> {"0":10} ; 0 @b read -> {"0":7}"#);
}

#[test]
fn a_lost_transfer_has_the_right_total_and_impossible_balances() {
    let lost = format!("{} ; {} ; {}", read(0, &[10, 0]), transfer(1, 0, 1, 3), read(0, &[10, 0]));
    assert_eq!(judged(check_total, &lost).verdict, Verdict::Valid);
    let check = judged(check_balances, &lost);
    assert_eq!(kinds(&check), ["impossible-balance"]);
    assert!(words(&check).contains("between 7 and 7 while A ran"), "{}", words(&check));
}

#[test]
fn balances_beside_transfers_are_legal_both_ways() {
    for (end, balances) in [("", [10, 0]), ("", [7, 3]), ("?", [10, 0]), ("?", [7, 3])] {
        let text = match end {
            "" => {
                format!("{} ; {} | {}", read(0, &[10, 0]), transfer(1, 0, 1, 3), read(0, &balances))
            }
            end => format!(
                "{} ; {} {end} ; {}",
                read(0, &[10, 0]),
                transfer(1, 0, 1, 3),
                read(0, &balances)
            ),
        };
        let check = judged(check_balances, &text);
        assert_eq!(check.verdict, Verdict::Valid, "{text}: {}", words(&check));
    }
}

#[test]
fn balances_need_a_start() {
    let check = judged(check_balances, &format!("{} ; {}", transfer(1, 0, 1, 3), read(0, &[7, 3])));
    assert_eq!(check.verdict, Verdict::Unknown);
}

//! Each anomaly in a history of its own.

use super::{Level, history, kinds, lists, registers};
use crate::checker::Verdict;

/// The anomalies of a history of lists, and the weakest levels that they break.
#[track_caller]
fn check(text: &str, expected: &[&str], broken: &[&str]) {
    let check = lists(&history(text), Level::StrictSerializable);
    assert_eq!(kinds(&check), expected, "{check:#?}");
    assert_eq!(check.broken, broken);
    assert_eq!(check.verdict, Verdict::Invalid);
}

#[test]
fn interleaved_appends_are_g0() {
    check("0 0-9 ax1 ay1 ; 1 1-8 ax2 ay2 ; 2 2-7 rx12 ry21", &["G0"], &["read-uncommitted"]);
}

#[test]
fn own_appends_the_wrong_way_round_are_an_incompatible_order() {
    check("0 0-1 ax1 ax2 ; 1 2-3 ax3 ; 2 4-5 rx213", &["incompatible-order"], &["read-committed"]);
}

#[test]
fn who_reads_from_each_other_is_g1c() {
    check("0 0-9 ax1 ry1 ; 1 1-8 ay1 rx1", &["G1c"], &["read-committed"]);
}

#[test]
fn who_sees_half_of_a_transaction_is_g_single() {
    check(
        "0 0-9 ax1 ay1 ; 1 1-8 rx1 ry_ ; 2 10-11 ry1",
        &["G-single"],
        &["prefix", "consistent-view", "repeatable-read"],
    );
}

#[test]
fn readers_that_disagree_are_a_long_fork() {
    check(
        "0 0-9 ax1 ; 1 1-8 ay1 ; 2 2-7 rx1 ry_ ; 3 3-6 rx_ ry1",
        &["long-fork", "G-nonadjacent"],
        &["prefix", "repeatable-read"],
    );
}

#[test]
fn write_skew_is_g2_item() {
    check("0 0-9 rx_ ay1 ; 1 1-8 ry_ ax1 ; 2 10-11 rx1 ry1", &["G2-item"], &["repeatable-read"]);
}

#[test]
fn a_stale_read_of_another_process_is_realtime() {
    check(
        "0 0-1 ax1 ; 1 2-3 rx_ ; 2 4-5 rx1",
        &["G-single-realtime"],
        &["strong-snapshot-isolation"],
    );
}

#[test]
fn a_stale_read_of_the_same_process_is_process() {
    check(
        "0 0-1 ax1 ; 0 2-3 rx_ ; 2 4-5 rx1",
        &["G-single-process"],
        &["strong-session-snapshot-isolation"],
    );
}

#[test]
fn writes_against_time_are_g0_realtime() {
    check("0 0-1 ax1 ; 1 2-3 ax2 ; 2 4-5 rx21", &["G0-realtime"], &["strong-read-uncommitted"]);
}

#[test]
fn who_appends_to_the_same_list_loses_an_update() {
    check(
        "0 0-9 rx_ ax1 ; 1 1-8 rx_ ax2 ; 2 10-11 rx12",
        &["lost-update", "G-single"],
        &["cursor-stability", "update-atomic"],
    );
}

#[test]
fn what_failed_must_not_be_seen() {
    check("0 0-9! ax1 ; 1 1-8 rx1 ; 2 1-9 ay1 ; 1 10-11 ry1", &["G1a"], &["read-committed"]);
}

#[test]
fn what_is_not_finished_must_not_be_seen() {
    check("0 0-9 ax1 ax2 ; 1 1-8 rx1 ; 2 10-11 rx12", &["G1b", "G-single"], &["read-committed"]);
}

#[test]
fn who_builds_upon_what_failed_is_dirty() {
    check(
        "0 0-9! ax1 ; 1 1-2? ax2 ; 2 1-8 ax3 ; 3 9-10 rx123",
        &["G1a", "dirty-update"],
        &["read-committed"],
    );
}

#[test]
fn lists_do_not_change_their_beginning() {
    check(
        "0 0-9 ax1 ; 1 1-8 ax2 ; 2 2-7 rx12 ; 3 3-6 rx2",
        &["incompatible-order"],
        &["read-committed"],
    );
}

#[test]
fn an_element_is_in_a_list_once() {
    check("0 0-9 ax1 ; 1 1-8 rx11", &["duplicate-elements"], &["read-uncommitted"]);
}

#[test]
fn what_nobody_appended_is_in_no_list() {
    check("0 0-9 ax1 ; 1 1-8 rx17", &["thin-air-read"], &["read-uncommitted"]);
}

#[test]
fn a_transaction_agrees_with_itself() {
    check("0 0-9 ax1 rx_ ; 1 10-11 rx1", &["internal"], &["read-atomic"]);
    check(
        "0 0-9 ax1 ; 1 1-8 rx1 rx_",
        &["internal", "G-single"],
        &["read-atomic", "consistent-view", "repeatable-read"],
    );
    check("0 0-9 rx1 ax1 ; 1 10-11 rx1", &["future-read"], &["read-committed"]);
}

#[test]
fn a_weaker_level_holds_where_a_stronger_one_does_not() {
    let skew = history("0 0-9 rx_ ay1 ; 1 1-8 ry_ ax1 ; 2 10-11 rx1 ry1");
    let at = |level| lists(&skew, level);
    assert_eq!(at(Level::SnapshotIsolation).verdict, Verdict::Valid);
    assert!(
        at(Level::SnapshotIsolation).summary.contains("also seen"),
        "{:?}",
        at(Level::SnapshotIsolation)
    );
    assert_eq!(at(Level::Serializable).verdict, Verdict::Invalid);
    let fork = history("0 0-9 ax1 ; 1 1-8 ay1 ; 2 2-7 rx1 ry_ ; 3 3-6 rx_ ry1");
    assert_eq!(lists(&fork, Level::ParallelSnapshotIsolation).verdict, Verdict::Valid);
    assert_eq!(lists(&fork, Level::Prefix).verdict, Verdict::Invalid);
}

#[test]
fn causes_of_what_was_seen_are_seen_on_lists() {
    // T2 saw T1 and caused T3; who sees T3's effect must see T1's.
    let chain = history("0 0-1 ax1 ; 1 2-3 rx1 ay1 ; 2 4-5 ry1 rx_");
    assert_eq!(lists(&chain, Level::Causal).verdict, Verdict::Invalid);
    assert_eq!(lists(&chain, Level::ReadAtomic).verdict, Verdict::Valid);
    let half = history("0 0-1 ax1 ay1 ; 2 4-5 ry1 rx_");
    assert_eq!(lists(&half, Level::ReadAtomic).verdict, Verdict::Invalid);
}

#[test]
fn an_unknown_outcome_counts_once_it_was_seen() {
    let seen = history("0 0-9? ax1 ay1 ; 1 1-8 rx1 ry_ ; 2 10-11 ry_");
    assert_eq!(lists(&seen, Level::StrictSerializable).verdict, Verdict::Invalid);
    let unseen = history("0 0-9? ax1 ay1 ; 1 1-8 rx_ az1 ; 2 10-11 ry_ rz1");
    assert_eq!(lists(&unseen, Level::StrictSerializable).verdict, Verdict::Valid);
}

#[test]
fn what_was_written_twice_is_not_decided() {
    let twice = history("0 0-1 ax1 ; 1 2-3 ax1 ; 2 4-5 ay1 ; 1 6-7 ry1");
    let check = lists(&twice, Level::StrictSerializable);
    assert_eq!(check.verdict, Verdict::Unknown);
    assert!(check.reason.unwrap().contains("more than once"));
}

#[test]
fn registers_tell_less() {
    let at = |text, level| registers(&history(text), level);
    let stale = "0 0-1 wx1 ; 1 2-3 wx2 ; 2 4-5 rx1";
    let check = at(stale, Level::StrictSerializable);
    assert_eq!(check.verdict, Verdict::Unknown);
    assert!(check.reason.unwrap().contains("linearizable"), "stale only if keys are linearizable");
    assert_eq!(
        at("0 0-1 wx1 ; 1 2-3 rx_ ; 2 4-5 rx1", Level::StrictSerializable).verdict,
        Verdict::Invalid
    );
    let check = at("0 0-9 rx_ wx1 ; 1 1-8 rx_ wx2", Level::SnapshotIsolation);
    assert_eq!(kinds(&check), ["lost-update", "G2-item"]);
    assert_eq!(check.verdict, Verdict::Invalid);
}

#[test]
fn only_sessions_order_what_a_process_did() {
    // The process writes x, and then reads what it held before that.
    let own = history("0 0-1 wx1 ; 0 2-3 rx_ ; 1 4-5 rx1");
    for level in [Level::Serializable, Level::SnapshotIsolation] {
        assert_eq!(registers(&own, level).verdict, Verdict::Valid, "{level:?}");
    }
    for level in [Level::StrongSessionSerializable, Level::StrongSessionSnapshotIsolation] {
        assert_eq!(registers(&own, level).verdict, Verdict::Invalid, "{level:?}");
    }
    // The same values in an order that nobody's sessions are needed to rule out.
    let fork = history("0 0-9 wx1 wy1 ; 1 0-9 rx1 ry_");
    assert_eq!(registers(&fork, Level::Serializable).verdict, Verdict::Invalid);
}

#[test]
fn a_key_has_one_initial_value() {
    let text = "0 0-1 rx7 ; 1 2-3 rx8 ; 2 4-5 wy1 ; 1 6-7 ry1";
    let any = super::check_rw_register(
        &history(text),
        Level::Causal,
        &crate::model::Initial::Any,
        &crate::checker::linearizable::Unlimited,
    );
    assert!(any.unwrap().reason.unwrap().contains("nobody wrote"));
}

#[test]
fn of_several_broken_levels_the_weakest_is_told() {
    let half = history("0 0-1 wx1 wy1 ; 1 2-3 ry1 rx_");
    let check = registers(&half, Level::Causal);
    assert_eq!(kinds(&check), ["non-monotonic-read"]);
    assert_eq!(check.broken, ["read-committed"]);
    let circle = history("0 0-9 wx1 ry1 ; 1 1-8 wy1 rx1");
    let check = registers(&circle, Level::Causal);
    assert_eq!(kinds(&check), ["G1c"]);
    assert_eq!(check.verdict, Verdict::Invalid);
}

#[test]
fn registers_that_no_order_explains_are_told_in_full() {
    // Each writer of x must come before the other one: no shorter reason than a choice of orders.
    let text =
        "0 0-9 wx1 ; 1 0-9 wx2 ; 2 0-9 rx1 wy1 ; 3 0-9 rx2 wz1 ; 4 0-9 ry1 rz_ ; 5 0-9 rz1 ry_";
    let check = registers(&history(text), Level::Serializable);
    assert_eq!(check.verdict, Verdict::Invalid, "{check:#?}");
    let fork = registers(&history(text), Level::Causal);
    assert_eq!(fork.verdict, Verdict::Valid);
}

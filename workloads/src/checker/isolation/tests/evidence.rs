//! Explanations, read as a stranger would.

use expect_test::{Expect, expect};

use super::{Level, history, lists, registers};
use crate::checker::Check;

#[track_caller]
fn check(check: Check, expected: Expect) {
    let mut text = format!("{}\n", check.summary);
    for anomaly in &check.anomalies {
        text.push_str(&format!("{}\n", anomaly.kind));
        for operation in &anomaly.operations {
            text.push_str(&format!("  {}: {}\n", operation.label, operation.text));
        }
        for line in &anomaly.explanation {
            text.push_str(&format!("  - {line}\n"));
        }
    }
    expected.assert_eq(&text);
}

#[test]
fn read_skew() {
    let history = history("0 0-9 ax1 ay1 ; 1 1-8 rx1 ry_ ; 2 10-11 ry1");
    check(
        lists(&history, Level::SnapshotIsolation),
        expect![[r#"
            not snapshot-isolation: G-single (1)
            G-single
              T1: append 1 to x, append 1 to y
              T2: read x = [1], read y = []
              - T1 comes before T2: T2 read x = [1], whose last element 1 is from T1.
              - But then T2 comes before T1: T2 read y = [], without T1's append of 1.
              - So T1 would have to come before itself: no order of these transactions is possible.
              - This is G-single (read skew: one read missed a write that it should know): consistent-view, repeatable-read and all stronger levels rule it out.
        "#]],
    );
}

#[test]
fn stale_read() {
    let history = history("0 0-1 ax1 ; 1 2-3 rx_ ; 2 4-5 ax2 ; 2 6-7 rx12");
    check(
        lists(&history, Level::StrictSerializable),
        expect![[r#"
            not strict-serializable: G-single-realtime (1)
            G-single-realtime
              T1: append 1 to x
              T2: read x = []
              - T1 comes before T2: T2 began after T1 had completed.
              - But then T2 comes before T1: T2 read x = [], without T1's append of 1.
              - So T1 would have to come before itself: no order of these transactions is possible.
              - This is G-single-realtime (stale read: a read missed a write that had ended): strong-snapshot-isolation and all stronger levels rule it out.
        "#]],
    );
}

#[test]
fn registers_in_no_order() {
    let history = history("0 0-9 wx1 ; 1 1-8 wx2 ; 2 2-3 rx1 ; 2 4-5 rx2 ; 3 2-3 rx2 ; 3 4-5 rx1");
    check(
        registers(&history, Level::StrongSessionSerializable),
        expect![[r#"
            not strong-session-serializable: causality-violation (1)
            causality-violation
              T1: write x = 1
              T2: write x = 2
              T3: read x = 2
              T4: read x = 1
              - T1 comes before T2: both wrote x; T3 depends, through what was read and the order of processes, on T1, but read x from T2.
              - T2 comes before T1: both wrote x; T4 depends, through what was read and the order of processes, on T2, but read x from T1.
              - So T1 would have to come before itself, which is impossible.
              - This is causality-violation (a read misses what its causes knew): causal and all stronger levels rule it out.
        "#]],
    );
}

#[test]
fn broken_causality() {
    let history = history("0 0-1 wx1 ; 1 2-3 rx1 wy2 ; 2 4-5 ry2 rx_");
    check(
        registers(&history, Level::Causal),
        expect![[r#"
            not causal: causality-violation (1)
            causality-violation
              T1: write x = 1
              T2: read y = 2, read x = null
              - T1 wrote x.
              - T2 depends, through what was read and the order of processes, on T1.
              - But T2 read what x held before anybody wrote it.
              - This is causality-violation (a read misses what its causes knew): causal and all stronger levels rule it out.
        "#]],
    );
}

//! What a person reads about each kind of violation.

use expect_test::{Expect, expect};

use super::{Verdict, check_with, parse};

#[track_caller]
fn explain(text: &str, expect: Expect) {
    let check = check_with(&parse(text), "null");
    assert_eq!(check.verdict, Verdict::Invalid);
    let counterexample = &check.counterexamples[0];
    let mut actual = String::new();
    for operation in &counterexample.operations {
        actual
            .push_str(&format!("{}: p{} {}\n", operation.label, operation.process, operation.text));
    }
    for (position, step) in counterexample.explanation.iter().enumerate() {
        actual.push_str(&format!("{}. {step}\n", position + 1));
    }
    expect.assert_eq(&actual);
}

#[test]
fn stale_read() {
    explain(
        "p0 w3 ; p1 r3 | p2 r3 ; p0 w7 ; p2 r7 ; p1 r3 ; p0 w8",
        expect![[r#"
        A: p0 write 3
        B: p0 write 7
        C: p1 read -> 3
        1. A wrote 3 and was acknowledged at 0.001 s.
        2. B wrote 7 and was acknowledged at 0.007 s; it began after A was done, so 3 came before 7.
        3. C began at 0.010 s, after B was done, and still read 3, the value before 7.
        4. Nothing wrote 3 again in between, so C's read was stale: it had to return 7 or a later value.
    "#]],
    );
}

#[test]
fn lost_acknowledged_write() {
    explain(
        "p0 w3 ; p1 w7 ; p2 r3 ; p3 r3",
        expect![[r#"
        A: p0 write 3
        B: p1 write 7
        C: p2 read -> 3
        1. A wrote 3 and was acknowledged at 0.001 s.
        2. B wrote 7 and was acknowledged at 0.003 s; it began after A was done, so 3 came before 7.
        3. C began at 0.004 s, after B was done, and still read 3, the value before 7.
        4. Nothing wrote 3 again in between, and 1 more operation found 3 after C did: what had been acknowledged was lost.
    "#]],
    );
}

#[test]
fn lost_first_write() {
    explain(
        "p0 w3 ; p2 r_ ; p3 w4",
        expect![[r#"
            A: p0 write 3
            B: p2 read -> nothing
            1. The register starts with nothing.
            2. A wrote 3 and was acknowledged at 0.001 s.
            3. B began at 0.002 s, after A was done, and still read nothing, the value from the start.
            4. Nothing put the starting value back, and nobody ever saw 3: the acknowledged write by A was lost, or B's read was stale.
        "#]],
    );
}

#[test]
fn value_that_nobody_wrote() {
    explain(
        "p0 w3 ; p1 r9",
        expect![[r#"
        A: p1 read -> 9
        1. A read 9 (from 0.002 s to 0.003 s).
        2. Nothing ever wrote 9, not even an operation of unknown outcome, and the register starts with nothing.
        3. So A saw a value that cannot have been there.
    "#]],
    );
}

#[test]
fn value_before_it_was_written() {
    explain(
        "p1 r3 ; p0 w3",
        expect![[r#"
        A: p1 read -> 3
        B: p0 write 3
        1. A read 3 (from 0.000 s to 0.001 s).
        2. The write of 3 by B began only later, at 0.002 s, and nothing else wrote it.
        3. So A saw a value before it was written.
    "#]],
    );
}

#[test]
fn reads_that_go_back() {
    explain(
        "p0 w3 ; p1 w4 ... ; p2 r4 ; p3 r3 ; p1 ok",
        expect![[r#"
        A: p0 write 3
        B: p1 write 4
        C: p2 read -> 4
        D: p3 read -> 3
        1. A wrote 3 and was acknowledged at 0.001 s.
        2. B wrote 4 and was acknowledged at 0.007 s; it began after A was done, so 3 came before 4.
        3. C read 4 (from 0.003 s to 0.004 s), so 4 had been written by then.
        4. D began at 0.005 s, after C was done, and still read 3, the value before 4.
        5. Nothing wrote 3 again in between, so time ran backwards between C and D: D's read was stale.
    "#]],
    );
}

#[test]
fn value_that_comes_back() {
    explain(
        "p0 w3 ... ; p1 r3 ; p2 w4 ; p3 r3 ; p0 ok",
        expect![[r#"
        A: p0 write 3
        B: p1 read -> 3
        C: p2 write 4
        D: p3 read -> 3
        1. B read 3 (from 0.001 s to 0.002 s).
        2. C wrote 4 and was acknowledged at 0.004 s; it began after B was done, so 3 came before 4.
        3. D began at 0.005 s, after C was done, and still read 3, the value before 4.
        4. Nothing wrote 3 again in between, so an overwritten value came back.
    "#]],
    );
}

#[test]
fn two_updates_of_the_same_value() {
    explain(
        "p0 w3 ; p1 c3:4 | p2 c3:5 ; p3 r5",
        expect![[r#"
        A: p0 write 3
        B: p1 cas 3 -> 4
        C: p2 cas 3 -> 5
        1. A wrote 3 and was acknowledged at 0.001 s, and nothing else wrote it.
        2. B replaced 3 by 4 and was acknowledged at 0.004 s.
        3. C replaced 3 by 5 and was acknowledged at 0.005 s.
        4. Either of them removes 3, and nothing put it back, so only one of B and C can have found it: an update was lost.
    "#]],
    );
}

#[test]
fn cas_on_a_value_that_is_gone() {
    explain(
        "p0 w3 ; p1 w4 ; p2 c3:5",
        expect![[r#"
            A: p0 write 3
            B: p1 write 4
            C: p2 cas 3 -> 5
            1. A wrote 3 and was acknowledged at 0.001 s.
            2. B wrote 4 and was acknowledged at 0.003 s; it began after A was done, so 3 came before 4.
            3. C began at 0.004 s, after B was done, and still found 3, the value before 4, and replaced it by 5.
            4. Nothing wrote 3 again in between, so C succeeded on a value that the register no longer held.
        "#]],
    );
}

#[test]
fn write_between_the_halves_of_a_cas() {
    explain(
        "p0 w1 ; p1 w2 ... ; p2 c1:3 ... ; p3 r1 ; p4 r2 ; p5 r3 ; p5 r2",
        expect![[r#"
            A: p0 write 1
            B: p1 write 2 (unknown outcome)
            C: p2 cas 1 -> 3 (unknown outcome)
            D: p4 read -> 2
            E: p5 read -> 3
            1. C tried to replace 1 by 3 from 0.003 s on and never learned whether it did. A cas acts in one step, so nothing can lie between 1 and 3.
            2. A wrote 1 and was acknowledged at 0.001 s.
            3. B tried to write 2 from 0.002 s on and never learned whether it did; it began after A was done, so 1 came before 2.
            4. D read 2 (from 0.006 s to 0.007 s).
            5. E read 3 (from 0.008 s to 0.009 s); it began after D was done, so 2 came before 3.
            6. So 2 would have to lie between them: C succeeded although the register cannot have held 1 at that moment.
        "#]],
    );
    explain(
        "p0 w1 ; p5 c1:3 ... ; p1 w2 ; p4 r3 ; p5 ok",
        expect![[r#"
            A: p0 write 1
            B: p5 cas 1 -> 3
            C: p1 write 2
            D: p4 read -> 3
            1. B replaced 1 by 3 and was acknowledged at 0.007 s. A cas acts in one step, so nothing can lie between 1 and 3.
            2. A wrote 1 and was acknowledged at 0.001 s.
            3. C wrote 2 and was acknowledged at 0.004 s; it began after A was done, so 1 came before 2.
            4. D read 3 (from 0.005 s to 0.006 s); it began after C was done, so 2 came before 3.
            5. So 2 would have to lie between them: B succeeded although the register cannot have held 1 at that moment.
        "#]],
    );
}

#[test]
fn effect_of_an_unknown_write_is_taken_back() {
    explain(
        "p0 w3 ; p1 w4? ; p2 r4 ; p3 r3",
        expect![[r#"
        A: p0 write 3
        B: p1 write 4 (unknown outcome)
        C: p2 read -> 4
        D: p3 read -> 3
        1. A wrote 3 and was acknowledged at 0.001 s.
        2. B tried to write 4 from 0.002 s on and never learned whether it did; it began after A was done, so 3 came before 4.
        3. C read 4 (from 0.004 s to 0.005 s), so 4 had been written by then.
        4. D began at 0.006 s, after C was done, and still read 3, the value before 4.
        5. Nothing wrote 3 again in between, so time ran backwards between C and D: D's read was stale.
    "#]],
    );
}

#[test]
fn stale_read_of_a_value_that_was_written_more_than_once() {
    explain(
        "p0 w1 ; p1 c1:2 ; p2 c2:1 ; p3 w2 ; p4 r1 ; p5 w1",
        expect![[r#"
        A: p0 write 1
        B: p1 cas 1 -> 2
        C: p2 cas 2 -> 1
        D: p3 write 2
        E: p4 read -> 1
        1. C replaced 2 by 1 and was acknowledged at 0.005 s.
        2. D wrote 2 and was acknowledged at 0.007 s; it began after C was done, so 1 came before 2.
        3. E began at 0.008 s, after D was done, and still read 1, the value before 2.
        4. Nothing wrote 1 again in between, so E's read was stale: it had to return 2 or a later value.
    "#]],
    );
}

#[test]
fn anything_else_is_told_by_the_longest_order() {
    explain(
        "p0 w5? ; p1 w4 ; p2 c1:5? ; p3 r5 ; p4 r4 ; p5 r5 ; p6 r4",
        expect![[r#"
            A: p0 write 5 (unknown outcome)
            B: p1 write 4
            C: p3 read -> 5
            D: p4 read -> 4
            1. B wrote 4 and was acknowledged at 0.003 s.
            2. C read 5 (from 0.006 s to 0.007 s); it began after B was done, so 4 came before 5.
            3. D began at 0.008 s, after C was done, and still read 4, the value before 5.
            4. Nothing wrote 4 again in between, so time ran backwards between C and D: D's read was stale.
        "#]],
    );
}

#[test]
fn a_value_of_a_failed_cas_is_traced_to_it() {
    explain(
        "p0 w1 ; p1 c1:2! ; p2 r2",
        expect![[r#"
            A: p2 read -> 2
            1. A read 2 (from 0.004 s to 0.005 s).
            2. Nothing ever wrote 2, not even an operation of unknown outcome, and the register starts with nothing.
            3. So A saw a value that cannot have been there.
            4. Process 1 did ask for it (cas of 2), but was told that its cas had failed: an operation that failed must have no effect.
        "#]],
    );
}

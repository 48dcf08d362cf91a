//! The guarantees against their definitions: all orders of the versions.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::{Guarantee, Judgement, check, versions};
use crate::checker::linearizable::Unlimited;
use crate::checker::process_order::history;
use crate::checker::{CheckOptions, Verdict};
use crate::history::{Operation, Value, notation, operations};
use crate::model::{Entry, Initial, Model, ObjectModel, Register, RegisterOp};

/// Whether the guarantee holds in this order of versions (by number, the first is the oldest).
fn holds_in(
    guarantee: Guarantee,
    rank: &[usize],
    register: &Register,
    operations: &[&Operation],
    entries: &[Entry<RegisterOp>],
) -> bool {
    let process = |entry: &Entry<RegisterOp>| operations[entry.id].process;
    let read = |entry: &Entry<RegisterOp>| register.observes(&entry.op);
    let wrote = |entry: &Entry<RegisterOp>| register.writes(&entry.op);
    let rank = |value: u32| rank[value as usize];
    for (at, later) in entries.iter().enumerate() {
        if let RegisterOp::Cas { expected, new } = later.op
            && !later.is_crashed()
            && rank(expected) >= rank(new)
        {
            return false;
        }
        let read_later = read(later).filter(|_| !later.is_crashed());
        let earlier = entries[..at].iter().filter(|it| process(it) == process(later));
        for earlier in earlier {
            let fine = match guarantee {
                // To see an own write behind an own later one is never right.
                Guarantee::ReadYourWrites => wrote(earlier).zip(read_later).is_none_or(|(w, r)| {
                    let own: Vec<u32> = entries[..at]
                        .iter()
                        .filter(|it| process(it) == process(later))
                        .filter_map(wrote)
                        .collect();
                    let last = own.last().copied().unwrap_or(w);
                    rank(last) <= rank(r) && (r == last || !own.contains(&r))
                }),
                Guarantee::MonotonicReads => {
                    read(earlier).zip(read_later).is_none_or(|(a, b)| rank(a) <= rank(b))
                }
                Guarantee::MonotonicWrites => {
                    wrote(earlier).zip(wrote(later)).is_none_or(|(a, b)| rank(a) < rank(b))
                }
                Guarantee::WritesFollowReads => {
                    read(earlier).zip(wrote(later)).is_none_or(|(a, b)| rank(a) < rank(b))
                }
            };
            if !fine {
                return false;
            }
        }
    }
    true
}

fn orders(count: usize) -> Vec<Vec<usize>> {
    if count == 0 {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for order in orders(count - 1) {
        for place in 0..count {
            let mut order = order.clone();
            order.insert(place, count - 1);
            all.push(order);
        }
    }
    all
}

#[test]
fn random_histories_agree_with_all_orders_of_versions() {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut broken = [0; 4];
    for _ in 0..4_000 {
        let operations = history(&mut rng, 7, true);
        let operations: Vec<&Operation> = operations.iter().collect();
        let initial = Initial::Value(Value::Null);
        let (register, entries) = Register::encode(&operations, &initial).unwrap();
        let phantom = entries.iter().filter(|entry| !entry.is_crashed()).any(|entry| {
            register.observes(&entry.op).is_some_and(|value| {
                value != 0 && entries.iter().all(|it| register.writes(&it.op) != Some(value))
            })
        });
        for (number, guarantee) in Guarantee::ALL.into_iter().enumerate() {
            // The starting value has number 0 and comes first.
            let expected = !phantom
                && orders(register.values()).into_iter().filter(|it| it[0] == 0).any(|order| {
                    let mut rank = vec![0; order.len()];
                    for (at, &value) in order.iter().enumerate() {
                        rank[value] = at;
                    }
                    holds_in(guarantee, &rank, &register, &operations, &entries)
                });
            let judgement = versions::judge(guarantee, &register, &None, &operations, &entries);
            let holds = match judgement {
                Judgement::Holds => true,
                Judgement::Broken(_) => false,
                Judgement::Unknown(values) => panic!("{values} values"),
            };
            assert_eq!(holds, expected, "{guarantee:?} {operations:#?}");
            broken[number] += usize::from(!holds && !phantom);
        }
    }
    assert!(broken.iter().all(|&count| count > 0), "{broken:?} broken");
}

fn explain(guarantee: Guarantee, text: &str) -> String {
    let operations = operations(&notation::parse(text).unwrap()).unwrap();
    let options = CheckOptions::default();
    let check = check(guarantee, &operations, &options, &Unlimited).unwrap();
    assert_eq!(check.verdict, Verdict::Invalid);
    check.anomalies[0].explanation.join("\n")
}

#[test]
fn broken_guarantees_are_told_in_words() {
    expect_test::expect![[r#"
        process 0 wrote 1 (A) and then read nothing (B), so 1 must be before nothing.
        But that is the value from the start, which is before all others."#]]
    .assert_eq(&explain(Guarantee::ReadYourWrites, "p0 w1 ; p0 r_"));
    expect_test::expect![[r#"
        process 1 read 1 (A) and then 2 (B), so 1 must be before 2.
        process 1 read 2 (B) and then 1 (C), so 2 must be before 1.
        These go round in a circle, so there is no such order of versions."#]]
    .assert_eq(&explain(Guarantee::MonotonicReads, "p0 w1 ; p0 w2 ; p1 r1 ; p1 r2 ; p1 r1"));
    expect_test::expect![[r#"
        process 0 replaced 2 by 1 (A), so 2 must be before 1.
        process 0 wrote 1 (A) and then 2 (B), so 1 must be before 2.
        These go round in a circle, so there is no such order of versions."#]]
    .assert_eq(&explain(Guarantee::MonotonicWrites, "p0 c2:1 ; p0 w2"));
    expect_test::expect![[r#"
        process 0 read 2 (A) and then wrote 1 (B), so 2 must be before 1.
        process 1 read 1 (C) and then wrote 2 (D), so 1 must be before 2.
        These go round in a circle, so there is no such order of versions."#]]
    .assert_eq(&explain(Guarantee::WritesFollowReads, "p0 r2 ; p0 w1 ; p1 r1 ; p1 w2"));
}

#[test]
fn what_was_read_may_have_been_there_at_first() {
    // Read 2 and then wrote 2: no circle if 2 was there before.
    let operations = operations(&notation::parse("p0 r2 ; p0 w2").unwrap()).unwrap();
    let judged = |initial| {
        let options = CheckOptions { initial, ..CheckOptions::default() };
        check(Guarantee::WritesFollowReads, &operations, &options, &Unlimited).unwrap().verdict
    };
    assert_eq!(judged(Some(Initial::Any)), Verdict::Unknown);
    assert_eq!(judged(None), Verdict::Invalid);
}

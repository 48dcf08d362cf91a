//! All small histories: the checker, the bare search and brute force must agree on each. These are
//! 345,964 histories.

use super::super::decide::decide;
use super::super::meter::Meter;
use super::super::search::search;
use super::super::{Unlimited, verify};
use super::brute;
use crate::history::{Operation, Outcome, Value};
use crate::model::{Decision, Entry, Initial, OPEN, ObjectModel, Register, RegisterOp};

/// A register that knows the values null, 1 and 2 as the numbers 0, 1 and 2.
pub(super) fn register(initial: &str, values: i64) -> Register {
    let write = |value: i64| Operation {
        process: 0,
        f: "write".into(),
        key: None,
        invoked: if value == 0 { Value::Null } else { Value::from(value) },
        result: Value::Null,
        outcome: Outcome::Fail,
        invoke_index: 0,
        invoke_time: 0,
        complete_index: Some(1),
        complete_time: Some(1),
        node: None,
        error: None,
    };
    let writes: Vec<Operation> = (0..=values).map(write).collect();
    let writes: Vec<&Operation> = writes.iter().collect();
    Register::encode(&writes, &initial.parse::<Initial>().unwrap()).unwrap().0
}

/// Compares the verdicts on one history; true if it is linearizable.
#[track_caller]
pub(super) fn compare(
    model: &Register,
    initial: Option<u32>,
    entries: &[Entry<RegisterOp>],
) -> bool {
    let expected = brute::is_linearizable(entries, initial);
    let mut meter = Meter::new(&Unlimited);
    for (way, decision) in [
        ("checker", decide(model, entries, &mut meter)),
        ("search", search(model, entries, &mut meter)),
    ] {
        match decision.unwrap() {
            Decision::Order(order) => {
                assert!(expected, "{way} says linearizable: {entries:?}");
                assert_eq!(verify(model, entries, &order), Ok(()), "{way}: {entries:?}");
            }
            Decision::Impossible => assert!(!expected, "{way} says impossible: {entries:?}"),
        }
    }
    expected
}

/// Calls `visit` with each history of `count` operations out of `ops`. Operations without a
/// completion are crashed; crashed reads are left out, since they say nothing.
fn histories(ops: &[RegisterOp], count: usize, visit: &mut impl FnMut(&[Entry<RegisterOp>])) {
    fn extend(
        ops: &[RegisterOp],
        count: usize,
        moment: u64,
        entries: &mut Vec<Entry<RegisterOp>>,
        visit: &mut impl FnMut(&[Entry<RegisterOp>]),
    ) {
        if entries.len() == count {
            let crashed_read = |entry: &Entry<RegisterOp>| {
                entry.is_crashed() && matches!(entry.op, RegisterOp::Read(_))
            };
            if !entries.iter().any(crashed_read) {
                visit(entries);
            }
        } else {
            for &op in ops {
                let id = entries.len();
                entries.push(Entry { id, op, invoked: moment, completed: OPEN });
                extend(ops, count, moment + 2, entries, visit);
                entries.pop();
            }
        }
        for position in 0..entries.len() {
            if entries[position].completed == OPEN {
                entries[position].completed = moment + 1;
                extend(ops, count, moment + 2, entries, visit);
                entries[position].completed = OPEN;
            }
        }
    }
    extend(ops, count, 0, &mut Vec::new(), visit);
}

#[track_caller]
fn compare_all(initial: &str, ops: &[RegisterOp], count: usize, expected: [usize; 2]) {
    let model = register(initial, 2);
    let number = match initial {
        "null" => Some(0),
        "any" => None,
        other => unreachable!("{other} is not used here"),
    };
    let mut seen = [0; 2];
    histories(ops, count, &mut |entries| {
        seen[usize::from(compare(&model, number, entries))] += 1;
    });
    assert_eq!(seen, expected, "not linearizable, linearizable");
}

fn all_ops() -> Vec<RegisterOp> {
    let mut ops: Vec<RegisterOp> = (0..3).map(RegisterOp::Read).collect();
    ops.extend((1..3).map(RegisterOp::Write));
    ops.extend(
        [(0, 1), (0, 2), (1, 1), (1, 2), (2, 1), (2, 2)]
            .map(|(expected, new)| RegisterOp::Cas { expected, new }),
    );
    ops
}

#[test]
fn all_histories_of_up_to_three_operations_agree() {
    compare_all("null", &all_ops(), 1, [6, 13]);
    compare_all("null", &all_ops(), 2, [368, 323]);
    compare_all("null", &all_ops(), 3, [25_226, 13_995]);
}

#[test]
fn all_histories_of_three_operations_agree_with_an_unknown_initial_value() {
    compare_all("any", &all_ops(), 3, [16_104, 23_117]);
}

#[test]
fn all_histories_that_write_the_initial_value_agree() {
    let mut ops: Vec<RegisterOp> = (0..2).map(RegisterOp::Read).collect();
    ops.extend((0..2).map(RegisterOp::Write));
    ops.extend([(0, 0), (0, 1), (1, 0)].map(|(expected, new)| RegisterOp::Cas { expected, new }));
    compare_all("null", &ops, 3, [3_674, 6_321]);
}

#[test]
fn all_histories_of_four_operations_on_two_values_agree() {
    let ops = [
        RegisterOp::Read(1),
        RegisterOp::Read(2),
        RegisterOp::Write(1),
        RegisterOp::Write(2),
        RegisterOp::Cas { expected: 1, new: 2 },
        RegisterOp::Cas { expected: 2, new: 1 },
    ];
    compare_all("null", &ops, 4, [157_716, 99_100]);
}

//! The checker against all interleavings, and against stateright's tester.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use stateright::semantics::{ConsistencyTester, SequentialConsistencyTester};

use super::{processes, sequential};
use crate::checker::linearizable::stateright_register::{Op, Register as Reference};
use crate::checker::linearizable::{Meter, Unlimited};
use crate::history::{Operation, Outcome, Value};
use crate::model::{
    Decision, Entry, Initial, Model, ObjectModel, Register, RegisterOp, RegisterState,
};

/// Operations of a few processes, one after the other in each, with what they might have returned.
pub(in crate::checker) fn history(
    rng: &mut ChaCha8Rng,
    count: usize,
    unique: bool,
) -> Vec<Operation> {
    let count_of_processes = rng.random_range(2..=3);
    let mut retired = [false; 3];
    let mut operations = Vec::new();
    let mut fresh = 0;
    for number in 0..count as u64 {
        let process = rng.random_range(0..count_of_processes);
        if retired[process] {
            continue;
        }
        let seen = match rng.random_range(0..=(fresh + 1).min(4)) {
            0 => Value::Null,
            seen => Value::from(seen),
        };
        let kind = rng.random_range(0..8);
        if kind >= 4 {
            fresh = if unique { fresh + 1 } else { rng.random_range(1..=3) };
        }
        let (f, invoked, result) = match kind {
            0..4 => ("read", Value::Null, seen),
            4..7 => ("write", Value::from(fresh), Value::Null),
            _ => ("cas", Value::from([seen, Value::from(fresh)]), Value::Null),
        };
        let crashed = rng.random_bool(0.1);
        retired[process] = crashed;
        // They overlap a little with those after them.
        let length = rng.random_range(1..4) * 2 + 1;
        operations.push(Operation {
            process: process as u64,
            f: f.into(),
            key: None,
            invoked,
            result,
            outcome: if crashed { Outcome::Info } else { Outcome::Ok },
            invoke_index: 10 * number,
            invoke_time: 10 * number,
            complete_index: (!crashed).then_some(10 * number + length),
            complete_time: (!crashed).then_some(10 * number + length),
            node: None,
            error: None,
        });
    }
    operations
}

/// All interleavings.
fn brute(
    processes: &[Vec<&Entry<RegisterOp>>],
    positions: &mut [usize],
    state: RegisterState,
    register: &Register,
) -> bool {
    let next = |process: usize, positions: &[usize]| processes[process].get(positions[process]);
    if (0..processes.len()).all(|it| next(it, positions).is_none_or(|entry| entry.is_crashed())) {
        return true;
    }
    (0..processes.len()).any(|process| {
        let Some(entry) = next(process, positions) else { return false };
        let Some(after) = register.step(&state, &entry.op) else { return false };
        positions[process] += 1;
        let explained = brute(processes, positions, after, register);
        positions[process] -= 1;
        explained
    })
}

fn stateright(operations: &[Operation]) -> bool {
    let mut tester = SequentialConsistencyTester::new(Reference::default());
    for operation in operations {
        let (op, ret) = Op::of(operation);
        tester.on_invoke(operation.process, op).unwrap();
        if operation.outcome == Outcome::Ok {
            tester.on_return(operation.process, ret).unwrap();
        }
    }
    tester.is_consistent()
}

#[test]
fn random_histories_agree_with_all_interleavings_and_with_stateright() {
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    let mut seen = [0; 2];
    for round in 0..30_000 {
        let operations = history(&mut rng, 4 + round % 5, round % 2 == 0);
        let operations_by_reference: Vec<&Operation> = operations.iter().collect();
        let initial = Initial::Value(Value::Null);
        let (register, entries) = Register::encode(&operations_by_reference, &initial).unwrap();
        let processes = processes(&operations_by_reference, &entries);
        let mut positions = vec![0; processes.len()];
        let expected = brute(&processes, &mut positions, register.initial(), &register);
        let mut meter = Meter::new(&Unlimited);
        let decision =
            sequential(&register, &operations_by_reference, &entries, &mut meter).unwrap();
        match decision {
            Decision::Order(order) => {
                assert!(expected, "{entries:?}");
                let mut state = register.initial();
                let mut last = [None; 3];
                for id in order {
                    let entry = entries.iter().find(|entry| entry.id == id).unwrap();
                    state = register.step(&state, &entry.op).unwrap();
                    let last = &mut last[operations[id].process as usize];
                    assert!(last.is_none_or(|last| last < entry.invoked));
                    *last = Some(entry.invoked);
                }
            }
            Decision::Impossible => assert!(!expected, "{entries:?}"),
        }
        assert_eq!(stateright(&operations), expected, "{operations:?}");
        seen[usize::from(expected)] += 1;
    }
    assert!(seen[0] > 5_000 && seen[1] > 5_000, "{seen:?} not sequential, sequential");
}

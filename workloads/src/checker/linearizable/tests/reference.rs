//! Small histories against stateright's tester of linearizability.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use stateright::semantics::{ConsistencyTester, LinearizabilityTester};

use super::super::stateright_register::{Op, Register};
use super::check_with;
use crate::checker::Verdict;
use crate::checker::process_order::history;
use crate::history::{Operation, Outcome};

/// What stateright says; each operation in a thread of its own.
fn stateright(operations: &[Operation]) -> bool {
    let mut tester = LinearizabilityTester::new(Register::default());
    let mut moments: Vec<(u64, bool, usize)> = Vec::new();
    for (id, operation) in operations.iter().enumerate() {
        moments.push((operation.invoke_index, false, id));
        let done = operation.complete_index.filter(|_| operation.outcome == Outcome::Ok);
        moments.extend(done.map(|index| (index, true, id)));
    }
    moments.sort_unstable();
    for (_, is_return, id) in moments {
        let (op, ret) = Op::of(&operations[id]);
        match is_return {
            false => tester.on_invoke(id, op).unwrap(),
            true => tester.on_return(id, ret).unwrap(),
        };
    }
    tester.is_consistent()
}

#[test]
fn random_histories_agree_with_stateright() {
    let mut rng = ChaCha8Rng::seed_from_u64(8);
    let mut seen = [0; 2];
    for round in 0..4_000 {
        let mut operations = history(&mut rng, 3 + round % 4, round % 2 == 0);
        // Let them overlap more, each process still one after the other.
        for operation in &mut operations {
            operation.complete_index = operation.complete_index.map(|index| index + 15);
        }
        for (id, operation) in operations.iter_mut().enumerate() {
            operation.process = id as u64;
        }
        let expected = stateright(&operations);
        let verdict = check_with(&operations, "null").verdict;
        assert_eq!(verdict == Verdict::Valid, expected, "{operations:?}");
        seen[usize::from(expected)] += 1;
    }
    assert!(seen.iter().all(|&count| count > 500), "{seen:?} not linearizable, linearizable");
}

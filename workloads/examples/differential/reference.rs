//! Registers, as stateright's testers of consistency see them.

use stateright::semantics::{
    ConsistencyTester, LinearizabilityTester, SequentialConsistencyTester,
};
use workloads::checker::linearizable::Unlimited;
use workloads::checker::{CheckOptions, Verdict, checker};
use workloads::differential::{Campaign, Tally};
use workloads::history::{Operation, Outcome, Value};

use super::stateright_register::{Op, Register};

/// What stateright says of a history.
type Tester = fn(&[Operation]) -> bool;

/// What is compared: the property, and who judges it.
pub(super) type Named = (&'static str, Tester);

pub(super) const TESTERS: [Named; 2] =
    [("linearizable", is_linearizable), ("sequential", is_sequential)];

/// Compares all small histories of a campaign, and says which these are.
pub(super) fn compare_small(
    campaign: &Campaign,
    property: &str,
    holds: Tester,
) -> Option<(Tally, String)> {
    let mut tally = Tally::default();
    let size = campaign
        .each_small(&mut |operations| compare_one(operations, property, holds, &mut tally))?;
    Some((tally, size))
}

/// Compares the random histories of a campaign, with these seeds.
pub(super) fn compare(
    campaign: &Campaign,
    property: &str,
    holds: Tester,
    seeds: std::ops::Range<u64>,
) -> Tally {
    let mut tally = Tally::default();
    for operations in seeds.filter_map(|seed| campaign.history(seed)) {
        compare_one(&operations, property, holds, &mut tally);
    }
    tally
}

fn compare_one(operations: &[Operation], property: &str, holds: Tester, tally: &mut Tally) {
    let operations = plain(operations.to_vec());
    let expected = holds(&operations);
    tally.case(expected);
    let verdict = checker("register", Some(property))
        .and_then(|info| (info.check)(&operations, &CheckOptions::default(), &Unlimited).ok())
        .map(|check| check.verdict);
    if verdict != Some(if expected { Verdict::Valid } else { Verdict::Invalid }) {
        tally.disagree(&format!("stateright says {expected}"), &operations);
    }
}

/// Without failed operations; what deletes writes null.
fn plain(mut operations: Vec<Operation>) -> Vec<Operation> {
    operations.retain(|it| it.outcome != Outcome::Fail);
    for operation in &mut operations {
        if operation.f == "delete" {
            operation.f = "write".into();
            operation.invoked = Value::Null;
        }
    }
    operations
}

/// Each operation in a thread of its own: stateright's threads cannot go on after a crash.
fn is_linearizable(operations: &[Operation]) -> bool {
    let mut tester = LinearizabilityTester::new(Register::default());
    let all: Vec<usize> = (0..operations.len()).collect();
    replay(&mut tester, operations, &all)
}

fn is_sequential(operations: &[Operation]) -> bool {
    let mut tester = SequentialConsistencyTester::new(Register::default());
    let processes: Vec<usize> = operations.iter().map(|it| it.process as usize).collect();
    replay(&mut tester, operations, &processes)
}

/// Tells a tester all invocations and returns, in their order.
fn replay(
    tester: &mut impl ConsistencyTester<usize, Register>,
    operations: &[Operation],
    threads: &[usize],
) -> bool {
    let mut moments: Vec<(u64, bool, usize)> = Vec::new();
    for (id, operation) in operations.iter().enumerate() {
        moments.push((operation.invoke_index, false, id));
        let done = operation.complete_index.filter(|_| operation.outcome == Outcome::Ok);
        moments.extend(done.map(|index| (index, true, id)));
    }
    moments.sort_unstable();
    for (_, is_return, id) in moments {
        let (op, ret) = Op::of(&operations[id]);
        let taken = match is_return {
            false => tester.on_invoke(threads[id], op).is_ok(),
            true => tester.on_return(threads[id], ret).is_ok(),
        };
        assert!(taken, "a process does one thing at a time");
    }
    tester.is_consistent()
}

//! Valid histories pass; the same with a planted violation do not.

use super::simulate::{Simulation, simulate};
use super::{LinearizableOptions, StepBudget, Verdict, check, check_with, model};
use crate::history::{Operation, Outcome, Value};

fn simulations(values: Option<u64>) -> impl Iterator<Item = Simulation> {
    (0..60).map(move |seed| Simulation {
        seed,
        clients: [2, 5, 10, 30][seed as usize % 4],
        operations: [50, 300, 2_000][seed as usize % 3],
        crashes: [0, 2, 10][(seed / 4) as usize % 3],
        values,
    })
}

/// The acknowledged operations that set a value: position, value, moments of start and end.
fn writes(operations: &[Operation]) -> Vec<(usize, &Value)> {
    operations
        .iter()
        .enumerate()
        .filter(|(_, operation)| operation.outcome == Outcome::Ok && operation.f == "write")
        .map(|(position, operation)| (position, &operation.invoked))
        .collect()
}

fn precedes(a: &Operation, b: &Operation) -> bool {
    a.outcome == Outcome::Ok && a.complete_index.is_some_and(|index| index < b.invoke_index)
}

/// A read, with the value of a write that was overwritten before it began.
fn stale(operations: &[Operation]) -> Option<(usize, Value)> {
    let writes = writes(operations);
    let reads = operations
        .iter()
        .enumerate()
        .rev()
        .filter(|(_, read)| read.f == "read" && read.outcome == Outcome::Ok);
    for (position, read) in reads {
        for &(newer, _) in writes.iter().rev() {
            if precedes(&operations[newer], read) {
                let older = writes
                    .iter()
                    .rev()
                    .find(|&&(older, _)| precedes(&operations[older], &operations[newer]));
                if let Some(&(_, value)) = older {
                    return Some((position, value.clone()));
                }
            }
        }
    }
    None
}

#[test]
fn simulated_histories_are_linearizable() {
    for simulation in simulations(None).chain(simulations(Some(5)).filter(|s| s.clients < 30)) {
        // Few values and many crashed operations on one key are hard for anyone.
        if simulation.values.is_some() && simulation.crashes * simulation.operations as u32 > 4_000
        {
            continue;
        }
        let check = check_with(&simulate(&simulation), "null");
        assert_eq!(check.verdict, Verdict::Valid, "seed {}: {:?}", simulation.seed, check.reason);
    }
}

#[test]
fn a_planted_stale_read_is_found_and_explained_by_few_operations() {
    let mut planted = 0;
    for simulation in simulations(None) {
        let mut operations = simulate(&simulation);
        let Some((read, value)) = stale(&operations) else { continue };
        operations[read].result = value;
        planted += 1;
        let check = check_with(&operations, "null");
        assert_eq!(check.verdict, Verdict::Invalid, "seed {}", simulation.seed);
        assert!(check.counterexamples[0].operations.len() <= 6, "seed {}", simulation.seed);
    }
    assert!(planted > 50, "{planted} planted");
}

#[test]
fn a_lost_write_is_found() {
    // Everybody who saw an acknowledged write sees the value before it instead.
    let mut planted = 0;
    for simulation in simulations(None) {
        let mut operations = simulate(&simulation);
        let Some((read, old)) = stale(&operations) else { continue };
        let seen = operations[read].result.clone();
        let acknowledged = operations.iter().any(|write| {
            write.f == "write" && write.invoked == seen && precedes(write, &operations[read])
        });
        if !acknowledged {
            continue;
        }
        planted += 1;
        for operation in &mut operations {
            if operation.f == "read" && operation.result == seen {
                operation.result = old.clone();
            }
        }
        assert_eq!(check_with(&operations, "null").verdict, Verdict::Invalid);
    }
    assert!(planted > 10, "{planted} planted");
}

#[test]
fn swapped_reads_are_found() {
    let mut planted = 0;
    for simulation in simulations(None) {
        let mut operations = simulate(&simulation);
        let written = |value: &Value| {
            writes(&operations).into_iter().find(|(_, other)| *other == value).map(|(at, _)| at)
        };
        let reads: Vec<usize> = (0..operations.len())
            .filter(|&at| operations[at].f == "read" && operations[at].outcome == Outcome::Ok)
            .collect();
        let pair = reads.windows(2).map(|pair| (pair[0], pair[1])).find(|&(first, second)| {
            let (a, b) = (written(&operations[first].result), written(&operations[second].result));
            precedes(&operations[first], &operations[second])
                && a.zip(b).is_some_and(|(a, b)| precedes(&operations[a], &operations[b]))
        });
        let Some((first, second)) = pair else { continue };
        planted += 1;
        let value = operations[first].result.clone();
        operations[first].result = operations[second].result.clone();
        operations[second].result = value;
        assert_eq!(check_with(&operations, "null").verdict, Verdict::Invalid);
    }
    assert!(planted > 10, "{planted} planted");
}

#[test]
fn a_long_fault_run_on_one_key_needs_no_search() {
    let simulation =
        Simulation { seed: 9, clients: 10, operations: 5_000, crashes: 4, values: None };
    let mut operations = simulate(&simulation);
    let crashed = operations.iter().filter(|operation| operation.outcome == Outcome::Info).count();
    assert!(crashed > 150, "{crashed} crashed");
    let options = LinearizableOptions { initial: "null".parse().unwrap(), threads: 1 };
    let model = model("register").unwrap();
    // One question at the start; the shortcut takes no steps.
    let valid = check(&operations, model, &options, &StepBudget::new(1)).unwrap();
    assert_eq!(valid.verdict, Verdict::Valid);
    let (read, value) = stale(&operations).unwrap();
    operations[read].result = value;
    let invalid = check(&operations, model, &options, &StepBudget::new(1_000)).unwrap();
    assert_eq!(invalid.verdict, Verdict::Invalid);
    assert_eq!(invalid.counterexamples[0].operations.len(), 3);
}

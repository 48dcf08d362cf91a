//! Histories of real collections, and the same with something wrong.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::brute::{self, Kind};
use super::*;
use crate::checker::{CheckOptions, Verdict, checker};
use crate::generator::collection::{CollectionHistory, CollectionKind, Violation, plant};

const KINDS: [(Kind, CollectionKind, &str); 4] = [
    (Kind::Queue, CollectionKind::Queue, "queue"),
    (Kind::Bag, CollectionKind::Bag, "unordered-queue"),
    (Kind::Stack, CollectionKind::Stack, "stack"),
    (Kind::PriorityQueue, CollectionKind::PriorityQueue, "priority-queue"),
];

fn small(kind: CollectionKind, seed: u64, operations: usize, crashes: u32) -> CollectionHistory {
    CollectionHistory {
        kind,
        seed,
        clients: [2, 3, 4][seed as usize % 3],
        operations,
        crashes,
        inserts: [50, 60, 40][seed as usize / 3 % 3],
    }
}

/// Exchanges results, or lets operations begin later or end earlier.
fn mutate(rng: &mut ChaCha8Rng, operations: &mut [Operation]) {
    for _ in 0..rng.random_range(1..3) {
        let (one, other) =
            (rng.random_range(0..operations.len()), rng.random_range(0..operations.len()));
        let is_removal =
            |at: usize| operations[at].outcome == Outcome::Ok && operations[at].invoked.is_null();
        if is_removal(one) && is_removal(other) && rng.random_bool(0.6) {
            let result = operations[one].result.clone();
            operations[one].result = operations[other].result.clone();
            operations[other].result = result;
        } else if is_removal(one) && rng.random_bool(0.3) {
            operations[one].result = Value::Null;
        } else if let Some(end) = operations[one].complete_index
            && operations[one].invoke_index + 1 < end
        {
            operations[one].complete_index = Some(operations[one].invoke_index + 1);
        }
    }
}

fn compare<D: Discipline>(kind: Kind, operations: &[Operation], small: bool, tally: &mut Tally) {
    let all: Vec<&Operation> = operations.iter().collect();
    let (model, entries) = Collection::<D>::encode(&all, &Initial::Any).unwrap();
    let truth = if small {
        brute::is_linearizable(&entries, &Vec::new(), &|state, op| {
            brute::collection(kind, state, *op)
        })
    } else {
        let simplified = model.simplify(entries.clone());
        // A hard search proves nothing.
        let budget = StepBudget::new(40);
        let Ok(found) = search(&model, &simplified, &mut Meter::new(&budget)) else { return };
        found != Decision::Impossible
    };
    tally.compare(&model, &entries, truth);
}

fn compare_many(count: u64, operations: std::ops::Range<usize>, small_enough: bool) {
    for (kind, object, name) in KINDS {
        let mut tally = Tally::default();
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        for seed in 0..count {
            let crashes = [0, 20, 40][rng.random_range(0..3)];
            let length = rng.random_range(operations.clone());
            let mut history = small(object, seed, length, crashes).generate();
            if seed % 3 > 0 {
                mutate(&mut rng, &mut history);
            }
            match kind {
                Kind::Queue => compare::<Queue>(kind, &history, small_enough, &mut tally),
                Kind::Stack => compare::<Stack>(kind, &history, small_enough, &mut tally),
                Kind::Bag => compare::<Bag>(kind, &history, small_enough, &mut tally),
                Kind::PriorityQueue => {
                    compare::<PriorityQueue>(kind, &history, small_enough, &mut tally);
                }
            }
        }
        assert!(tally.impossible > count as usize / 40, "{name}: {tally:?}");
        assert!(tally.possible > count as usize / 4, "{name}: {tally:?}");
    }
}

#[test]
fn small_random_histories_agree_with_brute_force() {
    compare_many(20_000, 4..9, true);
}

#[test]
fn larger_random_histories_agree_with_the_search() {
    compare_many(4_000, 10..40, false);
}

fn verdict(model: &str, operations: &[Operation]) -> (Verdict, usize) {
    let info = checker(model, Some("linearizable")).unwrap();
    let options = CheckOptions::default();
    let check = (info.check)(operations, &options, &Unlimited).unwrap();
    let size = check.counterexamples.first().map_or(0, |it| it.operations.len());
    (check.verdict, size)
}

#[test]
fn planted_violations_are_found_and_shown_by_few_operations() {
    let kinds = [
        (CollectionKind::Queue, "queue"),
        (CollectionKind::Bag, "unordered-queue"),
        (CollectionKind::Stack, "stack"),
        (CollectionKind::PriorityQueue, "priority-queue"),
        (CollectionKind::Set, "set"),
        (CollectionKind::GrowOnlySet, "set-full"),
        (CollectionKind::Log, "log"),
    ];
    for (kind, model) in kinds {
        for seed in 0..40 {
            let history = CollectionHistory {
                kind,
                seed,
                clients: [2, 5, 10, 30][seed as usize % 4],
                operations: [50, 300, 1_000][seed as usize % 3],
                crashes: [0, 2, 10][(seed / 4) as usize % 3],
                inserts: 55,
            };
            let operations = history.generate();
            assert_eq!(verdict(model, &operations).0, Verdict::Valid, "{history:?}");
            let violations =
                [Violation::Phantom, Violation::Duplicate, Violation::Lost, Violation::Order];
            for violation in violations {
                let mut broken = operations.clone();
                if plant(kind, violation, &mut broken) {
                    let (found, size) = verdict(model, &broken);
                    assert_eq!(found, Verdict::Invalid, "{history:?} {violation:?}");
                    assert!(size <= 12, "{size} operations: {history:?} {violation:?}");
                }
            }
        }
    }
}

fn explanation(model: &str, operations: &[Operation]) -> String {
    let info = checker(model, Some("linearizable")).unwrap();
    let options = CheckOptions::default();
    let check = (info.check)(operations, &options, &Unlimited).unwrap();
    check.counterexamples[0].explanation.join("\n")
}

/// Acknowledged operations one after the other: function, argument, result.
fn sequence(operations: &[(&str, Option<i64>, Option<i64>)]) -> Vec<Operation> {
    operations
        .iter()
        .zip(0..)
        .map(|(&(f, argument, result), number)| Operation {
            outcome: Outcome::Ok,
            result: Value::from(result),
            invoke_index: 2 * number,
            invoke_time: 2_000_000 * number,
            complete_index: Some(2 * number + 1),
            complete_time: Some(2_000_000 * number + 1_000_000),
            ..invoked(f, argument)
        })
        .collect()
}

#[test]
fn contradictions_are_told_in_plain_words() {
    let overtaken = [
        ("enqueue", Some(1), Some(1)),
        ("enqueue", Some(2), Some(2)),
        ("dequeue", None, Some(2)),
        ("dequeue", None, Some(1)),
    ];
    assert_eq!(
        explanation("queue", &sequence(&overtaken)),
        "A enqueued 1 (from 0.000 s to 0.001 s).\n\
         B enqueued 2 (from 0.002 s to 0.003 s); it began after A was done, so 1 was in front of 2.\n\
         C dequeued 2 (from 0.004 s to 0.005 s).\n\
         D dequeued 1, but began only at 0.006 s, after C was done at 0.005 s.\n\
         So 2 left although 1 was inside, and 1 was next."
    );
    let not_empty = [("push", Some(1), Some(1)), ("pop", None, None)];
    assert_eq!(
        explanation("stack", &sequence(&not_empty)),
        "B found the stack empty (from 0.002 s to 0.003 s).\n\
         But 1 was inside all that time: A pushed 1 (from 0.000 s to 0.001 s), before B began.\n\
         Nothing popped 1 before B was done at 0.003 s.\n\
         So the stack was never empty while B ran."
    );
}

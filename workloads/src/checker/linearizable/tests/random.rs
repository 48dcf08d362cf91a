//! Larger random histories against brute force, and what minimised counterexamples must keep.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::super::Unlimited;
use super::super::meter::Meter;
use super::super::minimise::minimise;
use super::brute;
use super::exhaustive::{compare, register};
use crate::model::{Entry, Model, OPEN, RegisterOp};

/// A history of `count` operations on `values` values; it is seldom linearizable if they are many.
fn history(rng: &mut ChaCha8Rng, count: usize, values: u32) -> Vec<Entry<RegisterOp>> {
    let mut entries: Vec<Entry<RegisterOp>> = Vec::new();
    let mut moment = 0;
    let mut fresh = 0;
    // A value that the register may hold, so that most observations make sense.
    let mut likely = 0;
    let unique = rng.random_bool(0.5);
    while entries.len() < count || entries.iter().any(|entry| entry.completed == OPEN) {
        let open: Vec<usize> =
            (0..entries.len()).filter(|&at| entries[at].completed == OPEN).collect();
        let invoke = entries.len() < count && (open.is_empty() || rng.random_bool(0.6));
        if invoke {
            let mut new = rng.random_range(1..=values);
            if unique {
                fresh += 1;
                new = fresh;
            }
            let seen = if rng.random_bool(0.7) { likely } else { rng.random_range(0..=values) };
            let op = match rng.random_range(0..10) {
                0..4 => RegisterOp::Read(seen),
                4..7 => RegisterOp::Write(new),
                _ => RegisterOp::Cas { expected: seen, new },
            };
            if !matches!(op, RegisterOp::Read(_)) {
                likely = new;
            }
            let id = entries.len();
            entries.push(Entry { id, op, invoked: moment, completed: OPEN });
        } else if rng.random_bool(0.15) && entries.len() == count {
            break;
        } else {
            let chosen = open[rng.random_range(0..open.len())];
            entries[chosen].completed = moment + 1;
        }
        moment += 2;
    }
    entries.retain(|entry| !entry.is_crashed() || !matches!(entry.op, RegisterOp::Read(_)));
    entries
}

#[test]
fn random_histories_of_up_to_eight_operations_agree() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let model = register("null", 8);
    let unknown = register("any", 8);
    let mut linearizable = 0;
    for _ in 0..40_000 {
        let count = rng.random_range(4..=8);
        let values = rng.random_range(2..=8);
        let entries = history(&mut rng, count, values.max(if values > 4 { 8 } else { 2 }));
        linearizable += usize::from(compare(&model, Some(0), &entries));
        compare(&unknown, None, &entries);
    }
    assert!((4_000..36_000).contains(&linearizable), "{linearizable} are linearizable");
}

#[test]
fn counterexamples_are_impossible_closed_and_minimal() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let model = register("null", 8);
    let mut found = 0;
    while found < 1_000 {
        let entries = history(&mut rng, 8, 3);
        if brute::is_linearizable(&entries, Some(0)) {
            continue;
        }
        found += 1;
        let small = minimise(&model, &entries, &Meter::new(&Unlimited));
        assert!(!brute::is_linearizable(&small, Some(0)), "{entries:?} {small:?}");
        // Crashed cas operations may have become writes, which changes who supports whom.
        let mut taken = entries.clone();
        for entry in &mut taken {
            if let Some(kept) = small.iter().find(|kept| kept.id == entry.id) {
                entry.op = kept.op;
            }
        }
        let support = model.support(&taken);
        let small: Vec<usize> = small.iter().map(|entry| entry.id).collect();
        let at = |id: usize| taken.iter().position(|entry| entry.id == id).unwrap();
        let supporters = |id: usize| -> Vec<usize> {
            support[at(id)].iter().map(|&position| taken[position].id).collect()
        };
        let pick = |ids: &[usize]| -> Vec<Entry<RegisterOp>> {
            ids.iter().map(|&id| taken[at(id)].clone()).collect()
        };
        for &id in &small {
            assert!(supporters(id).iter().all(|id| small.contains(id)), "{entries:?} {small:?}");
        }
        for dropped in 0..small.len() {
            let mut rest = small.clone();
            rest.remove(dropped);
            loop {
                let closed: Vec<usize> = rest
                    .iter()
                    .copied()
                    .filter(|&id| supporters(id).iter().all(|id| rest.contains(id)))
                    .collect();
                if closed.len() == rest.len() {
                    break;
                }
                rest = closed;
            }
            assert!(
                brute::is_linearizable(&pick(&rest), Some(0)),
                "{entries:?} {small:?} {rest:?}"
            );
        }
    }
}

//! Which histories are judged.

use serde::{Deserialize, Serialize};
use workloads::checker::checker;
use workloads::synthetic::{SYNTHETIC, SyntheticModel};

use super::options::CheckerBenchArgs;

const HUGE: usize = 10_000_000;
const CONCURRENCIES: [usize; 3] = [10, 5, 100];
const CRASH_RATES: [f64; 3] = [0.01, 0.0, 0.05];
const KEYS: [usize; 2] = [100, 1];
/// Where one thing is varied, the histories have so many operations at most.
const VARIED_SIZE: usize = 100_000;

/// Properties that are judged besides the one that a model is generated for.
const FURTHER: [(&str, &str, &str); 2] =
    [("set-full", "set-full", "lost-element"), ("total-queue", "total-queue", "lost-element")];

/// One history and how it is judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Case {
    pub(super) model: String,
    pub(super) property: String,
    /// What is planted; nothing in a valid history.
    pub(super) violation: Option<String>,
    pub(super) operations: usize,
    pub(super) concurrency: usize,
    pub(super) crash_rate: f64,
    pub(super) keys: usize,
    pub(super) seed: u64,
}

/// Cases that differ in size only: what growth is computed over.
pub(super) fn same_series(one: &Case, other: &Case) -> bool {
    Case { operations: 0, ..one.clone() } == Case { operations: 0, ..other.clone() }
}

/// All cases in the order in which they are run, and the checkers that are not there.
pub(super) fn grid(args: &CheckerBenchArgs, seed: u64) -> (Vec<Case>, Vec<String>) {
    let mut sizes = args.sizes.clone();
    if args.huge && !sizes.contains(&HUGE) {
        sizes.push(HUGE);
    }
    sizes.sort_unstable();
    sizes.dedup();
    let (mut cases, mut missing) = (Vec::new(), Vec::new());
    let wanted = |it: &&SyntheticModel| {
        args.models.is_empty() || args.models.iter().any(|name| name == it.model)
    };
    for model in SYNTHETIC.iter().filter(wanted) {
        let first = model.violations.first().map_or("", |it| it.name);
        let further = FURTHER.iter().filter(|(name, ..)| *name == model.model);
        let properties = std::iter::once((model.property, first))
            .chain(further.map(|&(_, property, violation)| (property, violation)));
        for (property, violation) in properties {
            if checker(model.model, Some(property)).is_none() {
                missing.push(format!("{} {property}", model.model));
                continue;
            }
            for planted in [None, Some(violation.to_owned())] {
                let base = Case {
                    model: model.model.to_owned(),
                    property: property.to_owned(),
                    violation: planted,
                    operations: 0,
                    concurrency: CONCURRENCIES[0],
                    crash_rate: CRASH_RATES[0],
                    keys: KEYS[0],
                    seed,
                };
                cases.extend(if args.full { all(&base, &sizes) } else { star(&base, &sizes) });
            }
        }
    }
    (cases, missing)
}

/// All combinations.
fn all(base: &Case, sizes: &[usize]) -> Vec<Case> {
    let mut cases = Vec::new();
    for concurrency in CONCURRENCIES {
        for crash_rate in CRASH_RATES {
            for keys in KEYS {
                let sized = |&operations: &usize| Case {
                    operations,
                    concurrency,
                    crash_rate,
                    keys,
                    ..base.clone()
                };
                cases.extend(sizes.iter().map(sized));
            }
        }
    }
    cases
}

/// Each size, and one of the other things varied at a time.
fn star(base: &Case, sizes: &[usize]) -> Vec<Case> {
    let mut cases: Vec<Case> =
        sizes.iter().map(|&operations| Case { operations, ..base.clone() }).collect();
    let largest = sizes.iter().copied().filter(|&it| it <= VARIED_SIZE).max();
    let operations = largest.or(sizes.first().copied()).unwrap_or(VARIED_SIZE);
    let varied = || Case { operations, ..base.clone() };
    cases.extend(CONCURRENCIES[1..].iter().map(|&concurrency| Case { concurrency, ..varied() }));
    cases.extend(CRASH_RATES[1..].iter().map(|&crash_rate| Case { crash_rate, ..varied() }));
    cases.extend(KEYS[1..].iter().map(|&keys| Case { keys, ..varied() }));
    cases
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn args(full: bool) -> CheckerBenchArgs {
        CheckerBenchArgs {
            models: vec!["counter".to_owned(), "total-queue".to_owned()],
            sizes: vec![1000, 100],
            huge: false,
            full,
            case_time_limit: Duration::from_secs(1),
            case_memory_limit: 1 << 30,
            case: None,
        }
    }

    #[test]
    fn each_checker_meets_valid_and_invalid_histories_of_each_size() {
        let (cases, missing) = grid(&args(false), 1);
        assert!(missing.is_empty(), "{missing:?}");
        for property in ["counter-bounds", "exactly-once", "total-queue"] {
            for size in [100, 1000] {
                let of = |it: &&Case| it.property == property && it.operations == size;
                assert!(cases.iter().filter(of).any(|it| it.violation.is_none()));
                assert!(cases.iter().filter(of).any(|it| it.violation.is_some()));
            }
        }
    }

    #[test]
    fn the_full_grid_has_all_combinations() {
        let (cases, _) = grid(&args(true), 1);
        assert_eq!(cases.len(), 3 * 2 * 2 * 3 * 3 * 2);
        let one = &cases[0];
        assert_eq!(cases.iter().filter(|it| same_series(it, one)).count(), 2);
    }
}

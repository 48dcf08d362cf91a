//! How far a number can be trusted: it is computed again from what was seen, drawn again with
//! replacement (Efron 1979), first the runs and then the stretches of each.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The share of the repetitions that an interval holds.
pub(super) const CONFIDENCE: f64 = 0.95;
/// Where the draws come from. Always the same, so that the same runs always compare alike.
const SEED: u64 = 0x6272_6561_6b77_6174;

/// A number with its uncertainty.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Estimate {
    /// From everything that was seen.
    pub value: f64,
    /// The lower end of the interval.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// How often each unit of each run was drawn, in one repetition.
pub(super) type Weights = Vec<Vec<u32>>;

/// Draws runs, and in each run its units, as often as there are. `sizes` has the number of units of
/// each run. With one run, only its units are drawn.
pub(super) fn draws(sizes: &[usize], repetitions: usize, side: u64) -> Vec<Weights> {
    let mut rng = ChaCha8Rng::seed_from_u64(SEED.wrapping_add(side));
    (0..repetitions)
        .map(|_| {
            let mut weights: Weights = sizes.iter().map(|&size| vec![0; size]).collect();
            for position in 0..sizes.len() {
                let run = match sizes.len() {
                    1 => position,
                    runs => rng.random_range(0..runs),
                };
                for _ in 0..sizes[run] {
                    weights[run][rng.random_range(0..sizes[run])] += 1;
                }
            }
            weights
        })
        .collect()
}

/// Each unit once.
pub(super) fn as_seen(sizes: &[usize]) -> Weights {
    sizes.iter().map(|&size| vec![1; size]).collect()
}

/// The number and the middle of its repetitions. Repetitions that have no value (nothing of the kind
/// was drawn) are left out; with fewer than half of them there is no interval worth the name.
pub(super) fn interval(
    value: f64,
    repetitions: impl Iterator<Item = Option<f64>>,
) -> Option<Estimate> {
    let mut all = 0_usize;
    let mut values: Vec<f64> = repetitions.inspect(|_| all += 1).flatten().collect();
    if values.is_empty() || values.len() * 2 < all {
        return None;
    }
    values.sort_by(f64::total_cmp);
    let at = |share: f64| values[((values.len() - 1) as f64 * share).round() as usize];
    let tail = (1.0 - CONFIDENCE) / 2.0;
    Some(Estimate { value, low: at(tail), high: at(1.0 - tail) })
}

/// How often chance alone moves a number that did not change so far from `unchanged`, either way: twice
/// the share of the repetitions on its other side (Efron and Tibshirani 1993, section 15.4).
pub(super) fn chance(unchanged: f64, repetitions: impl Iterator<Item = Option<f64>>) -> f64 {
    let (mut all, mut at_most, mut at_least) = (1_usize, 1_usize, 1_usize);
    for value in repetitions.flatten() {
        all += 1;
        at_most += usize::from(value <= unchanged);
        at_least += usize::from(value >= unchanged);
    }
    (2.0 * at_most.min(at_least) as f64 / all as f64).min(1.0)
}

/// Which of many chances are small enough that, of all that are chosen, only the share `mistakes` is
/// expected to be there by chance (Benjamini and Hochberg 1995).
pub(super) fn discoveries(chances: &[f64], mistakes: f64) -> Vec<bool> {
    let mut sorted = chances.to_vec();
    sorted.sort_by(f64::total_cmp);
    let limit = sorted
        .iter()
        .zip(1_u32..)
        .filter(|&(&chance, rank)| chance <= mistakes * f64::from(rank) / chances.len() as f64)
        .map(|(&chance, _)| chance)
        .last();
    chances.iter().map(|&chance| limit.is_some_and(|limit| chance <= limit)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_much_is_drawn_as_was_seen_and_always_the_same() {
        let drawn = draws(&[7], 50, 0);
        assert!(drawn.iter().all(|weights| weights[0].iter().sum::<u32>() == 7));
        assert_eq!(drawn, draws(&[7], 50, 0));
        assert_ne!(drawn, draws(&[7], 50, 1));
        let of_runs = draws(&[3, 3, 3], 200, 0);
        assert!(of_runs.iter().any(|weights| weights[0].iter().all(|&times| times == 0)));
    }

    #[test]
    fn the_interval_of_a_mean_is_about_two_standard_errors_wide() {
        // 100 numbers with a standard deviation of about 0.29: a standard error of 0.029.
        let numbers: Vec<f64> = (0..100).map(|number| f64::from(number) / 99.0).collect();
        let mean = |weights: &Weights| {
            let sum: f64 = numbers.iter().zip(&weights[0]).map(|(n, &w)| n * f64::from(w)).sum();
            Some(sum / 100.0)
        };
        let drawn = draws(&[100], 2_000, 0);
        let estimate = interval(0.5, drawn.iter().map(mean)).unwrap();
        assert!((estimate.low - 0.443).abs() < 0.01, "{estimate:?}");
        assert!((estimate.high - 0.557).abs() < 0.01, "{estimate:?}");
    }

    #[test]
    fn of_many_chances_a_small_one_counts_if_it_is_small_for_so_many() {
        let mut chances = vec![0.5; 20];
        chances[3] = 0.03;
        assert_eq!(discoveries(&chances, 0.05), [false; 20]);
        chances[3] = 0.002;
        assert!(discoveries(&chances, 0.05)[3]);
        assert_eq!(discoveries(&[0.04, 0.03], 0.05), [true, true]);
        assert!(discoveries(&[], 0.05).is_empty());
    }

    #[test]
    fn the_chance_is_twice_the_smaller_side() {
        let repetitions = || (0..99).map(|it| Some(f64::from(it)));
        assert!((chance(4.5, repetitions()) - 0.12).abs() < 1e-9);
        assert!((chance(-1.0, repetitions()) - 0.02).abs() < 1e-9);
        assert!(chance(49.0, repetitions()) >= 1.0);
    }

    #[test]
    fn what_is_rarely_there_has_no_interval() {
        assert_eq!(interval(1.0, [Some(1.0), None, None].into_iter()), None);
    }
}

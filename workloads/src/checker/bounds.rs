//! The bounds of a sum to which concurrent additions are made.
//!
//! ```text
//! low  = all increments acknowledged so far + all decrements asked for so far
//! high = all increments asked for so far    + all decrements acknowledged so far
//! ```
//!
//! Whoever looks at the sum at some moment of an interval sees a value between the least `low` and
//! the greatest `high` of that interval. An addition of unknown outcome is asked for and never
//! acknowledged, so it widens the bounds from its invocation on; one that failed changes nothing.

/// The bounds of a sum, now and at all earlier moments that a question may be about.
#[derive(Debug, Default, Clone)]
pub(super) struct Bounds {
    low: i128,
    high: i128,
    /// Moments with the least `low` from there on: both ascend.
    lows: Vec<(u64, i128)>,
    /// Moments with the greatest `high` from there on: moments ascend, bounds descend.
    highs: Vec<(u64, i128)>,
}

impl Bounds {
    /// An addition was asked for.
    pub(super) fn asked(&mut self, moment: u64, amount: i64) {
        if amount >= 0 {
            self.high += i128::from(amount);
        } else {
            self.low += i128::from(amount);
        }
        self.note(moment);
    }

    /// An addition was acknowledged.
    pub(super) fn acknowledged(&mut self, moment: u64, amount: i64) {
        if amount >= 0 {
            self.low += i128::from(amount);
        } else {
            self.high += i128::from(amount);
        }
        self.note(moment);
    }

    /// The bounds over all moments from `since`, which is no earlier than the last one asked for.
    pub(super) fn since(&self, since: u64) -> (i128, i128) {
        let low = self.lows.partition_point(|&(moment, _)| moment < since);
        let high = self.highs.partition_point(|&(moment, _)| moment < since);
        (
            self.lows.get(low).map_or(self.low, |&(_, low)| low.min(self.low)),
            self.highs.get(high).map_or(self.high, |&(_, high)| high.max(self.high)),
        )
    }

    /// Notes the bounds at a moment at which somebody begins to look.
    pub(super) fn note(&mut self, moment: u64) {
        while self.lows.last().is_some_and(|&(_, low)| low >= self.low) {
            self.lows.pop();
        }
        self.lows.push((moment, self.low));
        while self.highs.last().is_some_and(|&(_, high)| high <= self.high) {
            self.highs.pop();
        }
        self.highs.push((moment, self.high));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crashed_addition_may_or_may_not_count() {
        let mut bounds = Bounds::default();
        bounds.asked(0, 5);
        bounds.note(1);
        assert_eq!(bounds.since(1), (0, 5));
    }

    #[test]
    fn the_bounds_are_those_of_one_moment_of_the_interval() {
        let mut bounds = Bounds::default();
        bounds.asked(0, 10);
        bounds.note(1);
        bounds.acknowledged(2, 10);
        bounds.asked(3, -4);
        // By the time the decrement was asked for, the increment had been acknowledged.
        assert_eq!(bounds.since(1), (0, 10));
        assert_eq!(bounds.since(2), (6, 10));
        bounds.acknowledged(4, -4);
        bounds.note(5);
        assert_eq!(bounds.since(5), (6, 6));
    }

    /// Against the definition, which looks at every moment of the interval.
    #[test]
    fn the_bounds_are_the_extremes_of_all_moments() {
        use rand::{RngExt, SeedableRng};
        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(3);
        for _ in 0..500 {
            let mut bounds = Bounds::default();
            let (mut low, mut high) = (0_i128, 0_i128);
            let mut moments: Vec<(i128, i128)> = Vec::new();
            let mut open: Vec<i64> = Vec::new();
            for now in 0..30_u64 {
                match random.random_range(0..3) {
                    0 => {
                        let amount = random.random_range(-5..=5_i64);
                        open.push(amount);
                        bounds.asked(now, amount);
                        low += i128::from(amount.min(0));
                        high += i128::from(amount.max(0));
                    }
                    1 if !open.is_empty() => {
                        let amount = open.swap_remove(random.random_range(0..open.len()));
                        bounds.acknowledged(now, amount);
                        low += i128::from(amount.max(0));
                        high += i128::from(amount.min(0));
                    }
                    _ => bounds.note(now),
                }
                moments.push((low, high));
                let since = random.random_range(0..=now);
                let interval = &moments[since as usize..];
                let lowest = interval.iter().map(|it| it.0).min().unwrap();
                let highest = interval.iter().map(|it| it.1).max().unwrap();
                assert_eq!(bounds.since(since), (lowest, highest));
            }
        }
    }
}

//! Structures over positions `0..length`, each operation in logarithmic time.

/// Minimum of ranges, with additions to ranges.
pub(super) struct MinTree {
    size: usize,
    /// The minimum below each node, without what was added above it; and what was added to it.
    least: Vec<i64>,
    added: Vec<i64>,
}

impl MinTree {
    /// A tree of these numbers.
    pub(super) fn new(numbers: &[i64]) -> Self {
        let size = numbers.len().next_power_of_two();
        let mut least = vec![i64::MAX / 2; 2 * size];
        least[size..size + numbers.len()].copy_from_slice(numbers);
        for node in (1..size).rev() {
            least[node] = least[2 * node].min(least[2 * node + 1]);
        }
        Self { size, least, added: vec![0; size] }
    }

    /// Adds to the numbers at `from..to`.
    pub(super) fn add(&mut self, from: usize, to: usize, amount: i64) {
        if from >= to {
            return;
        }
        let (mut left, mut right) = (from + self.size, to + self.size);
        let (first, last) = (left, right - 1);
        while left < right {
            if left % 2 == 1 {
                self.put(left, amount);
                left += 1;
            }
            if right % 2 == 1 {
                right -= 1;
                self.put(right, amount);
            }
            left /= 2;
            right /= 2;
        }
        self.update(first);
        self.update(last);
    }

    fn put(&mut self, node: usize, amount: i64) {
        self.least[node] += amount;
        if node < self.size {
            self.added[node] += amount;
        }
    }

    fn update(&mut self, leaf: usize) {
        let mut node = leaf / 2;
        while node > 0 {
            self.least[node] =
                self.least[2 * node].min(self.least[2 * node + 1]) + self.added[node];
            node /= 2;
        }
    }

    /// The least number at `from..to`; more than any number if that is empty.
    pub(super) fn least(&self, from: usize, to: usize) -> i64 {
        self.find(1, 0, self.size, from, to, i64::MIN, 0).0
    }

    /// The first position in `from..to` with a number of at most `bound`.
    pub(super) fn first_at_most(&self, from: usize, to: usize, bound: i64) -> Option<usize> {
        self.find(1, 0, self.size, from, to, bound, 0).1
    }

    /// The last position in `from..to` with a number of at most `bound`.
    pub(super) fn last_at_most(&self, from: usize, to: usize, bound: i64) -> Option<usize> {
        // Ranges that may hold it, with what was added above them; the last on top.
        let mut pending = vec![(1, 0, self.size, 0)];
        while let Some((node, low, high, above)) = pending.pop() {
            if to <= low || high <= from || self.least[node] + above > bound {
                continue;
            }
            if node >= self.size {
                return Some(low);
            }
            let above = above + self.added[node];
            let middle = (low + high) / 2;
            pending.push((2 * node, low, middle, above));
            pending.push((2 * node + 1, middle, high, above));
        }
        None
    }

    /// The least number in a range below `node`, which spans `low..high`; and the first position with
    /// one of at most `bound`, where the search stops. `above` is what was added above `node`.
    #[expect(clippy::too_many_arguments, reason = "a recursion; all but two say where it is")]
    fn find(
        &self,
        node: usize,
        low: usize,
        high: usize,
        from: usize,
        to: usize,
        bound: i64,
        above: i64,
    ) -> (i64, Option<usize>) {
        let least = self.least[node] + above;
        if to <= low || high <= from {
            return (i64::MAX / 2, None);
        }
        if from <= low && high <= to {
            if least > bound {
                return (least, None);
            }
            if node >= self.size {
                return (least, Some(low));
            }
        }
        if node >= self.size {
            return (least, None);
        }
        let above = above + self.added[node];
        let middle = (low + high) / 2;
        let left = self.find(2 * node, low, middle, from, to, bound, above);
        if left.1.is_some() {
            return left;
        }
        let right = self.find(2 * node + 1, middle, high, from, to, bound, above);
        (left.0.min(right.0), right.1)
    }
}

/// Maximum of ranges.
pub(super) struct MaxTree {
    size: usize,
    /// The position of the maximum below each node.
    greatest: Vec<u32>,
    numbers: Vec<u64>,
}

impl MaxTree {
    /// Zeros.
    pub(super) fn new(length: usize) -> Self {
        let size = length.next_power_of_two();
        let mut greatest = vec![0; 2 * size];
        for (position, node) in greatest[size..].iter_mut().enumerate() {
            *node = position as u32;
        }
        for node in (1..size).rev() {
            greatest[node] = greatest[2 * node];
        }
        Self { size, greatest, numbers: vec![0; size] }
    }

    /// Sets a number.
    pub(super) fn set(&mut self, position: usize, number: u64) {
        self.numbers[position] = number;
        let mut node = (position + self.size) / 2;
        while node > 0 {
            self.greatest[node] =
                self.greater(self.greatest[2 * node], self.greatest[2 * node + 1]);
            node /= 2;
        }
    }

    /// The greatest number at `from..to`, and its position.
    pub(super) fn greatest(&self, from: usize, to: usize) -> Option<(u64, usize)> {
        if from >= to {
            return None;
        }
        let (mut left, mut right) = (from + self.size, to + self.size);
        let mut best = from as u32;
        while left < right {
            if left % 2 == 1 {
                best = self.greater(best, self.greatest[left]);
                left += 1;
            }
            if right % 2 == 1 {
                right -= 1;
                best = self.greater(best, self.greatest[right]);
            }
            left /= 2;
            right /= 2;
        }
        Some((self.numbers[best as usize], best as usize))
    }

    fn greater(&self, a: u32, b: u32) -> u32 {
        if self.numbers[b as usize] > self.numbers[a as usize] { b } else { a }
    }
}

/// Minimum of all that was put at a position or behind it.
pub(super) struct SuffixMin {
    least: Vec<(u64, u32)>,
}

impl SuffixMin {
    /// Holds nothing.
    pub(super) fn new(length: usize) -> Self {
        Self { least: vec![(u64::MAX, u32::MAX); length + 1] }
    }

    /// Puts a number, with a name.
    pub(super) fn put(&mut self, position: usize, number: u64, name: u32) {
        // Positions count from the end, because a Fenwick tree knows prefixes.
        let mut node = self.least.len() - 1 - position;
        while node < self.least.len() {
            self.least[node] = self.least[node].min((number, name));
            node += node & node.wrapping_neg();
        }
    }

    /// The least number at `from` or behind it; `u64::MAX` if there is none.
    pub(super) fn least(&self, from: usize) -> (u64, u32) {
        let mut node = self.least.len() - 1 - from.min(self.least.len() - 1);
        let mut best = (u64::MAX, u32::MAX);
        while node > 0 {
            best = best.min(self.least[node]);
            node -= node & node.wrapping_neg();
        }
        best
    }
}

/// The next position that is not covered yet.
pub(super) struct NextFree {
    next: Vec<u32>,
}

impl NextFree {
    /// Nothing is covered.
    pub(super) fn new(length: usize) -> Self {
        Self { next: (0..=length as u32).collect() }
    }

    /// The first free position from `position` on; the length if there is none.
    pub(super) fn find(&mut self, position: usize) -> usize {
        let mut root = position;
        while self.next[root] as usize != root {
            root = self.next[root] as usize;
        }
        let mut node = position;
        while self.next[node] as usize != root {
            node = std::mem::replace(&mut self.next[node], root as u32) as usize;
        }
        root
    }

    /// Covers `from..to`.
    pub(super) fn cover(&mut self, from: usize, to: usize) {
        let mut position = self.find(from.min(self.next.len() - 1));
        while position < to {
            self.next[position] = position as u32 + 1;
            position = self.find(position + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn trees_agree_with_lists() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for _ in 0..200 {
            let length = rng.random_range(1..40);
            let mut numbers: Vec<i64> = (0..length).map(|_| rng.random_range(-3..4)).collect();
            let mut least = MinTree::new(&numbers);
            let mut maxima = vec![0; length];
            let mut greatest = MaxTree::new(length);
            let mut suffixes = vec![u64::MAX; length];
            let mut suffix = SuffixMin::new(length);
            let mut covered = vec![false; length];
            let mut free = NextFree::new(length);
            for _ in 0..60 {
                let from = rng.random_range(0..length);
                let to = rng.random_range(from..=length);
                let amount = rng.random_range(-2..3);
                least.add(from, to, amount);
                numbers[from..to].iter_mut().for_each(|number| *number += amount);
                let number = rng.random_range(0..50);
                greatest.set(from, number);
                maxima[from] = number;
                suffix.put(from, number, 0);
                suffixes[from] = suffixes[from].min(number);
                if to - from < 3 {
                    free.cover(from, to);
                    covered[from..to].fill(true);
                }

                let from = rng.random_range(0..length);
                let to = rng.random_range(from + 1..=length);
                let expected = numbers[from..to].iter().copied().min().unwrap();
                assert_eq!(least.least(from, to), expected);
                let first = (from..to).find(|&at| numbers[at] <= 0);
                assert_eq!(least.first_at_most(from, to, 0), first);
                let last = (from..to).rev().find(|&at| numbers[at] <= 0);
                assert_eq!(least.last_at_most(from, to, 0), last);
                let (number, at) = greatest.greatest(from, to).unwrap();
                assert_eq!(Some(number), maxima[from..to].iter().copied().max());
                assert!((from..to).contains(&at) && maxima[at] == number);
                assert_eq!(Some(suffix.least(from).0), suffixes[from..].iter().copied().min());
                let next = (from..length).find(|&at| !covered[at]).unwrap_or(length);
                assert_eq!(free.find(from), next);
            }
        }
    }
}

//! The configurations that the search has been in.

/// A set of configurations in one flat array with an open-addressing index.
///
/// A configuration is a *place* (words that must be equal), *bits* of which each costs something, and
/// *counts* of crashed operations that were used to get there. To come to the same place with the same
/// bits set and as many of each used, or more, leads nowhere new: whatever works then works for less.
///
/// A configuration takes its words, its share of the index, and 4 bytes if there are counts, with no
/// allocation of its own; a search visits millions.
pub(super) struct Visited {
    place: usize,
    bits: usize,
    guards: Vec<u64>,
    records: Vec<u64>,
    /// The latest record of each place.
    index: Vec<u32>,
    /// The record before, of the same place.
    before: Vec<u32>,
    places: usize,
}

const EMPTY: u32 = u32::MAX;

/// Records of one place that are compared, the latest first. To miss one only costs time.
const COMPARED_MAX: usize = 256;

impl Visited {
    /// An empty set; places have `place` words, bits `bits` words, counts have spare bits `guards`.
    pub(super) fn new(place: usize, bits: usize, guards: &[u64]) -> Self {
        Self {
            place,
            bits,
            guards: guards.to_vec(),
            records: Vec::new(),
            index: vec![EMPTY; 64],
            before: Vec::new(),
            places: 0,
        }
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        self.records.capacity() * 8 + self.index.capacity() * 4 + self.before.capacity() * 4
    }

    /// Adds a configuration: place, bits and counts; false if it leads nowhere new.
    pub(super) fn insert(&mut self, configuration: &[u64]) -> bool {
        if (self.places + 1) * 2 > self.index.len() {
            self.grow();
        }
        let slot = self.slot(&configuration[..self.place]);
        let latest = self.index[slot];
        let costs = &configuration[self.place..];
        let mut record = latest;
        let mut compared = 0;
        while record != EMPTY {
            let start = record as usize * self.stride() + self.place;
            let known = &mut self.records[start..start + costs.len()];
            if is_covered(known, costs, self.bits, &self.guards) {
                return false;
            }
            if is_covered(costs, known, self.bits, &self.guards) {
                known.copy_from_slice(costs);
                return true;
            }
            compared += 1;
            if compared == COMPARED_MAX {
                break;
            }
            record = self.before[record as usize];
        }
        let fresh = u32::try_from(self.records.len() / self.stride())
            .ok()
            .filter(|&number| number != EMPTY)
            .expect("memory budgets end a search long before 2^32 configurations");
        self.places += usize::from(latest == EMPTY);
        self.index[slot] = fresh;
        self.records.extend_from_slice(configuration);
        if !costs.is_empty() {
            self.before.push(latest);
        }
        true
    }

    fn stride(&self) -> usize {
        self.place + self.bits + self.guards.len()
    }

    /// Where a place is in the index, or belongs.
    fn slot(&self, place: &[u64]) -> usize {
        let mask = self.index.len() - 1;
        let mut slot = hash(place) as usize & mask;
        loop {
            let record = self.index[slot];
            if record == EMPTY || self.place_of(record) == place {
                return slot;
            }
            slot = (slot + 1) & mask;
        }
    }

    fn place_of(&self, record: u32) -> &[u64] {
        let start = record as usize * self.stride();
        &self.records[start..start + self.place]
    }

    fn grow(&mut self) {
        let size = self.index.len() * 2;
        let old = std::mem::replace(&mut self.index, vec![EMPTY; size]);
        for record in old.into_iter().filter(|&record| record != EMPTY) {
            let mask = size - 1;
            let mut slot = hash(self.place_of(record)) as usize & mask;
            while self.index[slot] != EMPTY {
                slot = (slot + 1) & mask;
            }
            self.index[slot] = record;
        }
    }
}

/// Whether no bit and no count in `less` is greater than the same in `more`. The first `bits` words are
/// bits; in the others each difference keeps its guard.
fn is_covered(less: &[u64], more: &[u64], bits: usize, guards: &[u64]) -> bool {
    let (less_bits, less) = less.split_at(bits);
    let (more_bits, more) = more.split_at(bits);
    less_bits.iter().zip(more_bits).all(|(less, more)| less & !more == 0)
        && less
            .iter()
            .zip(more)
            .zip(guards)
            .all(|((less, more), guards)| ((more | guards) - less) & guards == *guards)
}

/// Multiply and fold: each bit of each word must reach the low bits of the result.
fn hash(key: &[u64]) -> u64 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut hash = 0;
    for &word in key {
        // A zero would swallow what follows, so it is moved away.
        let product = u128::from((hash ^ word).wrapping_add(ODD)) * u128::from(ODD);
        hash = (product >> 64) as u64 ^ product as u64;
    }
    hash ^ (hash >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fewer_used_covers_more_used_at_the_same_place() {
        // Two counts of three bits each, with a spare bit.
        let counts = |low: u64, high: u64| low | high << 4;
        let mut visited = Visited::new(1, 0, &[0b1000_1000]);
        assert!(visited.insert(&[7, counts(1, 2)]));
        assert!(!visited.insert(&[7, counts(1, 2)]));
        assert!(!visited.insert(&[7, counts(3, 2)]));
        assert!(visited.insert(&[7, counts(2, 1)]));
        assert!(!visited.insert(&[7, counts(2, 2)]));
        assert!(visited.insert(&[8, counts(2, 2)]));
        // This one replaces both.
        assert!(visited.insert(&[7, counts(0, 0)]));
        assert!(!visited.insert(&[7, counts(0, 1)]));
    }

    #[test]
    fn fewer_bits_cover_more_bits_at_the_same_place() {
        let mut visited = Visited::new(1, 1, &[0b1000]);
        assert!(visited.insert(&[7, 0b011, 1]));
        assert!(!visited.insert(&[7, 0b111, 1]));
        assert!(!visited.insert(&[7, 0b011, 2]));
        assert!(visited.insert(&[7, 0b101, 1]));
        assert!(visited.insert(&[7, 0b011, 0]));
        assert!(visited.insert(&[8, 0b111, 1]));
    }

    #[test]
    fn without_counts_a_place_is_visited_once() {
        let mut visited = Visited::new(2, 0, &[]);
        for expected in [1_000, 0] {
            let fresh = (0..1_000).filter(|&at| visited.insert(&[at, at % 7])).count();
            assert_eq!(fresh, expected);
        }
    }
}

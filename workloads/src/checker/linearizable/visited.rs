//! The configurations that the search has been in.

/// A set of keys of equal length, in one flat array with an open-addressing index.
///
/// A key takes `stride` words and its share of the index, with no allocation of its own; a search
/// visits millions.
pub(super) struct Visited {
    stride: usize,
    keys: Vec<u64>,
    index: Vec<u32>,
}

const EMPTY: u32 = u32::MAX;

impl Visited {
    /// An empty set of keys of `stride` words.
    pub(super) fn new(stride: usize) -> Self {
        Self { stride, keys: Vec::new(), index: vec![EMPTY; 64] }
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        self.keys.capacity() * 8 + self.index.capacity() * 4
    }

    /// Adds `key`; false if it is there already.
    pub(super) fn insert(&mut self, key: &[u64]) -> bool {
        let count = self.keys.len() / self.stride;
        if (count + 1) * 2 > self.index.len() {
            self.grow();
        }
        let slot = self.slot(key);
        if self.index[slot] != EMPTY {
            return false;
        }
        self.index[slot] = u32::try_from(count)
            .ok()
            .filter(|&number| number != EMPTY)
            .expect("memory budgets end a search long before 2^32 configurations");
        self.keys.extend_from_slice(key);
        true
    }

    /// Where `key` is in the index, or belongs.
    fn slot(&self, key: &[u64]) -> usize {
        let mask = self.index.len() - 1;
        let mut slot = hash(key) as usize & mask;
        loop {
            let number = self.index[slot];
            if number == EMPTY || self.key(number) == key {
                return slot;
            }
            slot = (slot + 1) & mask;
        }
    }

    fn key(&self, number: u32) -> &[u64] {
        let start = number as usize * self.stride;
        &self.keys[start..start + self.stride]
    }

    fn grow(&mut self) {
        let size = self.index.len() * 2;
        let old = std::mem::replace(&mut self.index, vec![EMPTY; size]);
        for number in old.into_iter().filter(|&number| number != EMPTY) {
            let mask = size - 1;
            let mut slot = hash(self.key(number)) as usize & mask;
            while self.index[slot] != EMPTY {
                slot = (slot + 1) & mask;
            }
            self.index[slot] = number;
        }
    }
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

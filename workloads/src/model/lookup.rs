//! From numbers to numbers.

use rustc_hash::FxHashMap;

const NONE: u32 = u32::MAX;

/// A table of so many times the entries is worth its memory.
const SPARSENESS_MAX: usize = 8;

/// A map that is a table if its keys are dense.
#[derive(Debug)]
pub(super) enum Lookup {
    Table(Vec<u32>),
    Map(FxHashMap<u32, u32>),
}

impl Lookup {
    /// An empty map for keys up to `greatest`, of which about `count` are going to be used.
    pub(super) fn new(greatest: u32, count: usize) -> Self {
        match (greatest as usize) < SPARSENESS_MAX * (count + 8) {
            true => Lookup::Table(vec![NONE; greatest as usize + 1]),
            false => Lookup::Map(FxHashMap::with_capacity_and_hasher(count, Default::default())),
        }
    }

    /// The number of a key; the greatest number is none.
    pub(super) fn get(&self, key: u32) -> Option<u32> {
        match self {
            Lookup::Table(table) => table.get(key as usize).copied().filter(|&it| it != NONE),
            Lookup::Map(map) => map.get(&key).copied(),
        }
    }

    /// Gives a key a number; the number that it had.
    pub(super) fn insert(&mut self, key: u32, number: u32) -> Option<u32> {
        match self {
            Lookup::Table(table) => {
                Some(std::mem::replace(&mut table[key as usize], number)).filter(|&it| it != NONE)
            }
            Lookup::Map(map) => map.insert(key, number),
        }
    }
}

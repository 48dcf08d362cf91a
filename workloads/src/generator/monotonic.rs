//! Adds the next number, and reads all of them or the greatest.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::key_groups::KeyGroups;
use super::{Generator, GeneratorOptions, Invocation};
use crate::history::{Event, Value};

/// Clients that share a row of numbers.
const CLIENTS_PER_KEY: usize = 5;
/// Percent of operations that add; then reads of the greatest number; the rest reads all.
const ADD_PERCENT: u32 = 50;
const GREATEST_PERCENT: u32 = 30;
/// The stream of the seed that decides the mix.
const MIX_STREAM: u64 = 1;

/// Adds and reads.
#[derive(Debug)]
pub struct MonotonicGenerator {
    keys: KeyGroups,
    rng: ChaCha8Rng,
}

impl MonotonicGenerator {
    /// A generator.
    pub fn new(options: &GeneratorOptions) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
        rng.set_stream(MIX_STREAM);
        Self { keys: KeyGroups::new(options, CLIENTS_PER_KEY), rng }
    }
}

impl Generator for MonotonicGenerator {
    fn next(&mut self, worker: usize) -> Invocation {
        let group = self.keys.group(worker);
        self.keys.use_key(group);
        let key = Some(Value::from(self.keys.key(group)));
        match self.rng.random_range(0..100) {
            draw if draw < ADD_PERCENT => Invocation { f: "add", key, value: Value::Null },
            draw if draw < ADD_PERCENT + GREATEST_PERCENT => {
                Invocation { f: "read", key, value: Value::from("greatest") }
            }
            _ => Invocation { f: "read", key, value: Value::from("rows") },
        }
    }

    fn observe(&mut self, _worker: usize, _completion: &Event) {}

    fn final_operations(&mut self, worker: usize) -> Vec<Invocation> {
        let rows = |key: u64| Invocation {
            f: "read",
            key: Some(Value::from(key)),
            value: Value::from("rows"),
        };
        self.keys.recent(self.keys.group(worker)).map(rows).collect()
    }
}

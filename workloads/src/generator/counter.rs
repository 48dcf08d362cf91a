//! Adds to counters, and reads them.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::key_groups::KeyGroups;
use super::{Generator, GeneratorOptions, Invocation};
use crate::history::{Event, Value};

/// Clients that share a counter.
const CLIENTS_PER_KEY: usize = 5;
/// Most that is added at once.
const ADD_MAX: i64 = 5;
/// Percent of operations that read.
const READ_PERCENT: u32 = 50;
/// The stream of the seed that decides the mix.
const MIX_STREAM: u64 = 1;

/// Adds small positive numbers.
#[derive(Debug)]
pub struct CounterGenerator {
    keys: KeyGroups,
    rng: ChaCha8Rng,
}

impl CounterGenerator {
    /// A generator.
    pub fn new(options: &GeneratorOptions) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
        rng.set_stream(MIX_STREAM);
        Self { keys: KeyGroups::new(options, CLIENTS_PER_KEY), rng }
    }
}

impl Generator for CounterGenerator {
    fn next(&mut self, worker: usize) -> Invocation {
        let group = self.keys.group(worker);
        self.keys.use_key(group);
        let key = Some(Value::from(self.keys.key(group)));
        match self.rng.random_range(0..100) < READ_PERCENT {
            true => Invocation { f: "read", key, value: Value::Null },
            false => {
                let value = Value::from(self.rng.random_range(1..=ADD_MAX));
                Invocation { f: "add", key, value }
            }
        }
    }

    fn observe(&mut self, _worker: usize, _completion: &Event) {}

    fn final_operations(&mut self, worker: usize) -> Vec<Invocation> {
        let read = |key| Invocation { f: "read", key: Some(Value::from(key)), value: Value::Null };
        self.keys.recent(self.keys.group(worker)).map(read).collect()
    }
}

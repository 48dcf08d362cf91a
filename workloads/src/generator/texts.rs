//! Texts that are set, appended to, deleted and read.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::key_groups::KeyGroups;
use super::{Generator, GeneratorOptions, Invocation};
use crate::history::{Event, Value};

/// Clients that share a text.
pub const CLIENTS_PER_KEY: usize = 5;

/// Percent of operations that read, half of them by a scan; then appends, then writes; the rest deletes.
const READ_PERCENT: u32 = 45;
const APPEND_PERCENT: u32 = 40;
const WRITE_PERCENT: u32 = 10;
/// The stream of the seed that decides the mix.
const MIX_STREAM: u64 = 1;

/// Every piece of text is a number and a comma, and is used once.
#[derive(Debug)]
pub struct TextsGenerator {
    keys: KeyGroups,
    rng: ChaCha8Rng,
    last_piece: u64,
}

impl TextsGenerator {
    /// A generator.
    pub fn new(options: &GeneratorOptions) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
        rng.set_stream(MIX_STREAM);
        Self { keys: KeyGroups::new(options, CLIENTS_PER_KEY), rng, last_piece: 0 }
    }

    fn piece(&mut self) -> Value {
        self.last_piece += 1;
        Value::from(format!("{},", self.last_piece))
    }
}

impl Generator for TextsGenerator {
    fn next(&mut self, worker: usize) -> Invocation {
        let group = self.keys.group(worker);
        self.keys.use_key(group);
        let key = Some(Value::from(self.keys.key(group)));
        let draw = self.rng.random_range(0..100);
        let (f, value) = match draw {
            draw if draw < READ_PERCENT / 2 => ("scan", Value::Null),
            draw if draw < READ_PERCENT => ("read", Value::Null),
            draw if draw < READ_PERCENT + APPEND_PERCENT => ("append", self.piece()),
            draw if draw < READ_PERCENT + APPEND_PERCENT + WRITE_PERCENT => ("write", self.piece()),
            _ => ("delete", Value::Null),
        };
        Invocation { f, key, value }
    }

    fn observe(&mut self, _worker: usize, _completion: &Event) {}

    fn final_operations(&mut self, worker: usize) -> Vec<Invocation> {
        let read = |key| Invocation { f: "read", key: Some(Value::from(key)), value: Value::Null };
        self.keys.recent(self.keys.group(worker)).map(read).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;

    #[test]
    fn pieces_never_repeat_and_every_function_is_used() {
        let options = GeneratorOptions { concurrency: 5, keys: 1, seed: 8 };
        let mut generator = TextsGenerator::new(&options);
        let (mut pieces, mut counts) = (HashSet::new(), HashMap::<&str, usize>::new());
        for _ in 0..1_000 {
            let invocation = generator.next(0);
            *counts.entry(invocation.f).or_default() += 1;
            if ["append", "write"].contains(&invocation.f) {
                assert!(pieces.insert(invocation.value));
            }
        }
        for f in ["read", "scan", "append", "write", "delete"] {
            assert!(counts[f] > 20, "{counts:?}");
        }
    }
}

//! Subkeys that are written one after the other, and read while they are.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Generator, GeneratorOptions, Invocation};
use crate::history::{Event, Value};

/// Subkeys of a key.
const SUBKEYS: u64 = 5;
/// Percent of operations that read.
const READ_PERCENT: u32 = 70;
/// The stream of the seed that decides the mix.
const MIX_STREAM: u64 = 1;

/// Every key is written by one operation, and read by others meanwhile and shortly after.
#[derive(Debug)]
pub struct SequentialGenerator {
    next_key: u64,
    /// How far back reads go: as many keys may be under way.
    recent: u64,
    rng: ChaCha8Rng,
}

impl SequentialGenerator {
    /// A generator.
    pub fn new(options: &GeneratorOptions) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
        rng.set_stream(MIX_STREAM);
        Self { next_key: 0, recent: (options.concurrency as u64 / 2).max(2), rng }
    }
}

fn operation(f: &'static str, key: u64) -> Invocation {
    Invocation { f, key: Some(Value::from(key)), value: Value::from(SUBKEYS) }
}

impl Generator for SequentialGenerator {
    fn next(&mut self, _worker: usize) -> Invocation {
        if self.next_key > 0 && self.rng.random_range(0..100) < READ_PERCENT {
            let back = self.rng.random_range(1..=self.recent);
            return operation("read", self.next_key.saturating_sub(back));
        }
        self.next_key += 1;
        operation("write", self.next_key - 1)
    }

    fn observe(&mut self, _worker: usize, _completion: &Event) {}

    fn final_operations(&mut self, worker: usize) -> Vec<Invocation> {
        vec![operation("read", self.next_key.saturating_sub(1 + worker as u64))]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_written_once_and_read_near_its_write() {
        let options = GeneratorOptions { concurrency: 10, keys: 3, seed: 6 };
        let mut generator = SequentialGenerator::new(&options);
        let mut written = 0;
        for _ in 0..500 {
            let invocation = generator.next(0);
            let key = invocation.key.unwrap().as_u64().unwrap();
            match invocation.f {
                "write" => {
                    assert_eq!(key, written);
                    written += 1;
                }
                _ => assert!(key < written && written - key <= 5),
            }
        }
        assert!(written > 100);
    }
}

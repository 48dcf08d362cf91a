//! Keys that are written once, and reads of whole groups of them.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Generator, GeneratorOptions, Invocation};
use crate::history::{Event, Value};

/// Keys of a group, all of which are read at once.
const GROUP_KEYS: u64 = 3;
/// Percent of operations that read.
const READ_PERCENT: u32 = 70;
/// The stream of the seed that decides the mix.
const MIX_STREAM: u64 = 1;

/// Writes the keys of a group one after the other, while others read the group.
#[derive(Debug)]
pub struct LongForkGenerator {
    next_key: u64,
    rng: ChaCha8Rng,
}

impl LongForkGenerator {
    /// A generator.
    pub fn new(options: &GeneratorOptions) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
        rng.set_stream(MIX_STREAM);
        Self { next_key: 0, rng }
    }
}

fn step(f: &str, key: u64, value: Value) -> Value {
    Value::from(vec![Value::from(f), Value::from(key), value])
}

fn txn(steps: Vec<Value>) -> Invocation {
    Invocation { f: "txn", key: None, value: Value::from(steps) }
}

/// A read of all keys of the group of `key`.
fn read_group(key: u64) -> Invocation {
    let first = key / GROUP_KEYS * GROUP_KEYS;
    txn((first..first + GROUP_KEYS).map(|key| step("r", key, Value::Null)).collect())
}

impl Generator for LongForkGenerator {
    fn next(&mut self, _worker: usize) -> Invocation {
        if self.rng.random_range(0..100) < READ_PERCENT {
            // The group that is being written, or the one before it.
            let back = self.rng.random_range(0..=GROUP_KEYS);
            return read_group(self.next_key.saturating_sub(back));
        }
        self.next_key += 1;
        txn(vec![step("w", self.next_key - 1, Value::from(1))])
    }

    fn observe(&mut self, _worker: usize, _completion: &Event) {}

    fn final_operations(&mut self, worker: usize) -> Vec<Invocation> {
        vec![read_group(self.next_key.saturating_sub(1 + GROUP_KEYS * worker as u64))]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_is_written_once_and_groups_are_read_whole() {
        let options = GeneratorOptions { concurrency: 4, keys: 1, seed: 5 };
        let mut generator = LongForkGenerator::new(&options);
        let mut written = Vec::new();
        for _ in 0..300 {
            let invocation = generator.next(0);
            let steps = invocation.value.as_list().unwrap();
            match steps {
                [write] if write[0].as_str() == Some("w") => {
                    written.push(write[1].as_u64().unwrap());
                }
                reads => {
                    assert_eq!(reads.len() as u64, GROUP_KEYS);
                    assert_eq!(reads[0][1].as_u64().unwrap() % GROUP_KEYS, 0);
                }
            }
        }
        assert!(written.len() > 50 && written.iter().copied().eq(0..written.len() as u64));
    }
}

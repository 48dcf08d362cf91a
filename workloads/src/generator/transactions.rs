//! Transactions of a few steps on a few keys at a time.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Generator, GeneratorOptions, Invocation};
use crate::history::{Event, Value};

/// Most steps of a transaction.
const STEPS_MAX: u32 = 4;
/// Keys in use at the same time, for each key that was asked for: few enough that transactions meet.
const ACTIVE_KEYS: usize = 3;
/// Writes to a key before a fresh one takes its place: lists stay short enough to be read whole.
const WRITES_PER_KEY: u64 = 32;
/// Percent of steps that read.
const READ_PERCENT: u32 = 50;
/// Keys that the final phase reads, newest first.
const FINAL_KEYS: u64 = 32;
/// The stream of the seed that decides the mix.
const MIX_STREAM: u64 = 1;

/// Transactions that read, and append or write.
#[derive(Debug)]
pub struct TransactionGenerator {
    write: &'static str,
    /// Key and the last value that was written to it.
    active: Vec<(u64, u64)>,
    next_key: u64,
    concurrency: u64,
    rng: ChaCha8Rng,
}

impl TransactionGenerator {
    /// Steps `r` and `append`.
    pub fn appends(options: &GeneratorOptions) -> Self {
        Self::new(options, "append")
    }

    /// Steps `r` and `w`.
    pub fn writes(options: &GeneratorOptions) -> Self {
        Self::new(options, "w")
    }

    fn new(options: &GeneratorOptions, write: &'static str) -> Self {
        let keys = (ACTIVE_KEYS * options.keys.max(1)) as u64;
        let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
        rng.set_stream(MIX_STREAM);
        let active = (0..keys).map(|key| (key, 0)).collect();
        let concurrency = options.concurrency.max(1) as u64;
        Self { write, active, next_key: keys, concurrency, rng }
    }

    fn step(&mut self) -> Value {
        let position = self.rng.random_range(0..self.active.len());
        let reads = self.rng.random_range(0..100) < READ_PERCENT;
        let (key, last) = &mut self.active[position];
        let number = *key;
        if reads {
            return read(number);
        }
        *last += 1;
        let value = *last;
        if value == WRITES_PER_KEY {
            self.active[position] = (self.next_key, 0);
            self.next_key += 1;
        }
        Value::from(vec![Value::from(self.write), Value::from(number), Value::from(value)])
    }
}

fn read(key: u64) -> Value {
    Value::from(vec![Value::from("r"), Value::from(key), Value::Null])
}

impl Generator for TransactionGenerator {
    fn next(&mut self, _worker: usize) -> Invocation {
        let steps = self.rng.random_range(1..=STEPS_MAX);
        let steps: Vec<Value> = (0..steps).map(|_| self.step()).collect();
        Invocation { f: "txn", key: None, value: Value::from(steps) }
    }

    fn observe(&mut self, _worker: usize, _completion: &Event) {}

    /// Reads of the newest keys, dealt to the workers.
    fn final_operations(&mut self, worker: usize) -> Vec<Invocation> {
        let first = self.next_key.saturating_sub(FINAL_KEYS);
        (first..self.next_key)
            .filter(|key| key % self.concurrency == worker as u64)
            .map(|key| Invocation { f: "txn", key: None, value: Value::from(vec![read(key)]) })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn values_never_repeat_on_a_key_and_keys_retire() {
        let options = GeneratorOptions { concurrency: 4, keys: 1, seed: 5 };
        let mut generator = TransactionGenerator::appends(&options);
        let (mut written, mut read) = (HashSet::new(), HashSet::new());
        for _ in 0..1_000 {
            let invocation = generator.next(0);
            for step in invocation.value.as_list().unwrap() {
                match step[0].as_str().unwrap() {
                    "append" => assert!(written.insert((step[1].clone(), step[2].clone()))),
                    "r" => {
                        read.insert(step[1].clone());
                    }
                    other => panic!("{other}"),
                }
            }
        }
        assert!(written.iter().all(|(_, value)| value.as_u64() <= Some(WRITES_PER_KEY)));
        assert!(read.len() > 20, "{} keys", read.len());
        let finals: usize = (0..4).map(|worker| generator.final_operations(worker).len()).sum();
        assert_eq!(finals as u64, FINAL_KEYS);
    }
}

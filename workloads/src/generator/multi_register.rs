//! Transactions on the few registers of a key.

use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::key_groups::KeyGroups;
use super::{Generator, GeneratorOptions, Invocation};
use crate::history::{Event, Value};

/// Clients that share a key.
pub const CLIENTS_PER_KEY: usize = 5;

/// Registers of a key.
const REGISTERS: u64 = 6;
/// Percent of transactions that only read; then those that only write; the rest does both.
const READ_PERCENT: u32 = 45;
const WRITE_PERCENT: u32 = 35;
/// The stream of the seed that decides the mix.
const MIX_STREAM: u64 = 1;

/// Each transaction has at most one step on each register, and each value is written once.
#[derive(Debug)]
pub struct MultiRegisterGenerator {
    keys: KeyGroups,
    rng: ChaCha8Rng,
    last_value: u64,
}

fn read(register: u64) -> Value {
    Value::from(vec![Value::from("r"), Value::from(register), Value::Null])
}

impl MultiRegisterGenerator {
    /// A generator.
    pub fn new(options: &GeneratorOptions) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
        rng.set_stream(MIX_STREAM);
        Self { keys: KeyGroups::new(options, CLIENTS_PER_KEY), rng, last_value: 0 }
    }

    fn write(&mut self, register: u64) -> Value {
        self.last_value += 1;
        Value::from(vec![Value::from("w"), Value::from(register), Value::from(self.last_value)])
    }
}

impl Generator for MultiRegisterGenerator {
    fn next(&mut self, worker: usize) -> Invocation {
        let group = self.keys.group(worker);
        self.keys.use_key(group);
        let key = Some(Value::from(self.keys.key(group)));
        let mut registers: Vec<u64> = (0..REGISTERS).collect();
        registers.shuffle(&mut self.rng);
        registers.truncate(self.rng.random_range(1..=REGISTERS as usize));
        let draw = self.rng.random_range(0..100);
        let steps: Vec<Value> = registers
            .into_iter()
            .enumerate()
            .map(|(number, register)| match draw {
                draw if draw < READ_PERCENT => read(register),
                draw if draw < READ_PERCENT + WRITE_PERCENT => self.write(register),
                _ if number % 2 == 0 => read(register),
                _ => self.write(register),
            })
            .collect();
        Invocation { f: "txn", key, value: Value::from(steps) }
    }

    fn observe(&mut self, _worker: usize, _completion: &Event) {}

    /// Reads of all registers of the recent keys.
    fn final_operations(&mut self, worker: usize) -> Vec<Invocation> {
        let read_all = |key: u64| Invocation {
            f: "txn",
            key: Some(Value::from(key)),
            value: Value::list((0..REGISTERS).map(read)),
        };
        self.keys.recent(self.keys.group(worker)).map(read_all).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_transaction_has_a_register_once_and_values_never_repeat() {
        let options = GeneratorOptions { concurrency: 5, keys: 1, seed: 4 };
        let mut generator = MultiRegisterGenerator::new(&options);
        let (mut values, mut sizes) = (HashSet::new(), HashSet::new());
        for _ in 0..500 {
            let invocation = generator.next(0);
            let steps = invocation.value.as_list().unwrap();
            let registers: HashSet<&Value> = steps.iter().map(|step| &step[1]).collect();
            assert_eq!(registers.len(), steps.len());
            sizes.insert(steps.len() as u64);
            for step in steps.iter().filter(|step| step[0].as_str() == Some("w")) {
                assert!(values.insert(step[2].clone()));
            }
        }
        assert_eq!(sizes, (1..=REGISTERS).collect());
    }
}

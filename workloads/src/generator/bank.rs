//! Transfers between accounts, and reads of all balances.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Generator, GeneratorOptions, Invocation};
use crate::history::{Event, Value};

/// The accounts, from 0.
pub const ACCOUNTS: u64 = 8;
/// What each holds in the beginning.
pub const FIRST_BALANCE: i64 = 10;
/// Most that is moved at once.
const AMOUNT_MAX: i64 = 5;
/// Percent of operations that read.
const READ_PERCENT: u32 = 50;
/// The stream of the seed that decides the mix.
const MIX_STREAM: u64 = 1;

/// Moves random amounts between two accounts.
#[derive(Debug)]
pub struct BankGenerator {
    rng: ChaCha8Rng,
}

impl BankGenerator {
    /// A generator.
    pub fn new(options: &GeneratorOptions) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
        rng.set_stream(MIX_STREAM);
        Self { rng }
    }
}

fn read() -> Invocation {
    Invocation { f: "read", key: None, value: Value::Null }
}

impl Generator for BankGenerator {
    fn next(&mut self, _worker: usize) -> Invocation {
        if self.rng.random_range(0..100) < READ_PERCENT {
            return read();
        }
        let from = self.rng.random_range(0..ACCOUNTS);
        let to = (from + self.rng.random_range(1..ACCOUNTS)) % ACCOUNTS;
        let amount = self.rng.random_range(1..=AMOUNT_MAX);
        let transfer = [("from", from.into()), ("to", to.into()), ("amount", amount.into())];
        let transfer = transfer.map(|(name, value): (&str, Value)| (Value::from(name), value));
        Invocation { f: "transfer", key: None, value: Value::Map(transfer.into()) }
    }

    fn observe(&mut self, _worker: usize, _completion: &Event) {}

    fn final_operations(&mut self, _worker: usize) -> Vec<Invocation> {
        vec![read()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_moves_between_two_accounts_that_exist() {
        let options = GeneratorOptions { concurrency: 4, keys: 1, seed: 5 };
        let mut generator = BankGenerator::new(&options);
        for _ in 0..500 {
            let Invocation { f, value, .. } = generator.next(0);
            if f == "transfer" {
                let get = |name| value.get(name).and_then(Value::as_u64).unwrap();
                assert!(get("from") < ACCOUNTS && get("to") < ACCOUNTS);
                assert_ne!(get("from"), get("to"));
                assert!((1..=5).contains(&get("amount")));
            }
        }
    }
}

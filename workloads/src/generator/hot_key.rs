//! One key that nearly everybody uses, and some others.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Generator, GeneratorOptions, Invocation};
use crate::history::{Event, EventKind, Value};

/// Percent of operations on the hot key.
const HOT_PERCENT: u32 = 90;
/// The other keys.
const COLD_KEYS: u64 = 20;
/// Operations on a hot key before another one takes its place.
const OPERATIONS_PER_HOT_KEY: u64 = 5_000;
/// Percent of operations that read; then writes; the rest is cas.
const READ_PERCENT: u32 = 45;
const WRITE_PERCENT: u32 = 35;
/// The stream of the seed that decides the mix.
const MIX_STREAM: u64 = 1;

/// Reads, writes and cas, with values that never repeat.
#[derive(Debug)]
pub struct HotKeyGenerator {
    hot: u64,
    operations: u64,
    /// The value that was last seen or set on the hot key, which a cas expects.
    latest: Option<Value>,
    rng: ChaCha8Rng,
    last_value: u64,
}

/// Cold keys are `cold-0` to `cold-19`, hot ones `hot-0`, `hot-1` and so on.
fn hot(number: u64) -> Value {
    Value::from(format!("hot-{number}"))
}

fn cold(number: u64) -> Value {
    Value::from(format!("cold-{number}"))
}

impl HotKeyGenerator {
    /// A generator.
    pub fn new(options: &GeneratorOptions) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
        rng.set_stream(MIX_STREAM);
        Self { hot: 0, operations: 0, latest: None, rng, last_value: 0 }
    }

    fn key(&mut self) -> Value {
        if self.rng.random_range(0..100) >= HOT_PERCENT {
            return cold(self.rng.random_range(0..COLD_KEYS));
        }
        if self.operations == OPERATIONS_PER_HOT_KEY {
            (self.hot, self.operations, self.latest) = (self.hot + 1, 0, None);
        }
        self.operations += 1;
        hot(self.hot)
    }
}

impl Generator for HotKeyGenerator {
    fn next(&mut self, _worker: usize) -> Invocation {
        let key = self.key();
        let latest = self.latest.clone().filter(|_| key == hot(self.hot));
        let key = Some(key);
        let draw = self.rng.random_range(0..100);
        if draw < READ_PERCENT {
            return Invocation { f: "read", key, value: Value::Null };
        }
        self.last_value += 1;
        let new = Value::from(self.last_value);
        match latest {
            Some(latest) if draw >= READ_PERCENT + WRITE_PERCENT => {
                Invocation { f: "cas", key, value: Value::from(vec![latest, new]) }
            }
            _ => Invocation { f: "write", key, value: new },
        }
    }

    fn observe(&mut self, _worker: usize, completion: &Event) {
        if completion.kind != EventKind::Ok || completion.key != Some(hot(self.hot)) {
            return;
        }
        let seen = match completion.f.as_str() {
            "cas" => &completion.value[1],
            _ => &completion.value,
        };
        if !seen.is_null() {
            self.latest = Some(seen.clone());
        }
    }

    fn final_operations(&mut self, worker: usize) -> Vec<Invocation> {
        let cold_key = worker as u64 % COLD_KEYS;
        let keys = [hot(self.hot), hot(self.hot.saturating_sub(1)), cold(cold_key)];
        keys.into_iter()
            .map(|key| Invocation { f: "read", key: Some(key), value: Value::Null })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nine_of_ten_operations_are_on_the_hot_key_until_another_takes_its_place() {
        let options = GeneratorOptions { concurrency: 10, keys: 3, seed: 1 };
        let mut generator = HotKeyGenerator::new(&options);
        let keys: Vec<Value> = (0..11_000).filter_map(|_| generator.next(0).key).collect();
        let on = |key: &Value| keys.iter().filter(|it| *it == key).count();
        assert_eq!(on(&hot(0)) as u64, OPERATIONS_PER_HOT_KEY);
        assert!(on(&hot(1)) > 4_000);
        assert!(on(&cold(0)) > 20);
    }
}

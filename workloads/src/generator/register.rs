//! Reads, writes, cas and deletes on registers, with values that never repeat.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::key_groups::KeyGroups;
use super::{Generator, GeneratorOptions, Invocation};
use crate::history::{Event, EventKind, Value};

/// Clients that share a key, where there are enough: fewer would see too little of each other.
pub const CLIENTS_PER_KEY: usize = 5;

/// Percent of operations that are reads; then writes, then deletes if there are any; the rest is cas.
const READ_PERCENT: u32 = 45;
const WRITE_PERCENT: u32 = 35;
const DELETE_PERCENT: u32 = 8;

/// The stream of the seed that decides the mix.
const MIX_STREAM: u64 = 1;

/// Every value is written by one operation only, over all keys, which lets the checker decide without
/// search.
#[derive(Debug)]
pub struct RegisterGenerator {
    keys: KeyGroups,
    /// The value that each group last saw or set on its key, which a cas expects.
    latest: Vec<Option<Value>>,
    deletes: bool,
    rng: ChaCha8Rng,
    last_value: u64,
}

impl RegisterGenerator {
    /// Reads, writes and cas.
    pub fn new(options: &GeneratorOptions) -> Self {
        let keys = KeyGroups::new(options, CLIENTS_PER_KEY);
        let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
        rng.set_stream(MIX_STREAM);
        Self { latest: vec![None; keys.len()], keys, deletes: false, rng, last_value: 0 }
    }

    /// The same, and deletes.
    pub fn with_deletes(options: &GeneratorOptions) -> Self {
        Self { deletes: true, ..Self::new(options) }
    }

    fn fresh_value(&mut self) -> Value {
        self.last_value += 1;
        Value::from(self.last_value)
    }
}

impl Generator for RegisterGenerator {
    fn next(&mut self, worker: usize) -> Invocation {
        let group = self.keys.group(worker);
        if self.keys.use_key(group) {
            self.latest[group] = None;
        }
        let key = Some(Value::from(self.keys.key(group)));
        let latest = self.latest[group].clone();
        let draw = self.rng.random_range(0..100);
        if draw < READ_PERCENT {
            return Invocation { f: "read", key, value: Value::Null };
        }
        if self.deletes && (READ_PERCENT..READ_PERCENT + DELETE_PERCENT).contains(&draw) {
            return Invocation { f: "delete", key, value: Value::Null };
        }
        let new = self.fresh_value();
        match latest {
            Some(latest) if draw >= READ_PERCENT + WRITE_PERCENT => {
                Invocation { f: "cas", key, value: Value::from(vec![latest, new]) }
            }
            // A cas needs a value to expect, so a key starts with reads and writes.
            _ => Invocation { f: "write", key, value: new },
        }
    }

    fn observe(&mut self, worker: usize, completion: &Event) {
        let group = self.keys.group(worker);
        let key = Value::from(self.keys.key(group));
        if completion.kind != EventKind::Ok || completion.key != Some(key) {
            return;
        }
        let seen = match completion.f.as_str() {
            "cas" => completion.value.as_list().and_then(|pair| pair.get(1)),
            _ => Some(&completion.value),
        };
        if let Some(seen) = seen.filter(|seen| !seen.is_null()) {
            self.latest[group] = Some(seen.clone());
        }
    }

    fn final_operations(&mut self, worker: usize) -> Vec<Invocation> {
        let read = |key| Invocation { f: "read", key: Some(Value::from(key)), value: Value::Null };
        self.keys.recent(self.keys.group(worker)).map(read).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::super::key_groups::OPERATIONS_PER_KEY;
    use super::*;
    use crate::history::Process;

    fn options(concurrency: usize, keys: usize) -> GeneratorOptions {
        GeneratorOptions { concurrency, keys, seed: 7 }
    }

    /// Runs a generator against perfect registers, round robin.
    fn run(options: &GeneratorOptions, operations: usize) -> Vec<(usize, Invocation, EventKind)> {
        let mut generator = RegisterGenerator::new(options);
        let mut registers: HashMap<String, Value> = HashMap::new();
        (0..operations)
            .map(|number| {
                let worker = number % options.concurrency;
                let invocation = generator.next(worker);
                let register =
                    registers.entry(format!("{:?}", invocation.key)).or_insert(Value::Null);
                let mut kind = EventKind::Ok;
                let mut value = invocation.value.clone();
                match invocation.f {
                    "read" => value = register.clone(),
                    "write" => *register = value.clone(),
                    _ if value[0] == *register => *register = value[1].clone(),
                    _ => kind = EventKind::Fail,
                }
                let completion = Event {
                    index: 0,
                    time: 0,
                    scheduled: None,
                    process: Process::Client(worker as u64),
                    kind,
                    f: invocation.f.into(),
                    key: invocation.key.clone(),
                    value,
                    error: None,
                    node: None,
                };
                generator.observe(worker, &completion);
                (worker, invocation, kind)
            })
            .collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_operations() {
        assert_eq!(run(&options(10, 2), 2_000), run(&options(10, 2), 2_000));
        let other = GeneratorOptions { seed: 8, ..options(10, 2) };
        assert_ne!(run(&options(10, 2), 100), run(&other, 100));
    }

    #[test]
    fn values_never_repeat_and_the_mix_is_kept() {
        let run = run(&options(10, 2), 10_000);
        let mut values = HashSet::new();
        let mut counts: HashMap<(&str, EventKind), usize> = HashMap::new();
        for (_, invocation, kind) in &run {
            *counts.entry((invocation.f, *kind)).or_default() += 1;
            let new = match invocation.f {
                "write" => &invocation.value,
                "cas" => &invocation.value[1],
                _ => continue,
            };
            assert!(values.insert(new.to_string()), "{new} is written twice");
        }
        assert!((4_300..4_700).contains(&counts[&("read", EventKind::Ok)]), "{counts:?}");
        assert!((3_300..3_800).contains(&counts[&("write", EventKind::Ok)]), "{counts:?}");
        assert!(counts[&("cas", EventKind::Ok)] > 1_500, "{counts:?}");
    }

    #[test]
    fn five_clients_contend_for_each_key_and_keys_rotate() {
        for (concurrency, keys, active) in [(10, 2, 2), (25, 5, 5), (10, 5, 2), (3, 4, 1)] {
            let run = run(&options(concurrency, keys), 6_000);
            let mut clients: HashMap<String, HashSet<usize>> = HashMap::new();
            let mut operations: HashMap<String, usize> = HashMap::new();
            for (worker, invocation, _) in &run {
                let key = format!("{:?}", invocation.key);
                clients.entry(key.clone()).or_default().insert(*worker);
                *operations.entry(key).or_default() += 1;
            }
            assert_eq!(operations.len(), 6_000 / OPERATIONS_PER_KEY, "{active} keys at a time");
            assert!(operations.values().all(|&count| count == OPERATIONS_PER_KEY));
            assert!(clients.values().all(|clients| clients.len() >= concurrency.min(5)));
        }
    }

    #[test]
    fn final_reads_cover_the_active_and_the_recent_keys() {
        let mut generator = RegisterGenerator::new(&options(5, 1));
        for _ in 0..5 * OPERATIONS_PER_KEY {
            generator.next(0);
        }
        let keys: Vec<_> =
            generator.final_operations(3).into_iter().map(|read| (read.f, read.key)).collect();
        let expected = [4, 3, 2, 1].map(|key| ("read", Some(Value::from(key))));
        assert_eq!(keys, expected);
    }
}

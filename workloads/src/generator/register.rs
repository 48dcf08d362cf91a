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

/// Values of registers with few of them: `0..FEW_VALUES`.
const FEW_VALUES: u64 = 5;

/// What is done to the registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Reads, writes, and cas that expect what was seen.
    Cas,
    /// The same, and deletes.
    Deletes,
    /// Reads and writes.
    NoCas,
    /// Few values, that come again, and cas that expect any of them.
    FewValues,
}

/// Unless the kind has few values only, every value is written by one operation only, over all keys,
/// which lets the checker decide without search.
#[derive(Debug)]
pub struct RegisterGenerator {
    keys: KeyGroups,
    /// The value that each group last saw or set on its key, which a cas expects.
    latest: Vec<Option<Value>>,
    kind: Kind,
    rng: ChaCha8Rng,
    last_value: u64,
}

impl RegisterGenerator {
    /// Reads, writes and cas.
    pub fn new(options: &GeneratorOptions) -> Self {
        Self::of(Kind::Cas, options)
    }

    /// The same, and deletes.
    pub fn with_deletes(options: &GeneratorOptions) -> Self {
        Self::of(Kind::Deletes, options)
    }

    /// Reads and writes.
    pub fn without_cas(options: &GeneratorOptions) -> Self {
        Self::of(Kind::NoCas, options)
    }

    /// Reads, writes and cas of a handful of values; cas expect any of them, whether or not it was seen.
    pub fn few_values(options: &GeneratorOptions) -> Self {
        Self::of(Kind::FewValues, options)
    }

    fn of(kind: Kind, options: &GeneratorOptions) -> Self {
        let keys = KeyGroups::new(options, CLIENTS_PER_KEY);
        let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
        rng.set_stream(MIX_STREAM);
        Self { latest: vec![None; keys.len()], keys, kind, rng, last_value: 0 }
    }

    fn new_value(&mut self) -> Value {
        if self.kind == Kind::FewValues {
            return Value::from(self.rng.random_range(0..FEW_VALUES));
        }
        self.last_value += 1;
        Value::from(self.last_value)
    }

    /// What a cas on the key of this group may expect.
    fn expected(&mut self, group: usize) -> Option<Value> {
        match self.kind {
            Kind::Cas | Kind::Deletes => self.latest[group].clone(),
            Kind::NoCas => None,
            Kind::FewValues => Some(self.new_value()),
        }
    }
}

impl Generator for RegisterGenerator {
    fn next(&mut self, worker: usize) -> Invocation {
        let group = self.keys.group(worker);
        if self.keys.use_key(group) {
            self.latest[group] = None;
        }
        let key = Some(Value::from(self.keys.key(group)));
        let draw = self.rng.random_range(0..100);
        if draw < READ_PERCENT {
            return Invocation { f: "read", key, value: Value::Null };
        }
        let deletes = READ_PERCENT..READ_PERCENT + DELETE_PERCENT;
        if self.kind == Kind::Deletes && deletes.contains(&draw) {
            return Invocation { f: "delete", key, value: Value::Null };
        }
        let expected = match draw >= READ_PERCENT + WRITE_PERCENT {
            true => self.expected(group),
            false => None,
        };
        let new = self.new_value();
        match expected {
            Some(expected) => Invocation { f: "cas", key, value: Value::from(vec![expected, new]) },
            // A cas needs a value to expect, so a key starts with reads and writes.
            None => Invocation { f: "write", key, value: new },
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
    fn few_values_come_again_and_cas_expect_what_nobody_saw() {
        let mut generator = RegisterGenerator::few_values(&options(5, 1));
        let invocations: Vec<Invocation> = (0..300).map(|_| generator.next(0)).collect();
        let few = |value: &Value| value.as_u64() < Some(FEW_VALUES);
        let of = |f: &'static str| invocations.iter().filter(move |it| it.f == f);
        assert!(of("write").all(|it| few(&it.value)));
        assert!(of("cas").all(|it| few(&it.value[0]) && few(&it.value[1])));
        assert!(of("cas").count() > 30 && of("read").count() > 100);
    }

    #[test]
    fn without_cas_there_are_reads_and_writes() {
        let mut generator = RegisterGenerator::without_cas(&options(5, 1));
        let fs: HashSet<&str> = (0..300).map(|_| generator.next(0).f).collect();
        assert_eq!(fs, HashSet::from(["read", "write"]));
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

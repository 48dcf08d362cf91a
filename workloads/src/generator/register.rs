//! Reads, writes and cas on registers, with values that never repeat.

use std::collections::VecDeque;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Generator, GeneratorOptions, Invocation};
use crate::history::{Event, EventKind, Value};

/// Clients that share a key, where there are enough: fewer would see too little of each other.
pub const CLIENTS_PER_KEY: usize = 5;

/// Operations on a key before its group moves on to a fresh one, so that counterexamples and
/// searches stay small and new keys meet every fault.
pub const OPERATIONS_PER_KEY: usize = 300;

/// Keys that a group has left and that it reads again in the final phase.
const RECENT_KEYS: usize = 3;

/// Percent of operations that are reads; then writes; the rest is cas.
const READ_PERCENT: u32 = 45;
const WRITE_PERCENT: u32 = 35;

/// The stream of the seed that decides the mix.
const MIX_STREAM: u64 = 1;

/// Workers in groups, each group on its own key at a time.
///
/// Neighbouring workers are in one group, because a worker's number also chooses its node: so each
/// key is used through many nodes. Every value is written by one operation only, over all keys,
/// which lets the checker decide without search.
#[derive(Debug)]
pub struct RegisterGenerator {
    concurrency: usize,
    groups: Vec<Group>,
    rng: ChaCha8Rng,
    last_value: u64,
    next_key: u64,
}

/// Workers that share a key.
#[derive(Debug)]
struct Group {
    key: u64,
    operations: usize,
    /// The value that was last seen or set, which a cas expects.
    latest: Option<Value>,
    recent: VecDeque<u64>,
}

impl RegisterGenerator {
    /// A generator with at most `options.keys` groups, of [`CLIENTS_PER_KEY`] workers or more each
    /// (if there are so many workers at all).
    pub fn new(options: &GeneratorOptions) -> Self {
        let groups = (options.concurrency / CLIENTS_PER_KEY).clamp(1, options.keys.max(1));
        let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
        rng.set_stream(MIX_STREAM);
        let group = |key| Group { key, operations: 0, latest: None, recent: VecDeque::new() };
        Self {
            concurrency: options.concurrency.max(1),
            groups: (0..groups as u64).map(group).collect(),
            rng,
            last_value: 0,
            next_key: groups as u64,
        }
    }

    fn group(&self, worker: usize) -> usize {
        (worker * self.groups.len() / self.concurrency).min(self.groups.len() - 1)
    }

    fn fresh_value(&mut self) -> Value {
        self.last_value += 1;
        Value::from(self.last_value)
    }
}

impl Generator for RegisterGenerator {
    fn next(&mut self, worker: usize) -> Invocation {
        let number = self.group(worker);
        let group = &mut self.groups[number];
        if group.operations == OPERATIONS_PER_KEY {
            group.recent.push_back(group.key);
            if group.recent.len() > RECENT_KEYS {
                group.recent.pop_front();
            }
            group.key = self.next_key;
            group.operations = 0;
            group.latest = None;
            self.next_key += 1;
        }
        group.operations += 1;
        let key = Some(Value::from(group.key));
        let latest = group.latest.clone();
        let draw = self.rng.random_range(0..100);
        if draw < READ_PERCENT {
            return Invocation { f: "read", key, value: Value::Null };
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
        let number = self.group(worker);
        let group = &mut self.groups[number];
        if completion.kind != EventKind::Ok || completion.key != Some(Value::from(group.key)) {
            return;
        }
        let seen = match completion.f.as_str() {
            "cas" => completion.value.as_list().and_then(|pair| pair.get(1)),
            _ => Some(&completion.value),
        };
        if let Some(seen) = seen.filter(|seen| !seen.is_null()) {
            group.latest = Some(seen.clone());
        }
    }

    fn final_operations(&mut self, worker: usize) -> Vec<Invocation> {
        let group = &self.groups[self.group(worker)];
        std::iter::once(&group.key)
            .chain(group.recent.iter().rev())
            .map(|&key| Invocation { f: "read", key: Some(Value::from(key)), value: Value::Null })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

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

//! Elements that are put in once: into sets, or into queues from which they are taken again.

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::key_groups::KeyGroups;
use super::{Generator, GeneratorOptions, Invocation};
use crate::history::{Event, EventKind, Value};

/// Clients that share a set or a queue.
const CLIENTS_PER_KEY: usize = 5;
/// Percent of operations that put something in.
const PUT_PERCENT: u32 = 55;
/// The stream of the seed that decides the mix.
const MIX_STREAM: u64 = 1;
/// What each worker takes out in the final phase beyond its share of what is known to be left: the
/// outcome of some puts and takes is not known.
const EXTRA_TAKES: usize = 3;

/// Names of the functions.
#[derive(Debug, Clone, Copy)]
struct Functions {
    put: &'static str,
    other: &'static str,
}

/// Puts elements in; reads everything, or takes single elements out.
#[derive(Debug)]
pub struct ElementsGenerator {
    keys: KeyGroups,
    functions: Functions,
    /// What may be left in each queue.
    left: BTreeMap<u64, i64>,
    concurrency: usize,
    rng: ChaCha8Rng,
    last_element: u64,
}

impl ElementsGenerator {
    /// `add` and `read`.
    pub fn set(options: &GeneratorOptions) -> Self {
        Self::new(options, Functions { put: "add", other: "read" })
    }

    /// `enqueue` and `dequeue`.
    pub fn queue(options: &GeneratorOptions) -> Self {
        Self::new(options, Functions { put: "enqueue", other: "dequeue" })
    }

    fn new(options: &GeneratorOptions, functions: Functions) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
        rng.set_stream(MIX_STREAM);
        Self {
            keys: KeyGroups::new(options, CLIENTS_PER_KEY),
            functions,
            left: BTreeMap::new(),
            concurrency: options.concurrency.max(1),
            rng,
            last_element: 0,
        }
    }
}

impl Generator for ElementsGenerator {
    fn next(&mut self, worker: usize) -> Invocation {
        let group = self.keys.group(worker);
        self.keys.use_key(group);
        let key = Some(Value::from(self.keys.key(group)));
        if self.rng.random_range(0..100) >= PUT_PERCENT {
            return Invocation { f: self.functions.other, key, value: Value::Null };
        }
        self.last_element += 1;
        Invocation { f: self.functions.put, key, value: Value::from(self.last_element) }
    }

    fn observe(&mut self, _worker: usize, completion: &Event) {
        let Some(key) = completion.key.as_ref().and_then(Value::as_u64) else { return };
        let left = self.left.entry(key).or_default();
        match completion.kind {
            EventKind::Ok if completion.f == self.functions.put => *left += 1,
            EventKind::Info if completion.f == self.functions.put => *left += 1,
            EventKind::Ok if !completion.value.is_null() => *left -= 1,
            EventKind::Invoke | EventKind::Ok | EventKind::Info | EventKind::Fail => {}
        }
    }

    /// Reads of the recent sets; or takes from every queue, so many that all workers together surely
    /// empty it.
    fn final_operations(&mut self, worker: usize) -> Vec<Invocation> {
        let f = self.functions.other;
        let operation =
            |key: u64| Invocation { f, key: Some(Value::from(key)), value: Value::Null };
        if f == "read" {
            return self.keys.recent(self.keys.group(worker)).map(operation).collect();
        }
        let mut takes = Vec::new();
        for (&key, &left) in &self.left {
            let share = usize::try_from(left).unwrap_or(0).div_ceil(self.concurrency);
            takes.extend(std::iter::repeat_n(key, share + EXTRA_TAKES).map(operation));
        }
        takes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Process;

    fn completion(invocation: &Invocation, value: Value) -> Event {
        Event {
            index: 0,
            time: 0,
            scheduled: None,
            process: Process::Client(0),
            kind: EventKind::Ok,
            f: invocation.f.into(),
            key: invocation.key.clone(),
            value,
            error: None,
            node: None,
        }
    }

    #[test]
    fn the_final_phase_empties_every_queue() {
        let options = GeneratorOptions { concurrency: 10, keys: 2, seed: 3 };
        let mut generator = ElementsGenerator::queue(&options);
        let mut left: BTreeMap<u64, Vec<Value>> = BTreeMap::new();
        let mut act = |generator: &mut ElementsGenerator, worker, invocation: Invocation| {
            let key = invocation.key.as_ref().and_then(Value::as_u64).unwrap();
            let queue = left.entry(key).or_default();
            let result = match invocation.f {
                "enqueue" => {
                    queue.push(invocation.value.clone());
                    invocation.value.clone()
                }
                _ => queue.pop().unwrap_or_default(),
            };
            generator.observe(worker, &completion(&invocation, result));
            left.values().map(Vec::len).sum::<usize>()
        };
        for round in 0..5_000 {
            let worker = round % 10;
            let invocation = generator.next(worker);
            act(&mut generator, worker, invocation);
        }
        let mut in_the_end = usize::MAX;
        let finals: Vec<_> = (0..10).map(|worker| generator.final_operations(worker)).collect();
        for (worker, operations) in finals.into_iter().enumerate() {
            for invocation in operations {
                in_the_end = act(&mut generator, worker, invocation);
            }
        }
        assert_eq!(in_the_end, 0);
    }

    #[test]
    fn elements_never_repeat() {
        let options = GeneratorOptions { concurrency: 5, keys: 1, seed: 3 };
        let mut generator = ElementsGenerator::set(&options);
        let mut seen = std::collections::HashSet::new();
        for worker in (0..5).cycle().take(1_000) {
            let invocation = generator.next(worker);
            assert!(invocation.f == "read" || seen.insert(invocation.value));
        }
        assert!(seen.len() > 400);
        assert_eq!(generator.final_operations(0).len(), 4);
    }
}

//! Keys that are written once, and reads of whole groups of them.
//!
//! Two reads disagree on the order of two writes only if both are made while the writes end. So half
//! of the operations write, which keeps several writes of a group on their way, and a worker whose
//! node takes no writes reads instead of spending keys.
//!
//! A read tells something only if it sees a part of its group, and how long ago the keys were written
//! that a node just got to know depends on the node. So each worker goes back by some keys after a
//! read that saw nothing, and forward after one that saw all.

use std::collections::{BTreeMap, BTreeSet};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Generator, GeneratorOptions, Invocation};
use crate::history::{Event, EventKind, Value};

/// Keys of a group, all of which are read at once.
const GROUP_KEYS: u64 = 8;
/// Percent of operations that write.
const WRITE_PERCENT: u32 = 50;
/// The same of a worker whose last write was refused: its node may take writes again one day.
const REFUSED_WRITE_PERCENT: u32 = 2;
/// A worker whose read told nothing goes back or forward by so many keys.
const STEP_KEYS: u64 = 3;
/// The stream of the seed that decides the mix.
const MIX_STREAM: u64 = 1;

/// Writes the keys of a group one after the other, while others read the group.
#[derive(Debug)]
pub struct LongForkGenerator {
    next_key: u64,
    /// Workers whose last write was refused.
    refused: BTreeSet<usize>,
    /// How many keys back of the last one each worker reads; nothing if none.
    behind: BTreeMap<usize, u64>,
    rng: ChaCha8Rng,
}

impl LongForkGenerator {
    /// A generator.
    pub fn new(options: &GeneratorOptions) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
        rng.set_stream(MIX_STREAM);
        Self { next_key: 0, refused: BTreeSet::new(), behind: BTreeMap::new(), rng }
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

fn is_write(steps: &Value) -> bool {
    matches!(steps.as_list(), Some([only]) if only[0].as_str() == Some("w"))
}

/// How much of its group a read saw.
enum Seen {
    Nothing,
    Part,
    All,
}

fn seen(read: &Value) -> Seen {
    let steps = read.as_list().unwrap_or_default();
    let saw = |step: &&Value| step.as_list().is_some_and(|step| !step[2].is_null());
    match steps.iter().filter(saw).count() {
        0 => Seen::Nothing,
        count if count == steps.len() => Seen::All,
        _ => Seen::Part,
    }
}

impl Generator for LongForkGenerator {
    fn next(&mut self, worker: usize) -> Invocation {
        let write_percent = match self.refused.contains(&worker) {
            true => REFUSED_WRITE_PERCENT,
            false => WRITE_PERCENT,
        };
        if self.rng.random_range(0..100) >= write_percent {
            let behind = self.behind.get(&worker).copied().unwrap_or_default();
            let back = behind + self.rng.random_range(0..=GROUP_KEYS);
            return read_group(self.next_key.saturating_sub(back));
        }
        self.next_key += 1;
        txn(vec![step("w", self.next_key - 1, Value::from(1))])
    }

    fn observe(&mut self, worker: usize, completion: &Event) {
        if !is_write(&completion.value) {
            if completion.kind == EventKind::Ok {
                let behind = self.behind.entry(worker).or_default();
                *behind = match seen(&completion.value) {
                    Seen::Nothing => behind.saturating_add(STEP_KEYS),
                    Seen::Part => *behind,
                    Seen::All => behind.saturating_sub(STEP_KEYS),
                };
            }
            return;
        }
        match completion.kind {
            EventKind::Fail => self.refused.insert(worker),
            EventKind::Ok => self.refused.remove(&worker),
            EventKind::Invoke | EventKind::Info => false,
        };
    }

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
                [write] if is_write(&invocation.value) => {
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

    #[test]
    fn a_worker_looks_for_keys_that_its_node_just_got_to_know() {
        let options = GeneratorOptions { concurrency: 2, keys: 1, seed: 5 };
        let mut generator = LongForkGenerator::new(&options);
        let mut event: Event = serde_json::from_str(
            r#"{"index":0,"time":0,"process":0,"type":"ok","f":"txn","value":[]}"#,
        )
        .unwrap();
        // The first worker's node has nothing of the last 100 keys, that of the second has all.
        let mut parts = [0, 0];
        for turn in 0..4_000 {
            let worker = turn % 2;
            let invocation = generator.next(worker);
            if is_write(&invocation.value) {
                continue;
            }
            let known = generator.next_key.saturating_sub([100, 0][worker]);
            let keys = invocation.value.as_list().unwrap().iter().map(|it| it[1].as_u64().unwrap());
            let read = |key| step("r", key, if key < known { Value::from(1) } else { Value::Null });
            event.value = keys.map(read).collect::<Vec<_>>().into();
            let is_part = matches!(seen(&event.value), Seen::Part);
            parts[worker] += usize::from(is_part);
            generator.observe(worker, &event);
        }
        // Of about 1,000 reads of each.
        assert!(parts.iter().all(|&parts| parts > 300), "{parts:?}");
    }

    #[test]
    fn a_worker_whose_write_was_refused_reads_until_one_succeeds() {
        let options = GeneratorOptions { concurrency: 2, keys: 1, seed: 5 };
        let mut generator = LongForkGenerator::new(&options);
        let write = |kind| Event {
            kind,
            ..serde_json::from_str(
                r#"{"index":0,"time":0,"process":0,"type":"ok","f":"txn","value":[["w",0,1]]}"#,
            )
            .unwrap()
        };
        let writes = |generator: &mut LongForkGenerator, worker| {
            (0..400).filter(|_| is_write(&generator.next(worker).value)).count()
        };
        generator.observe(0, &write(EventKind::Fail));
        assert!(writes(&mut generator, 0) < 40 && writes(&mut generator, 1) > 100);
        generator.observe(0, &write(EventKind::Ok));
        assert!(writes(&mut generator, 0) > 100);
    }
}

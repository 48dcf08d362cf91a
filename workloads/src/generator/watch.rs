//! Puts and deletes of a few keys, and watches of them.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::key_groups::KeyGroups;
use super::{Generator, GeneratorOptions, Invocation};
use crate::history::{Event, EventKind, Value};

/// Clients that share a range.
const CLIENTS_PER_KEY: usize = 5;
/// Keys of a range.
const KEYS: u64 = 4;
/// Percent of operations that put; then deletes; the rest watches.
const PUT_PERCENT: u32 = 75;
const DELETE_PERCENT: u32 = 15;
/// Percent of watches that go on where the client is; the others begin with what comes next.
const RESUME_PERCENT: u32 = 80;
/// The stream of the seed that decides the mix.
const MIX_STREAM: u64 = 1;

/// Changes ranges of keys, with values that never repeat, and watches them.
#[derive(Debug)]
pub struct WatchGenerator {
    ranges: KeyGroups,
    /// The last revision that each client knows of, if its watches can go on behind it.
    known: Vec<Option<i64>>,
    rng: ChaCha8Rng,
    last_value: u64,
}

impl WatchGenerator {
    /// A generator.
    pub fn new(options: &GeneratorOptions) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
        rng.set_stream(MIX_STREAM);
        Self {
            ranges: KeyGroups::new(options, CLIENTS_PER_KEY),
            known: vec![None; options.concurrency],
            rng,
            last_value: 0,
        }
    }

    fn watch(&self, range: u64, from: Option<i64>) -> Invocation {
        let prefix = (Value::from("prefix"), Value::from(prefix(range)));
        let from = from.map(|from| (Value::from("from"), Value::from(from)));
        let value = Value::Map(std::iter::once(prefix).chain(from).collect());
        Invocation { f: "watch", key: None, value }
    }
}

fn prefix(range: u64) -> String {
    format!("{range}/")
}

/// The last revision that a response or the result of a write tells of.
fn revision(value: &Value) -> Option<i64> {
    let last = value.as_list().map_or(value, |responses| responses.last().unwrap_or(value));
    last.get("progress").or_else(|| last.get("revision"))?.as_i64()
}

impl Generator for WatchGenerator {
    fn next(&mut self, worker: usize) -> Invocation {
        let group = self.ranges.group(worker);
        if self.ranges.use_key(group) {
            self.known[worker] = None;
        }
        let range = self.ranges.key(group);
        let key = format!("{}{}", prefix(range), self.rng.random_range(0..KEYS));
        let draw = self.rng.random_range(0..100);
        if draw < PUT_PERCENT {
            self.last_value += 1;
            let value = Value::from(vec![Value::from(key), Value::from(self.last_value)]);
            return Invocation { f: "put", key: None, value };
        }
        if draw < PUT_PERCENT + DELETE_PERCENT {
            return Invocation { f: "delete", key: None, value: Value::from(key) };
        }
        let resumes = self.rng.random_range(0..100) < RESUME_PERCENT;
        self.watch(range, self.known[worker].filter(|_| resumes).map(|known| known + 1))
    }

    fn observe(&mut self, worker: usize, completion: &Event) {
        let known = &mut self.known[worker];
        match (completion.kind, revision(&completion.value)) {
            (EventKind::Ok, Some(revision)) => *known = (*known).max(Some(revision)),
            (EventKind::Ok, None) => {}
            // The node may have forgotten what lies so far back.
            _ if completion.f == "watch" => *known = None,
            _ => {}
        }
    }

    /// One more watch from where the client is.
    fn final_operations(&mut self, worker: usize) -> Vec<Invocation> {
        let range = self.ranges.key(self.ranges.group(worker));
        vec![self.watch(range, self.known[worker].map(|known| known + 1))]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Process;

    #[test]
    fn watches_go_on_behind_what_the_client_knows() {
        let options = GeneratorOptions { concurrency: 1, keys: 1, seed: 9 };
        let mut generator = WatchGenerator::new(&options);
        let mut watch = |kind, value: &str| {
            let completion = Event {
                index: 0,
                time: 0,
                scheduled: None,
                process: Process::Client(0),
                kind,
                f: "watch".into(),
                key: None,
                value: value.parse().unwrap(),
                error: None,
                node: None,
            };
            generator.observe(0, &completion);
            generator.final_operations(0)[0].value.to_string()
        };
        let responses = r#"[{"events":[],"progress":5},{"events":[],"progress":9}]"#;
        assert_eq!(watch(EventKind::Ok, responses), r#"{"prefix":"0/","from":10}"#);
        assert_eq!(watch(EventKind::Ok, r#"{"revision":7}"#), r#"{"prefix":"0/","from":10}"#);
        assert_eq!(watch(EventKind::Fail, "null"), r#"{"prefix":"0/"}"#);
    }
}

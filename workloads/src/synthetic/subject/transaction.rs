//! Transactions over lists, over registers, and the small ones of long forks.

use std::collections::BTreeMap;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::{Request, Response, Subject, list};
use crate::history::Value;
use crate::synthetic::simulate::below;

/// Writes that a key gets before a fresh one takes its place.
const WRITES_PER_KEY: u64 = 32;
/// Micro-operations of a transaction, at most.
const MICROS_MAX: usize = 4;
/// Keys that are read together in a long fork.
const GROUP: u64 = 3;

/// Keys that are used up: which are in use, and what to write next.
struct Keys {
    /// Keys in use, and the writes that each was asked for.
    places: Vec<(u64, u64)>,
    next_key: u64,
    next_value: u64,
}

impl Keys {
    fn new(keys: usize) -> Self {
        let places: Vec<(u64, u64)> = (0..keys.max(1) as u64).map(|key| (key, 0)).collect();
        Self { next_key: places.len() as u64, places, next_value: 1 }
    }

    fn key_to_read(&self, random: &mut ChaCha8Rng) -> u64 {
        self.places[below(random, self.places.len())].0
    }

    /// A key, and a value that nobody else writes.
    fn next_write(&mut self, random: &mut ChaCha8Rng) -> (u64, u64) {
        let number = below(random, self.places.len());
        let (key, writes) = &mut self.places[number];
        let chosen = *key;
        *writes += 1;
        if *writes >= WRITES_PER_KEY {
            (*key, *writes) = (self.next_key, 0);
            self.next_key += 1;
        }
        self.next_value += 1;
        (chosen, self.next_value - 1)
    }

    /// A transaction of reads and writes, the latter called `write`.
    fn transaction(&mut self, write: &str, random: &mut ChaCha8Rng) -> Value {
        let micros = 1 + below(random, MICROS_MAX);
        Value::list((0..micros).map(|_| {
            if random.random_bool(0.5) {
                return list([
                    Value::from("r"),
                    Value::from(self.key_to_read(random)),
                    Value::Null,
                ]);
            }
            let (key, value) = self.next_write(random);
            list([Value::from(write), Value::from(key), Value::from(value)])
        }))
    }
}

/// Lists that transactions append to and read.
pub(in crate::synthetic) struct Lists {
    keys: Keys,
    lists: BTreeMap<u64, Vec<Value>>,
}

impl Lists {
    pub(in crate::synthetic) fn new(keys: usize) -> Self {
        Self { keys: Keys::new(keys), lists: BTreeMap::new() }
    }
}

impl Subject for Lists {
    fn invoke(&mut self, process: u64, random: &mut ChaCha8Rng) -> Request {
        Request::new(process, "txn", None, self.keys.transaction("append", random))
    }

    fn apply(&mut self, request: &Request) -> Response {
        let micros = request.argument.as_list().unwrap_or(&[]);
        Response::Ok(Value::list(micros.iter().map(|micro| {
            let object = self.lists.entry(micro[1].as_u64().unwrap_or(0)).or_default();
            if micro[0].as_str() == Some("append") {
                object.push(micro[2].clone());
                return micro.clone();
            }
            list([micro[0].clone(), micro[1].clone(), Value::list(object.iter().cloned())])
        })))
    }
}

/// Registers that transactions write and read; empty at the start.
pub(in crate::synthetic) struct Rows {
    keys: Keys,
    rows: BTreeMap<u64, Value>,
}

impl Rows {
    pub(in crate::synthetic) fn new(keys: usize) -> Self {
        Self { keys: Keys::new(keys), rows: BTreeMap::new() }
    }
}

impl Subject for Rows {
    fn invoke(&mut self, process: u64, random: &mut ChaCha8Rng) -> Request {
        Request::new(process, "txn", None, self.keys.transaction("w", random))
    }

    fn apply(&mut self, request: &Request) -> Response {
        let micros = request.argument.as_list().unwrap_or(&[]);
        Response::Ok(Value::list(micros.iter().map(|micro| {
            let row = self.rows.entry(micro[1].as_u64().unwrap_or(0)).or_default();
            if micro[0].as_str() == Some("w") {
                *row = micro[2].clone();
                return micro.clone();
            }
            list([micro[0].clone(), micro[1].clone(), row.clone()])
        })))
    }
}

/// Writes of single fresh keys, and reads of whole groups of them.
pub(in crate::synthetic) struct Forks {
    next: u64,
    written: std::collections::BTreeSet<u64>,
}

impl Forks {
    pub(in crate::synthetic) fn new() -> Self {
        Self { next: 0, written: std::collections::BTreeSet::new() }
    }
}

impl Subject for Forks {
    fn invoke(&mut self, process: u64, random: &mut ChaCha8Rng) -> Request {
        if self.next == 0 || random.random_bool(0.3) {
            self.next += 1;
            let micro = list([Value::from("w"), Value::from(self.next - 1), Value::from(1_u64)]);
            return Request::new(process, "write", None, list([micro]));
        }
        // A group in which writes may be under way.
        let group =
            (self.next - 1) / GROUP - u64::from(self.next > GROUP && random.random_bool(0.3));
        let read =
            |key: u64| list([Value::from("r"), Value::from(group * GROUP + key), Value::Null]);
        Request::new(process, "read", None, Value::list((0..GROUP).map(read)))
    }

    fn apply(&mut self, request: &Request) -> Response {
        let micros = request.argument.as_list().unwrap_or(&[]);
        Response::Ok(Value::list(micros.iter().map(|micro| {
            let key = micro[1].as_u64().unwrap_or(0);
            if micro[0].as_str() == Some("w") {
                self.written.insert(key);
                return micro.clone();
            }
            let value = self.written.contains(&key).then_some(1_u64);
            list([micro[0].clone(), micro[1].clone(), Value::from(value)])
        })))
    }
}

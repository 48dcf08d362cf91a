//! Logs in the manner of Kafka: sends, and polls of what comes next.

use std::collections::hash_map::Entry;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rustc_hash::FxHashMap;

use super::{Request, Response, Subject, list};
use crate::history::Value;
use crate::synthetic::simulate::below;

/// Messages that one poll returns, at most.
const BATCH: usize = 8;

/// Logs by key, and where the consumers stand.
pub(in crate::synthetic) struct Streams {
    logs: Vec<Vec<u64>>,
    positions: FxHashMap<u64, Vec<usize>>,
    next: u64,
}

impl Streams {
    pub(in crate::synthetic) fn new(keys: usize) -> Self {
        Self { logs: vec![Vec::new(); keys.max(1)], positions: FxHashMap::default(), next: 1 }
    }
}

impl Subject for Streams {
    fn invoke(&mut self, process: u64, random: &mut ChaCha8Rng) -> Request {
        let keys = self.logs.len();
        if let Entry::Vacant(entry) = self.positions.entry(process) {
            entry.insert(vec![0; keys]);
            let all = Value::list((0..keys as u64).map(Value::from));
            return Request::new(process, "assign", None, all);
        }
        if random.random_bool(0.4) {
            let poll = list([list([Value::from("poll")])]);
            return Request::new(process, "poll", None, poll);
        }
        let key = Value::from(below(random, keys) as u64);
        self.next += 1;
        let send = list([Value::from("send"), key, Value::from(self.next - 1)]);
        Request::new(process, "send", None, list([send]))
    }

    fn apply(&mut self, request: &Request) -> Response {
        match request.f {
            "assign" => Response::Ok(request.argument.clone()),
            "send" => {
                let micro = &request.argument[0];
                let log = &mut self.logs[micro[1].as_u64().unwrap_or(0) as usize];
                log.extend(micro[2].as_u64());
                let at = list([Value::from(log.len() as u64 - 1), micro[2].clone()]);
                Response::Ok(list([list([micro[0].clone(), micro[1].clone(), at])]))
            }
            _ => {
                let positions = self.positions.entry(request.process).or_default();
                positions.resize(self.logs.len(), 0);
                // Logs take turns in being first.
                let keys = self.logs.len();
                let first = positions.iter().sum::<usize>() / BATCH;
                let (mut entries, mut left) = (Vec::new(), BATCH);
                for key in (0..keys).map(|step| (first + step) % keys) {
                    let (log, position) = (&self.logs[key], &mut positions[key]);
                    let end = log.len().min(*position + left);
                    if *position == end {
                        continue;
                    }
                    left -= end - *position;
                    let message = |offset: usize| {
                        list([Value::from(offset as u64), Value::from(log[offset])])
                    };
                    let messages = Value::list((*position..end).map(message));
                    entries.push((Value::from(key.to_string()), messages));
                    *position = end;
                }
                let messages = Value::Map(entries.into());
                Response::Ok(list([list([Value::from("poll"), messages])]))
            }
        }
    }
}

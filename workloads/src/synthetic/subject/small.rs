//! Counters, generators of ids, and a lock for each key.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rustc_hash::FxHashMap;

use super::{Request, Response, Subject, key_of, number_of};
use crate::history::Value;
use crate::synthetic::simulate::below;

/// Counters by key, at 0 at the start.
pub(in crate::synthetic) struct Counters(pub(in crate::synthetic) Vec<i64>);

impl Subject for Counters {
    fn invoke(&mut self, process: u64, random: &mut ChaCha8Rng) -> Request {
        let key = key_of(below(random, self.0.len()), self.0.len());
        match random.random_bool(0.5) {
            true => Request::new(process, "read", key, Value::Null),
            false => Request::new(process, "add", key, Value::Int(random.random_range(1..6))),
        }
    }

    fn apply(&mut self, request: &Request) -> Response {
        let counter = &mut self.0[number_of(request.key.as_ref())];
        if request.f == "read" {
            return Response::Ok(Value::from(*counter));
        }
        *counter += request.argument.as_i64().unwrap_or(0);
        Response::Ok(request.argument.clone())
    }
}

/// A generator of ids.
pub(in crate::synthetic) struct Ids(pub(in crate::synthetic) u64);

impl Subject for Ids {
    fn invoke(&mut self, process: u64, _random: &mut ChaCha8Rng) -> Request {
        Request::new(process, "generate", None, Value::Null)
    }

    fn apply(&mut self, _request: &Request) -> Response {
        self.0 += 1;
        Response::Ok(Value::from(self.0))
    }
}

/// Locks by key. A process holds one at a time.
pub(in crate::synthetic) struct Lock {
    holders: Vec<Option<u64>>,
    /// The lock that a process knows it holds.
    held: FxHashMap<u64, usize>,
    /// The lock that a process asks about.
    asked: FxHashMap<u64, usize>,
}

impl Lock {
    pub(in crate::synthetic) fn new(keys: usize) -> Self {
        let holders = vec![None; keys.max(1)];
        Self { holders, held: FxHashMap::default(), asked: FxHashMap::default() }
    }
}

impl Subject for Lock {
    fn invoke(&mut self, process: u64, random: &mut ChaCha8Rng) -> Request {
        let (f, number) = match self.held.remove(&process) {
            Some(number) => ("release", number),
            None => ("acquire", below(random, self.holders.len())),
        };
        if f == "acquire" {
            self.asked.insert(process, number);
        }
        let key = key_of(number, self.holders.len());
        // Otherwise a retired process would hold the lock for ever.
        let may_act_unseen = f == "release";
        Request { may_act_unseen, ..Request::new(process, f, key, Value::Null) }
    }

    fn apply(&mut self, request: &Request) -> Response {
        let holder = &mut self.holders[number_of(request.key.as_ref())];
        match (request.f, *holder) {
            ("acquire", None) => *holder = Some(request.process),
            ("release", Some(process)) if process == request.process => *holder = None,
            _ => return Response::Refused,
        }
        Response::Ok(Value::Null)
    }

    fn observe(&mut self, process: u64, response: &Response) {
        // A release was answered if nothing was asked for.
        if let (Some(number), Response::Ok(_)) = (self.asked.remove(&process), response) {
            self.held.insert(process, number);
        }
    }
}

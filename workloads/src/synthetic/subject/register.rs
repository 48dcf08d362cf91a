//! Registers: reads, writes and compare-and-sets of values that are written once.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::{Request, Response, Subject, key_of, list, number_of};
use crate::history::Value;
use crate::synthetic::simulate::below;

/// Registers by key, empty at the start.
pub(in crate::synthetic) struct Registers {
    values: Vec<Option<u64>>,
    /// Whether there are compare-and-sets.
    cas: bool,
    /// Whether a history of one register has a key.
    keyed: bool,
    next: u64,
}

impl Registers {
    pub(in crate::synthetic) fn new(keys: usize, cas: bool, keyed: bool) -> Self {
        Self { values: vec![None; keys.max(1)], cas, keyed, next: 1 }
    }

    fn unique(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }
}

impl Subject for Registers {
    fn invoke(&mut self, process: u64, random: &mut ChaCha8Rng) -> Request {
        let number = below(random, self.values.len());
        let key = key_of(number, if self.keyed { usize::MAX } else { self.values.len() });
        match random.random_range(0..10) {
            0..5 => Request::new(process, "read", key, Value::Null),
            5..7 if self.cas => {
                // Mostly what is there now, so that some succeed.
                let stale = random.random_bool(0.2);
                let expected = if stale { None } else { self.values[number] };
                let argument = list([Value::from(expected), Value::from(self.unique())]);
                Request::new(process, "cas", key, argument)
            }
            _ => Request::new(process, "write", key, Value::from(self.unique())),
        }
    }

    fn apply(&mut self, request: &Request) -> Response {
        let value = &mut self.values[number_of(request.key.as_ref())];
        match request.f {
            "read" => return Response::Ok(Value::from(*value)),
            "write" => *value = request.argument.as_u64(),
            _ if request.argument[0].as_u64() != *value => return Response::Refused,
            _ => *value = request.argument[1].as_u64(),
        }
        Response::Ok(request.argument.clone())
    }
}

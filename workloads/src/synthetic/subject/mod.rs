//! The objects that processes share.

mod bank;
mod collection;
mod register;
mod small;
mod stream;
mod transaction;

pub(super) use bank::Bank;
pub(crate) use bank::TOTAL as BANK_TOTAL;
pub(super) use collection::{Collection, Discipline, Sets, WholeSets};
pub(super) use register::Registers;
pub(super) use small::{Counters, Ids, Lock};
pub(super) use stream::Streams;
pub(super) use transaction::{Forks, Lists, Rows};

use rand_chacha::ChaCha8Rng;

use crate::history::Value;

/// What a process asks for.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) process: u64,
    pub(super) f: &'static str,
    pub(super) key: Option<Value>,
    pub(super) argument: Value,
    /// Whether it may take effect although its outcome is never learnt.
    pub(super) may_act_unseen: bool,
}

impl Request {
    fn new(process: u64, f: &'static str, key: Option<Value>, argument: Value) -> Request {
        Request { process, f, key, argument, may_act_unseen: true }
    }
}

/// What came of it.
#[derive(Debug, Clone)]
pub(super) enum Response {
    Ok(Value),
    /// It had no effect.
    Refused,
}

/// An object, or several of a kind.
pub(super) trait Subject {
    /// What a process asks for next.
    fn invoke(&mut self, process: u64, random: &mut ChaCha8Rng) -> Request;

    /// The moment at which a request takes effect.
    fn apply(&mut self, request: &Request) -> Response;

    /// The process learns what came of its request.
    fn observe(&mut self, _process: u64, _response: &Response) {}

    /// What one process asks for at the end, again and again, until there is nothing left.
    fn last_request(&mut self) -> Option<Request> {
        None
    }
}

/// The key of one of several objects; none if there is only one.
fn key_of(number: usize, keys: usize) -> Option<Value> {
    (keys > 1).then(|| Value::from(number as u64))
}

/// The number of an object by its key.
fn number_of(key: Option<&Value>) -> usize {
    key.and_then(Value::as_u64).unwrap_or(0) as usize
}

/// A list of values.
fn list<const N: usize>(values: [Value; N]) -> Value {
    Value::list(values)
}

//! A bank: transfers between accounts, and reads of all of them.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::{Request, Response, Subject, key_of, number_of};
use crate::history::Value;
use crate::synthetic::simulate::below;

/// Accounts of a bank.
const ACCOUNTS: usize = 8;
/// What each holds at the start.
const START: i64 = 100;
/// What all accounts of a bank hold together.
pub(crate) const TOTAL: i64 = START * ACCOUNTS as i64;
/// The largest transfer.
const AMOUNT_MAX: i64 = 5;

/// Banks by key.
pub(in crate::synthetic) struct Bank {
    banks: Vec<[i64; ACCOUNTS]>,
}

impl Bank {
    pub(in crate::synthetic) fn new(keys: usize) -> Self {
        Self { banks: vec![[START; ACCOUNTS]; keys.max(1)] }
    }
}

fn text(name: &str) -> Value {
    Value::from(name)
}

impl Subject for Bank {
    fn invoke(&mut self, process: u64, random: &mut ChaCha8Rng) -> Request {
        let key = key_of(below(random, self.banks.len()), self.banks.len());
        if random.random_bool(0.5) {
            return Request::new(process, "read", key, Value::Null);
        }
        let from = below(random, ACCOUNTS);
        let to = (from + 1 + below(random, ACCOUNTS - 1)) % ACCOUNTS;
        let entries = [
            (text("from"), Value::from(from as u64)),
            (text("to"), Value::from(to as u64)),
            (text("amount"), Value::from(random.random_range(1..=AMOUNT_MAX))),
        ];
        Request::new(process, "transfer", key, Value::Map(entries.into()))
    }

    fn apply(&mut self, request: &Request) -> Response {
        let bank = &mut self.banks[number_of(request.key.as_ref())];
        if request.f == "read" {
            let balance = |(account, &balance): (usize, &i64)| {
                (text(&account.to_string()), Value::from(balance))
            };
            return Response::Ok(Value::Map(bank.iter().enumerate().map(balance).collect()));
        }
        let field = |name: &str| request.argument.get(name).and_then(Value::as_i64).unwrap_or(0);
        let (from, to, amount) = (field("from") as usize, field("to") as usize, field("amount"));
        if bank[from] < amount {
            return Response::Refused;
        }
        bank[from] -= amount;
        bank[to] += amount;
        Response::Ok(request.argument.clone())
    }
}

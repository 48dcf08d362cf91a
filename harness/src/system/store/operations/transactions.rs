//! Transactions of reads, and of appends or writes; all of one transaction of the store. Where reads
//! are local, one that only reads is a scan of one page, which is read at one revision.

use std::collections::BTreeMap;
use std::ops::Bound;

use bytes::Bytes;
use proto::client::{KeyValue, Keys, Step, Txn};
use workloads::generator::Invocation;
use workloads::history::Value;

use super::Connection;
use super::registers::value;
use crate::system::ReadMode;
use crate::system::outcome::{Failure, is_read, steps};

/// What keys hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    /// A list, with a blank behind each element.
    List,
    /// A single value.
    Value,
}

pub(super) async fn apply(
    connection: &mut Connection<'_>,
    invocation: &Invocation,
    holds: Holds,
) -> Result<Value, Failure> {
    // Neighbours in number are neighbours in the order of keys.
    let keys: Vec<String> = steps(&invocation.value)
        .map(|step| match &invocation.key {
            None => format!("txn/{:0>12}", step[1].to_string()),
            Some(key) => format!("txn/{key}/{:0>12}", step[1].to_string()),
        })
        .collect();
    let found = match connection.read_mode {
        ReadMode::Local if is_read(invocation) => scan(connection, &keys).await?,
        ReadMode::Local | ReadMode::Linearizable => {
            let txn = transaction(invocation, &keys)?;
            connection.kv.txn(txn).await?.results
        }
    };
    let seen = steps(&invocation.value).zip(found).map(|(step, found)| match step[0].as_str() {
        Some("r") => {
            let seen = found.map_or(Value::Null, |found| holds.read(&found));
            Value::from(vec![step[0].clone(), step[1].clone(), seen])
        }
        _ => step.clone(),
    });
    Ok(Value::list(seen))
}

fn transaction(invocation: &Invocation, keys: &[String]) -> Result<Txn, Failure> {
    let mut txn = Txn::new();
    for (step, key) in steps(&invocation.value).zip(keys) {
        let key = key.clone();
        txn = txn.then(match step[0].as_str() {
            Some("r") => Step::get(key),
            Some("w") => Step::put(key, step[2].to_string()),
            Some("append") => Step::append(key, format!("{} ", step[2])),
            _ => return Err(Failure::unknown(invocation)),
        });
    }
    Ok(txn)
}

/// What the keys hold at one revision of the node.
async fn scan(
    connection: &mut Connection<'_>,
    keys: &[String],
) -> Result<Vec<Option<KeyValue>>, Failure> {
    let (Some(first), Some(last)) = (keys.iter().min(), keys.iter().max()) else {
        return Ok(Vec::new());
    };
    let bound = |key: &String| Bound::Included(Bytes::from(key.clone()));
    let found = connection.scan(Keys::Range(bound(first), bound(last))).await?;
    let found: BTreeMap<Bytes, KeyValue> = found.into_iter().collect();
    Ok(keys.iter().map(|key| found.get(key.as_bytes()).cloned()).collect())
}

impl Holds {
    fn read(self, found: &KeyValue) -> Value {
        match self {
            Holds::Value => value(&found.value),
            Holds::List => {
                let text = String::from_utf8_lossy(&found.value);
                Value::list(text.split_whitespace().map(|element| value(element.as_bytes())))
            }
        }
    }
}

//! Counters: read, and written if nobody else has in between, which the key's version tells.

use proto::client::{Comparison, Relation, Step, Txn};
use workloads::generator::Invocation;
use workloads::history::Value;

use super::{CONFLICTS_MAX, Connection, key, number};
use crate::system::outcome::Failure;

pub(super) async fn apply(
    connection: &mut Connection<'_>,
    invocation: &Invocation,
) -> Result<Value, Failure> {
    let key = format!("counter/{}", key(invocation));
    match (invocation.f, invocation.value.as_i64()) {
        ("read", _) => {
            let found = connection.get(key).await?;
            Ok(Value::from(found.map_or(0, |found| number(&found.value))))
        }
        ("add", Some(amount)) => {
            for _ in 0..CONFLICTS_MAX {
                let read = connection.kv.get(key.clone()).await;
                let found = read.map_err(Failure::without_effect)?.found;
                let sum = amount + found.as_ref().map_or(0, |found| number(&found.value));
                let version = found.map_or(0, |found| found.version);
                let is_as_read = Comparison::version(key.clone(), Relation::Equal, version);
                let add = Txn::new().when(is_as_read).then(Step::put(key.clone(), sum.to_string()));
                if connection.kv.txn(add).await?.held {
                    return Ok(invocation.value.clone());
                }
            }
            Err(Failure::Refused("others changed the counter in the same moment"))
        }
        _ => Err(Failure::unknown(invocation)),
    }
}

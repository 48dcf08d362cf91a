//! Counters: read, and written if nobody else has in between.

use workloads::generator::Invocation;
use workloads::history::Value;

use super::{CONFLICTS_MAX, Connection, Failure, key, number};

pub(super) async fn apply(
    connection: &mut Connection<'_>,
    invocation: &Invocation,
) -> Result<Value, Failure> {
    let key = format!("counter/{}", key(invocation));
    match (invocation.f, invocation.value.as_i64()) {
        ("read", _) => {
            let mode = connection.mode();
            let found = connection.kv.get_with(key, mode).await?.found;
            Ok(Value::from(found.map_or(0, |found| number(&found.value))))
        }
        ("add", Some(amount)) => {
            for _ in 0..CONFLICTS_MAX {
                let read = connection.kv.get(key.clone()).await;
                let found = read.map_err(Failure::before_any_effect)?.found;
                let sum = amount + found.as_ref().map_or(0, |found| number(&found.value));
                let change = (key.clone(), found, sum.to_string());
                if connection.put_all(vec![change]).await? {
                    return Ok(invocation.value.clone());
                }
            }
            Err(Failure::Refused("others changed the counter in the same moment"))
        }
        _ => Err(Failure::unknown(invocation)),
    }
}

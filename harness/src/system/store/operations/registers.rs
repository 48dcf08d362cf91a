//! Registers: `read`, `write`, `cas` and `delete` of one key. A value is stored as JSON.

use workloads::generator::Invocation;
use workloads::history::Value;

use super::{Connection, Failure, key};

pub(super) async fn apply(
    connection: &mut Connection<'_>,
    invocation: &Invocation,
) -> Result<Value, Failure> {
    let key = key(invocation);
    match (invocation.f, &invocation.value) {
        ("read", _) => {
            let mode = connection.mode();
            let read = connection.kv.get_with(key, mode).await?;
            return Ok(read.found.map_or(Value::Null, |found| value(&found.value)));
        }
        ("write", value) => {
            connection.kv.put(key, value.to_string()).await?;
        }
        ("delete", _) => {
            connection.kv.delete(key).await?;
        }
        ("cas", Value::List(pair)) if pair.len() == 2 => {
            let expected = match &pair[0] {
                Value::Null => None,
                value => Some(value.to_string().into()),
            };
            let new = pair[1].to_string();
            if !connection.kv.compare_and_set(key, expected, new).await?.swapped {
                return Err(Failure::Refused("the register holds another value"));
            }
        }
        _ => return Err(Failure::unknown(invocation)),
    }
    Ok(invocation.value.clone())
}

/// A value that was stored as JSON.
pub(super) fn value(bytes: &[u8]) -> Value {
    let text = String::from_utf8_lossy(bytes);
    text.parse().unwrap_or_else(|_| Value::from(&*text))
}

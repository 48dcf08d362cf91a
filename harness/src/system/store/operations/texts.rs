//! Texts: `read` (a get), `scan` (of a range with one key), `write`, `append` and `delete`.

use proto::client::Keys;
use workloads::generator::Invocation;
use workloads::history::Value;

use super::{Connection, key};
use crate::system::outcome::Failure;

pub(super) async fn apply(
    connection: &mut Connection<'_>,
    invocation: &Invocation,
) -> Result<Value, Failure> {
    // Numbers of different lengths are no prefixes of each other with this behind them.
    let key = format!("text/{}/", key(invocation));
    match (invocation.f, invocation.value.as_str()) {
        ("read", _) => {
            let found = connection.get(key).await?;
            Ok(found.map_or(Value::Null, |found| text(&found.value)))
        }
        ("scan", _) => {
            let found = connection.scan(Keys::prefix(key)).await?;
            Ok(found.first().map_or(Value::Null, |(_, found)| text(&found.value)))
        }
        ("write", Some(text)) => {
            connection.kv.put(key, text.to_owned()).await?;
            Ok(invocation.value.clone())
        }
        ("append", Some(text)) => {
            connection.kv.append(key, text.to_owned()).await?;
            Ok(invocation.value.clone())
        }
        ("delete", _) => {
            connection.kv.delete(key).await?;
            Ok(Value::Null)
        }
        _ => Err(Failure::unknown(invocation)),
    }
}

fn text(bytes: &[u8]) -> Value {
    Value::from(String::from_utf8_lossy(bytes).into_owned())
}

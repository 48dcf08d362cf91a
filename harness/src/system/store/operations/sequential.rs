//! Subkeys: written by one request after the other, and read so in the opposite order.

use workloads::generator::Invocation;
use workloads::history::Value;

use super::{Connection, key};
use crate::system::outcome::Failure;

pub(super) async fn apply(
    connection: &mut Connection<'_>,
    invocation: &Invocation,
) -> Result<Value, Failure> {
    let subkey = |number: u64| format!("sequential/{}/{number}", key(invocation));
    match (invocation.f, invocation.value.as_u64()) {
        ("write", Some(subkeys)) => {
            for number in 0..subkeys {
                let written = connection.kv.put(subkey(number), number.to_string()).await;
                written.map_err(|error| match number {
                    0 => Failure::from(error),
                    _ => Failure::in_doubt(error),
                })?;
            }
            Ok(invocation.value.clone())
        }
        ("read", Some(subkeys)) => {
            let mut found = Vec::new();
            for number in (0..subkeys).rev() {
                let read = connection.get(subkey(number)).await?;
                found
                    .push(read.map_or(Value::Null, |read| Value::from(super::number(&read.value))));
            }
            Ok(Value::from(found))
        }
        _ => Err(Failure::unknown(invocation)),
    }
}

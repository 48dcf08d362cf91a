//! Sets, each as one value: its elements with blanks between them, changed by compare-and-set.

use workloads::generator::Invocation;
use workloads::history::Value;

use super::registers::value;
use super::{CONFLICTS_MAX, Connection, key};
use crate::system::outcome::Failure;

pub(super) async fn apply(
    connection: &mut Connection<'_>,
    invocation: &Invocation,
) -> Result<Value, Failure> {
    let key = format!("set/{}", key(invocation));
    match invocation.f {
        "add" => add(connection, key, &invocation.value).await,
        "read" => read(connection, key).await,
        _ => Err(Failure::unknown(invocation)),
    }
}

/// All elements.
pub(super) async fn read(connection: &mut Connection<'_>, key: String) -> Result<Value, Failure> {
    let found = connection.get(key).await?;
    let text = found.map(|found| String::from_utf8_lossy(&found.value).into_owned());
    let elements = text.iter().flat_map(|text| text.split_whitespace());
    Ok(Value::list(elements.map(|element| value(element.as_bytes()))))
}

async fn add(
    connection: &mut Connection<'_>,
    key: String,
    element: &Value,
) -> Result<Value, Failure> {
    for _ in 0..CONFLICTS_MAX {
        let read = connection.kv.get(key.clone()).await.map_err(Failure::without_effect)?;
        let expected = read.found.map(|found| found.value);
        let mut grown = expected.clone().map_or_else(Vec::new, |value| value.to_vec());
        grown.extend_from_slice(format!("{element} ").as_bytes());
        if connection.kv.compare_and_set(key.clone(), expected, grown).await?.swapped {
            return Ok(element.clone());
        }
    }
    Err(Failure::Refused("others changed the set in the same moment"))
}

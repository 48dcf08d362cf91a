//! Numbers that grow: each is a key of its own, and one key has the greatest of them.

use proto::client::{Comparison, Keys, Relation, Step, Txn};
use workloads::generator::Invocation;
use workloads::history::Value;

use super::{CONFLICTS_MAX, Connection, key, number};
use crate::system::outcome::Failure;

pub(super) async fn apply(
    connection: &mut Connection<'_>,
    invocation: &Invocation,
) -> Result<Value, Failure> {
    let prefix = format!("monotonic/{}", key(invocation));
    let greatest = format!("{prefix}/greatest");
    let rows = format!("{prefix}/rows/");
    match (invocation.f, invocation.value.as_str()) {
        ("add", _) => add(connection, &greatest, &rows).await,
        ("read", Some("greatest")) => {
            let found = connection.get(greatest).await?;
            Ok(Value::from(found.map_or(0, |found| number(&found.value))))
        }
        ("read", Some("rows")) => {
            let found = connection.scan(Keys::prefix(rows)).await?;
            Ok(Value::list(found.iter().map(|(_, row)| {
                Value::from(vec![Value::from(number(&row.value)), Value::from(row.revision)])
            })))
        }
        _ => Err(Failure::unknown(invocation)),
    }
}

async fn add(
    connection: &mut Connection<'_>,
    greatest: &str,
    rows: &str,
) -> Result<Value, Failure> {
    for _ in 0..CONFLICTS_MAX {
        let read = connection.kv.get(greatest.to_owned()).await;
        let found = read.map_err(Failure::without_effect)?.found;
        let next = 1 + found.as_ref().map_or(0, |found| number(&found.value));
        let revision = found.map_or(0, |found| found.revision);
        let is_as_read = Comparison::revision(greatest.to_owned(), Relation::Equal, revision);
        let add = Txn::new()
            .when(is_as_read)
            .then(Step::put(greatest.to_owned(), next.to_string()))
            .then(Step::put(format!("{rows}{next:0>12}"), next.to_string()));
        let done = connection.kv.txn(add).await?;
        if done.held {
            return Ok(Value::from(vec![Value::from(next), Value::from(done.header.revision)]));
        }
    }
    Err(Failure::Refused("others added numbers in the same moment"))
}

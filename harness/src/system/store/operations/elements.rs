//! Sets and queues: each element is a key of its own, below the one of its set or queue.

use proto::client::{Comparison, Keys, ReadMode, Relation, Step, Txn};
use workloads::generator::Invocation;
use workloads::history::Value;

use super::registers::value;
use super::{CONFLICTS_MAX, Connection, key};
use crate::system::outcome::Failure;

/// Elements of which a dequeue takes the first that nobody else takes.
const CANDIDATES: u32 = 4;

pub(super) async fn apply(
    connection: &mut Connection<'_>,
    invocation: &Invocation,
) -> Result<Value, Failure> {
    let prefix = format!("elements/{}/", key(invocation));
    match invocation.f {
        "add" | "enqueue" => {
            // In the order of their numbers.
            let element = format!("{prefix}{:0>12}", invocation.value.to_string());
            connection.kv.put(element, invocation.value.to_string()).await?;
            Ok(invocation.value.clone())
        }
        "read" => {
            let found = connection.scan(Keys::prefix(prefix)).await?;
            Ok(Value::list(found.iter().map(|(_, found)| value(&found.value))))
        }
        "dequeue" => dequeue(connection, prefix).await,
        _ => Err(Failure::unknown(invocation)),
    }
}

/// Takes the first element that nobody else takes in the same moment.
async fn dequeue(connection: &mut Connection<'_>, prefix: String) -> Result<Value, Failure> {
    for _ in 0..CONFLICTS_MAX {
        let keys = Keys::prefix(prefix.clone());
        // Not as the run reads: taking an element is no read.
        let page = connection
            .kv
            .scan_page(keys, CANDIDATES, ReadMode::Linearizable)
            .await
            .map_err(Failure::without_effect)?;
        if page.found.is_empty() {
            return Ok(Value::Null);
        }
        for (key, found) in page.found {
            let is_there = Comparison::revision(key.clone(), Relation::Equal, found.revision);
            let take = Txn::new().when(is_there).then(Step::delete(key));
            if connection.kv.txn(take).await?.held {
                return Ok(value(&found.value));
            }
        }
    }
    Err(Failure::Refused("others took every element that was seen"))
}

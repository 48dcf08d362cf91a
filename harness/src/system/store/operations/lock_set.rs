//! Sets, each as one value that is read and written under a lock. Whoever reads or writes shows the
//! token of the lock, and the set refuses tokens older than the greatest that it has seen: a holder
//! whose lease ended can neither spoil nor be spoiled.

use proto::client::{Comparison, Relation, Step, Txn};
use workloads::generator::Invocation;
use workloads::history::Value;

use super::lock::{acquire, digits};
use super::{Connection, key, set_value};
use crate::system::outcome::Failure;

pub(super) async fn apply(
    connection: &mut Connection<'_>,
    invocation: &Invocation,
) -> Result<Value, Failure> {
    let set = format!("locked-set/{}", key(invocation));
    match invocation.f {
        "add" => {
            add(connection, set, &invocation.value).await?;
            Ok(invocation.value.clone())
        }
        "read" => set_value::read(connection, set).await,
        _ => Err(Failure::unknown(invocation)),
    }
}

async fn add(connection: &mut Connection<'_>, set: String, element: &Value) -> Result<(), Failure> {
    let lock = format!("{set}/lock");
    let given = acquire(connection, lock.clone()).await?;
    let fence = format!("{set}/token");
    // As a transaction: if no newer token was shown, show this one and do the step.
    let guarded = |step| {
        let newest = Comparison::value(fence.clone(), Relation::Less, digits(given.token + 1));
        Txn::new().when(newest).then(Step::put(fence.clone(), digits(given.token))).then(step)
    };
    let read = connection.kv.txn(guarded(Step::get(set.clone()))).await?;
    if !read.held {
        return Err(Failure::Refused("a newer token was shown before the read"));
    }
    let found = read.results.into_iter().nth(1).flatten();
    let mut grown = found.map_or_else(Vec::new, |found| found.value.to_vec());
    grown.extend_from_slice(format!("{element} ").as_bytes());
    if !connection.kv.txn(guarded(Step::put(set, grown))).await?.held {
        return Err(Failure::Refused("a newer token was shown before the write"));
    }
    // A lock that is not given back ends with its lease; the element is in the set.
    let _ = connection.kv.unlock(lock, given.token).await;
    Ok(())
}

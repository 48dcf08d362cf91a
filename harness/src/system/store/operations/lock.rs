//! Locks of the store, and something that they protect: a key that refuses tokens older than the
//! greatest that it has seen.

use std::time::Duration;

use proto::client::{Comparison, Relation, Step, Txn};
use workloads::generator::Invocation;
use workloads::generator::lock::LEASE_MS;
use workloads::history::Value;

use super::{Connection, key, map};
use crate::system::outcome::Failure;

/// How often a lock that somebody else holds is asked for.
const TRIES_MAX: u32 = 12;
/// Pause between two tries.
const TRY_PAUSE: Duration = Duration::from_millis(30);

pub(super) async fn apply(
    connection: &mut Connection<'_>,
    invocation: &Invocation,
) -> Result<Value, Failure> {
    let name = format!("lock/{}", key(invocation));
    let number = |part| invocation.value.get(part).and_then(Value::as_u64);
    match (invocation.f, number("token")) {
        ("acquire", _) => {
            let given = acquire(connection, name).await?;
            let given = map([
                ("token", Value::from(given.token)),
                ("lease-ms", Value::from(LEASE_MS)),
                ("lease", Value::from(given.lease)),
            ]);
            if let Some(pause) = number("pause-ms") {
                // As a client that the operating system or a garbage collector stops.
                tokio::time::sleep(Duration::from_millis(pause)).await;
            }
            Ok(given)
        }
        ("release", Some(token)) => match connection.kv.unlock(name, token).await? {
            true => Ok(invocation.value.clone()),
            false => Err(Failure::Refused("the lock is not held with this token any more")),
        },
        ("use", Some(token)) => {
            let key = format!("{name}/used");
            let newer = Comparison::value(key.clone(), Relation::Less, digits(token + 1));
            let show = Txn::new().when(newer).then(Step::put(key, digits(token)));
            match connection.kv.txn(show).await?.held {
                true => Ok(invocation.value.clone()),
                false => Err(Failure::Refused("a newer token was shown before")),
            }
        }
        _ => Err(Failure::unknown(invocation)),
    }
}

/// A lock that was taken.
pub(super) struct Given {
    pub(super) token: u64,
    /// It lives for [`LEASE_MS`].
    pub(super) lease: u64,
}

/// Takes a lock, if nobody holds it for long.
pub(super) async fn acquire(
    connection: &mut Connection<'_>,
    name: String,
) -> Result<Given, Failure> {
    // A lease that nobody uses ends by itself.
    let lease = connection
        .kv
        .grant_lease(Duration::from_millis(LEASE_MS))
        .await
        .map_err(Failure::without_effect)?;
    for number in 0..TRIES_MAX {
        if number > 0 {
            tokio::time::sleep(TRY_PAUSE).await;
        }
        let locked = connection.kv.lock(name.clone(), lease.id).await?;
        if locked.acquired {
            return Ok(Given { token: locked.token, lease: lease.id });
        }
    }
    Err(Failure::Refused("somebody else holds the lock"))
}

/// Digits whose order is that of the numbers.
pub(super) fn digits(token: u64) -> String {
    format!("{token:020}")
}

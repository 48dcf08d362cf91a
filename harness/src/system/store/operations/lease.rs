//! Keys that live as long as a lease: who creates one holds it, as in an election of a leader.

use std::time::Duration;

use proto::client::{Comparison, ErrorKind, Relation, Step, Txn};
use workloads::generator::Invocation;
use workloads::generator::lock::LEASE_MS;
use workloads::history::Value;

use super::{Connection, key, map};
use crate::system::outcome::Failure;

pub(super) async fn apply(
    connection: &mut Connection<'_>,
    invocation: &Invocation,
) -> Result<Value, Failure> {
    let key = format!("lease/{}", key(invocation));
    let lease = invocation.value.get("lease").and_then(Value::as_u64);
    match (invocation.f, lease) {
        ("acquire", None) => create(connection, key).await,
        ("acquire", Some(lease)) => {
            let ttl = connection.kv.keep_alive(lease).await.map_err(ended)?;
            let ttl = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
            Ok(map([("lease-ms", Value::from(ttl)), ("lease", Value::from(lease))]))
        }
        ("release", Some(lease)) => {
            connection.kv.revoke_lease(lease).await?;
            Ok(invocation.value.clone())
        }
        _ => Err(Failure::unknown(invocation)),
    }
}

async fn create(connection: &mut Connection<'_>, key: String) -> Result<Value, Failure> {
    // A lease that nobody uses ends by itself.
    let lease = connection
        .kv
        .grant_lease(Duration::from_millis(LEASE_MS))
        .await
        .map_err(Failure::without_effect)?;
    let is_free = Comparison::version(key.clone(), Relation::Equal, 0);
    let create = Txn::new().when(is_free).then(Step::put_with_lease(key, "", lease.id));
    let created = connection.kv.txn(create).await?;
    match created.held {
        true => Ok(map([
            ("token", Value::from(created.header.revision)),
            ("lease-ms", Value::from(LEASE_MS)),
            ("lease", Value::from(lease.id)),
        ])),
        false => Err(Failure::Refused("somebody else holds the key")),
    }
}

/// A keep-alive changes nothing that others see, so that one in doubt did not keep the lease.
fn ended(error: proto::client::ClientError) -> Failure {
    match error.failure().kind {
        Some(ErrorKind::LeaseNotFound) => Failure::Refused("the lease has ended"),
        _ => Failure::without_effect(error),
    }
}

//! Sets, each as one value that is read and written under a lock of etcd.
//!
//! ```text
//! grant a lease ── take the lock ── read the set ── write it with the element ── give the lock back
//!               └─ keep the lease alive ─────────────────────────────────────────────────────────┘
//! ```
//!
//! The lease ends while the client is stopped; when it goes on, it goes on as if it held the lock.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use tonic::transport::Channel;
use workloads::generator::Invocation;
use workloads::history::Value;

use super::lock_wire::lock_client::LockClient;
use super::lock_wire::{LockRequest, UnlockRequest};
use super::operations::{Connection, json, name, put, value};
use super::wire::compare::{CompareResult, CompareTarget, TargetUnion};
use super::wire::lease_client::LeaseClient;
use super::wire::{Compare, LeaseGrantRequest, LeaseKeepAliveRequest, TxnRequest};
use crate::system::outcome::Failure;
use crate::system::settings::{Setting, Settings};

/// What a user may choose about locks; the first value is the default.
pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        name: "keep-alive",
        about: "lock-set: does a client keep its lease alive while it waits for the lock and holds it?",
        values: &["on", "off"],
    },
    Setting {
        name: "guard",
        about: "lock-set: is the set written on the condition that the lock's key is still there, as \
                IsOwner of etcd's client library has it?",
        values: &["off", "on"],
    },
];

/// Seconds that a lease lives: the fewest that etcd grants with its default settings.
const TTL: i64 = 2;
/// Pause between signs of life of a lease.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_millis(600);

/// How clients use locks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Locking {
    keeps_alive: bool,
    is_guarded: bool,
}

impl From<&Settings> for Locking {
    fn from(settings: &Settings) -> Locking {
        Locking {
            keeps_alive: settings.get("keep-alive") == "on",
            is_guarded: settings.get("guard") == "on",
        }
    }
}

/// Applies one operation; returns the value of its completion.
pub(super) async fn apply(
    connection: &mut Connection,
    channel: &Channel,
    locking: Locking,
    invocation: &Invocation,
) -> Result<Value, Failure> {
    let set = format!("locked-set/{}", name(invocation));
    match invocation.f {
        "add" => add(connection, channel, locking, set, &invocation.value).await,
        "read" => Ok(elements(connection, set).await?.into()),
        _ => Err(Failure::unknown(invocation)),
    }
}

async fn elements(connection: &mut Connection, set: String) -> Result<Vec<Value>, Failure> {
    let found = connection.range(set, String::new()).await?;
    let list = found.first().map(value).unwrap_or_default();
    Ok(list.as_list().unwrap_or_default().to_vec())
}

async fn add(
    connection: &mut Connection,
    channel: &Channel,
    locking: Locking,
    set: String,
    element: &Value,
) -> Result<Value, Failure> {
    // Nothing has an effect on the set before it is written.
    let mut leases = LeaseClient::new(channel.clone());
    let granted = leases.lease_grant(LeaseGrantRequest { ttl: TTL }).await;
    let lease = granted.map_err(Failure::without_effect)?.into_inner().id;
    let added = under_lock(connection, channel, locking, set, lease, element);
    if locking.keeps_alive {
        tokio::select! {
            biased;
            added = added => added,
            never = keep_alive(leases, lease) => match never {},
        }
    } else {
        added.await
    }
}

async fn under_lock(
    connection: &mut Connection,
    channel: &Channel,
    locking: Locking,
    set: String,
    lease: i64,
    element: &Value,
) -> Result<Value, Failure> {
    let mut locks = LockClient::new(channel.clone());
    let name = format!("lock-of/{set}").into();
    let locked = locks.lock(LockRequest { name, lease }).await.map_err(Failure::without_effect)?;
    let lock = locked.into_inner().key;
    let mut grown = elements(connection, set.clone()).await?;
    grown.push(element.clone());
    let grown = Value::from(grown);
    if locking.is_guarded {
        put_while_locked(connection, set, &grown, lock.clone()).await?;
    } else {
        connection.put(set, &grown).await?;
    }
    // A lock that is not given back ends with its lease; the element is in the set.
    let _ = locks.unlock(UnlockRequest { key: lock }).await;
    Ok(element.clone())
}

/// Writes if the key of the lock is there: it goes with the lease, and never comes back.
async fn put_while_locked(
    connection: &mut Connection,
    set: String,
    value: &Value,
    lock: Bytes,
) -> Result<(), Failure> {
    let is_there = Compare {
        result: CompareResult::Greater.into(),
        target: CompareTarget::Create.into(),
        key: lock,
        target_union: Some(TargetUnion::CreateRevision(0)),
    };
    let request = TxnRequest {
        compare: vec![is_there],
        success: vec![put(set.into(), json(value))],
        failure: Vec::new(),
    };
    match connection.kv.txn(request).await?.into_inner().succeeded {
        true => Ok(()),
        false => Err(Failure::Refused("the lock was lost before the write")),
    }
}

/// Keeps a lease alive for as long as it is polled. A lease that has ended stays so.
async fn keep_alive(mut leases: LeaseClient<Channel>, lease: i64) -> Infallible {
    loop {
        tokio::time::sleep(KEEP_ALIVE_INTERVAL).await;
        let request = LeaseKeepAliveRequest { id: lease };
        let once = futures_util::stream::once(async move { request });
        if let Ok(answers) = leases.lease_keep_alive(once).await {
            // Whether it lives or not, the client has nothing better to do than to go on.
            let _ = answers.into_inner().message().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leases_are_kept_alive_and_writes_not_guarded_unless_it_is_said() {
        let locking = |text| Locking::from(&Settings::parse(text, SETTINGS).unwrap());
        let default = locking("");
        assert!(default.keeps_alive && !default.is_guarded);
        let other = locking("keep-alive=off,guard=on");
        assert!(!other.keeps_alive && other.is_guarded);
    }
}

//! Watches: whatever a range of keys is told of in half a second, and the puts and deletes there.

use std::time::Duration;

use proto::client::{Change, Changes, Keys};
use tokio::time::{Instant, timeout_at};
use workloads::generator::Invocation;
use workloads::history::Value;

use super::registers::value;
use super::{Connection, map};
use crate::system::outcome::Failure;

/// Before the keys of a history; they are known without it there.
const PREFIX: &str = "watch/";
/// How long a watch lasts.
const WATCH_TIME: Duration = Duration::from_millis(500);

pub(super) async fn apply(
    connection: &mut Connection<'_>,
    invocation: &Invocation,
) -> Result<Value, Failure> {
    let stored = |key: &str| format!("{PREFIX}{key}");
    let value = &invocation.value;
    match (invocation.f, value[0].as_str().or(value.as_str())) {
        ("put", Some(key)) => {
            let written = connection.kv.put(stored(key), value[1].to_string()).await?;
            Ok(map([("revision", Value::from(written.header.revision))]))
        }
        ("delete", Some(key)) => {
            let written = connection.kv.delete(stored(key)).await?;
            match written.previous {
                Some(_) => Ok(map([("revision", Value::from(written.header.revision))])),
                None => Err(Failure::Refused("there is no such key")),
            }
        }
        ("watch", _) => {
            let prefix = value.get("prefix").and_then(Value::as_str).unwrap_or_default();
            let from = value.get("from").and_then(Value::as_u64).unwrap_or(0);
            watch(connection, Keys::prefix(stored(prefix)), from).await
        }
        _ => Err(Failure::unknown(invocation)),
    }
}

async fn watch(connection: &mut Connection<'_>, keys: Keys, from: u64) -> Result<Value, Failure> {
    let opened = connection.kv.watch(keys, from).await;
    let mut watch = opened.map_err(Failure::without_effect)?;
    let end = Instant::now() + WATCH_TIME;
    let mut responses = Vec::new();
    loop {
        match timeout_at(end, watch.next()).await {
            Ok(Ok(changes)) => responses.push(response(&changes)),
            // What came before is worth as much as that of a watch that ended by itself.
            Ok(Err(_)) if !responses.is_empty() => break,
            Ok(Err(error)) => return Err(Failure::without_effect(error)),
            Err(_) => break,
        }
    }
    // Whoever asked for a revision knows what has been reported since, if nothing was too.
    let reported = watch.next_revision().saturating_sub(1);
    if from > 0 && reported >= from {
        let progress = Value::from(reported);
        responses.push(map([("events", Value::list([])), ("progress", progress)]));
    }
    Ok(Value::from(responses))
}

fn response(changes: &Changes) -> Value {
    let events = Value::list(changes.changes.iter().map(event));
    map([("events", events), ("progress", Value::from(changes.header.revision))])
}

fn event(change: &Change) -> Value {
    let key = String::from_utf8_lossy(&change.key);
    let key = Value::from(key.strip_prefix(PREFIX).unwrap_or(&key));
    let revision = Value::from(change.revision);
    let previous = change.previous.as_ref().map_or(Value::Null, |it| value(&it.value));
    match &change.now {
        Some(now) => map([
            ("revision", revision),
            ("key", key),
            ("value", value(&now.value)),
            ("prev", previous),
            ("create", Value::from(now.version == 1)),
        ]),
        None => map([
            ("revision", revision),
            ("key", key),
            ("deleted", Value::from(true)),
            ("prev", previous),
        ]),
    }
}

//! Sessions, watches, leases and locks.

use std::time::Duration;

use prost::Message as _;
use proto::client::{ErrorKind, Keys, Step, Txn};
use proto::kv::kv_client::KvClient;
use proto::kv::{ErrorDetail, PutRequest, RequestContext};
use server::Limits;

use super::{PATIENCE, Store, client, refused, value};
use crate::eventually::eventually;

pub(super) fn put(session: u64, sequence: u64, value: &'static str) -> PutRequest {
    let context = RequestContext { session, sequence, no_forward: false };
    PutRequest { context: Some(context), key: "k".into(), value: value.into(), lease: 0 }
}

pub(super) async fn a_session_takes_effect_once(store: Store) {
    let limits = Limits { sessions_max: 2, ..Limits::STANDARD };
    let cluster = store.start_with(limits).await;
    let node = cluster.nodes().last().unwrap();
    let session = cluster.client(node).open_session().await.unwrap();
    let mut raw = KvClient::new(cluster.channel(node).await);
    let mut ask = async |session, sequence, value| {
        let answer = raw.put(put(session, sequence, value)).await;
        answer.map(tonic::Response::into_inner).map_err(|status| {
            let detail = ErrorDetail::decode(status.details()).unwrap();
            assert!(!detail.indefinite, "{status}");
            detail.kind()
        })
    };
    let first = ask(session, 1, "first").await.unwrap();
    assert_eq!(ask(session, 1, "first").await.unwrap(), first, "a retry gets the same answer");
    let second = ask(session, 2, "second").await.unwrap();
    assert_eq!(second.previous.as_ref().unwrap().value, "first");
    assert_eq!(ask(session, 2, "second").await.unwrap(), second);
    assert_eq!(ask(session, 1, "first").await, Err(ErrorKind::InvalidRequest));
    assert_eq!(ask(session + 1_000_000, 1, "x").await, Err(ErrorKind::SessionExpired));
    let mut client = client(&cluster);
    let found = client.get("k").await.unwrap().found.unwrap();
    assert_eq!((&found.value[..], found.version), (&b"second"[..], 2));
    // Of more sessions than there may be, the one that was idle longest is expired.
    for _ in 0..2 {
        cluster.client(node).open_session().await.unwrap();
    }
    assert_eq!(ask(session, 3, "third").await, Err(ErrorKind::SessionExpired));
    assert_eq!(client.get("k").await.unwrap().found.unwrap().version, 2);
}

/// The next so many changes, as `revision key=value` or `revision key-`.
async fn changes(watch: &mut proto::client::Watch, count: usize) -> Vec<String> {
    let mut seen = Vec::new();
    while seen.len() < count {
        let next = tokio::time::timeout(PATIENCE, watch.next()).await.unwrap().unwrap();
        seen.extend(next.changes.into_iter().map(|change| {
            let key = String::from_utf8(change.key.to_vec()).unwrap();
            let now = value(change.now).map_or("-".to_owned(), |value| format!("={value}"));
            format!("{} {key}{now}", change.revision)
        }));
    }
    seen
}

pub(super) async fn a_watch_reports_every_change_once_and_can_be_resumed(store: Store) {
    let cluster = store.start().await;
    let mut client = client(&cluster);
    let mut from_now = client.watch(Keys::prefix("w"), 0).await.unwrap();
    let mut expected = Vec::new();
    let first = client.put("w1", "a").await.unwrap().header.revision;
    expected.push(format!("{first} w1=a"));
    client.put("other", "x").await.unwrap();
    let txn = Txn::new()
        .then(Step::put("w3", "c"))
        .then(Step::put("w2", "b"))
        .then(Step::put("other", "y"))
        .then(Step::delete("w1"));
    let together = client.txn(txn).await.unwrap().header.revision;
    let all = ["w1-", "w2=b", "w3=c"];
    expected.extend(all.map(|change| format!("{together} {change}")));
    let last = client.delete("w2").await.unwrap().header.revision;
    expected.push(format!("{last} w2-"));

    assert_eq!(changes(&mut from_now, expected.len()).await, expected);
    for node in cluster.nodes() {
        let client = cluster.client(node);
        let mut watch = client.watch(Keys::prefix("w"), first).await.unwrap();
        assert_eq!(changes(&mut watch, expected.len()).await, expected, "at node {node}");
        // Another one goes on where that one is, and one in the middle.
        let mut resumed = client.watch(Keys::prefix("w"), together).await.unwrap();
        assert_eq!(changes(&mut resumed, expected.len() - 1).await, expected[1..]);
        assert!(watch.next_revision() > last);
    }
    let next = client.put("w9", "z").await.unwrap().header.revision;
    assert_eq!(changes(&mut from_now, 1).await, [format!("{next} w9=z")]);
}

pub(super) async fn a_lease_ends_with_its_keys_unless_it_is_kept_alive(store: Store) {
    let cluster = store.start().await;
    let mut client = client(&cluster);
    let ttl = Duration::from_millis(600);
    let (kept, left) =
        (client.grant_lease(ttl).await.unwrap().id, client.grant_lease(ttl).await.unwrap().id);
    client.put_with_lease("kept", "v", kept).await.unwrap();
    client.put_with_lease("left", "v", left).await.unwrap();
    client.put_with_lease("freed", "v", left).await.unwrap();
    // A later put takes the key out of the lease.
    client.put("freed", "w").await.unwrap();
    assert_eq!(client.get("kept").await.unwrap().found.unwrap().lease, kept);
    eventually("the lease that is left alone ends", async || {
        client.keep_alive(kept).await.unwrap();
        client.get("left").await.unwrap().found.is_none().then_some(())
    })
    .await;
    assert!(client.get("kept").await.unwrap().found.is_some());
    assert!(client.get("freed").await.unwrap().found.is_some());
    refused(client.keep_alive(left).await, ErrorKind::LeaseNotFound);
    client.revoke_lease(kept).await.unwrap();
    assert_eq!(client.get("kept").await.unwrap().found, None);
    refused(client.revoke_lease(kept).await, ErrorKind::LeaseNotFound);
}

pub(super) async fn a_lock_has_one_holder_and_growing_tokens(store: Store) {
    let cluster = store.start().await;
    let mut client = client(&cluster);
    let long = Duration::from_secs(60);
    let one = client.grant_lease(long).await.unwrap().id;
    let two = client.grant_lease(long).await.unwrap().id;
    let held = client.lock("door", one).await.unwrap();
    assert!(held.acquired && held.holder == one);
    let again = client.lock("door", one).await.unwrap();
    assert_eq!((again.acquired, again.token), (true, held.token));
    let refused = client.lock("door", two).await.unwrap();
    assert_eq!((refused.acquired, refused.holder, refused.token), (false, one, held.token));
    assert!(!client.unlock("door", held.token + 1).await.unwrap());
    assert!(client.unlock("door", held.token).await.unwrap());
    let taken = client.lock("door", two).await.unwrap();
    assert!(taken.acquired && taken.token > held.token);
    // A lock ends with its lease.
    client.revoke_lease(two).await.unwrap();
    let taken_back = client.lock("door", one).await.unwrap();
    assert!(taken_back.acquired && taken_back.token > taken.token);
}

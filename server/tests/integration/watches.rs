//! Watches and queries at the nodes' handles.

use std::ops::Bound;
use std::time::Duration;

use bytes::Bytes;
use server::state_machine::{ChangeEvent, KeyRange, Query, QueryReply};
use server::types::GroupId;
use server::watch::{Watch, WatchError};

use crate::cluster::{Cluster, Kind};

const DEADLINE: Duration = Duration::from_secs(20);

/// Waits for so many changes.
async fn changes(watch: &mut Watch, count: usize) -> Vec<ChangeEvent> {
    let mut events = Vec::new();
    while events.len() < count {
        let batch = tokio::time::timeout(DEADLINE, watch.next()).await;
        events.extend(batch.expect("changes come").unwrap().events);
    }
    events
}

async fn value(cluster: &Cluster, node: u64, key: &str) -> Option<Bytes> {
    let query = Query::Get { key: Bytes::from(key.to_owned()) };
    let reply = cluster.handle(node).read(GroupId(0), query).await.unwrap();
    reply.reply.into_key().map(|versioned| versioned.value)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_node_reports_the_same_changes_in_the_same_order() {
    let cluster = Cluster::start(3, Kind::Memory).await;
    let mut client = cluster.client(1);
    client.put("w/before", "x").await.unwrap();
    let range = KeyRange::prefix(b"w/");
    let mut revisions = Vec::new();
    for round in 0..20 {
        let put = client.put(format!("w/{}", round % 3), round.to_string()).await.unwrap();
        revisions.push(put.header.revision);
        client.put("elsewhere", "x").await.unwrap();
    }
    revisions.push(client.delete("w/0").await.unwrap().header.revision);

    let first = revisions[0];
    let mut seen = Vec::new();
    for node in cluster.nodes() {
        let mut watch = cluster.handle(node).watch(GroupId(0), range.clone(), first).unwrap();
        let events = changes(&mut watch, revisions.len()).await;
        assert_eq!(events.iter().map(|event| event.revision).collect::<Vec<_>>(), revisions);
        seen.push(events);
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0], seen[2]);
    let last = seen[0].last().unwrap();
    assert_eq!((&last.key[..], &last.now), (&b"w/0"[..], &None));
    assert_eq!(last.previous.as_ref().unwrap().value, "18");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_ends_with_its_node() {
    let mut cluster = Cluster::start(1, Kind::Memory).await;
    let mut watch = cluster.handle(1).watch(GroupId(0), KeyRange::all(), 0).unwrap();
    cluster.stop(1).await;
    let end = tokio::time::timeout(DEADLINE, watch.next()).await.expect("it ends");
    assert_eq!(end, Err(WatchError::Stopping));
}

/// What happened before the restart is not remembered, and a watch that needs it is told so.
#[cfg(feature = "rocksdb")]
#[tokio::test(flavor = "multi_thread")]
async fn a_watch_from_before_a_restart_is_compacted() {
    let mut cluster = Cluster::start(1, Kind::Rocksdb).await;
    let put = cluster.client(1).put("k", "v").await.unwrap();
    let mut watch =
        cluster.handle(1).watch(GroupId(0), KeyRange::all(), put.header.revision).unwrap();
    assert_eq!(changes(&mut watch, 1).await[0].revision, put.header.revision);
    drop(watch);
    cluster.stop(1).await;
    cluster.restart(1).await;
    cluster.leader().await;
    let refused = cluster.handle(1).watch(GroupId(0), KeyRange::all(), put.header.revision);
    let Err(WatchError::Compacted { first_revision }) = refused else {
        panic!("it went on: {refused:?}");
    };
    assert!(first_revision > put.header.revision);
    let mut watch = cluster.handle(1).watch(GroupId(0), KeyRange::all(), first_revision).unwrap();
    let put = cluster.client(1).put("k", "w").await.unwrap();
    assert_eq!(changes(&mut watch, 1).await[0].revision, put.header.revision);
    assert_eq!(value(&cluster, 1, "k").await.unwrap(), "w");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_reads_pages_in_order_and_sees_every_acknowledged_write() {
    let cluster = Cluster::start(3, Kind::Memory).await;
    let mut client = cluster.client(2);
    for at in 0..10 {
        client.put(format!("k{at}"), at.to_string()).await.unwrap();
    }
    let leader = cluster.handle(cluster.leader().await);
    let mut range = KeyRange::prefix(b"k");
    let mut keys = Vec::new();
    loop {
        let query = Query::Scan { range: range.clone(), limit: 4, bytes_max: usize::MAX };
        let reply = leader.read(GroupId(0), query).await.unwrap().reply;
        let QueryReply::Scan { found, more } = reply else { panic!("no scan: {reply:?}") };
        keys.extend(found.into_iter().map(|(key, _)| key));
        if !more {
            break;
        }
        range.start = Bound::Excluded(keys.last().unwrap().clone());
    }
    assert_eq!(keys, (0..10).map(|at| Bytes::from(format!("k{at}"))).collect::<Vec<_>>());
    assert_eq!(value(&cluster, cluster.leader().await, "k9").await.unwrap(), "9");
}

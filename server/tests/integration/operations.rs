//! What operations answer, whichever node is asked.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use bytes::Bytes;
use proto::client::{Client, ClientOptions, ErrorKind, Keys, ReadMode};
use server::ServerConfig;

use crate::cluster::{Cluster, Kind};
use crate::eventually::eventually;

async fn every_node_answers_every_operation(storage: Kind) {
    let cluster = Cluster::start(3, storage).await;
    let mut last_revision = 0;
    for node in cluster.nodes() {
        let mut client = cluster.client(node);
        let key = format!("key of {node}");

        assert_eq!(client.get(key.clone()).await.unwrap().found, None);
        let put = client.put(key.clone(), "one").await.unwrap();
        assert_eq!(put.previous, None);
        assert!(put.header.revision > last_revision && put.header.term > 0);

        let swap =
            |expected: Option<&'static str>| expected.map(|it| Bytes::from_static(it.as_bytes()));
        let refused =
            client.compare_and_set(key.clone(), swap(Some("two")), "three").await.unwrap();
        assert!(!refused.swapped);
        assert_eq!(refused.previous.unwrap().value, "one");
        let refused = client.compare_and_set(key.clone(), swap(None), "three").await.unwrap();
        assert!(!refused.swapped);
        let swapped = client.compare_and_set(key.clone(), swap(Some("one")), "").await.unwrap();
        assert!(swapped.swapped);

        for reader in cluster.nodes() {
            let read = cluster.client(reader).get(key.clone()).await.unwrap();
            let found = read.found.unwrap();
            assert_eq!((found.value.as_ref(), found.version), (&b""[..], 2));
            assert_eq!(found.revision, swapped.header.revision);
            assert!(read.header.revision >= found.revision);
        }
        let deleted = client.delete(key.clone()).await.unwrap();
        assert_eq!(deleted.previous.unwrap().value, "");
        assert_eq!(client.delete(key.clone()).await.unwrap().previous, None);
        let created = client.compare_and_set(key.clone(), None, "again").await.unwrap();
        assert!(created.swapped);
        last_revision = created.header.revision;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_node_answers_from_memory() {
    every_node_answers_every_operation(Kind::Memory).await;
}

#[cfg(feature = "rocksdb")]
#[tokio::test(flavor = "multi_thread")]
async fn every_node_answers_from_rocksdb() {
    every_node_answers_every_operation(Kind::Rocksdb).await;
}

/// No bytes in a key are the store's own: not in the log, not in the state, not for its members.
async fn keys_mean_nothing_to_the_store(storage: Kind) {
    let cluster = Cluster::start(1, storage).await;
    let mut client = cluster.client(1);
    let names = ["", "a", "a/b", "b", "config_change", "new_config", "log_1", "log_10", "applied"];
    let mut keys: BTreeSet<Bytes> = names.map(|name| Bytes::from_static(name.as_bytes())).into();
    keys.extend((0..=u8::MAX).map(|byte| Bytes::copy_from_slice(&[byte])));
    keys.extend((0..=u8::MAX).map(|byte| Bytes::copy_from_slice(&[byte, 0, 0xff])));
    for key in &keys {
        client.put(key.clone(), key.clone()).await.unwrap();
    }
    client.delete("a/b").await.unwrap();
    keys.remove(&b"a/b"[..]);
    let found = client.scan(Keys::all()).collect().await.unwrap();
    let found: Vec<(Bytes, Bytes)> = found.into_iter().map(|(key, it)| (key, it.value)).collect();
    let expected: Vec<(Bytes, Bytes)> = keys.iter().map(|key| (key.clone(), key.clone())).collect();
    assert_eq!(found, expected);
    assert_eq!(client.status().await.unwrap().voters, [1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_key_means_anything_to_the_store() {
    keys_mean_nothing_to_the_store(Kind::Memory).await;
}

#[cfg(feature = "rocksdb")]
#[tokio::test(flavor = "multi_thread")]
async fn no_key_means_anything_to_rocksdb() {
    keys_mean_nothing_to_the_store(Kind::Rocksdb).await;
}

/// A store that looks around once a tick needs one for each step of each request.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_waits_for_a_tick() {
    let tick = Duration::from_millis(200);
    let slow = |config| ServerConfig { tick, election_ticks: 10, ..config };
    let cluster = Cluster::start_with(3, Kind::Memory, slow).await;
    let mut client = cluster.client(cluster.follower().await);
    let started = Instant::now();
    for number in 0..100 {
        client.put("k", number.to_string()).await.unwrap();
        assert_eq!(client.get("k").await.unwrap().found.unwrap().value, number.to_string());
    }
    let (took, ticks) = (started.elapsed(), 100);
    assert!(took < ticks * tick, "200 requests took {took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_node_is_a_cluster() {
    let cluster = Cluster::start(1, Kind::Memory).await;
    let mut client = cluster.client(1);
    client.put("k", "v").await.unwrap();
    assert_eq!(client.get("k").await.unwrap().found.unwrap().value, "v");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_local_read_is_answered_by_the_node_that_is_asked() {
    let cluster = Cluster::start(3, Kind::Memory).await;
    let follower = cluster.follower().await;
    let mut client = cluster.client(follower);
    client.put("k", "v").await.unwrap();
    eventually("the follower applies the write", async || {
        let read = client.get_with("k", ReadMode::Local).await.unwrap();
        assert_eq!(read.header.node, follower);
        read.found.map(|found| assert_eq!(found.value, "v"))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_can_go_to_the_leader_itself() {
    let cluster = Cluster::start(3, Kind::Memory).await;
    let (leader, follower) = (cluster.leader().await, cluster.follower().await);
    let options = ClientOptions { follow_leader: true, ..ClientOptions::new() };
    let mut client = Client::new(vec![cluster.address(follower)], options.clone());
    assert_eq!(client.put("k", "v").await.unwrap().header.node, leader);

    let once = ClientOptions { attempts_max: 1, ..options };
    let mut client = Client::new(vec![cluster.address(follower)], once);
    let error = client.put("k", "v").await.unwrap_err();
    assert!(!error.is_indefinite());
    assert_eq!(error.failure().kind, Some(ErrorKind::NotLeader));
    assert_eq!(error.failure().leader, Some(cluster.address(leader)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_is_refused() {
    let cluster = Cluster::start(1, Kind::Memory).await;
    let mut client = cluster.client(1);
    client.put(vec![7; 4 << 10], vec![7; 1 << 20]).await.unwrap();
    for (key, value) in [(4 << 10, (1 << 20) + 1), ((4 << 10) + 1, 1), (1, 5 << 20)] {
        let error = client.put(vec![7; key], vec![7; value]).await.unwrap_err();
        assert!(!error.is_indefinite(), "{error}");
        assert_eq!(error.failure().kind, Some(ErrorKind::LimitExceeded));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_tells_its_status() {
    let cluster = Cluster::start(3, Kind::Memory).await;
    let (leader, follower) = (cluster.leader().await, cluster.follower().await);
    let status = cluster.client(leader).status().await.unwrap();
    assert_eq!((status.node, status.leader, status.role.as_str()), (leader, leader, "leader"));
    assert_eq!((status.cluster.as_str(), status.storage.as_str()), ("test", "memory"));
    let status = cluster.client(follower).status().await.unwrap();
    assert_eq!((status.leader, status.role.as_str()), (leader, "follower"));
    assert_eq!(status.voters, vec![1, 2, 3]);
}

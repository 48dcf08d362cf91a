//! Changes of keys, in order, over lost connections.

use std::time::Duration;

use proto::client::{Client, ClientOptions, Keys};

use crate::cluster::{Cluster, Kind};
use crate::proxy::Proxy;

const PATIENCE: Duration = Duration::from_secs(20);

/// The next so many changes, as `key=value` or `key-`.
async fn next(watch: &mut proto::client::Watch, count: usize) -> Vec<String> {
    let mut seen = Vec::new();
    while seen.len() < count {
        let changes = tokio::time::timeout(PATIENCE, watch.next()).await.unwrap().unwrap();
        seen.extend(changes.changes.into_iter().map(|change| {
            let key = String::from_utf8_lossy(&change.key).into_owned();
            match change.now {
                Some(now) => format!("{key}={}", String::from_utf8_lossy(&now.value)),
                None => format!("{key}-"),
            }
        }));
    }
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_reports_what_comes_and_can_begin_in_the_past() {
    let cluster = Cluster::start(3, Kind::Memory).await;
    let mut writer = cluster.client(1);
    let first = writer.put("k1", "a").await.unwrap().header.revision;
    let watched = cluster.client(cluster.leader().await);
    let mut watch = watched.watch(Keys::prefix("k"), 0).await.unwrap();
    writer.put("other", "x").await.unwrap();
    writer.put("k2", "b").await.unwrap();
    writer.delete("k1").await.unwrap();
    assert_eq!(next(&mut watch, 2).await, ["k2=b", "k1-"]);
    for node in cluster.nodes() {
        let mut watch = cluster.client(node).watch(Keys::prefix("k"), first).await.unwrap();
        assert_eq!(next(&mut watch, 3).await, ["k1=a", "k2=b", "k1-"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_survives_cuts_and_dead_nodes_without_loss_or_repetition() {
    let mut cluster = Cluster::start(3, Kind::Memory).await;
    let (leader, follower) = (cluster.leader().await, cluster.follower().await);
    let proxy = Proxy::start(cluster.address(follower)).await;
    let addresses = vec![proxy.address(), cluster.address(leader)];
    let client = Client::new(addresses, ClientOptions::new());
    let mut watch = client.watch(Keys::prefix("k"), 0).await.unwrap();
    let mut writer = cluster.client(leader);
    let mut expected = Vec::new();
    let mut seen = Vec::new();
    for round in 0..30 {
        writer.put("k", round.to_string()).await.unwrap();
        expected.push(format!("k={round}"));
        if round % 5 == 0 {
            proxy.cut();
        }
        if round % 3 == 0 {
            let missing = expected.len() - seen.len();
            seen.extend(next(&mut watch, missing).await);
        }
        if round == 20 {
            cluster.stop(follower).await;
        }
    }
    let missing = expected.len() - seen.len();
    seen.extend(next(&mut watch, missing).await);
    assert_eq!(seen, expected);
}

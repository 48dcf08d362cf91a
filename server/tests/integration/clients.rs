//! The client library.

use std::fs::{self, File};
use std::time::{Duration, SystemTime};

use proto::client::{Client, ClientOptions};

use crate::cluster::{Cluster, Kind};
use crate::eventually::eventually;

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_file_is_read_again_when_it_changes() {
    let (old, new) = (Cluster::start(1, Kind::Memory).await, Cluster::start(1, Kind::Memory).await);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cluster.toml");
    let write = |address: String, second| {
        fs::write(&path, format!("[nodes]\n1 = \"{address}\"\n")).unwrap();
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(second);
        File::options().append(true).open(&path).unwrap().set_modified(time).unwrap();
    };
    write(old.address(1), 1_000_000);
    let mut client = Client::from_cluster_file(&path, ClientOptions::new()).unwrap();
    let mut sibling = client.sibling();
    client.put("k", "old").await.unwrap();
    write(new.address(1), 2_000_000);
    eventually("the client goes to the new cluster", async || {
        client.get("k").await.unwrap().found.is_none().then_some(())
    })
    .await;
    assert_eq!(sibling.get("k").await.unwrap().found, None);
    assert_eq!(old.client(1).get("k").await.unwrap().found.unwrap().value, "old");
}

#[tokio::test(flavor = "multi_thread")]
async fn siblings_share_what_they_know_of_the_leader() {
    let cluster = Cluster::start(3, Kind::Memory).await;
    let (leader, follower) = (cluster.leader().await, cluster.follower().await);
    let options = ClientOptions { follow_leader: true, ..ClientOptions::new() };
    let mut client = Client::new(vec![cluster.address(follower)], options);
    assert_eq!(client.put("k", "v").await.unwrap().header.node, leader);
    // One attempt is enough now, because it goes to the right place at once.
    for _ in 0..10 {
        let mut sibling = client.sibling();
        assert_eq!(sibling.get("k").await.unwrap().header.node, leader);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_with_several_addresses_finds_one_that_answers() {
    let mut cluster = Cluster::start(3, Kind::Memory).await;
    let addresses = cluster.nodes().map(|node| cluster.address(node)).collect();
    let mut client = Client::new(addresses, ClientOptions::new());
    client.open_session().await.unwrap();
    for round in 1..=2 {
        client.put("k", round.to_string()).await.unwrap();
        if round == 1 {
            cluster.stop(1).await;
        }
    }
    assert_eq!(client.get("k").await.unwrap().found.unwrap().version, 2);
}

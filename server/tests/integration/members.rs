//! Members that come and go, leaders that hand over, snapshots that are sent, leases that live.

use std::time::Duration;

use proto::admin::change_members_request::Change;
use proto::admin::{AddMember, DemoteMember, PromoteMember, RemoveMember};
use proto::client::{Client, ClientOptions, ReadMode};
use server::metrics::Refused;
use server::types::NodeId;
use server::{Server, ServerConfig, SnapshotConfig};

use crate::cluster::{Cluster, Kind};
use crate::eventually::eventually;

/// Snapshots so often that a node that was away needs one.
fn often(config: ServerConfig) -> ServerConfig {
    let snapshot = SnapshotConfig { entries: 50, ..SnapshotConfig::STANDARD };
    ServerConfig { snapshot, ..config }
}

async fn put_many(client: &mut Client, keys: std::ops::Range<u32>) {
    for key in keys {
        client.put(format!("key {key}"), format!("value {key}")).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_compacted_and_a_node_that_was_away_gets_a_snapshot() {
    let mut cluster = Cluster::start_with(3, Kind::Memory, often).await;
    let follower = cluster.follower().await;
    let leader = cluster.leader().await;
    let mut client = cluster.client(leader);
    put_many(&mut client, 0..20).await;
    client.put("gone", "soon").await.unwrap();
    cluster.stop(follower).await;
    client.delete("gone").await.unwrap();
    put_many(&mut client, 20..300).await;
    let status = client.status().await.unwrap();
    assert!(status.first_index > 100, "{status:?}");
    assert!(status.snapshot_index >= status.first_index, "{status:?}");

    // It comes back with nothing, as a node with storage in memory must not: so it is another one.
    change(&mut client, Change::Remove(RemoveMember { node: follower })).await;
    cluster.start_joining(follower, often).await;
    let address = cluster.address(follower);
    let add = AddMember { node: follower, address, stay_learner: false };
    change(&mut client, Change::Add(add)).await;
    let mut late = cluster.client(follower);
    let mut local = async |key: &'static str| {
        late.get_with(key, ReadMode::Local).await.unwrap().found.map(|found| found.value)
    };
    assert_eq!(local("gone").await, None);
    assert_eq!(local("key 3").await.unwrap(), "value 3");
    assert!(cluster.server(follower).metrics().snapshots_installed.get() >= 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn members_are_listed_demoted_promoted_and_hand_over() {
    let cluster = Cluster::start(3, Kind::Memory).await;
    let (leader, follower) = (cluster.leader().await, cluster.follower().await);
    let mut client = cluster.client(leader);
    change(&mut client, Change::Demote(DemoteMember { node: follower })).await;
    assert_eq!(role(&mut client, follower).await, "learner");
    put_many(&mut client, 0..5).await;
    change(&mut client, Change::Promote(PromoteMember { node: follower })).await;
    assert_eq!(role(&mut client, follower).await, "voter");
    let again = client.change_members(0, Change::Promote(PromoteMember { node: follower })).await;
    assert!(again.unwrap_err().to_string().contains("is a voter already"));

    assert_eq!(client.transfer_leader(0, follower).await.unwrap(), follower);
    assert_eq!(cluster.leader().await, follower);
    put_many(&mut client, 5..10).await;
    let index = client.snapshot(0).await.unwrap();
    assert!(index >= 10, "{index}");
}

async fn change(client: &mut Client, change: Change) {
    client.change_members(0, change).await.unwrap();
}

async fn role(client: &mut Client, node: u64) -> String {
    let members = client.list_members(0).await.unwrap().members;
    members.into_iter().find(|member| member.node == node).unwrap().role
}

#[tokio::test(flavor = "multi_thread")]
async fn leases_are_kept_alive_and_end() {
    let cluster = Cluster::start(3, Kind::Memory).await;
    let mut client = cluster.client(cluster.leader().await);
    let lease = client.grant_lease(Duration::from_millis(400)).await.unwrap().id;
    client.put_with_lease("k", "v", lease).await.unwrap();
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        client.keep_alive(lease).await.unwrap();
    }
    assert!(client.get("k").await.unwrap().found.is_some());
    eventually("the lease ends, and its key with it", async || {
        client.get("k").await.unwrap().found.is_none().then_some(())
    })
    .await;
    assert!(client.keep_alive(lease).await.is_err());
}

/// Two nodes that each began a cluster of their own stay two clusters.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_with_a_cluster_of_its_own_is_not_taken_over() {
    let cluster = Cluster::start(1, Kind::Memory).await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let config = ServerConfig {
        node: NodeId(2),
        listen: address,
        advertise: address.to_string(),
        peers: [(NodeId(2), address.to_string())].into(),
        ..cluster.config(1)
    };
    let other = Server::start_on(config, listener).await.unwrap();
    let mut of_other = Client::new(vec![address.to_string()], ClientOptions::new());
    of_other.put("k", "theirs").await.unwrap();
    let mut client = cluster.client(1);
    client.put("k", "ours").await.unwrap();
    let add = AddMember { node: 2, address: address.to_string(), stay_learner: false };
    let added = client.change_members(0, Change::Add(add)).await;
    assert!(added.is_err(), "{added:?}");
    assert!(other.metrics().refusals(Refused::Peer) > 0);
    assert_eq!(role(&mut client, 2).await, "learner");
    client.put("k", "ours still").await.unwrap();
    assert_eq!(of_other.get("k").await.unwrap().found.unwrap().value, "theirs");
    of_other.put("k", "theirs still").await.unwrap();
    other.shutdown().await;
}

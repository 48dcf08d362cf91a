//! A voter that lost its data has lost its promises too, and must not take part as the member that it
//! was.

use proto::admin::change_members_request::Change;
use proto::admin::{AddMember, RemoveMember};
use proto::client::{Client, ReadMode};
use server::metrics::Refused;
use server::types::{GroupId, NodeId, Role};

use crate::cluster::{Cluster, Kind};
use crate::eventually::eventually;

async fn put_many(client: &mut Client, keys: std::ops::Range<u32>) {
    for key in keys {
        client.put(format!("key {key}"), format!("value {key}")).await.unwrap();
    }
}

/// Waits until a node has asked for votes that it does not get.
async fn campaigns_in_vain(cluster: &Cluster, node: u64) {
    eventually("an election timeout passes", async || {
        let status = cluster.handle(node).status(GroupId(0))?;
        (status.role == Role::PreCandidate).then_some(())
    })
    .await;
    assert_eq!(cluster.handle(node).leadership(GroupId(0)).unwrap().leader, None);
}

/// Three nodes with data, of which one has lost its own and was started as before. Returns a node
/// that leads, and the one without data.
async fn with_a_lost_voter(storage: Kind) -> (Cluster, u64, u64) {
    let mut cluster = Cluster::start(3, storage).await;
    let (leader, lost) = (cluster.leader().await, cluster.follower().await);
    put_many(&mut cluster.client(leader), 0..50).await;
    cluster.stop(lost).await;
    cluster.wipe(lost);
    cluster.restart(lost).await;
    (cluster, leader, lost)
}

async fn is_refused_until_it_is_added_anew(storage: Kind) {
    let (mut cluster, leader, lost) = with_a_lost_voter(storage).await;
    let others: Vec<u64> = cluster.nodes().filter(|node| *node != lost).collect();
    for node in others {
        eventually("each of the others refuses it, and counts that", async || {
            (cluster.server(node).metrics().refusals(Refused::Peer) > 0).then_some(())
        })
        .await;
    }
    let status = cluster.handle(lost).status(GroupId(0)).unwrap();
    assert_eq!((status.leader, status.last_index.0), (None, 0), "it takes part: {status:?}");
    // The others go on, and it makes no difference that it asks again.
    let mut client = cluster.client(leader);
    put_many(&mut client, 50..60).await;

    // Removed and added anew it comes back with everything.
    client.change_members(0, Change::Remove(RemoveMember { node: lost })).await.unwrap();
    cluster.stop(lost).await;
    cluster.wipe(lost);
    cluster.start_joining(lost, |config| config).await;
    let address = cluster.address(lost);
    let add = AddMember { node: lost, address, stay_learner: false };
    client.change_members(0, Change::Add(add)).await.unwrap();
    put_many(&mut client, 60..70).await;
    let mut back = cluster.client(lost);
    for key in 0..70 {
        eventually("it has every key", async || {
            let read = back.get_with(format!("key {key}"), ReadMode::Local).await.unwrap();
            read.found.map(|found| assert_eq!(found.value, format!("value {key}")))
        })
        .await;
    }
    let status = cluster.handle(lost).status(GroupId(0)).unwrap();
    assert!(status.voters.contains(&NodeId(lost)), "{status:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_voter_that_was_in_memory_is_refused_until_it_is_added_anew() {
    is_refused_until_it_is_added_anew(Kind::Memory).await;
}

#[cfg(feature = "rocksdb")]
#[tokio::test(flavor = "multi_thread")]
async fn a_voter_whose_directory_is_gone_is_refused_until_it_is_added_anew() {
    is_refused_until_it_is_added_anew(Kind::Rocksdb).await;
}

/// Counted as the voter that it was, it would make a majority with one that knows nothing either.
#[tokio::test(flavor = "multi_thread")]
async fn it_is_no_part_of_any_majority() {
    let (mut cluster, leader, lost) = with_a_lost_voter(Kind::Memory).await;
    let other = cluster.nodes().find(|node| ![leader, lost].contains(node)).unwrap();
    cluster.stop(other).await;
    let mut client = cluster.impatient_client(leader);
    let error = client.put("k", "v").await.unwrap_err();
    assert!(error.is_indefinite(), "the leader could not know yet: {error}");
    eventually("the leader sees that it has no majority", async || {
        let leader = cluster.handle(leader).leadership(GroupId(0))?.leader;
        leader.is_none().then_some(())
    })
    .await;
    campaigns_in_vain(&cluster, lost).await;
    // Even if the last one that knows is lost too: the third knows what it was promised.
    cluster.stop(leader).await;
    cluster.restart(leader).await;
    for node in [lost, leader, lost] {
        campaigns_in_vain(&cluster, node).await;
    }
}

/// A node that is told to begin a cluster with nodes that are in one already.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_begins_a_cluster_anew() {
    let mut cluster = Cluster::start(3, Kind::Memory).await;
    let (leader, lost) = (cluster.leader().await, cluster.follower().await);
    let mut client = cluster.client(leader);
    client.change_members(0, Change::Remove(RemoveMember { node: lost })).await.unwrap();
    cluster.stop(lost).await;
    // It was removed, but it was not told to join.
    let before = cluster.server(leader).metrics().refusals(Refused::Peer);
    cluster.restart(lost).await;
    eventually("it is refused", async || {
        (cluster.server(leader).metrics().refusals(Refused::Peer) > before).then_some(())
    })
    .await;
    campaigns_in_vain(&cluster, lost).await;
}

/// A majority is not enough to begin with: the one that is missing may be the one that remembers.
#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_begins_when_all_its_first_members_have_met() {
    let mut cluster = Cluster::start(3, Kind::Memory).await;
    for node in 1..=3 {
        cluster.stop(node).await;
    }
    cluster.restart(1).await;
    cluster.restart(2).await;
    for node in [1, 2, 1] {
        campaigns_in_vain(&cluster, node).await;
        assert_eq!(cluster.server(node).metrics().refusals(Refused::Peer), 0);
    }
    cluster.restart(3).await;
    cluster.leader().await;
}

//! Replicas and leaders that move between nodes.

use std::collections::BTreeMap;
use std::time::Duration;

use proto::client::ErrorKind;
use server::ServerConfig;
use server::types::GroupId;

use crate::cluster::{Cluster, Kind};
use crate::counting_load::{Load, add_group, operator};
use crate::eventually::eventually;

/// Each node hosts these numbers of groups.
async fn replicas_become(cluster: &Cluster, expected: &[usize]) {
    eventually("each node has its share", async || {
        let found: Vec<usize> =
            cluster.running().map(|node| cluster.groups_of(node).len()).collect();
        (found == expected).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_come_and_go_under_load() {
    let mut cluster = Cluster::start_sharded(3, Kind::Memory, 2).await;
    let load = Load::start(&cluster).await;
    assert_eq!(add_group(&cluster).await, 2);
    cluster.start_new(4).await;
    let address = cluster.address(4);
    assert_eq!(operator(&cluster).rebalance([(4, address)], vec![]).await.unwrap(), 3);
    replicas_become(&cluster, &[3, 3, 3, 3]).await;
    eventually("the new node is known as a member of each group", async || {
        let groups = cluster.client(4).list_groups().await.unwrap().groups;
        groups.iter().all(|group| group.members == [1, 2, 3, 4]).then_some(())
    })
    .await;
    load.has_gone_round().await;
    assert_eq!(operator(&cluster).rebalance([], vec![]).await.unwrap(), 0);

    assert_eq!(operator(&cluster).rebalance([], vec![1]).await.unwrap(), 3);
    replicas_become(&cluster, &[0, 3, 3, 3]).await;
    load.has_gone_round().await;
    cluster.stop(1).await;
    load.has_gone_round().await;
    load.judge(&cluster).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_node_takes_its_share_from_the_others() {
    let mut cluster = Cluster::start_sharded(6, Kind::Memory, 6).await;
    replicas_become(&cluster, &[5; 6]).await;
    cluster.start_new(7).await;
    let added = [(7, cluster.address(7))];
    assert_eq!(operator(&cluster).rebalance(added, vec![]).await.unwrap(), 4);
    let leader = cluster.leader().await;
    let newest = cluster.client(leader).list_groups().await.unwrap().version;
    let groups = eventually("the new node knows the last map", async || {
        let list = cluster.client(7).list_groups().await.unwrap();
        (list.version >= newest).then_some(list.groups)
    })
    .await;
    assert!(groups.iter().all(|group| group.members.len() == 5));
    let mut shares = BTreeMap::<u64, usize>::new();
    groups
        .iter()
        .flat_map(|it| &it.members)
        .for_each(|node| *shares.entry(*node).or_default() += 1);
    assert_eq!(shares[&7], 4);
    assert!(shares.values().all(|count| [4, 5].contains(count)), "{shares:?}");
    let mut client = cluster.client(7);
    for key in 0..30 {
        client.put(format!("key {key}"), "v").await.unwrap();
        assert!(client.get(format!("key {key}")).await.unwrap().found.is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_go_where_there_are_nodes() {
    let cluster = Cluster::start(3, Kind::Memory).await;
    let error = operator(&cluster).rebalance([], vec![1, 2, 3]).await.unwrap_err();
    assert_eq!(error.failure().kind, Some(ErrorKind::InvalidRequest));
    let error = operator(&cluster).rebalance([(4, "nowhere".to_owned())], vec![]).await;
    assert_eq!(error.unwrap_err().failure().kind, Some(ErrorKind::InvalidRequest));
    let follower = cluster.follower().await;
    let error = cluster.impatient_client(follower).rebalance([], vec![]).await.unwrap_err();
    assert_eq!(error.failure().kind, Some(ErrorKind::NotLeader));
}

#[tokio::test(flavor = "multi_thread")]
async fn leaders_are_spread_until_they_are_even() {
    let often = |config| ServerConfig { balance_leaders: Duration::from_millis(200), ..config };
    let cluster = Cluster::start_sharded_with(3, Kind::Memory, 6, often).await;
    // One node takes all it can get, faster than it gives away.
    for group in 0..6 {
        let leader = cluster.leader_of(GroupId(group)).await;
        let _ = cluster.client(leader).transfer_leader(group, 1).await;
    }
    eventually("each node leads two groups", async || {
        let mut leads = BTreeMap::<u64, usize>::new();
        for group in 0..6 {
            *leads.entry(cluster.leader_of(GroupId(group)).await).or_default() += 1;
        }
        leads.values().eq([2, 2, 2].iter()).then_some(())
    })
    .await;
}

//! Groups that are added while clients read and write.

use std::collections::BTreeMap;
use std::time::Duration;

use proto::client::{ErrorKind, Keys};
use server::ServerConfig;
use server::command::{LeavingQuestion, ShardAnswer, ShardQuery, ShardQuestion};
use server::metrics::Refused;
use server::state_machine::{Query, QueryReply};
use server::types::GroupId;
use tokio::task::JoinSet;

use crate::cluster::{Cluster, Kind};
use crate::counting_load::{Load, WRITERS, add_group, keys_of, patient_client};
use crate::eventually::eventually;

/// The groups that a node knows, once no migration is under way there.
async fn groups(cluster: &Cluster, node: u64) -> Vec<u32> {
    let mut client = cluster.client(node);
    eventually("no migration is under way", async || {
        let list = client.list_groups().await.unwrap();
        let done = list.migration.is_empty();
        done.then(|| list.groups.into_iter().map(|group| group.id).collect())
    })
    .await
}

/// Keys that a group has at a node and does not serve.
async fn remains(cluster: &Cluster, node: u64, group: u32, migration: u64) -> usize {
    let mut after = None;
    let mut count = 0;
    loop {
        let question = ShardQuestion::Leaving(LeavingQuestion { migration, after });
        let query = Query::Shards(ShardQuery { question: Some(question) });
        let reply = cluster.handle(node).read_local(GroupId(group), query).await.unwrap().reply;
        let QueryReply::Shards(reply) = reply else { panic!("{reply:?}") };
        let Some(ShardAnswer::Leaving(page)) = reply.answer else {
            panic!("group {group} is not of migration {migration} at node {node}")
        };
        count += page.keys.len();
        after = page.next;
        if after.is_none() {
            return count;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_are_added_under_load_and_nothing_is_lost() {
    let cluster = Cluster::start(3, Kind::Memory).await;
    let load = Load::start(&cluster).await;
    load.has_gone_round().await;
    assert_eq!(add_group(&cluster).await, 1);
    load.has_gone_round().await;
    assert_eq!(add_group(&cluster).await, 2);
    load.has_gone_round().await;
    load.judge(&cluster).await;
    let version = cluster.client(1).list_groups().await.unwrap().version;
    for node in cluster.nodes() {
        assert_eq!(groups(&cluster, node).await, [0, 1, 2]);
        assert_eq!(cluster.groups_of(node), [0, 1, 2].map(GroupId));
        // Creating, moving, two groups that give, forgetting, complete: six versions.
        let migration = version - 5;
        for group in [0, 1] {
            eventually("what has moved is deleted", async || {
                (remains(&cluster, node, group, migration).await == 0).then_some(())
            })
            .await;
        }
    }
    // Keys do lie in all of them.
    let mut client = cluster.client(2);
    let mut used = BTreeMap::<u32, usize>::new();
    for key in (0..WRITERS).flat_map(keys_of) {
        *used.entry(client.get(key).await.unwrap().header.group).or_default() += 1;
    }
    assert_eq!(used.keys().copied().collect::<Vec<_>>(), [0, 1, 2], "{used:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_addition_goes_on_under_other_leaders() {
    let mut cluster = Cluster::start(3, Kind::Memory).await;
    // Many pages, so that leaders change in the middle.
    let mut filler = JoinSet::new();
    for part in 0..8 {
        let mut client = patient_client(&cluster, part);
        filler.spawn(async move {
            for key in 0..150 {
                let value = vec![b'x'; 8_000];
                client.put(format!("filler {part} {key}"), value).await.unwrap();
            }
        });
    }
    filler.join_all().await;
    let load = Load::start(&cluster).await;
    let begun = cluster.leader().await;
    let mut client = cluster.client(begun);
    let adding = tokio::spawn(async move { client.add_group().await });
    eventually("the addition has begun", async || {
        let list = cluster.client(begun).list_groups().await.unwrap();
        (!list.migration.is_empty()).then_some(())
    })
    .await;
    for _ in 0..3 {
        let leader = cluster.leader().await;
        let next = cluster.nodes().find(|node| *node != leader).unwrap();
        // It may be led by another one by now, which is as good.
        let _ = cluster.client(leader).transfer_leader(0, next).await;
    }
    let victim = cluster.leader().await;
    cluster.stop(victim).await;
    // Its answer may be lost with the node; what was begun goes on.
    let _ = adding.await.unwrap();
    for node in cluster.running() {
        assert_eq!(groups(&cluster, node).await, [0, 1]);
    }
    load.has_gone_round().await;
    load.judge(&cluster).await;
    let node = cluster.running().next().unwrap();
    let mut client = cluster.client(node);
    for (part, key) in (0..8).flat_map(|part| (0..150).map(move |key| (part, key))) {
        let found = client.get(format!("filler {part} {key}")).await.unwrap().found;
        assert_eq!(found.unwrap().value.len(), 8_000);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_leases_hold_the_addition_up_until_the_leases_end() {
    let cluster = Cluster::start(3, Kind::Memory).await;
    let leader = cluster.leader().await;
    let mut client = cluster.client(leader);
    let lease = client.grant_lease(Duration::from_secs(60)).await.unwrap().id;
    for key in 0..20 {
        client.put_with_lease(format!("leased {key}"), "v", lease).await.unwrap();
    }
    let mut operator = cluster.client(leader);
    let adding = tokio::spawn(async move { operator.add_group().await });
    eventually("the operator is told what holds it up", async || {
        let migration = client.status().await.unwrap().migration;
        migration.contains("belong to leases").then_some(())
    })
    .await;
    assert_eq!(client.get("leased 7").await.unwrap().found.unwrap().lease, lease);
    client.revoke_lease(lease).await.unwrap();
    let _ = adding.await.unwrap();
    assert_eq!(groups(&cluster, leader).await, [0, 1]);
    assert_eq!(client.get("leased 7").await.unwrap().found, None);
    // Leases and locks go on in the first group.
    let lease = client.grant_lease(Duration::from_secs(60)).await.unwrap().id;
    assert!(client.lock("l", lease).await.unwrap().acquired);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_ends_where_keys_begin_to_move() {
    let cluster = Cluster::start(3, Kind::Memory).await;
    let client = cluster.client(2);
    let mut watch = client.watch(Keys::all(), 0).await.unwrap();
    let mut writer = cluster.client(1);
    for key in 0..10 {
        writer.put(format!("key {key}"), "before").await.unwrap();
    }
    add_group(&cluster).await;
    for key in 0..10 {
        writer.put(format!("key {key}"), "after").await.unwrap();
    }
    let mut seen = 0;
    let error = loop {
        match watch.next().await {
            Ok(changes) => seen += changes.changes.len(),
            Err(error) => break error,
        }
    };
    assert_eq!(seen, 10);
    assert_eq!(error.failure().kind, Some(ErrorKind::SpansGroups), "{error}");
    let refused = client.watch(Keys::all(), 0).await.unwrap_err();
    assert_eq!(refused.failure().kind, Some(ErrorKind::SpansGroups));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_group_at_a_time() {
    let cluster = Cluster::start_sharded(3, Kind::Memory, 2).await;
    let leader = cluster.leader().await;
    let mut client = cluster.client(leader);
    let lease = client.grant_lease(Duration::from_secs(60)).await.unwrap().id;
    for key in 0..60 {
        // Those of the other group cannot have it.
        let _ = client.put_with_lease(format!("leased {key}"), "v", lease).await;
    }
    let mut operator = cluster.client(leader);
    let adding = tokio::spawn(async move { operator.add_group().await });
    eventually("the addition has begun", async || {
        let list = client.list_groups().await.unwrap();
        (!list.migration.is_empty()).then_some(())
    })
    .await;
    let error = client.add_group().await.unwrap_err();
    assert_eq!(error.failure().kind, Some(ErrorKind::InvalidRequest));
    assert!(error.to_string().contains("group 2 is just being added"), "{error}");
    let follower = cluster.follower().await;
    let error = cluster.impatient_client(follower).add_group().await.unwrap_err();
    assert_eq!(error.failure().kind, Some(ErrorKind::NotLeader));
    client.revoke_lease(lease).await.unwrap();
    let _ = adding.await.unwrap();
    assert_eq!(groups(&cluster, leader).await, [0, 1, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_was_started_with_other_shards_is_refused() {
    let mut cluster = Cluster::start(3, Kind::Memory).await;
    let odd = cluster.follower().await;
    cluster.stop(odd).await;
    cluster.start_joining(odd, |config| ServerConfig { shards: 2, ..config }).await;
    for node in cluster.nodes() {
        eventually("each refuses the other", async || {
            let refused = cluster.server(node).metrics().refusals(Refused::Peer);
            (refused > 0).then_some(())
        })
        .await;
    }
    assert_eq!(cluster.handle(odd).status(GroupId(0)).unwrap().leader, None);
}

#[cfg(feature = "rocksdb")]
#[tokio::test(flavor = "multi_thread")]
async fn an_added_group_survives_restarts_also_in_the_middle() {
    let mut cluster = Cluster::start(3, Kind::Rocksdb).await;
    let load = Load::start(&cluster).await;
    load.has_gone_round().await;
    let mut client = cluster.client(cluster.leader().await);
    let adding = tokio::spawn(async move { client.add_group().await });
    for _ in 0..3 {
        let victim = cluster.leader().await;
        cluster.stop(victim).await;
        cluster.restart(victim).await;
    }
    let _ = adding.await.unwrap();
    for node in cluster.nodes() {
        groups(&cluster, node).await;
    }
    load.has_gone_round().await;
    load.judge(&cluster).await;
    for node in 1..=3 {
        cluster.stop(node).await;
    }
    for node in 1..=3 {
        cluster.restart(node).await;
    }
    let mut client = cluster.client(1);
    client.open_session().await.unwrap();
    for key in (0..WRITERS).flat_map(keys_of) {
        assert!(client.put(key, "0").await.unwrap().previous.is_some());
    }
}

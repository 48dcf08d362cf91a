//! Keys in several groups.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message as _;
use proto::client::{ErrorKind, ReadMode};
use proto::kv::kv_client::KvClient;
use proto::kv::{ErrorDetail, GetRequest, PutRequest, RequestContext};
use server::shard::{ShardMap, Shards};
use server::types::{GroupId, NodeId};

use crate::cluster::{Cluster, Kind};
use crate::eventually::eventually;

const SHARDS: u32 = 8;

fn shards(nodes: u64, count: u32) -> Shards {
    Shards::new(ShardMap::first(&(1..=nodes).map(NodeId).collect(), count)).unwrap()
}

/// A key in each group.
fn a_key_each(shards: &Shards) -> BTreeMap<GroupId, String> {
    let mut keys = BTreeMap::new();
    for key in (0..10_000).map(|index| format!("key-{index}")) {
        keys.entry(shards.group_of(key.as_bytes())).or_insert(key);
    }
    assert_eq!(keys.len(), shards.groups().count());
    keys
}

async fn keys_are_read_everywhere(cluster: &Cluster, keys: &BTreeMap<GroupId, String>) {
    for node in cluster.nodes() {
        let mut client = cluster.client(node);
        for key in keys.values() {
            let found = client.get(key.clone()).await.unwrap().found.unwrap();
            assert_eq!(found.value, key, "read at node {node}");
        }
    }
}

async fn fill(cluster: &Cluster, keys: &BTreeMap<GroupId, String>) {
    let nodes: Vec<u64> = cluster.nodes().collect();
    for (node, key) in nodes.iter().cycle().zip(keys.values()) {
        cluster.client(*node).put(key.clone(), key.clone()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn any_node_serves_any_key() {
    let cluster = Cluster::start_sharded(3, Kind::Memory, SHARDS).await;
    let keys = a_key_each(&shards(3, SHARDS));
    fill(&cluster, &keys).await;
    keys_are_read_everywhere(&cluster, &keys).await;
    let mut leaders = BTreeSet::new();
    for group in keys.keys() {
        leaders.insert(cluster.leader_of(*group).await);
    }
    assert!(leaders.len() > 1, "all groups are led by {leaders:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_groups_serve_without_one_node() {
    let mut cluster = Cluster::start_sharded(3, Kind::Memory, SHARDS).await;
    let keys = a_key_each(&shards(3, SHARDS));
    fill(&cluster, &keys).await;
    let victim = cluster.leader_of(GroupId(5)).await;
    cluster.stop(victim).await;
    for node in cluster.nodes().filter(|node| *node != victim) {
        let mut client = cluster.client(node);
        // Each write happens once, although the election makes clients repeat themselves.
        client.open_session().await.unwrap();
        for key in keys.values() {
            let put = client.put(key.clone(), format!("by {node}")).await.unwrap();
            assert!(put.previous.is_some());
            let found = client.get(key.clone()).await.unwrap().found.unwrap();
            assert_eq!(found.value, format!("by {node}"));
        }
    }
    for key in keys.values() {
        let node = cluster.nodes().find(|node| *node != victim).unwrap();
        let found = cluster.client(node).get(key.clone()).await.unwrap().found.unwrap();
        assert_eq!(found.version, 3);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_holds_in_every_group() {
    let cluster = Cluster::start_sharded(3, Kind::Memory, SHARDS).await;
    let session = cluster.client(2).open_session().await.unwrap();
    let keys = a_key_each(&shards(3, SHARDS));
    for (sequence, key) in (1..).zip(keys.values()) {
        let context = RequestContext { session, sequence, no_forward: false };
        let put = PutRequest {
            context: Some(context),
            key: key.clone().into(),
            value: "once".into(),
            lease: 0,
        };
        let mut answers = BTreeSet::new();
        for node in cluster.nodes() {
            let mut client = KvClient::new(cluster.channel(node).await);
            let answer = client.put(put.clone()).await.unwrap().into_inner();
            answers.insert(answer.header.unwrap().revision);
        }
        assert_eq!(answers.len(), 1, "a retry took effect");
    }
}

/// Seven nodes have five replicas of each group, so that each node lacks some groups.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_a_replica_finds_the_leader() {
    let cluster = Cluster::start_sharded(7, Kind::Memory, 7).await;
    let shards = shards(7, 7);
    let keys = a_key_each(&shards);
    for node in cluster.nodes() {
        assert_eq!(cluster.groups_of(node).len(), 5);
    }
    fill(&cluster, &keys).await;
    keys_are_read_everywhere(&cluster, &keys).await;
    for (group, key) in &keys {
        let stranger = cluster.nodes().find(|node| !cluster.groups_of(*node).contains(group));
        let stranger = stranger.unwrap();
        // A local read comes from a member, once it has applied the write.
        let mut client = cluster.client(stranger);
        eventually("a member has it", async || {
            let read = client.get_with(key.clone(), ReadMode::Local).await.unwrap();
            assert!(shards.members(*group).contains(&NodeId(read.header.node)));
            read.found.map(|found| assert_eq!(found.value, key))
        })
        .await;
        // Who does not want to be forwarded is sent to one that can help.
        let context = RequestContext { session: 0, sequence: 0, no_forward: true };
        let mut client = KvClient::new(cluster.channel(stranger).await);
        for mode in [ReadMode::Linearizable, ReadMode::Local] {
            let get =
                GetRequest { context: Some(context), key: key.clone().into(), mode: mode.into() };
            let status = client.get(get).await.unwrap_err();
            let detail = ErrorDetail::decode(status.details()).unwrap();
            assert_eq!((detail.kind(), detail.indefinite), (ErrorKind::NotLeader, false));
            assert!(shards.members(*group).contains(&NodeId(detail.leader_node)));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_finds_the_new_leader_when_the_old_one_is_gone() {
    let mut cluster = Cluster::start_sharded(7, Kind::Memory, 7).await;
    let (group, key) = a_key_each(&shards(7, 7)).pop_first().unwrap();
    let stranger = cluster.nodes().find(|node| !cluster.groups_of(*node).contains(&group));
    let mut client = cluster.client(stranger.unwrap());
    client.put(key.clone(), "1").await.unwrap();
    cluster.stop(cluster.leader_of(group).await).await;
    client.open_session().await.unwrap();
    client.put(key.clone(), "2").await.unwrap();
    assert_eq!(client.get(key).await.unwrap().found.unwrap().value, "2");
}

#[cfg(feature = "rocksdb")]
#[tokio::test(flavor = "multi_thread")]
async fn a_restart_keeps_every_group() {
    let mut cluster = Cluster::start_sharded(3, Kind::Rocksdb, SHARDS).await;
    let keys = a_key_each(&shards(3, SHARDS));
    fill(&cluster, &keys).await;
    for node in 1..=3 {
        cluster.stop(node).await;
    }
    for node in 1..=3 {
        cluster.restart(node).await;
        assert_eq!(cluster.groups_of(node).len(), SHARDS as usize);
    }
    keys_are_read_everywhere(&cluster, &keys).await;
}

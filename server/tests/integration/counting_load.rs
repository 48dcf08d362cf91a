//! Clients that keep a cluster busy, and notice when it forgets.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use proto::client::{Client, ClientOptions};
use tokio::task::JoinSet;

use crate::cluster::Cluster;
use crate::eventually::eventually;

pub(crate) const WRITERS: usize = 4;
const READERS: usize = 3;
const KEYS_OF_A_WRITER: usize = 60;

/// Writers that count upwards in keys of their own, and readers that see to it that no value ever goes
/// back.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    /// The last value of each key that was acknowledged.
    acknowledged: Arc<BTreeMap<String, AtomicU64>>,
    tasks: JoinSet<u64>,
}

impl Load {
    pub(crate) async fn start(cluster: &Cluster) -> Load {
        let keys = (0..WRITERS).flat_map(keys_of).map(|key| (key, 0.into()));
        let mut load = Load {
            stop: Arc::default(),
            acknowledged: Arc::new(keys.collect()),
            tasks: JoinSet::new(),
        };
        for writer in 0..WRITERS {
            let mut client = patient_client(cluster, writer);
            client.open_session().await.unwrap();
            load.tasks.spawn(write(client, writer, load.stop.clone(), load.acknowledged.clone()));
        }
        for reader in 0..READERS {
            let client = patient_client(cluster, reader);
            load.tasks.spawn(read(client, load.stop.clone(), load.acknowledged.clone()));
        }
        load
    }

    /// Waits until every key was written once more.
    pub(crate) async fn has_gone_round(&self) {
        let before: Vec<u64> = self.values();
        eventually("all keys are written again", async || {
            let now = self.values();
            now.iter().zip(&before).all(|(now, before)| now > before).then_some(())
        })
        .await;
    }

    fn values(&self) -> Vec<u64> {
        self.acknowledged.values().map(|it| it.load(Ordering::SeqCst)).collect()
    }

    /// Ends the clients, which all must have fared well, and reads every key at every node: it holds
    /// what was acknowledged last, and was written so often, not once more.
    pub(crate) async fn judge(mut self, cluster: &Cluster) {
        self.stop.store(true, Ordering::SeqCst);
        while let Some(done) = self.tasks.join_next().await {
            assert!(done.unwrap() > 0, "a client did nothing");
        }
        for node in cluster.running() {
            let mut client = cluster.client(node);
            for (key, value) in self.acknowledged.iter() {
                let found = client.get(key.clone()).await.unwrap().found.unwrap();
                let value = value.load(Ordering::SeqCst);
                assert_eq!(
                    (number(&found.value), found.version),
                    (value, value),
                    "{key} at {node}"
                );
            }
        }
    }
}

pub(crate) fn keys_of(writer: usize) -> impl Iterator<Item = String> {
    (0..KEYS_OF_A_WRITER).map(move |key| format!("writer {writer} key {key}"))
}

fn number(value: &Bytes) -> u64 {
    std::str::from_utf8(value).unwrap().parse().unwrap()
}

/// A client of all nodes, which begins with another one than the others.
pub(crate) fn patient_client(cluster: &Cluster, number: usize) -> Client {
    let mut addresses: Vec<String> = cluster.nodes().map(|node| cluster.address(node)).collect();
    let first = number % addresses.len();
    addresses.rotate_left(first);
    let timeout = Duration::from_secs(20);
    Client::new(addresses, ClientOptions { timeout, ..ClientOptions::new() })
}

async fn write(
    mut client: Client,
    writer: usize,
    stop: Arc<AtomicBool>,
    acknowledged: Arc<BTreeMap<String, AtomicU64>>,
) -> u64 {
    let mut count = 0;
    let mut value = 0;
    while !stop.load(Ordering::SeqCst) {
        value += 1;
        for key in keys_of(writer) {
            client.put(key.clone(), value.to_string()).await.unwrap();
            acknowledged[&key].store(value, Ordering::SeqCst);
            count += 1;
        }
    }
    count
}

async fn read(
    mut client: Client,
    stop: Arc<AtomicBool>,
    acknowledged: Arc<BTreeMap<String, AtomicU64>>,
) -> u64 {
    let mut seen: BTreeMap<&String, u64> = BTreeMap::new();
    let mut count = 0;
    while !stop.load(Ordering::SeqCst) {
        for (key, value) in acknowledged.iter() {
            let least = value.load(Ordering::SeqCst).max(seen.get(key).copied().unwrap_or(0));
            let found = client.get(key.clone()).await.unwrap().found;
            let found = found.map_or(0, |found| number(&found.value));
            assert!(found >= least, "{key} held {least} before, and now {found}");
            seen.insert(key, found);
            count += 1;
        }
    }
    count
}

pub(crate) async fn add_group(cluster: &Cluster) -> u32 {
    operator(cluster).add_group().await.unwrap()
}

/// A client that waits for changes of the cluster.
pub(crate) fn operator(cluster: &Cluster) -> Client {
    let options = ClientOptions {
        timeout: Duration::from_secs(30),
        attempt_timeout: Duration::from_secs(30),
        follow_leader: true,
        ..ClientOptions::new()
    };
    let addresses = cluster.running().map(|node| cluster.address(node)).collect();
    Client::new(addresses, options)
}

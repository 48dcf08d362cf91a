//! A cluster in this process.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use proto::client::{Client, ClientOptions};
use server::ServerError;
use server::bug::Bugs;
use server::config::Mode;
use server::driver::NodeHandle;
use server::types::{GroupId, Role};
use server::{Limits, Server, ServerConfig, Settings, Storage};
use tempfile::TempDir;
use tonic::transport::Channel;

use crate::eventually::eventually;

/// Some nodes, some of them running.
pub(crate) struct Cluster {
    #[cfg_attr(not(feature = "rocksdb"), expect(dead_code, reason = "nothing is on disk"))]
    directory: TempDir,
    mode: Mode,
    storage: Kind,
    limits: Limits,
    shards: u32,
    addresses: BTreeMap<u64, SocketAddr>,
    running: BTreeMap<u64, Server>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Memory,
    #[cfg(feature = "rocksdb")]
    Rocksdb,
}

impl Cluster {
    pub(crate) async fn start(nodes: u64, storage: Kind) -> Cluster {
        Cluster::start_with_limits(nodes, storage, Limits::STANDARD).await
    }

    pub(crate) async fn start_with_limits(nodes: u64, storage: Kind, limits: Limits) -> Cluster {
        Cluster::start_all(nodes, storage, limits, 1, |config| config).await
    }

    /// One node in mode single, or three that are replicated.
    pub(crate) async fn start_mode(mode: Mode, storage: Kind, limits: Limits) -> Cluster {
        let mut cluster = match mode {
            Mode::Single => Cluster::unstarted(1, storage, limits, 1),
            Mode::Replicated => Cluster::unstarted(3, storage, limits, 1),
        };
        cluster.0.mode = mode;
        Cluster::start_on(cluster, |config| config).await
    }

    /// With configurations that are not the ordinary ones.
    pub(crate) async fn start_with(
        nodes: u64,
        storage: Kind,
        change: impl Fn(ServerConfig) -> ServerConfig,
    ) -> Cluster {
        Cluster::start_all(nodes, storage, Limits::STANDARD, 1, change).await
    }

    pub(crate) async fn start_sharded(nodes: u64, storage: Kind, shards: u32) -> Cluster {
        Cluster::start_all(nodes, storage, Limits::STANDARD, shards, |config| config).await
    }

    /// Several groups, with configurations that are not the ordinary ones.
    pub(crate) async fn start_sharded_with(
        nodes: u64,
        storage: Kind,
        shards: u32,
        change: impl Fn(ServerConfig) -> ServerConfig,
    ) -> Cluster {
        Cluster::start_all(nodes, storage, Limits::STANDARD, shards, change).await
    }

    async fn start_all(
        nodes: u64,
        storage: Kind,
        limits: Limits,
        shards: u32,
        change: impl Fn(ServerConfig) -> ServerConfig,
    ) -> Cluster {
        Cluster::start_on(Cluster::unstarted(nodes, storage, limits, shards), change).await
    }

    fn unstarted(
        nodes: u64,
        storage: Kind,
        limits: Limits,
        shards: u32,
    ) -> (Cluster, BTreeMap<u64, TcpListener>) {
        let listeners: BTreeMap<u64, TcpListener> =
            (1..=nodes).map(|node| (node, TcpListener::bind("127.0.0.1:0").unwrap())).collect();
        let addresses =
            listeners.iter().map(|(node, it)| (*node, it.local_addr().unwrap())).collect();
        let directory = tempfile::tempdir().unwrap();
        let running = BTreeMap::new();
        let mode = Mode::Replicated;
        let cluster = Cluster { directory, mode, storage, limits, shards, addresses, running };
        (cluster, listeners)
    }

    async fn start_on(
        (mut cluster, listeners): (Cluster, BTreeMap<u64, TcpListener>),
        change: impl Fn(ServerConfig) -> ServerConfig,
    ) -> Cluster {
        for (node, listener) in listeners {
            let server = Server::start_on(change(cluster.config(node)), listener).await.unwrap();
            cluster.running.insert(node, server);
        }
        for group in 0..cluster.shards {
            cluster.leader_of(GroupId(group)).await;
        }
        cluster
    }

    pub(crate) fn config(&self, node: u64) -> ServerConfig {
        let settings = Settings {
            node: Some(node),
            listen: Some(self.addresses[&node]),
            ..Settings::default()
        };
        let address =
            |(node, address): (&u64, &SocketAddr)| (node.to_string(), address.to_string());
        let peers = self.addresses.iter().map(address).collect();
        let config = Settings { peers, ..settings }.resolve(Bugs::NONE).unwrap();
        ServerConfig {
            cluster: "test".to_owned(),
            mode: self.mode,
            shards: self.shards,
            storage: match self.storage {
                Kind::Memory => Storage::Memory,
                #[cfg(feature = "rocksdb")]
                Kind::Rocksdb => {
                    Storage::Rocksdb { data: self.directory.path().join(node.to_string()) }
                }
            },
            tick: Duration::from_millis(20),
            election_ticks: 15,
            limits: self.limits,
            ..config
        }
    }

    pub(crate) fn nodes(&self) -> impl Iterator<Item = u64> {
        self.addresses.keys().copied()
    }

    /// The nodes that run.
    pub(crate) fn running(&self) -> impl Iterator<Item = u64> {
        self.running.keys().copied()
    }

    pub(crate) fn server(&self, node: u64) -> &Server {
        &self.running[&node]
    }

    pub(crate) fn address(&self, node: u64) -> String {
        self.addresses[&node].to_string()
    }

    /// The way to a running node from within the process.
    pub(crate) fn handle(&self, node: u64) -> NodeHandle {
        self.running[&node].node()
    }

    /// A client of one node.
    pub(crate) fn client(&self, node: u64) -> Client {
        Client::new(vec![self.address(node)], ClientOptions::new())
    }

    /// A client of one node that tries everything once.
    pub(crate) fn impatient_client(&self, node: u64) -> Client {
        let options = ClientOptions::single_attempt(Duration::from_secs(3));
        Client::new(vec![self.address(node)], options)
    }

    /// A bare connection to one node.
    pub(crate) async fn channel(&self, node: u64) -> Channel {
        let address = format!("http://{}", self.address(node));
        Channel::from_shared(address).unwrap().connect().await.unwrap()
    }

    /// The node that leads the first group and that all running nodes follow.
    pub(crate) async fn leader(&self) -> u64 {
        self.leader_of(GroupId(0)).await
    }

    /// The node that leads a group and that all running nodes with a replica of it follow.
    pub(crate) async fn leader_of(&self, group: GroupId) -> u64 {
        eventually("the nodes agree on a leader", async || {
            let mut leaders = Vec::new();
            for server in self.running.values() {
                if let Some(status) = server.node().status(group) {
                    leaders.push(status.leader?);
                }
            }
            let first = *leaders.first()?;
            let agreed = leaders.iter().all(|leader| *leader == first);
            (agreed && self.running.contains_key(&first.0)).then_some(first.0)
        })
        .await
    }

    /// A node that leads the first group, whatever the others know of it: those that were removed,
    /// for instance.
    pub(crate) async fn acting_leader(&self) -> u64 {
        eventually("a node leads", async || {
            let leads = |(node, server): (&u64, &Server)| {
                let seen = server.node().leadership(GroupId(0))?;
                (seen.role == Role::Leader).then_some((seen.term, *node))
            };
            self.running.iter().filter_map(leads).max().map(|(_, node)| node)
        })
        .await
    }

    /// The groups with a replica on a node that runs.
    pub(crate) fn groups_of(&self, node: u64) -> Vec<GroupId> {
        self.running[&node].node().groups()
    }

    /// A node that runs and does not lead.
    pub(crate) async fn follower(&self) -> u64 {
        let leader = self.leader().await;
        *self.running.keys().find(|node| **node != leader).unwrap()
    }

    pub(crate) async fn stop(&mut self, node: u64) {
        self.running.remove(&node).unwrap().shutdown().await;
    }

    /// Stops a node that will not come back.
    pub(crate) async fn forget(&mut self, node: u64) {
        self.stop(node).await;
        self.addresses.remove(&node);
    }

    /// Starts one more node, which waits to be added.
    pub(crate) async fn join(&mut self, node: u64, change: impl Fn(ServerConfig) -> ServerConfig) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        self.addresses.insert(node, listener.local_addr().unwrap());
        let config = ServerConfig { join: true, ..change(self.config(node)) };
        self.running.insert(node, Server::start_on(config, listener).await.unwrap());
    }

    /// Starts a node that is empty, and waits to be added.
    pub(crate) async fn start_joining(
        &mut self,
        node: u64,
        change: impl Fn(ServerConfig) -> ServerConfig,
    ) {
        let config = ServerConfig { join: true, ..change(self.config(node)) };
        self.running.insert(node, Server::start(config).await.unwrap());
    }

    /// Starts one more node, which is empty and waits to be added.
    pub(crate) async fn start_new(&mut self, node: u64) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        self.addresses.insert(node, listener.local_addr().unwrap());
        let config = ServerConfig { join: true, ..self.config(node) };
        self.running.insert(node, Server::start_on(config, listener).await.unwrap());
    }

    /// Of nodes that start from now on.
    #[cfg(feature = "rocksdb")]
    pub(crate) fn set_mode(&mut self, mode: Mode) {
        self.mode = mode;
    }

    /// Stops all nodes, and starts them again as before.
    pub(crate) async fn restart_all(&mut self) {
        for node in self.addresses.keys().copied().collect::<Vec<_>>() {
            self.stop(node).await;
        }
        for node in self.addresses.keys().copied().collect::<Vec<_>>() {
            self.restart(node).await;
        }
        self.leader().await;
    }

    /// Removes what a node that is stopped has on disk.
    pub(crate) fn wipe(&self, node: u64) {
        match self.config(node).storage {
            Storage::Memory => {}
            Storage::Rocksdb { data } => std::fs::remove_dir_all(data).unwrap(),
        }
    }

    pub(crate) async fn restart(&mut self, node: u64) {
        self.restart_with(node, |config| config).await;
    }

    pub(crate) async fn restart_with(
        &mut self,
        node: u64,
        change: impl Fn(ServerConfig) -> ServerConfig,
    ) {
        let config = change(self.config(node));
        // While the node was down, its port may have gone to an outgoing connection of another test.
        let server = eventually("the node's port is free", async || {
            match Server::start(config.clone()).await {
                Err(ServerError::Listen { .. }) => None,
                started => Some(started.unwrap()),
            }
        })
        .await;
        self.running.insert(node, server);
    }
}

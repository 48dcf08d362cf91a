//! The ways to all peers.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use raft::eraftpb;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, Endpoint};

use crate::driver::{OutgoingSnapshot, PeerSender, SentSnapshot};
use crate::metrics::Metrics;
use crate::types::{GroupId, NodeId};

use super::credentials::PeerCredentials;
use super::directory::Advertised;
use super::peer_link::{self, LinkConfig, LinkQueue};
use super::snapshot_sender::{PeerEndpoints, SnapshotSender};
use super::transfer::{Transfer, TransferOptions};
use super::transfer_counts::TransferCounts;

/// Who the peers are.
#[derive(Debug, Clone)]
pub struct PeersConfig {
    /// This node.
    pub node: NodeId,
    /// The cluster's name.
    pub cluster: String,
    /// The address, `host:port`, of the nodes that are known at the start; this one may be among
    /// them. Others become known as they join groups.
    pub peers: BTreeMap<NodeId, String>,
    /// What this node shows its peers.
    pub credentials: PeerCredentials,
    /// Where clients find this node, which its peers are told.
    pub advertised: Advertised,
    /// The groups that the cluster began with, which its peers are told.
    pub shards: u32,
    /// What is counted and measured.
    pub metrics: Arc<Metrics>,
}

/// A peer cannot be reached ever.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// Its address makes no sense.
    #[error(
        "use the address {address:?} of node {node}: {source}\n\
             hint: addresses look like 10.0.0.1:7001 or host.name:7001"
    )]
    Address {
        /// The peer.
        node: NodeId,
        /// Its address.
        address: String,
        /// What is wrong with it.
        source: tonic::transport::Error,
    },
}

/// The queues of messages to the peers. Owned by the core thread; when it is dropped, the streams
/// and the transfers of snapshots end.
#[derive(Debug)]
pub struct PeerLinks {
    config: PeersConfig,
    queues: BTreeMap<NodeId, Link>,
    connections: PeerConnections,
    snapshots: SnapshotSender,
    runtime: Handle,
}

/// The way to one peer.
#[derive(Debug)]
struct Link {
    address: String,
    queue: LinkQueue,
}

/// Who the peers are now, and the connections to those that are connected, for requests that are
/// forwarded. Cheap to clone.
#[derive(Debug, Clone)]
pub struct PeerConnections {
    peers: Arc<RwLock<BTreeMap<NodeId, Peer>>>,
    credentials: PeerCredentials,
}

#[derive(Debug)]
struct Peer {
    address: String,
    channel: watch::Receiver<Option<Channel>>,
}

impl PeerLinks {
    /// Starts a task for each peer, on the current tokio runtime.
    pub fn start(
        config: PeersConfig,
        counts: Arc<TransferCounts>,
    ) -> Result<(PeerLinks, PeerConnections), TransportError> {
        let connections =
            PeerConnections { peers: Arc::default(), credentials: config.credentials.clone() };
        let (node, cluster) = (config.node, config.cluster.clone());
        let endpoints = Arc::new(connections.clone());
        let options = TransferOptions::STANDARD;
        let mut links = PeerLinks {
            snapshots: SnapshotSender::new(node, cluster, endpoints, options, counts),
            connections: connections.clone(),
            queues: BTreeMap::new(),
            runtime: Handle::current(),
            config,
        };
        for (peer, address) in links.config.peers.clone() {
            links.connect(peer, &address)?;
        }
        Ok((links, connections))
    }

    /// Opens the way to a peer, instead of the one to another address if there is one.
    fn connect(&mut self, peer: NodeId, address: &str) -> Result<(), TransportError> {
        if peer == self.config.node {
            return Ok(());
        }
        let link = LinkConfig {
            cluster: self.config.cluster.clone(),
            from: self.config.node,
            to: peer,
            address: address.to_owned(),
            credentials: self.config.credentials.clone(),
            advertised: self.config.advertised.clone(),
            shards: self.config.shards,
            metrics: self.config.metrics.peer(peer),
        };
        let _runtime = self.runtime.enter();
        let (queue, channel) = peer_link::start(link).map_err(|source| {
            TransportError::Address { node: peer, address: address.to_owned(), source }
        })?;
        self.queues.insert(peer, Link { address: address.to_owned(), queue });
        self.connections.insert(peer, Peer { address: address.to_owned(), channel });
        Ok(())
    }
}

impl PeerSender for PeerLinks {
    fn send(&mut self, group: GroupId, message: eraftpb::Message) -> bool {
        match self.queues.get_mut(&NodeId(message.to)) {
            Some(link) => link.queue.send(group, message),
            None => false,
        }
    }

    fn send_snapshot(&mut self, snapshot: OutgoingSnapshot, done: SentSnapshot) {
        let OutgoingSnapshot { group, to, message, source } = snapshot;
        let metrics = Arc::clone(&self.config.metrics);
        self.snapshots.send(Transfer { to, group, message, source }, move |end| {
            match &end {
                Ok(()) => metrics.snapshots_sent.increment(),
                Err(_) => metrics.snapshots_failed.increment(),
            }
            done(end.is_ok());
        });
    }

    fn members(&mut self, addresses: &BTreeMap<u64, String>) {
        for (&node, address) in addresses {
            let known = self.queues.get(&NodeId(node));
            if address.is_empty() || known.is_some_and(|link| link.address == *address) {
                continue;
            }
            if let Err(error) = self.connect(NodeId(node), address) {
                tracing::warn!("{error}");
            }
        }
    }
}

impl PeerConnections {
    /// The connection to a peer, if there is one now.
    pub fn get(&self, peer: NodeId) -> Option<Channel> {
        self.read().get(&peer)?.channel.borrow().clone()
    }

    /// Is this node known to be one of the cluster?
    pub fn knows(&self, peer: NodeId) -> bool {
        self.read().contains_key(&peer)
    }

    /// What shows in a request that it comes from a node of the cluster, if anything has to.
    pub fn authorization(&self) -> Option<MetadataValue<Ascii>> {
        self.credentials.authorization()
    }

    fn insert(&self, node: NodeId, peer: Peer) {
        self.peers.write().unwrap_or_else(PoisonError::into_inner).insert(node, peer);
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<NodeId, Peer>> {
        self.peers.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PeerEndpoints for PeerConnections {
    fn endpoint(&self, peer: NodeId) -> Option<Endpoint> {
        let address = self.read().get(&peer)?.address.clone();
        match peer_link::endpoint(&self.credentials, &address) {
            Ok(endpoint) => Some(endpoint),
            Err(error) => {
                tracing::warn!(peer = peer.0, "use the address {address:?}: {error}");
                None
            }
        }
    }

    fn credentials(&self) -> PeerCredentials {
        self.credentials.clone()
    }
}

//! The ways to all peers.

use std::collections::BTreeMap;
use std::sync::Arc;

use raft::eraftpb;
use tokio::sync::watch;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;

use crate::driver::PeerSender;
use crate::metrics::Metrics;
use crate::types::{GroupId, NodeId};

use super::credentials::PeerCredentials;
use super::directory::Advertised;
use super::peer_link::{self, LinkConfig, LinkQueue};

/// Who the peers are.
#[derive(Debug, Clone)]
pub struct PeersConfig {
    /// This node.
    pub node: NodeId,
    /// The cluster's name.
    pub cluster: String,
    /// The address, `host:port`, of every node; this one may be among them.
    pub peers: BTreeMap<NodeId, String>,
    /// What this node shows its peers.
    pub credentials: PeerCredentials,
    /// Where clients find this node, which its peers are told.
    pub advertised: Advertised,
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
/// end.
#[derive(Debug)]
pub struct PeerLinks {
    queues: BTreeMap<NodeId, LinkQueue>,
}

/// The connections to those peers that are connected, for requests that are forwarded.
#[derive(Debug, Clone)]
pub struct PeerConnections {
    channels: Arc<BTreeMap<NodeId, watch::Receiver<Option<Channel>>>>,
    credentials: PeerCredentials,
}

impl PeerLinks {
    /// Starts a task for each peer, on the current tokio runtime.
    pub fn start(config: PeersConfig) -> Result<(PeerLinks, PeerConnections), TransportError> {
        let mut queues = BTreeMap::new();
        let mut channels = BTreeMap::new();
        for (peer, address) in config.peers {
            if peer == config.node {
                continue;
            }
            let link = LinkConfig {
                cluster: config.cluster.clone(),
                from: config.node,
                to: peer,
                address: address.clone(),
                credentials: config.credentials.clone(),
                advertised: config.advertised.clone(),
                metrics: config.metrics.peer(peer),
            };
            let (queue, channel) = peer_link::start(link)
                .map_err(|source| TransportError::Address { node: peer, address, source })?;
            queues.insert(peer, queue);
            channels.insert(peer, channel);
        }
        let connections =
            PeerConnections { channels: Arc::new(channels), credentials: config.credentials };
        Ok((PeerLinks { queues }, connections))
    }
}

impl PeerSender for PeerLinks {
    fn send(&mut self, group: GroupId, message: eraftpb::Message) -> bool {
        match self.queues.get_mut(&NodeId(message.to)) {
            Some(queue) => queue.send(group, message),
            None => false,
        }
    }
}

impl PeerConnections {
    /// The connection to a peer, if there is one now.
    pub fn get(&self, peer: NodeId) -> Option<Channel> {
        self.channels.get(&peer)?.borrow().clone()
    }

    /// What shows in a request that it comes from a node of the cluster, if anything has to.
    pub fn authorization(&self) -> Option<MetadataValue<Ascii>> {
        self.credentials.authorization()
    }
}

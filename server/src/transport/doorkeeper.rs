//! Decides who may open a stream to this node.

use std::sync::Arc;

use proto::raft::Handshake;
use tonic::Status;

use crate::metrics::{Metrics, Refused};
use crate::security::RefusalLog;
use crate::types::NodeId;

use super::PEER_FORMAT;
use super::directory::{Advertised, Directory};
use super::peer_links::PeerConnections;

/// Whose streams are taken, and what is told of them.
#[derive(Debug)]
pub struct PeerServiceConfig {
    /// This node.
    pub node: NodeId,
    /// The cluster's name.
    pub cluster: String,
    /// The nodes of the cluster.
    pub peers: PeerConnections,
    /// Learns where clients find the peers.
    pub directory: Directory,
    /// The groups that this node's cluster began with.
    pub shards: u32,
    /// Counts refusals.
    pub metrics: Arc<Metrics>,
    /// Logs them.
    pub refusals: Arc<RefusalLog>,
}

/// Admits the peers of this node, and nobody else.
#[derive(Debug)]
pub(super) struct Doorkeeper(PeerServiceConfig);

impl Doorkeeper {
    pub(super) fn new(config: PeerServiceConfig) -> Doorkeeper {
        Doorkeeper(config)
    }

    /// The sender of a stream that begins so, if we take anything from it.
    pub(super) fn admit(&self, first: Option<Handshake>) -> Result<NodeId, Status> {
        let Some(handshake) = first else {
            return Err(self.refuse("the stream does not begin with a handshake".to_owned()));
        };
        let Handshake { format, cluster, from, to, client_address, http_address, shards } =
            handshake;
        if format != PEER_FORMAT {
            return Err(self.refuse(format!(
                "node {from} speaks peer protocol {format}, and this node speaks {PEER_FORMAT}"
            )));
        }
        if cluster != self.0.cluster {
            return Err(self.refuse(format!(
                "node {from} belongs to cluster {cluster:?}, and this node to {:?}",
                self.0.cluster
            )));
        }
        if to != self.0.node.0 {
            return Err(self
                .refuse(format!("node {from} looks for node {to}, and this is {}", self.0.node)));
        }
        if !self.0.peers.knows(NodeId(from)) || from == to {
            return Err(self.refuse(format!("node {from} is not a peer of node {to}")));
        }
        // One that does not say has no keys to bring to the wrong group.
        if shards != 0 && shards != self.0.shards {
            return Err(self.refuse(format!(
                "node {from} was started with {shards} shards, and node {to} with {}; hint: start \
                 all nodes of a cluster with the same --shards",
                self.0.shards
            )));
        }
        let advertised = Advertised { client: client_address, http: http_address };
        self.0.directory.learn(NodeId(from), advertised);
        Ok(NodeId(from))
    }

    /// Counts it, and logs each kind of refusal once.
    pub(super) fn refuse(&self, reason: String) -> Status {
        self.0.metrics.refused(Refused::Peer);
        self.0.refusals.warn("peer", &reason);
        Status::failed_precondition(reason)
    }
}

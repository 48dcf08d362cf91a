//! Decides who may open a stream to this node.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use proto::raft::Handshake;
use tonic::Status;

use crate::config::Mode;
use crate::founders::{Greeting, MeetError};
use crate::metrics::{Metrics, Refused};
use crate::security::RefusalLog;
use crate::types::NodeId;

use super::PEER_FORMAT;
use super::directory::{Advertised, Directory};
use super::introduction::{Introduction, greeting};
use super::peer_links::PeerConnections;

/// Whose streams are taken, and what is told of them.
#[derive(Debug)]
pub struct PeerServiceConfig {
    /// This node.
    pub introduction: Introduction,
    /// The nodes of the cluster.
    pub peers: PeerConnections,
    /// Learns where clients find the peers.
    pub directory: Directory,
    /// Counts refusals.
    pub metrics: Arc<Metrics>,
    /// Logs them.
    pub refusals: Arc<RefusalLog>,
}

/// Admits the peers of this node, and nobody else.
#[derive(Debug)]
pub(super) struct Doorkeeper {
    config: PeerServiceConfig,
    /// The incarnation of each peer that was admitted last.
    admitted: RwLock<BTreeMap<NodeId, u64>>,
}

impl Doorkeeper {
    pub(super) fn new(config: PeerServiceConfig) -> Doorkeeper {
        Doorkeeper { config, admitted: RwLock::default() }
    }

    /// Who this node is.
    pub(super) fn introduction(&self) -> &Introduction {
        &self.config.introduction
    }

    /// The sender of a stream that begins so, if we take anything from it. It is on the record then.
    pub(super) async fn admit(&self, first: Option<Handshake>) -> Result<Greeting, Status> {
        let Some(handshake) = first else {
            return Err(self.refuse("the stream does not begin with a handshake".to_owned()));
        };
        self.check(&handshake).map_err(|reason| self.refuse(reason))?;
        let Some(peer) = greeting(&handshake) else {
            let from = handshake.from;
            return Err(self.refuse(format!("node {from} does not say which data it has")));
        };
        let founders = Arc::clone(&self.config.introduction.founders);
        let heard = tokio::task::spawn_blocking(move || founders.hear(peer)).await;
        match heard {
            Ok(Ok(())) => {}
            Ok(Err(error @ MeetError::Keep { .. })) => {
                tracing::error!("{error}");
                return Err(Status::internal(error.to_string()));
            }
            Ok(Err(error)) => return Err(self.refuse(error.to_string())),
            Err(error) => return Err(Status::internal(error.to_string())),
        }
        let Handshake { client_address, http_address, .. } = handshake;
        let advertised = Advertised { client: client_address, http: http_address };
        self.config.directory.learn(peer.node, advertised);
        let mut admitted = self.admitted.write().unwrap_or_else(PoisonError::into_inner);
        admitted.insert(peer.node, peer.incarnation);
        Ok(peer)
    }

    fn check(&self, handshake: &Handshake) -> Result<(), String> {
        let Handshake { format, cluster, from, to, storage, shards, .. } = handshake;
        let Introduction { node, cluster: own_cluster, storage: own_storage, .. } =
            self.introduction();
        if *format != PEER_FORMAT {
            return Err(format!(
                "node {from} speaks peer protocol {format}, and this node speaks {PEER_FORMAT}"
            ));
        }
        if cluster != own_cluster {
            return Err(format!(
                "node {from} belongs to cluster {cluster:?}, and this node to {own_cluster:?}"
            ));
        }
        if *to != node.0 {
            return Err(format!("node {from} looks for node {to}, and this is {node}"));
        }
        if self.introduction().mode == Mode::Single {
            return Err(format!("node {from} looks for a peer, and node {to} is in mode single"));
        }
        if !self.config.peers.knows(NodeId(*from)) || from == to {
            return Err(format!("node {from} is not a peer of node {to}"));
        }
        let own_shards = self.introduction().shards;
        // One that does not say has no keys to bring to the wrong group.
        if *shards != 0 && *shards != own_shards {
            return Err(format!(
                "node {from} was started with {shards} shards, and node {to} with {own_shards}\n\
                 hint: start all nodes of a cluster with the same --shards"
            ));
        }
        if storage != own_storage {
            return Err(format!(
                "node {from} has storage {storage:?}, and this node {own_storage:?}\n\
                 hint: all nodes of a cluster have the same --storage, or none could take a \
                 snapshot of another"
            ));
        }
        Ok(())
    }

    /// Is this still who was admitted last under its name? What a node sent before it lost its data
    /// must not arrive after it has come back without.
    pub(super) fn is_current(&self, peer: Greeting) -> bool {
        let admitted = self.admitted.read().unwrap_or_else(PoisonError::into_inner);
        admitted.get(&peer.node) == Some(&peer.incarnation)
    }

    /// Counts it, and logs each kind of refusal once.
    pub(super) fn refuse(&self, reason: String) -> Status {
        self.config.metrics.refused(Refused::Peer);
        self.config.refusals.warn("peer", &reason);
        Status::failed_precondition(reason)
    }
}

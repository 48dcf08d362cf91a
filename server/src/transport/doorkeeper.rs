//! Decides who may open a stream to this node.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use proto::raft::Handshake;
use tonic::Status;

use crate::types::NodeId;

use super::PEER_FORMAT;

/// Different refusals that are logged; a cluster that is set up wrong repeats a few for ever.
const LOGGED_REFUSALS_MAX: usize = 64;

/// Admits the peers of this node, and nobody else.
#[derive(Debug)]
pub(super) struct Doorkeeper {
    node: NodeId,
    cluster: String,
    voters: BTreeSet<NodeId>,
    refusals: Mutex<BTreeSet<String>>,
}

impl Doorkeeper {
    pub(super) fn new(node: NodeId, cluster: String, voters: BTreeSet<NodeId>) -> Doorkeeper {
        Doorkeeper { node, cluster, voters, refusals: Mutex::new(BTreeSet::new()) }
    }

    /// The sender of a stream that begins so, if we take anything from it.
    pub(super) fn admit(&self, first: Option<Handshake>) -> Result<NodeId, Status> {
        let Some(Handshake { format, cluster, from, to }) = first else {
            return Err(self.refuse("the stream does not begin with a handshake".to_owned()));
        };
        if format != PEER_FORMAT {
            return Err(self.refuse(format!(
                "node {from} speaks peer protocol {format}, and this node speaks {PEER_FORMAT}"
            )));
        }
        if cluster != self.cluster {
            return Err(self.refuse(format!(
                "node {from} belongs to cluster {cluster:?}, and this node to {:?}",
                self.cluster
            )));
        }
        if to != self.node.0 {
            return Err(
                self.refuse(format!("node {from} looks for node {to}, and this is {}", self.node))
            );
        }
        if !self.voters.contains(&NodeId(from)) || from == to {
            return Err(self.refuse(format!("node {from} is not a peer of node {to}")));
        }
        Ok(NodeId(from))
    }

    /// Logs each kind of refusal once.
    pub(super) fn refuse(&self, reason: String) -> Status {
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        if refusals.len() < LOGGED_REFUSALS_MAX && refusals.insert(reason.clone()) {
            tracing::warn!("refused a peer's stream: {reason}");
        }
        Status::failed_precondition(reason)
    }
}

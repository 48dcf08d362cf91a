//! The ways to the leaders of other nodes' requests: one pipeline to each node.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use proto::client::Pipeline;

use crate::transport::PeerConnections;
use crate::types::NodeId;

/// One stream of requests to each peer, opened when it is needed. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Forwarding {
    connections: PeerConnections,
    pipelines: Arc<Mutex<BTreeMap<NodeId, Pipeline>>>,
}

impl Forwarding {
    pub(super) fn new(connections: PeerConnections) -> Forwarding {
        Forwarding { connections, pipelines: Arc::default() }
    }

    /// The stream to a peer, if there is a connection to it. Must be called on a tokio runtime.
    pub(super) fn to(&self, peer: NodeId) -> Option<Pipeline> {
        // A map of handles is never left half changed.
        let mut pipelines = self.pipelines.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pipeline) = pipelines.get(&peer).filter(|pipeline| !pipeline.is_cut()) {
            return Some(pipeline.clone());
        }
        let pipeline =
            Pipeline::open(self.connections.get(peer)?, self.connections.authorization());
        pipelines.insert(peer, pipeline.clone());
        Some(pipeline)
    }
}

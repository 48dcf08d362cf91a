//! Receives the streams that peers open.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use proto::raft::peer_server::{Peer, PeerServer};
use proto::raft::{Batch, Frame, Handshake, StreamEnd, frame};
use protobuf::Message as _;
use raft::eraftpb;
use tokio::sync::watch;
use tonic::{Request, Response, Status, Streaming};

use crate::driver::NodeHandle;
use crate::types::NodeId;

use super::{FRAME_BYTES_MAX, PEER_FORMAT};

/// Different refusals that are logged; a cluster that is set up wrong repeats a few for ever.
const LOGGED_REFUSALS_MAX: usize = 64;

/// The receiving side of the peers' protocol.
#[derive(Debug)]
pub struct PeerService {
    node: NodeId,
    cluster: String,
    voters: BTreeSet<NodeId>,
    handle: NodeHandle,
    stopping: watch::Receiver<bool>,
    dropped: AtomicU64,
    refusals: Mutex<BTreeSet<String>>,
}

impl PeerService {
    /// Takes messages for this node from these peers.
    pub fn new(
        node: NodeId,
        cluster: String,
        voters: BTreeSet<NodeId>,
        handle: NodeHandle,
        stopping: watch::Receiver<bool>,
    ) -> PeerService {
        let dropped = AtomicU64::new(0);
        let refusals = Mutex::new(BTreeSet::new());
        PeerService { node, cluster, voters, handle, stopping, dropped, refusals }
    }

    /// As a gRPC service.
    pub fn into_server(self) -> PeerServer<PeerService> {
        PeerServer::new(self).max_decoding_message_size(FRAME_BYTES_MAX)
    }

    /// The sender of a stream, if we take messages from it.
    fn accept(&self, first: Option<Frame>) -> Result<NodeId, Status> {
        let Some(Frame { frame: Some(frame::Frame::Handshake(handshake)) }) = first else {
            return Err(self.refuse("the stream does not begin with a handshake".to_owned()));
        };
        let Handshake { format, cluster, from, to } = handshake;
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
    fn refuse(&self, reason: String) -> Status {
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        if refusals.len() < LOGGED_REFUSALS_MAX && refusals.insert(reason.clone()) {
            tracing::warn!("refused a peer's stream: {reason}");
        }
        Status::failed_precondition(reason)
    }

    fn deliver(&self, from: NodeId, batch: Batch) -> Result<(), Status> {
        for envelope in batch.envelopes {
            let message = eraftpb::Message::parse_from_bytes(&envelope.message)
                .map_err(|error| self.refuse(format!("node {from} sent garbage: {error}")))?;
            if message.from != from.0 || message.to != self.node.0 || envelope.group != 0 {
                return Err(self.refuse(format!(
                    "node {from} sent a message from {} to {} of group {}",
                    message.from, message.to, envelope.group
                )));
            }
            if !self.handle.deliver(message) {
                // Each power of two is logged, so that a flood of messages is no flood of lines.
                let dropped = self.dropped.fetch_add(1, Ordering::Relaxed) + 1;
                if dropped.is_power_of_two() {
                    tracing::warn!(dropped, "inbox full, peers' messages are dropped");
                }
            }
        }
        Ok(())
    }
}

#[tonic::async_trait]
impl Peer for PeerService {
    async fn stream(
        &self,
        request: Request<Streaming<Frame>>,
    ) -> Result<Response<StreamEnd>, Status> {
        let mut frames = request.into_inner();
        let mut stopping = self.stopping.clone();
        let from = self.accept(frames.message().await?)?;
        tracing::debug!(from = from.0, "peer connected");
        loop {
            let frame = tokio::select! {
                // An error means that the server is gone, which is a reason to stop too.
                _ = stopping.wait_for(|stopping| *stopping) => break,
                frame = frames.message() => frame?,
            };
            match frame {
                Some(Frame { frame: Some(frame::Frame::Batch(batch)) }) => {
                    self.deliver(from, batch)?;
                }
                Some(_) => return Err(self.refuse(format!("node {from} sent an odd frame"))),
                None => break,
            }
        }
        Ok(Response::new(StreamEnd {}))
    }

    type SnapshotStream =
        tokio_stream::wrappers::ReceiverStream<Result<proto::raft::SnapshotAnswer, Status>>;

    async fn snapshot(
        &self,
        _request: Request<Streaming<proto::raft::SnapshotFrame>>,
    ) -> Result<Response<Self::SnapshotStream>, Status> {
        Err(Status::unimplemented("snapshot"))
    }
}

//! Receives the streams that peers open.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use proto::raft::peer_server::{Peer, PeerServer};
use proto::raft::{Batch, Frame, Handshake, SnapshotFrame, StreamEnd, frame};
use tokio::sync::watch;
use tonic::{Request, Response, Status, Streaming};

use crate::driver::NodeHandle;
use crate::founders::{Greeting, Standing};
use crate::types::GroupId;

use super::FRAME_BYTES_MAX;
use super::doorkeeper::{Doorkeeper, PeerServiceConfig};
use super::message::read_message;
use super::snapshot_receiver::{SnapshotAnswers, SnapshotInbox, SnapshotReceiver};
use super::transfer_counts::TransferCounts;

/// The receiving side of the peers' protocol.
#[derive(Debug)]
pub struct PeerService {
    door: Arc<Doorkeeper>,
    handle: NodeHandle,
    stopping: watch::Receiver<bool>,
    dropped: AtomicU64,
    snapshots: Option<Arc<SnapshotReceiver>>,
}

impl PeerService {
    /// Takes messages for this node from these peers.
    pub fn new(
        config: PeerServiceConfig,
        handle: NodeHandle,
        stopping: watch::Receiver<bool>,
    ) -> PeerService {
        let dropped = AtomicU64::new(0);
        let door = Arc::new(Doorkeeper::new(config));
        PeerService { door, handle, stopping, dropped, snapshots: None }
    }

    /// Takes snapshots too, for those groups that the inbox knows.
    pub fn with_snapshots(
        mut self,
        inbox: Arc<dyn SnapshotInbox>,
        counts: Arc<TransferCounts>,
    ) -> PeerService {
        let (node, door) = (self.door.introduction().node, Arc::clone(&self.door));
        let receiver = SnapshotReceiver::new(node, door, inbox, self.stopping.clone(), counts);
        self.snapshots = Some(Arc::new(receiver));
        self
    }

    /// As a gRPC service.
    pub fn into_server(self) -> PeerServer<PeerService> {
        PeerServer::new(self).max_decoding_message_size(FRAME_BYTES_MAX)
    }

    fn deliver(&self, peer: Greeting, batch: Batch) -> Result<(), Status> {
        let (from, to) = (peer.node, self.door.introduction().node);
        if !self.door.is_current(peer) {
            return Err(self.door.refuse(format!("node {from} has come back with other data")));
        }
        for envelope in batch.envelopes {
            let message = read_message(from, to, &envelope.message)
                .map_err(|reason| self.door.refuse(format!("node {from} sent {reason}")))?;
            if !self.handle.deliver(GroupId(envelope.group), message) {
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
    async fn meet(&self, request: Request<Handshake>) -> Result<Response<Handshake>, Status> {
        let peer = self.door.admit(Some(request.into_inner())).await?;
        Ok(Response::new(self.door.introduction().to(peer.node)))
    }

    async fn stream(
        &self,
        request: Request<Streaming<Frame>>,
    ) -> Result<Response<StreamEnd>, Status> {
        let mut frames = request.into_inner();
        let mut stopping = self.stopping.clone();
        let handshake = match frames.message().await? {
            Some(Frame { frame: Some(frame::Frame::Handshake(handshake)) }) => Some(handshake),
            Some(_) | None => None,
        };
        let peer = self.door.admit(handshake).await?;
        let from = peer.node;
        if peer.standing == Standing::Gathering {
            return Err(self.door.refuse(format!("node {from} has not met all first members")));
        }
        tokio::select! {
            // An error means that the server is gone, which is a reason to stop too.
            _ = stopping.wait_for(|stopping| *stopping) => {
                return Ok(Response::new(StreamEnd {}));
            }
            () = self.door.introduction().founders.gathered() => {}
        }
        tracing::debug!(from = from.0, "peer connected");
        loop {
            let frame = tokio::select! {
                // An error means that the server is gone, which is a reason to stop too.
                _ = stopping.wait_for(|stopping| *stopping) => break,
                frame = frames.message() => frame?,
            };
            match frame {
                Some(Frame { frame: Some(frame::Frame::Batch(batch)) }) => {
                    self.deliver(peer, batch)?;
                }
                Some(_) => return Err(self.door.refuse(format!("node {from} sent an odd frame"))),
                None => break,
            }
        }
        Ok(Response::new(StreamEnd {}))
    }

    type SnapshotStream = SnapshotAnswers;

    async fn snapshot(
        &self,
        request: Request<Streaming<SnapshotFrame>>,
    ) -> Result<Response<Self::SnapshotStream>, Status> {
        match &self.snapshots {
            Some(receiver) => Ok(Response::new(Arc::clone(receiver).start(request.into_inner()))),
            None => Err(Status::unimplemented("this node takes no snapshots")),
        }
    }
}

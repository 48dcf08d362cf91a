//! Receives the snapshots that peers send.

use std::sync::Arc;
use std::time::Duration;

use proto::raft::{Handshake, SnapshotAnswer, SnapshotChunk, SnapshotFrame, SnapshotOffer};
use proto::raft::{SnapshotReceived, snapshot_answer, snapshot_frame};
use raft::eraftpb;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use crate::driver::NodeHandle;
use crate::snapshot::{FilePosition, ReceivedSnapshot, SnapshotError, SnapshotSink};
use crate::snapshot::{SnapshotMeta, SnapshotStaging};
use crate::types::{GroupId, NodeId};

use super::doorkeeper::Doorkeeper;
use super::snapshot_offer::{CHUNK_BYTES_MAX, read_offer, to_wire};
use super::transfer_counts::TransferCounts;

/// Snapshots, of different groups, that are received at once.
const INCOMING_MAX: usize = 4;
/// How long a sender may be silent, unless told otherwise.
const FRAME_TIMEOUT: Duration = Duration::from_secs(15);
/// Where to go on, and how it ended.
const ANSWERS_MAX: usize = 2;

/// What the sender hears.
pub(super) type SnapshotAnswers = ReceiverStream<Result<SnapshotAnswer, Status>>;

/// Where received snapshots go.
pub trait SnapshotInbox: std::fmt::Debug + Send + Sync + 'static {
    /// Where snapshots of a group are received; none if this node has no replica of it.
    fn staging(&self, group: GroupId) -> Option<Arc<dyn SnapshotStaging>>;

    /// Takes a snapshot that is here, whole and verified, with the Raft message that announced it.
    /// False if it cannot be taken now. Must not block.
    fn deliver(
        &self,
        group: GroupId,
        message: eraftpb::Message,
        received: ReceivedSnapshot,
    ) -> bool;
}

impl SnapshotInbox for NodeHandle {
    fn staging(&self, group: GroupId) -> Option<Arc<dyn SnapshotStaging>> {
        NodeHandle::staging(self, group)
    }

    fn deliver(
        &self,
        group: GroupId,
        message: eraftpb::Message,
        received: ReceivedSnapshot,
    ) -> bool {
        self.deliver_snapshot(group, message, received)
    }
}

/// The receiving side of transfers.
#[derive(Debug)]
pub(super) struct SnapshotReceiver {
    node: NodeId,
    door: Arc<Doorkeeper>,
    inbox: Arc<dyn SnapshotInbox>,
    stopping: watch::Receiver<bool>,
    incoming: Semaphore,
    /// How long a sender may be silent.
    pub(super) frame_timeout: Duration,
    counts: Arc<TransferCounts>,
}

impl SnapshotReceiver {
    pub(super) fn new(
        node: NodeId,
        door: Arc<Doorkeeper>,
        inbox: Arc<dyn SnapshotInbox>,
        stopping: watch::Receiver<bool>,
        counts: Arc<TransferCounts>,
    ) -> SnapshotReceiver {
        let incoming = Semaphore::new(INCOMING_MAX);
        let frame_timeout = FRAME_TIMEOUT;
        SnapshotReceiver { node, door, inbox, stopping, incoming, frame_timeout, counts }
    }

    /// Receives one snapshot in the background.
    pub(super) fn start(self: Arc<Self>, frames: Streaming<SnapshotFrame>) -> SnapshotAnswers {
        let (answers, stream) = mpsc::channel(ANSWERS_MAX);
        tokio::spawn(async move {
            let mut stopping = self.stopping.clone();
            let end = tokio::select! {
                // An error means that the server is gone, which is a reason to stop too.
                _ = stopping.wait_for(|stopping| *stopping) => {
                    Err(Status::unavailable("the node is shutting down"))
                }
                end = self.receive(frames, &answers) => end,
            };
            self.counts.count_receive_end(&end);
            let last = end.map(|()| answer(snapshot_answer::Answer::Received(SnapshotReceived {})));
            // A sender that has gone needs no answer.
            let _ = answers.try_send(last);
        });
        ReceiverStream::new(stream)
    }

    async fn receive(
        &self,
        mut frames: Streaming<SnapshotFrame>,
        answers: &mpsc::Sender<Result<SnapshotAnswer, Status>>,
    ) -> Result<(), Status> {
        let from = self.door.admit(handshake(self.next(&mut frames).await?)).await?.node;
        let Ok(_permit) = self.incoming.try_acquire() else {
            let reason = format!("{INCOMING_MAX} other snapshots are being received");
            return Err(Status::unavailable(reason));
        };
        let Some(snapshot_frame::Frame::Offer(offer)) = self.next(&mut frames).await? else {
            return Err(self.odd_frame(from));
        };
        let group = GroupId(offer.group);
        let (meta, message, staging) = self.examine(from, offer)?;
        let (index, bytes) = (meta.position.index.0, meta.bytes());
        let end = meta.end();
        let begun = blocking(move || staging.begin(meta)).await?;
        let mut sink = begun.map_err(|error| self.refusal(from, &error))?;
        let resume = to_wire(sink.position());
        tracing::info!(
            from = from.0,
            group = group.0,
            index,
            bytes,
            file = resume.file,
            offset = resume.offset,
            "receiving a snapshot"
        );
        let resume = answer(snapshot_answer::Answer::Resume(resume));
        if answers.try_send(Ok(resume)).is_err() {
            return Err(Status::cancelled("the sender has gone"));
        }
        while sink.position() != end {
            let Some(snapshot_frame::Frame::Chunk(chunk)) = self.next(&mut frames).await? else {
                return Err(self.odd_frame(from));
            };
            sink = self.take(from, sink, chunk).await?;
        }
        let finished = blocking(move || sink.finish()).await?;
        let received = finished.map_err(|error| self.refusal(from, &error))?;
        if !self.inbox.deliver(group, message, received) {
            return Err(Status::unavailable("this node cannot take the snapshot now"));
        }
        tracing::info!(from = from.0, group = group.0, index, bytes, "received a snapshot");
        Ok(())
    }

    /// Looks at an offer before anything is done about it.
    fn examine(
        &self,
        from: NodeId,
        offer: SnapshotOffer,
    ) -> Result<(SnapshotMeta, eraftpb::Message, Arc<dyn SnapshotStaging>), Status> {
        let group = GroupId(offer.group);
        let (meta, message) = read_offer(from, self.node, offer).map_err(|reason| {
            self.door.refuse(format!("node {from} offers a snapshot, and {reason}"))
        })?;
        let staging = self.inbox.staging(group).ok_or_else(|| {
            Status::not_found(format!("this node has no replica of group {}", group.0))
        })?;
        Ok((meta, message, staging))
    }

    async fn take(
        &self,
        from: NodeId,
        mut sink: Box<dyn SnapshotSink>,
        chunk: SnapshotChunk,
    ) -> Result<Box<dyn SnapshotSink>, Status> {
        let at = FilePosition { file: chunk.file as usize, offset: chunk.offset };
        let data = chunk.data;
        if data.len() > CHUNK_BYTES_MAX {
            let reason = format!("node {from} sent a chunk of {} bytes", data.len());
            return Err(self.door.refuse(reason));
        }
        if crc32c::crc32c(&data) != chunk.checksum {
            return Err(Status::data_loss(format!("the checksum of the chunk at {at} is wrong")));
        }
        self.counts.count_received_bytes(data.len());
        let written = blocking(move || sink.write(at, &data).map(|()| sink)).await?;
        written.map_err(|error| self.refusal(from, &error))
    }

    /// The next frame; an error if there is none in time, or no more.
    async fn next(
        &self,
        frames: &mut Streaming<SnapshotFrame>,
    ) -> Result<Option<snapshot_frame::Frame>, Status> {
        match tokio::time::timeout(self.frame_timeout, frames.message()).await {
            Err(_) => Err(Status::deadline_exceeded("the sender has fallen silent")),
            Ok(Ok(Some(frame))) => Ok(frame.frame),
            Ok(Ok(None)) => Err(Status::cancelled("the stream ended too early")),
            Ok(Err(status)) => Err(status),
        }
    }

    fn odd_frame(&self, from: NodeId) -> Status {
        self.door.refuse(format!("node {from} sent an odd frame in a snapshot"))
    }

    /// What the sender hears of an error: whether to try again.
    fn refusal(&self, from: NodeId, error: &SnapshotError) -> Status {
        match error {
            SnapshotError::Refused(_) | SnapshotError::OutOfOrder { .. } => {
                self.door.refuse(format!("a snapshot of node {from}: {error}"))
            }
            SnapshotError::Busy => Status::unavailable(error.to_string()),
            SnapshotError::Corrupt(_) => {
                tracing::warn!(from = from.0, "{error}");
                Status::data_loss(error.to_string())
            }
            SnapshotError::Io { .. }
            | SnapshotError::Engine { .. }
            | SnapshotError::Format { .. } => {
                tracing::error!(from = from.0, "receive a snapshot: {error}");
                Status::internal(error.to_string())
            }
        }
    }
}

fn answer(answer: snapshot_answer::Answer) -> SnapshotAnswer {
    SnapshotAnswer { answer: Some(answer) }
}

fn handshake(frame: Option<snapshot_frame::Frame>) -> Option<Handshake> {
    match frame {
        Some(snapshot_frame::Frame::Handshake(handshake)) => Some(handshake),
        Some(_) | None => None,
    }
}

/// Does something that waits for a disk.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Status> {
    let work = tokio::task::spawn_blocking(work);
    work.await.map_err(|error| Status::internal(format!("work on a snapshot: {error}")))
}

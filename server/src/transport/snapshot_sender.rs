//! Sends snapshots to peers.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use proto::raft::peer_client::PeerClient;
use proto::raft::{SnapshotAnswer, SnapshotChunk, SnapshotFrame};
use proto::raft::{snapshot_answer, snapshot_frame};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Endpoint;
use tonic::{Request, Streaming};

use crate::snapshot::{FilePosition, SnapshotMeta};
use crate::types::{GroupId, NodeId};

use super::credentials::PeerCredentials;
use super::introduction::Introduction;
use super::snapshot_offer::{CHUNK_BYTES_MAX, from_wire, offer};
use super::transfer::{Transfer, TransferError, TransferOptions};
use super::transfer_counts::TransferCounts;

/// Frames that may wait for the network: the handshake and the offer, then chunks.
const FRAMES_MAX: usize = 2;

/// Where peers are.
pub trait PeerEndpoints: std::fmt::Debug + Send + Sync + 'static {
    /// How to connect to a peer, with timeouts and keys; none if it is not known.
    fn endpoint(&self, peer: NodeId) -> Option<Endpoint>;

    /// What this node shows its peers; the endpoint has the part of it that is TLS.
    fn credentials(&self) -> PeerCredentials;
}

/// Sends snapshots in the background. When it is dropped, transfers end.
#[derive(Debug)]
pub struct SnapshotSender {
    shared: Arc<Shared>,
    runtime: Handle,
    alive: watch::Sender<()>,
}

#[derive(Debug)]
struct Shared {
    introduction: Introduction,
    endpoints: Arc<dyn PeerEndpoints>,
    options: TransferOptions,
    turns: Semaphore,
    /// Who is being sent a snapshot of which group.
    under_way: Mutex<BTreeSet<(NodeId, GroupId)>>,
    counts: Arc<TransferCounts>,
}

impl SnapshotSender {
    /// Sends from this node. Must be called on a tokio runtime.
    pub fn new(
        introduction: Introduction,
        endpoints: Arc<dyn PeerEndpoints>,
        options: TransferOptions,
        counts: Arc<TransferCounts>,
    ) -> SnapshotSender {
        let shared = Arc::new(Shared {
            introduction,
            endpoints,
            options,
            turns: Semaphore::new(options.transfers_max),
            under_way: Mutex::default(),
            counts,
        });
        SnapshotSender { shared, runtime: Handle::current(), alive: watch::Sender::new(()) }
    }

    /// Starts a transfer, from any thread, and calls `done` once when it ended, from another one.
    /// A snapshot of a group to a peer is not sent while another one is on its way.
    pub fn send(
        &self,
        transfer: Transfer,
        done: impl FnOnce(Result<(), TransferError>) + Send + 'static,
    ) {
        let shared = Arc::clone(&self.shared);
        let mut alive = self.alive.subscribe();
        self.runtime.spawn(async move {
            let end = tokio::select! {
                // Nothing is ever sent: it ends when the sender is dropped.
                _ = alive.changed() => Err(TransferError::Stopping),
                end = shared.transfer(&transfer) => end,
            };
            shared.counts.count_send_end(&end);
            let (to, group) = (transfer.to.0, transfer.group.0);
            let index = transfer.source.position().index.0;
            match &end {
                Ok(()) => tracing::info!(to, group, index, "sent a snapshot"),
                Err(error) => tracing::warn!(to, group, index, "send a snapshot: {error}"),
            }
            // The last holder of a snapshot may have to remove it.
            drop(tokio::task::spawn_blocking(move || drop(transfer)));
            done(end);
        });
    }
}

impl Shared {
    async fn transfer(&self, transfer: &Transfer) -> Result<(), TransferError> {
        let _entry = Entry::new(&self.under_way, (transfer.to, transfer.group))?;
        let limit = self.options.turn_timeout;
        let Ok(Ok(_turn)) = timeout(limit, self.turns.acquire()).await else {
            return Err(TransferError::NoTurn(limit));
        };
        let source = Arc::clone(&transfer.source);
        let meta = tokio::task::spawn_blocking(move || source.describe()).await??;
        let mut backoff = self.options.backoff_min;
        let mut attempt = 1;
        loop {
            let Err(error) = self.attempt(transfer, &meta).await else { return Ok(()) };
            if !error.is_transient() || attempt >= self.options.attempts_max {
                return Err(error);
            }
            let (to, group) = (transfer.to.0, transfer.group.0);
            tracing::debug!(to, group, attempt, "send a snapshot: {error}; trying again");
            tokio::time::sleep(backoff).await;
            backoff = (backoff * 2).min(self.options.backoff_max);
            attempt += 1;
        }
    }

    /// One connection, from the handshake to the last answer.
    async fn attempt(&self, transfer: &Transfer, meta: &SnapshotMeta) -> Result<(), TransferError> {
        let endpoint = self.endpoints.endpoint(transfer.to).ok_or(TransferError::NoAddress)?;
        let connected = self.in_time("connecting", endpoint.connect()).await?;
        let channel = connected.map_err(TransferError::Connect)?;
        let (frames, outgoing) = mpsc::channel(FRAMES_MAX);
        let handshake = self.introduction.to(transfer.to);
        let offer = offer(transfer.group, meta, &transfer.message);
        let greeting =
            [snapshot_frame::Frame::Handshake(handshake), snapshot_frame::Frame::Offer(offer)];
        for first in greeting {
            frames.try_send(frame(first)).expect("the channel is new and has room for both");
        }
        let mut client = PeerClient::new(channel);
        let mut request = Request::new(ReceiverStream::new(outgoing));
        self.endpoints.credentials().authorize(&mut request);
        let opened = client.snapshot(request);
        let mut answers = self.in_time("opening a stream", opened).await??.into_inner();
        let Some(snapshot_answer::Answer::Resume(resume)) = self.answer(&mut answers).await? else {
            return Err(TransferError::OddAnswer);
        };
        self.send_files(transfer, meta, from_wire(resume), &frames, &mut answers).await?;
        drop(frames);
        let limit = self.options.verify_timeout;
        match timeout(limit, answers.message()).await {
            Err(_) => Err(TransferError::Timeout { what: "verifying the snapshot", limit }),
            Ok(last) => match last?.and_then(|it| it.answer) {
                Some(snapshot_answer::Answer::Received(_)) => Ok(()),
                Some(snapshot_answer::Answer::Resume(_)) | None => Err(TransferError::OddAnswer),
            },
        }
    }

    async fn send_files(
        &self,
        transfer: &Transfer,
        meta: &SnapshotMeta,
        from: FilePosition,
        frames: &mpsc::Sender<SnapshotFrame>,
        answers: &mut Streaming<SnapshotAnswer>,
    ) -> Result<(), TransferError> {
        let mut pace = Pace { since: Instant::now(), bytes: 0 };
        let length = self.options.chunk_bytes.clamp(1, CHUNK_BYTES_MAX);
        let mut at = meta.next_byte(from);
        while at != meta.end() {
            pace.wait(self.options.bytes_per_second_max).await;
            let source = Arc::clone(&transfer.source);
            let data = tokio::task::spawn_blocking(move || source.read(at, length)).await??;
            let sent = data.len();
            let next = meta.next_byte(FilePosition { offset: at.offset + sent as u64, ..at });
            let chunk = SnapshotChunk {
                file: u32::try_from(at.file).expect("the receiver accepted fewer files"),
                offset: at.offset,
                checksum: crc32c::crc32c(&data),
                data,
            };
            tokio::select! {
                // The receiver says nothing before the last byte, unless something is wrong.
                early = answers.message() => {
                    early?;
                    return Err(TransferError::OddAnswer);
                }
                slot = self.in_time("sending a chunk", frames.reserve()) => match slot? {
                    Ok(slot) => slot.send(frame(snapshot_frame::Frame::Chunk(chunk))),
                    // The stream's body was dropped, so the answers say why.
                    Err(_) => {
                        self.answer(answers).await?;
                        return Err(TransferError::OddAnswer);
                    }
                },
            }
            self.counts.count_sent_bytes(sent);
            pace.bytes += sent as u64;
            at = next;
        }
        Ok(())
    }

    async fn answer(
        &self,
        answers: &mut Streaming<SnapshotAnswer>,
    ) -> Result<Option<snapshot_answer::Answer>, TransferError> {
        let answer = self.in_time("answering", answers.message()).await??;
        Ok(answer.and_then(|it| it.answer))
    }

    async fn in_time<F: Future>(
        &self,
        what: &'static str,
        step: F,
    ) -> Result<F::Output, TransferError> {
        let limit = self.options.step_timeout;
        timeout(limit, step).await.map_err(|_| TransferError::Timeout { what, limit })
    }
}

fn frame(frame: snapshot_frame::Frame) -> SnapshotFrame {
    SnapshotFrame { frame: Some(frame) }
}

/// A transfer among those that are under way.
struct Entry<'a> {
    all: &'a Mutex<BTreeSet<(NodeId, GroupId)>>,
    this: (NodeId, GroupId),
}

impl<'a> Entry<'a> {
    fn new(
        all: &'a Mutex<BTreeSet<(NodeId, GroupId)>>,
        this: (NodeId, GroupId),
    ) -> Result<Entry<'a>, TransferError> {
        let added = all.lock().unwrap_or_else(PoisonError::into_inner).insert(this);
        if added { Ok(Entry { all, this }) } else { Err(TransferError::UnderWay) }
    }
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.this);
    }
}

/// How fast bytes went since some moment.
struct Pace {
    since: Instant,
    bytes: u64,
}

impl Pace {
    /// Waits until the bytes so far are no more than the limit allows.
    async fn wait(&self, bytes_per_second_max: Option<u64>) {
        let Some(limit) = bytes_per_second_max else { return };
        let due = Duration::from_secs_f64(self.bytes as f64 / limit.max(1) as f64);
        tokio::time::sleep_until((self.since + due).into()).await;
    }
}

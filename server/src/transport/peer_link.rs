//! The way to one peer: a queue, and a task that keeps a stream open and sends what is queued.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use proto::raft::peer_client::PeerClient;
use proto::raft::{Batch, Envelope, Frame, Handshake, frame};
use protobuf::Message as _;
use raft::eraftpb;
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};

use crate::driver::message_bytes;
use crate::metrics::PeerMetrics;
use crate::types::{GroupId, NodeId};

use super::credentials::PeerCredentials;
use super::directory::Advertised;
use super::{FRAME_BYTES_MAX, PEER_FORMAT, STREAM_WINDOW_BYTES};

/// Messages that may wait for the stream.
const QUEUE_MESSAGES_MAX: usize = 8_192;
/// The entries in them.
const QUEUE_BYTES_MAX: usize = 64 << 20;
/// Frames that may wait for the network.
const FRAMES_MAX: usize = 4;
/// Messages of one frame.
const BATCH_MESSAGES_MAX: usize = 256;
/// A frame is closed when it has so many bytes.
const BATCH_BYTES_MAX: usize = 1 << 20;

const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);
const BACKOFF_MIN: Duration = Duration::from_millis(50);
const BACKOFF_MAX: Duration = Duration::from_millis(500);
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_millis(500);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_millis(1_500);
/// A stream that lived so long was a good one: the next attempt comes soon.
const GOOD_STREAM: Duration = Duration::from_secs(1);

/// Which link.
#[derive(Debug, Clone)]
pub(super) struct LinkConfig {
    pub(super) cluster: String,
    pub(super) from: NodeId,
    pub(super) to: NodeId,
    pub(super) address: String,
    pub(super) credentials: PeerCredentials,
    pub(super) advertised: Advertised,
    pub(super) shards: u32,
    pub(super) metrics: Arc<PeerMetrics>,
}

/// A message and its group.
type GroupMessage = (GroupId, eraftpb::Message);

/// The sending end of a link.
#[derive(Debug)]
pub(super) struct LinkQueue {
    messages: mpsc::Sender<GroupMessage>,
    bytes: Arc<AtomicUsize>,
    metrics: Arc<PeerMetrics>,
    channel: watch::Receiver<Option<Channel>>,
}

impl LinkQueue {
    /// Queues a message; false if there is no connection, or too much waits.
    pub(super) fn send(&mut self, group: GroupId, message: eraftpb::Message) -> bool {
        let bytes = message_bytes(&message);
        let fits = self.bytes.load(Ordering::Relaxed) + bytes <= QUEUE_BYTES_MAX;
        if !fits || self.channel.borrow().is_none() {
            self.metrics.dropped.increment();
            return false;
        }
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let sent = self.messages.try_send((group, message)).is_ok();
        if !sent {
            self.bytes.fetch_sub(bytes, Ordering::Relaxed);
            self.metrics.dropped.increment();
        }
        self.metrics.queue_bytes.set(self.bytes.load(Ordering::Relaxed) as u64);
        sent
    }
}

/// How to connect to a peer at this address.
pub(super) fn endpoint(
    credentials: &PeerCredentials,
    address: &str,
) -> Result<Endpoint, tonic::transport::Error> {
    Ok(credentials
        .endpoint(address)?
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(STREAM_WINDOW_BYTES * 2))
}

/// Starts the link's task. It ends when the queue's sending end is dropped.
pub(super) fn start(
    config: LinkConfig,
) -> Result<(LinkQueue, watch::Receiver<Option<Channel>>), tonic::transport::Error> {
    let endpoint = endpoint(&config.credentials, &config.address)?;
    let (messages, queue) = mpsc::channel(QUEUE_MESSAGES_MAX);
    let bytes = Arc::new(AtomicUsize::new(0));
    let metrics = Arc::clone(&config.metrics);
    let (publish, channel) = watch::channel(None);
    let task = LinkTask { config, endpoint, queue, bytes: Arc::clone(&bytes), publish };
    tokio::spawn(task.run());
    Ok((LinkQueue { messages, bytes, metrics, channel: channel.clone() }, channel))
}

struct LinkTask {
    config: LinkConfig,
    endpoint: Endpoint,
    queue: mpsc::Receiver<GroupMessage>,
    /// What the messages in `queue` take.
    bytes: Arc<AtomicUsize>,
    publish: watch::Sender<Option<Channel>>,
}

/// Why a stream ended.
enum End {
    /// The queue's sending end is gone.
    Stopped,
    /// No connection, or it broke.
    Lost(String),
    /// The peer does not want to talk to us.
    Refused(Status),
}

impl LinkTask {
    async fn run(mut self) {
        let mut backoff = BACKOFF_MIN;
        let mut last_refusal = String::new();
        let to = self.config.to.0;
        loop {
            let started = Instant::now();
            let end = self.stream().await;
            self.publish.send_replace(None);
            self.config.metrics.connected.set(0);
            self.discard_queue();
            self.config.metrics.queue_bytes.set(0);
            match end {
                End::Stopped => return,
                End::Lost(reason) => tracing::debug!(to, reason, "no stream to peer"),
                End::Refused(status) => {
                    if last_refusal != status.message() {
                        last_refusal = status.message().to_owned();
                        tracing::warn!(to, "peer refuses us: {last_refusal}");
                    }
                }
            }
            if started.elapsed() > GOOD_STREAM {
                backoff = BACKOFF_MIN;
            }
            if self.rest(backoff).await.is_err() {
                return;
            }
            backoff = (backoff * 2).min(BACKOFF_MAX);
        }
    }

    /// One stream, from connecting to its end.
    async fn stream(&mut self) -> End {
        let channel = match self.endpoint.connect().await {
            Ok(channel) => channel,
            Err(error) => return End::Lost(error.to_string()),
        };
        let (frames, outgoing) = mpsc::channel(FRAMES_MAX);
        let handshake = Handshake {
            format: PEER_FORMAT,
            cluster: self.config.cluster.clone(),
            from: self.config.from.0,
            to: self.config.to.0,
            client_address: self.config.advertised.client.clone(),
            http_address: self.config.advertised.http.clone(),
            shards: self.config.shards,
        };
        let first = Frame { frame: Some(frame::Frame::Handshake(handshake)) };
        frames.try_send(first).expect("the channel is new and has room");
        let mut client = PeerClient::new(channel.clone());
        let mut request = Request::new(ReceiverStream::new(outgoing));
        self.config.credentials.authorize(&mut request);
        let response = client.stream(request);
        tokio::pin!(response);
        self.publish.send_replace(Some(channel));
        self.config.metrics.connected.set(1);

        let mut batch = Vec::new();
        loop {
            let slot = tokio::select! {
                end = &mut response => return stream_end(end.map(drop)),
                slot = frames.reserve() => match slot {
                    Ok(slot) => slot,
                    // The stream's body was dropped, so the response says why.
                    Err(_) => return stream_end(response.await.map(drop)),
                },
            };
            let received = tokio::select! {
                end = &mut response => return stream_end(end.map(drop)),
                received = self.queue.recv() => received,
            };
            let Some(message) = received else { return End::Stopped };
            self.fill(&mut batch, message);
            slot.send(encode(batch.drain(..)));
        }
    }

    /// Takes what waits behind the first message, up to the size of a frame.
    fn fill(&mut self, batch: &mut Vec<GroupMessage>, first: GroupMessage) {
        let mut bytes = 0;
        let mut next = Some(first);
        while let Some(message) = next {
            bytes += message_bytes(&message.1);
            batch.push(message);
            let full = bytes >= BATCH_BYTES_MAX || batch.len() >= BATCH_MESSAGES_MAX;
            next = if full { None } else { self.queue.try_recv().ok() };
        }
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    fn discard_queue(&mut self) {
        while let Ok((_, message)) = self.queue.try_recv() {
            self.bytes.fetch_sub(message_bytes(&message), Ordering::Relaxed);
        }
    }

    /// Waits; an error if the queue's sending end is gone.
    async fn rest(&mut self, pause: Duration) -> Result<(), ()> {
        let end = tokio::time::Instant::now() + pause;
        loop {
            match tokio::time::timeout_at(end, self.queue.recv()).await {
                Err(_) => return Ok(()),
                Ok(None) => return Err(()),
                Ok(Some((_, message))) => {
                    self.bytes.fetch_sub(message_bytes(&message), Ordering::Relaxed);
                }
            }
        }
    }
}

fn stream_end(end: Result<(), Status>) -> End {
    match end {
        Ok(()) => End::Lost("the peer ended the stream".to_owned()),
        Err(status)
            if matches!(
                status.code(),
                Code::FailedPrecondition | Code::PermissionDenied | Code::Unimplemented
            ) =>
        {
            End::Refused(status)
        }
        Err(status) => End::Lost(status.to_string()),
    }
}

fn encode(batch: impl Iterator<Item = GroupMessage>) -> Frame {
    let envelopes = batch.map(|(group, message)| {
        let bytes = message.write_to_bytes().expect("raft's messages have no required fields");
        debug_assert!(bytes.len() < FRAME_BYTES_MAX, "a message fits into a frame");
        Envelope { group: group.0, message: bytes.into() }
    });
    Frame { frame: Some(frame::Frame::Batch(Batch { envelopes: envelopes.collect() })) }
}

//! One stream of requests to one node, shared by all who talk to it.
//!
//! ```text
//! call ──> waiting ──(when the stream can take a frame: all that wait)──> node
//!   ^                                                                       │
//!   └──── in flight, by id <────── one frame of replies <───────────────────┘
//! ```
//!
//! Invariants:
//! - requests leave in the order in which they came, so that one number divides those that were
//!   given to the stream from those that surely never left this process;
//! - every request gets exactly one answer: its reply, or the reason why there will be none.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use prost::Message;
use tokio::sync::oneshot;
use tokio_stream::Stream;
use tonic::metadata::AsciiMetadataValue;
use tonic::transport::Channel;
use tonic::{Request, Status, Streaming};

use super::connections::was_not_sent;
use super::error::{describe, refused_kind};
use crate::kv::kv_client::KvClient;
use crate::kv::pipelined_request::Request as KvRequest;
use crate::kv::pipelined_response::Response as KvResponse;
use crate::kv::{ErrorKind, PipelineRequest, PipelineResponse, PipelinedRequest};

/// A frame is closed when it is this large (bytes)...
const FRAME_BYTES_MAX: usize = 1 << 20;
/// ... or has so many requests.
const FRAME_REQUESTS_MAX: usize = 1_024;
/// Requests of one pipeline without an answer.
const IN_FLIGHT_MAX: usize = 16_384;
/// Bytes of the requests that were not sent yet.
const WAITING_BYTES_MAX: usize = 64 << 20;
/// Replies come in frames as large as this, or larger by one reply (bytes).
const REPLY_BYTES_MAX: usize = 64 << 20;

/// Why a request has no reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PipelineCut {
    /// Too many requests of this process wait for the node. It was never sent.
    #[error("too many requests wait for this node")]
    Busy,
    /// The stream ended, or its time was up, before it was sent. It never will be.
    #[error("it was not sent: {0}")]
    NotSent(String),
    /// The node refused the whole stream, and so everything on it.
    #[error("{message}")]
    Refused {
        /// Why.
        kind: ErrorKind,
        /// In words.
        message: String,
    },
    /// The stream ended, or its time was up, after it was sent.
    #[error("{0}")]
    Lost(String),
}

impl PipelineCut {
    /// What the end of a stream means for what was not sent.
    fn of_unsent(&self) -> PipelineCut {
        match self {
            PipelineCut::Lost(reason) => PipelineCut::NotSent(reason.clone()),
            other => other.clone(),
        }
    }
}

/// Takes the answers to requests that were given to [`Pipeline::send`]. Must not block.
pub trait PipelineSink: Send + Sync {
    /// The answer to the request that was sent with this tag.
    fn answer(&self, tag: u64, answer: Result<KvResponse, PipelineCut>);
}

/// One stream of requests to one node. Cheap to clone; when the last clone is dropped, the stream
/// ends after what is in flight.
#[derive(Clone)]
pub struct Pipeline(Arc<Owner>);

struct Owner(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
}

struct State {
    last_id: u64,
    /// Everything up to this id was given to the stream.
    sent: u64,
    waiting: VecDeque<PipelinedRequest>,
    waiting_bytes: usize,
    in_flight: HashMap<u64, Waiter>,
    /// Wakes the stream of frames.
    waker: Option<Waker>,
    last_heard: Instant,
    end: End,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum End {
    No,
    /// Nobody can send any more.
    Released,
    /// The stream ended, for this reason: what is said of requests that were sent, and of others.
    Cut(PipelineCut),
}

enum Waiter {
    Call(oneshot::Sender<Result<KvResponse, PipelineCut>>),
    Sink { sink: Arc<dyn PipelineSink>, tag: u64 },
}

impl Waiter {
    fn answer(self, answer: Result<KvResponse, PipelineCut>) {
        match self {
            // A caller that has gone needs no answer.
            Waiter::Call(sender) => drop(sender.send(answer)),
            Waiter::Sink { sink, tag } => sink.answer(tag, answer),
        }
    }
}

impl Pipeline {
    /// Opens a stream on this connection. Must be called on a tokio runtime.
    pub fn open(channel: Channel, authorization: Option<AsciiMetadataValue>) -> Pipeline {
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                last_id: 0,
                sent: 0,
                waiting: VecDeque::new(),
                waiting_bytes: 0,
                in_flight: HashMap::new(),
                waker: None,
                last_heard: Instant::now(),
                end: End::No,
            }),
        });
        tokio::spawn(receive(channel, authorization, Arc::clone(&shared)));
        Pipeline(Arc::new(Owner(shared)))
    }

    /// Has the stream ended? Then everything that is sent is refused.
    pub fn is_cut(&self) -> bool {
        matches!(self.lock().end, End::Cut(_))
    }

    /// Has the node answered anything since then?
    pub fn has_heard_since(&self, then: Instant) -> bool {
        self.lock().last_heard >= then
    }

    /// Sends a request and waits so long for its reply. A request whose caller has gone is still
    /// performed if it was sent.
    pub async fn call(
        &self,
        request: KvRequest,
        timeout: Duration,
    ) -> Result<KvResponse, PipelineCut> {
        let (sender, answer) = oneshot::channel();
        let id = self.push(request, timeout, Waiter::Call(sender))?;
        let ticket = Ticket { pipeline: self, id };
        match tokio::time::timeout(timeout, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(PipelineCut::Lost("the stream ended".to_owned())),
            Err(_) if ticket.was_sent() => Err(PipelineCut::Lost("no answer in time".to_owned())),
            Err(_) => Err(PipelineCut::NotSent("the node took no requests in time".to_owned())),
        }
    }

    /// Sends a request whose answer goes to `sink`.
    pub fn send(
        &self,
        request: KvRequest,
        timeout: Duration,
        sink: Arc<dyn PipelineSink>,
        tag: u64,
    ) -> Result<(), PipelineCut> {
        self.push(request, timeout, Waiter::Sink { sink, tag }).map(drop)
    }

    fn push(
        &self,
        request: KvRequest,
        timeout: Duration,
        waiter: Waiter,
    ) -> Result<u64, PipelineCut> {
        let timeout_ms = u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX).max(1);
        let mut request = PipelinedRequest { id: 0, timeout_ms, request: Some(request) };
        let bytes = request.encoded_len();
        let mut state = self.lock();
        if let End::Cut(cut) = &state.end {
            return Err(cut.of_unsent());
        }
        let full = state.in_flight.len() >= IN_FLIGHT_MAX
            || (state.waiting_bytes + bytes > WAITING_BYTES_MAX && !state.waiting.is_empty());
        if full {
            return Err(PipelineCut::Busy);
        }
        state.last_id += 1;
        let id = state.last_id;
        request.id = id;
        state.waiting.push_back(request);
        state.waiting_bytes += bytes;
        state.in_flight.insert(id, waiter);
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        Ok(id)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.0.lock()
    }
}

impl fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        f.debug_struct("Pipeline")
            .field("in_flight", &state.in_flight.len())
            .field("end", &state.end)
            .finish_non_exhaustive()
    }
}

/// Forgets a request when its caller goes.
struct Ticket<'a> {
    pipeline: &'a Pipeline,
    id: u64,
}

impl Ticket<'_> {
    /// Takes the request back. Was it sent before?
    fn was_sent(&self) -> bool {
        self.pipeline.lock().withdraw(self.id)
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        self.pipeline.lock().withdraw(self.id);
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        if state.end == End::No {
            state.end = End::Released;
        }
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that holds the lock can leave the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cut(&self, cut: PipelineCut) {
        let mut state = self.lock();
        state.end = End::Cut(cut.clone());
        let waiters = mem::take(&mut state.in_flight);
        let sent = state.sent;
        state.waiting.clear();
        state.waiting_bytes = 0;
        let waker = state.waker.take();
        drop(state);
        for (id, waiter) in waiters {
            waiter.answer(Err(if id <= sent { cut.clone() } else { cut.of_unsent() }));
        }
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl State {
    /// Gives up on a request. Was it sent?
    fn withdraw(&mut self, id: u64) -> bool {
        self.in_flight.remove(&id);
        if let Ok(position) = self.waiting.binary_search_by_key(&id, |request| request.id)
            && let Some(request) = self.waiting.remove(position)
        {
            self.waiting_bytes -= unsent_bytes(&request);
        }
        id <= self.sent
    }

    fn take_frame(&mut self) -> Option<PipelineRequest> {
        let mut frame = Vec::with_capacity(self.waiting.len().min(FRAME_REQUESTS_MAX));
        let mut frame_bytes = 0;
        while let Some(request) = self.waiting.front() {
            let bytes = unsent_bytes(request);
            let full = frame_bytes + bytes > FRAME_BYTES_MAX || frame.len() >= FRAME_REQUESTS_MAX;
            if full && !frame.is_empty() {
                break;
            }
            let Some(request) = self.waiting.pop_front() else { break };
            self.sent = request.id;
            self.waiting_bytes -= bytes;
            frame_bytes += bytes;
            frame.push(request);
        }
        (!frame.is_empty()).then_some(PipelineRequest { requests: frame })
    }
}

/// The size that was counted when it was queued, before it had its id.
fn unsent_bytes(request: &PipelinedRequest) -> usize {
    let id_bytes = 1 + prost::encoding::encoded_len_varint(request.id);
    request.encoded_len() - id_bytes
}

/// The frames that leave.
struct Frames(Arc<Shared>);

impl Stream for Frames {
    type Item = PipelineRequest;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<PipelineRequest>> {
        let mut state = self.0.lock();
        if let Some(frame) = state.take_frame() {
            return Poll::Ready(Some(frame));
        }
        if state.end != End::No {
            return Poll::Ready(None);
        }
        state.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// Hands out replies until the stream ends.
async fn receive(channel: Channel, authorization: Option<AsciiMetadataValue>, shared: Arc<Shared>) {
    let mut request = Request::new(Frames(Arc::clone(&shared)));
    if let Some(authorization) = authorization {
        request.metadata_mut().insert("authorization", authorization);
    }
    let mut client = KvClient::new(channel).max_decoding_message_size(REPLY_BYTES_MAX);
    shared.cut(match client.pipeline(request).await {
        Ok(frames) => match receive_frames(frames.into_inner(), &shared).await {
            Ok(()) => PipelineCut::Lost("the node ended the stream".to_owned()),
            Err(status) => PipelineCut::Lost(describe(&status)),
        },
        // Without a connection nothing can have left, whatever was taken for a frame.
        Err(status) if was_not_sent(&status) => PipelineCut::NotSent(describe(&status)),
        Err(status) => match refused_kind(&status) {
            Some(kind) => PipelineCut::Refused { kind, message: status.message().to_owned() },
            None => PipelineCut::Lost(describe(&status)),
        },
    });
}

async fn receive_frames(
    mut frames: Streaming<PipelineResponse>,
    shared: &Shared,
) -> Result<(), Status> {
    while let Some(frame) = frames.message().await? {
        let mut answered = Vec::with_capacity(frame.responses.len());
        let mut state = shared.lock();
        state.last_heard = Instant::now();
        for response in frame.responses {
            if let Some(waiter) = state.in_flight.remove(&response.id) {
                answered.push((waiter, response.response));
            }
        }
        drop(state);
        for (waiter, response) in answered {
            let empty = || PipelineCut::Lost("the node gave an empty reply".to_owned());
            waiter.answer(response.ok_or_else(empty));
        }
    }
    Ok(())
}

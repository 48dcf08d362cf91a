//! Planted bugs: puts and appends go to the leader as datagrams, and one thing is forgotten that TCP
//! would have seen to.
//!
//! ```text
//! asked node ── id, pieces of the request ──> leader: puts them together, performs the request
//!            <── id, reply ─────────────────
//! ```
//!
//! | bug | what is forgotten |
//! |---|---|
//! | `datagram-again` | that a late answer is no lost one, before the same write is sent as a new one |
//! | `datagram-cumulative` | that a datagram may be lost between two that arrive |
//! | `datagram-twice` | that a datagram may come twice |
//! | `datagram-order` | that datagrams may overtake each other |
//! | `datagram-cut` | that a datagram may be late, or lost |
//!
//! Each has the faults of the network that show it; on a sound network all of them are right. Losses do
//! no harm by themselves: a write without an answer is in doubt.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::Bytes;
use prost::Message;
use proto::kv::pipelined_request::Request;
use proto::kv::pipelined_response::Response;
use proto::kv::{PipelinedRequest, PipelinedResponse};
use tokio::net::UdpSocket;
use tokio::sync::oneshot;

use crate::bug::Bug;
use crate::types::NodeId;

use super::operation;
use super::refusal::{Access, Refusal};
use super::router::Api;

/// A value that is larger is cut. A prime, so that no pattern in a value looks the same with its
/// pieces in another order (bytes).
const PIECE_BYTES: usize = 509;
/// Larger values go as they always do (bytes).
const VALUE_BYTES_MAX: usize = 40 << 10;
/// Any datagram fits (bytes).
const BUFFER_BYTES: usize = 64 << 10;
/// So long a write waits for its answer.
const PATIENCE: Duration = Duration::from_millis(700);
/// After so long `datagram-again` does not believe in an answer any more, and `datagram-cut` in the
/// pieces that are missing.
const SOON: Duration = Duration::from_millis(150);
/// Writes whose pieces are not all there, and names of writes that were performed.
const REMEMBERED_MAX: usize = 4_096;

static OPEN: OnceLock<Datagrams> = OnceLock::new();

/// A piece of a request, or a reply.
#[derive(Clone, PartialEq, Message)]
struct Datagram {
    /// Names the write, at the node that was asked.
    #[prost(uint64, tag = "1")]
    id: u64,
    /// Which piece; the first has the request.
    #[prost(uint32, tag = "2")]
    number: u32,
    /// How many there are; 0 in a reply.
    #[prost(uint32, tag = "3")]
    count: u32,
    /// A piece of the value, but for the first.
    #[prost(bytes = "bytes", tag = "4")]
    piece: Bytes,
    /// Of the first piece.
    #[prost(message, optional, tag = "5")]
    request: Option<PipelinedRequest>,
    /// Of a reply.
    #[prost(message, optional, tag = "6")]
    reply: Option<PipelinedResponse>,
}

/// This node's socket, and what is under way on it.
struct Datagrams {
    bug: Bug,
    socket: UdpSocket,
    peers: BTreeMap<NodeId, SocketAddr>,
    state: Mutex<State>,
}

/// A write, by who was asked for it and its name there.
type Name = (SocketAddr, u64);

/// What a write is answered, once it is.
type Answer = Pin<Box<dyn Future<Output = Result<Response, Refusal>> + Send>>;

#[derive(Default)]
struct State {
    last_id: u64,
    waiting: BTreeMap<Name, oneshot::Sender<Response>>,
    incomplete: BTreeMap<Name, Vec<Datagram>>,
    performed: BTreeSet<Name>,
}

/// Takes datagrams from now on, if one of these bugs is planted. Must be called on a tokio runtime.
pub(crate) fn open(api: &Api, peers: &BTreeMap<NodeId, String>) {
    let all = [
        Bug::DatagramAgain,
        Bug::DatagramCumulative,
        Bug::DatagramTwice,
        Bug::DatagramOrder,
        Bug::DatagramCut,
    ];
    let Some(bug) = all.into_iter().find(|bug| api.config.bugs.has(*bug)) else { return };
    let peers: BTreeMap<NodeId, SocketAddr> =
        peers.iter().filter_map(|(node, at)| Some((*node, at.parse().ok()?))).collect();
    let unknown = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let own = peers.get(&api.config.node).copied().unwrap_or(unknown);
    // Without a socket the bug does not show, which is nobody's loss.
    let bound = std::net::UdpSocket::bind(own).and_then(|socket| {
        socket.set_nonblocking(true)?;
        UdpSocket::from_std(socket)
    });
    let Ok(socket) = bound else { return };
    let datagrams = OPEN.get_or_init(|| Datagrams { bug, socket, peers, state: Mutex::default() });
    tokio::spawn(datagrams.receive(api.clone()));
}

/// Sends a write to the leader, if it is one that goes as datagrams; returns its answer.
pub(super) fn send_on(request: &Request, leader: NodeId) -> Option<Answer> {
    let datagrams = OPEN.get()?;
    let to = datagrams.peers.get(&leader).copied()?;
    let mut request = operation::bound(request.clone());
    if value_of(&mut request)?.len() > VALUE_BYTES_MAX {
        return None;
    }
    if datagrams.bug == Bug::DatagramTwice {
        request = operation::without_session(request);
    }
    let (sender, answer) = oneshot::channel();
    let id = datagrams.send(request.clone(), to, Some(sender));
    if datagrams.bug == Bug::DatagramAgain {
        tokio::spawn(async move {
            tokio::time::sleep(SOON).await;
            if datagrams.lock().waiting.contains_key(&(to, id)) {
                datagrams.send(operation::without_session(request), to, None);
            }
        });
    }
    Some(Box::pin(async move {
        let answer = tokio::time::timeout(PATIENCE, answer).await;
        datagrams.lock().waiting.remove(&(to, id));
        match answer {
            Ok(Ok(Response::Error(error))) => Err(Refusal::from_leader(error)),
            Ok(Ok(response)) => Ok(response),
            Ok(Err(_)) | Err(_) => Err(Refusal::timeout(Access::Write)),
        }
    }))
}

/// The value of a write that goes as datagrams.
fn value_of(request: &mut Request) -> Option<&mut Bytes> {
    match request {
        Request::Put(put) => Some(&mut put.value),
        Request::Append(append) => Some(&mut append.suffix),
        _ => None,
    }
}

impl Datagrams {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Cuts a request into pieces and sends them. Returns its name.
    fn send(
        &self,
        mut request: Request,
        to: SocketAddr,
        answer: Option<oneshot::Sender<Response>>,
    ) -> u64 {
        let value = match value_of(&mut request) {
            Some(value) if value.len() > PIECE_BYTES => mem::take(value),
            Some(_) | None => Bytes::new(),
        };
        let pieces = value.chunks(PIECE_BYTES).map(|piece| value.slice_ref(piece));
        let count = 1 + pieces.len() as u32;
        let request = PipelinedRequest { request: Some(request), ..PipelinedRequest::default() };
        // Under the lock, so that names leave in their order.
        let mut state = self.lock();
        state.last_id += 1;
        let id = state.last_id;
        state.waiting.extend(answer.map(|answer| ((to, id), answer)));
        let first = Datagram { id, count, request: Some(request), ..Datagram::default() };
        let rest = (1..).zip(pieces).map(|(number, piece)| Datagram {
            id,
            number,
            count,
            piece,
            ..Datagram::default()
        });
        for datagram in [first].into_iter().chain(rest) {
            self.put(&datagram, to);
        }
        id
    }

    /// What cannot leave at once is lost.
    fn put(&self, datagram: &Datagram, to: SocketAddr) {
        let _ = self.socket.try_send_to(&datagram.encode_to_vec(), to);
    }

    async fn receive(&'static self, api: Api) {
        let mut buffer = vec![0; BUFFER_BYTES];
        while let Ok((size, from)) = self.socket.recv_from(&mut buffer).await {
            let Ok(datagram) = Datagram::decode(&buffer[..size]) else { continue };
            if datagram.count == 0 {
                self.take_reply(from, datagram);
            } else {
                self.take_piece(&api, from, datagram).await;
            }
        }
    }

    fn take_reply(&self, from: SocketAddr, datagram: Datagram) {
        let reply = datagram.reply.and_then(|reply| reply.response);
        let Some(reply) = reply else { return };
        let mut state = self.lock();
        let first = match self.bug {
            Bug::DatagramCumulative if !matches!(reply, Response::Error(_)) => 0,
            _ => datagram.id,
        };
        let answered = state.waiting.extract_if((from, first)..=(from, datagram.id), |_, _| true);
        for (_, answer) in answered {
            // A writer that has gone needs no answer.
            let _ = answer.send(reply.clone());
        }
    }

    async fn take_piece(&'static self, api: &Api, from: SocketAddr, datagram: Datagram) {
        let (name, count) = ((from, datagram.id), datagram.count as usize);
        let is_complete = {
            let mut state = self.lock();
            if state.performed.contains(&name) {
                return;
            }
            let pieces = state.incomplete.entry(name).or_default();
            if pieces.is_empty() && self.bug == Bug::DatagramCut {
                let api = api.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(SOON).await;
                    self.perform(&api, name).await;
                });
            }
            if pieces.iter().all(|piece| piece.number != datagram.number) {
                pieces.push(datagram);
            }
            let is_complete = pieces.len() == count;
            if state.incomplete.len() > REMEMBERED_MAX {
                state.incomplete.pop_first();
            }
            is_complete
        };
        if is_complete {
            self.perform(api, name).await;
        }
    }

    /// Performs a write from the pieces that are there, if the request is among them.
    async fn perform(&'static self, api: &Api, name: Name) {
        let Some(request) = self.assemble(name) else { return };
        let deadline = Instant::now() + PATIENCE;
        let attempt = api.clone();
        let mut performing =
            Box::pin(async move { attempt.attempt_until(request, deadline).await });
        // Begun here, so that writes begin in the order in which they came.
        let begun = std::future::poll_fn(|cx| Poll::Ready(performing.as_mut().poll(cx))).await;
        let api = api.clone();
        tokio::spawn(async move {
            let result = match begun {
                Poll::Ready(result) => result,
                Poll::Pending => performing.await,
            };
            let response = result.unwrap_or_else(|refusal| {
                let address = api.leader_address(&refusal);
                Response::Error(refusal.into_error(address.as_ref()))
            });
            let (to, id) = name;
            let reply = Some(PipelinedResponse { id, response: Some(response) });
            self.put(&Datagram { id, reply, ..Datagram::default() }, to);
        });
    }

    fn assemble(&self, name: Name) -> Option<Request> {
        let mut state = self.lock();
        let mut pieces = state.incomplete.remove(&name)?;
        if self.bug != Bug::DatagramTwice {
            state.performed.insert(name);
            if state.performed.len() > REMEMBERED_MAX {
                state.performed.pop_first();
            }
        }
        if self.bug != Bug::DatagramOrder {
            pieces.sort_by_key(|piece| piece.number);
        }
        let first = pieces.iter_mut().find(|piece| piece.number == 0)?;
        let mut request = first.request.take()?.request?;
        let value: Vec<u8> = pieces.iter().flat_map(|it| it.piece.iter().copied()).collect();
        if !value.is_empty() {
            *value_of(&mut request)? = value.into();
        }
        Some(request)
    }
}

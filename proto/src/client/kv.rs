//! The client itself.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use prost::Message;
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

use super::connections::Connections;
use super::error::{ClientError, Failure};
use super::options::ClientOptions;
use crate::admin::admin_client::AdminClient;
use crate::admin::{StatusRequest, StatusResponse};
use crate::kv::kv_client::KvClient;
use crate::kv::{
    self, CompareAndSetRequest, DeleteRequest, GetRequest, OpenSessionRequest, PutRequest,
    ReadMode, RequestContext, ResponseHeader,
};

/// The server reads no longer requests. Checked here, because the gRPC library's refusal looks like
/// a failure on the way.
const REQUEST_BYTES_MAX: usize = 4_000_000;

/// Talks to one node, or to any of several. Makes one operation at a time, which is what a session
/// needs; clients that share connections come from [`Client::sibling`].
#[derive(Debug)]
pub struct Client {
    addresses: Vec<String>,
    options: ClientOptions,
    connections: Arc<Connections>,
    /// Which address is asked next.
    current: usize,
    /// The leader that a node named, if hints are followed.
    leader: Option<String>,
    session: Option<Session>,
}

#[derive(Debug, Clone, Copy)]
struct Session {
    id: u64,
    /// The last sequence number that was used.
    sequence: u64,
}

/// Where and when an operation took effect.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Header {
    /// The log index at which a write took effect, or as of which a read was answered.
    pub revision: u64,
    /// The term of the node that answered.
    pub term: u64,
    /// The node that answered.
    pub node: u64,
}

/// What a key holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyValue {
    /// The value.
    pub value: Bytes,
    /// Log index of the last write of the key.
    pub revision: u64,
    /// Writes of the key since it was created, from 1.
    pub version: u64,
}

/// A key was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// Where and when.
    pub header: Header,
    /// What it holds, if it exists.
    pub found: Option<KeyValue>,
}

/// A key was set or removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Where and when.
    pub header: Header,
    /// What it held before.
    pub previous: Option<KeyValue>,
}

/// A key was compared, and set if it was as expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Swapped {
    /// Where and when.
    pub header: Header,
    /// Was it set?
    pub swapped: bool,
    /// What it held before.
    pub previous: Option<KeyValue>,
}

/// May an attempt that is in doubt be repeated?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Repeat {
    /// It has no effect, so there is never a doubt.
    Read,
    /// It has an effect, and the session sees to it that there is one only.
    WriteInSession,
    /// It has an effect each time.
    Write,
}

impl Client {
    /// A client of these nodes, each `host:port`. Connects when the first operation needs it.
    ///
    /// # Panics
    ///
    /// If there is no address.
    pub fn new(addresses: Vec<String>, options: ClientOptions) -> Client {
        assert!(!addresses.is_empty(), "a client needs an address");
        let connections = Arc::new(Connections::default());
        Client { addresses, options, connections, current: 0, leader: None, session: None }
    }

    /// Another client that shares this one's connections, but not its session.
    pub fn sibling(&self) -> Client {
        Client {
            addresses: self.addresses.clone(),
            options: self.options.clone(),
            connections: Arc::clone(&self.connections),
            current: self.current,
            leader: None,
            session: None,
        }
    }

    /// Opens a session and carries it from now on: a write that is in doubt is then repeated until
    /// its budget ends, and takes effect once.
    pub async fn open_session(&mut self) -> Result<u64, ClientError> {
        let message = OpenSessionRequest { no_forward: self.options.follow_leader };
        // A session that nobody knows of is harmless, so opening one can be repeated at will.
        let response = self
            .operate(Repeat::Read, message, |channel, request| async move {
                KvClient::new(channel).open_session(request).await
            })
            .await?;
        self.session = Some(Session { id: response.session, sequence: 0 });
        Ok(response.session)
    }

    /// Goes on without a session.
    pub fn forget_session(&mut self) {
        self.session = None;
    }

    /// Reads a key; sees every write that was acknowledged before.
    pub async fn get(&mut self, key: impl Into<Bytes>) -> Result<Read, ClientError> {
        self.get_with(key, ReadMode::Linearizable).await
    }

    /// Reads a key.
    pub async fn get_with(
        &mut self,
        key: impl Into<Bytes>,
        mode: ReadMode,
    ) -> Result<Read, ClientError> {
        let context =
            RequestContext { session: 0, sequence: 0, no_forward: self.options.follow_leader };
        let message = GetRequest { context: Some(context), key: key.into(), mode: mode.into() };
        let response = self
            .operate(Repeat::Read, message, |channel, request| async move {
                KvClient::new(channel).get(request).await
            })
            .await?;
        Ok(Read { header: header(response.header), found: key_value(response.found) })
    }

    /// Sets a key.
    pub async fn put(
        &mut self,
        key: impl Into<Bytes>,
        value: impl Into<Bytes>,
    ) -> Result<Written, ClientError> {
        let (repeat, context) = self.write_context();
        let message = PutRequest { context, key: key.into(), value: value.into(), lease: 0 };
        let response = self
            .operate(repeat, message, |channel, request| async move {
                KvClient::new(channel).put(request).await
            })
            .await?;
        Ok(Written { header: header(response.header), previous: key_value(response.previous) })
    }

    /// Removes a key.
    pub async fn delete(&mut self, key: impl Into<Bytes>) -> Result<Written, ClientError> {
        let (repeat, context) = self.write_context();
        let message = DeleteRequest { context, key: key.into() };
        let response = self
            .operate(repeat, message, |channel, request| async move {
                KvClient::new(channel).delete(request).await
            })
            .await?;
        Ok(Written { header: header(response.header), previous: key_value(response.previous) })
    }

    /// Sets a key if it has the expected value; none: if it does not exist.
    pub async fn compare_and_set(
        &mut self,
        key: impl Into<Bytes>,
        expected: Option<Bytes>,
        value: impl Into<Bytes>,
    ) -> Result<Swapped, ClientError> {
        let (repeat, context) = self.write_context();
        let message =
            CompareAndSetRequest { context, key: key.into(), expected, value: value.into() };
        let response = self
            .operate(repeat, message, |channel, request| async move {
                KvClient::new(channel).compare_and_set(request).await
            })
            .await?;
        Ok(Swapped {
            header: header(response.header),
            swapped: response.swapped,
            previous: key_value(response.previous),
        })
    }

    /// What the node that is asked thinks of itself and of its cluster.
    pub async fn status(&mut self) -> Result<StatusResponse, ClientError> {
        self.operate(Repeat::Read, StatusRequest { group: 0 }, |channel, request| async move {
            AdminClient::new(channel).status(request).await
        })
        .await
    }

    fn write_context(&mut self) -> (Repeat, Option<RequestContext>) {
        let no_forward = self.options.follow_leader;
        match &mut self.session {
            None => {
                let context = RequestContext { session: 0, sequence: 0, no_forward };
                (Repeat::Write, Some(context))
            }
            Some(Session { id, sequence }) => {
                *sequence += 1;
                let context = RequestContext { session: *id, sequence: *sequence, no_forward };
                (Repeat::WriteInSession, Some(context))
            }
        }
    }

    /// Makes attempts until one succeeds, one fails for good, or the budget ends.
    async fn operate<M, R, F>(
        &mut self,
        repeat: Repeat,
        message: M,
        call: impl Fn(Channel, Request<M>) -> F,
    ) -> Result<R, ClientError>
    where
        M: Message + Clone,
        F: Future<Output = Result<Response<R>, Status>>,
    {
        let deadline = Instant::now() + self.options.timeout;
        let mut backoff = self.options.backoff_min;
        let mut doubt = None;
        for attempt in 1.. {
            let failure = match self.attempt(message.clone(), deadline, &call).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            self.choose_next(&failure);
            let in_doubt = failure.indefinite && repeat != Repeat::Read;
            if in_doubt {
                doubt = Some(failure.clone());
            }
            let may_repeat = failure.transient && !(in_doubt && repeat == Repeat::Write);
            let left = deadline.saturating_duration_since(Instant::now());
            if !may_repeat || attempt >= self.options.attempts_max || left <= backoff {
                return Err(match doubt {
                    Some(doubt) => ClientError::Indefinite(doubt),
                    None => ClientError::Definite(failure),
                });
            }
            tokio::time::sleep(backoff).await;
            backoff = (backoff * 2).min(self.options.backoff_max);
        }
        unreachable!("the loop ends at attempts_max at the latest")
    }

    async fn attempt<M, R, F>(
        &self,
        message: M,
        deadline: Instant,
        call: impl Fn(Channel, Request<M>) -> F,
    ) -> Result<R, Failure>
    where
        M: Message,
        F: Future<Output = Result<Response<R>, Status>>,
    {
        let address = self.leader.as_ref().unwrap_or(&self.addresses[self.current]);
        let bytes = message.encoded_len();
        if bytes > REQUEST_BYTES_MAX {
            return Err(Failure::too_large(address, bytes));
        }
        let left = || deadline.saturating_duration_since(Instant::now());
        let channel = self.connections.get(address, self.limit(left())).await?;
        let timeout = left().min(self.options.attempt_timeout);
        let mut request = Request::new(message);
        request.set_timeout(timeout);
        let failure = match tokio::time::timeout(timeout, call(channel, request)).await {
            Ok(Ok(response)) => return Ok(response.into_inner()),
            Ok(Err(status)) => Failure::from_status(address, &status),
            Err(_) => Failure::silent(address),
        };
        if !failure.connected {
            self.connections.forget(address);
        }
        Err(failure)
    }

    fn limit(&self, left: Duration) -> Duration {
        left.min(self.options.connect_timeout)
    }

    fn choose_next(&mut self, failure: &Failure) {
        let named = failure.leader.clone().filter(|_| self.options.follow_leader);
        let asked_the_named = named.as_deref() == Some(failure.address.as_str());
        self.leader = named.filter(|_| !asked_the_named);
        if self.leader.is_none() {
            self.current = (self.current + 1) % self.addresses.len();
        }
    }
}

fn header(header: Option<ResponseHeader>) -> Header {
    let ResponseHeader { revision, term, node, group: _ } = header.unwrap_or_default();
    Header { revision, term, node }
}

fn key_value(found: Option<kv::KeyValue>) -> Option<KeyValue> {
    found.map(|it| KeyValue { value: it.value, revision: it.revision, version: it.version })
}

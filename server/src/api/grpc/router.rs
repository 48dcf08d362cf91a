//! Brings a request to the leader, within its time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use proto::kv::kv_client::KvClient;
use proto::kv::{ErrorKind, ResponseHeader};
use tokio::sync::Semaphore;
use tonic::{Request, Response, Status};

use crate::bug::{Bug, Bugs};
use crate::config::{Limits, Mode};
use crate::driver::NodeHandle;
use crate::transport::{Directory, PeerConnections};
use crate::types::{LogIndex, NodeId, Role, Term};

use super::deadline::deadline;
use super::operation::{Operation, Place};
use super::refusal::Refusal;

/// How long to wait for a new leader before the next attempt.
const PAUSE: Duration = Duration::from_millis(10);
/// A node that knows no leader for so long says so, while the client can still try elsewhere.
const LEADER_PATIENCE: f32 = 0.8;

/// What the API knows of the server around it.
#[derive(Debug, Clone)]
pub struct ApiConfig {
    /// This node.
    pub node: NodeId,
    /// The cluster's name.
    pub cluster: String,
    /// The storage's name.
    pub storage: &'static str,
    /// One node, or a cluster?
    pub mode: Mode,
    /// Where clients find the nodes.
    pub directory: Directory,
    /// Limits of requests.
    pub limits: Limits,
    /// The defect planted in this server, if any.
    pub bugs: Bugs,
}

/// What all services share. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Api {
    pub(super) config: Arc<ApiConfig>,
    pub(super) node: NodeHandle,
    connections: PeerConnections,
    permits: Arc<Semaphore>,
    draining: Arc<AtomicBool>,
}

impl Api {
    /// An API in front of this node.
    pub fn new(config: ApiConfig, node: NodeHandle, connections: PeerConnections) -> Api {
        let permits = Arc::new(Semaphore::new(config.limits.concurrent_requests_max));
        let draining = Arc::new(AtomicBool::new(false));
        Api { config: Arc::new(config), node, connections, permits, draining }
    }

    /// Refuses new requests from now on, and returns when the running ones have ended.
    pub async fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
        let all = u32::try_from(self.config.limits.concurrent_requests_max).unwrap_or(u32::MAX);
        // The semaphore is never closed, so this cannot fail.
        let _ = self.permits.acquire_many(all).await;
    }

    /// Answers a request here or at the leader.
    pub(super) async fn handle<O: Operation>(
        &self,
        request: Request<O>,
    ) -> Result<Response<O::Response>, Status> {
        let deadline = deadline(&request, self.config.limits.request_timeout);
        let result = match self.permits.try_acquire() {
            _ if self.draining.load(Ordering::Relaxed) => {
                Err(Refusal::definite(ErrorKind::Stopping, "the node is shutting down"))
            }
            Err(_) => Err(Refusal::definite(ErrorKind::Busy, "too many requests at once")),
            Ok(_permit) => self.attempt_until(request.into_inner(), deadline).await,
        };
        result.map(Response::new).map_err(|refusal| {
            let leader = refusal.leader;
            let address = leader.and_then(|leader| self.config.directory.client(leader));
            refusal.into_status(address.as_ref())
        })
    }

    async fn attempt_until<O: Operation>(
        &self,
        operation: O,
        deadline: Instant,
    ) -> Result<O::Response, Refusal> {
        operation.check(&self.config.limits)?;
        let now = Instant::now();
        let last_attempt = now + deadline.saturating_duration_since(now).mul_f32(LEADER_PATIENCE);
        loop {
            let refusal = match self.attempt(&operation, deadline).await {
                Ok(response) => return Ok(response),
                Err(refusal) => refusal,
            };
            let again = !operation.place().is_bound() && refusal.is_worth_another_attempt();
            if !again || Instant::now() + PAUSE >= last_attempt {
                return Err(refusal);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn attempt<O: Operation>(
        &self,
        operation: &O,
        deadline: Instant,
    ) -> Result<O::Response, Refusal> {
        let status = self.node.status();
        let here = match operation.place() {
            // With this planted bug every node answers.
            Place::Leader | Place::LeaderHere if self.config.bugs.has(Bug::LocalReads) => {
                O::IS_READ || status.role == Role::Leader
            }
            Place::Leader | Place::LeaderHere => status.role == Role::Leader,
            Place::Here => true,
        };
        let attempt = async {
            if here {
                return operation.perform(self).await;
            }
            match status.leader.filter(|leader| *leader != self.config.node) {
                Some(leader) if operation.place() == Place::Leader => {
                    self.forward(operation, leader, deadline).await
                }
                leader => Err(Refusal::not_leader(leader)),
            }
        };
        match tokio::time::timeout_at(deadline.into(), attempt).await {
            Ok(result) => result,
            Err(_) => Err(Refusal::timeout(O::ACCESS)),
        }
    }

    async fn forward<O: Operation>(
        &self,
        operation: &O,
        leader: NodeId,
        deadline: Instant,
    ) -> Result<O::Response, Refusal> {
        let Some(channel) = self.connections.get(leader) else {
            return Err(Refusal::leader_unreachable(leader));
        };
        let limit = self.config.limits.message_bytes_max;
        let client = KvClient::new(channel)
            .max_decoding_message_size(limit)
            .max_encoding_message_size(limit);
        let mut request = Request::new(operation.without_forwarding());
        request.set_timeout(deadline.saturating_duration_since(Instant::now()));
        self.connections.authorize(&mut request);
        match O::send(client, request).await {
            Ok(response) => Ok(response.into_inner()),
            Err(status) => Err(Refusal::from_leader(O::ACCESS, leader, &status)),
        }
    }

    /// The header of a reply of this node.
    pub(super) fn header(&self, revision: LogIndex, term: Term) -> Option<ResponseHeader> {
        Some(ResponseHeader {
            revision: revision.0,
            term: term.0,
            node: self.config.node.0,
            group: 0,
        })
    }
}

//! Brings a request to the leader, within its time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use proto::KvRequest;
use proto::kv::ErrorKind;
use proto::kv::pipelined_request::Request as AnyRequest;
use proto::kv::pipelined_response::Response as AnyResponse;
use tokio::sync::{Semaphore, watch};
use tonic::{Request, Response, Status};

use crate::bug::{Bug, Bugs};
use crate::bug_state::LeaseClock;
use crate::config::{Limits, Mode};
use crate::driver::{Answered, Leadership, NodeError, NodeHandle};
use crate::metrics::{GroupMetrics, Metrics};
use crate::replica::{MemberRole, MemberStatus};
use crate::resharding::{Resharding, ShardsView};
use crate::shard::Shards;
use crate::transport::{Directory, PeerConnections};
use crate::types::{GroupId, LogIndex, NodeId, Role, Term};

use super::admission::Admission;
use super::deadline::deadline;
use super::forward::Forwarding;
use super::hints::LeaderHints;
use super::operation::{self, Place, Speaker};
use super::refusal::{Access, Refusal};
use super::session::open_everywhere;

/// How long to wait for a new leader before the next attempt.
pub(super) const PAUSE: Duration = Duration::from_millis(10);
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
    /// Which group has which keys.
    pub shards: ShardsView,
    /// Limits of requests.
    pub limits: Limits,
    /// Time between ticks, in which leases are counted.
    pub tick: Duration,
    /// What is counted and measured.
    pub metrics: Arc<Metrics>,
    /// May a client end this process?
    pub test_hooks: bool,
    /// The defect planted in this server, if any.
    pub bugs: Bugs,
}

/// What all services share. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Api {
    pub(super) config: Arc<ApiConfig>,
    pub(super) node: NodeHandle,
    pub(super) resharding: Resharding,
    hints: Arc<LeaderHints>,
    /// Of each group of the first map.
    group_metrics: Arc<BTreeMap<GroupId, Arc<GroupMetrics>>>,
    pub(super) admission: Admission,
    pub(super) forwarding: Forwarding,
    /// One permit a watch.
    pub(super) watches: Arc<Semaphore>,
    closing: Arc<watch::Sender<bool>>,
    stop_wanted: Arc<watch::Sender<bool>>,
}

/// Where a request is to be performed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route {
    /// At this node.
    Here,
    /// At that one, which leads, or knows who does.
    Leader(NodeId),
    /// In all groups, wherever they are.
    Everywhere,
    /// Nowhere for now: the client must look elsewhere, or wait.
    Nowhere {
        /// Who leads, if anyone is known to.
        leader: Option<NodeId>,
    },
}

/// How long a request may take, and how long it may look for a leader.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    pub(super) deadline: Instant,
    last_attempt: Instant,
}

impl Patience {
    pub(super) fn until(now: Instant, deadline: Instant) -> Patience {
        let patience = deadline.saturating_duration_since(now).mul_f32(LEADER_PATIENCE);
        Patience { deadline, last_attempt: now + patience }
    }

    /// May a request that was refused so be tried again?
    pub(super) fn allows_another(self, now: Instant, place: Place, refusal: &Refusal) -> bool {
        !place.is_bound() && refusal.is_worth_another_attempt() && now + PAUSE < self.last_attempt
    }
}

impl Api {
    /// An API in front of this node.
    pub fn new(
        config: ApiConfig,
        node: NodeHandle,
        connections: PeerConnections,
        resharding: Resharding,
    ) -> Api {
        Api {
            group_metrics: Arc::new(metrics_of_groups(&config.metrics, &config.shards.get())),
            resharding,
            hints: Arc::default(),
            admission: Admission::new(config.limits.concurrent_requests_max),
            watches: Arc::new(Semaphore::new(config.limits.watches_max)),
            config: Arc::new(config),
            node,
            forwarding: Forwarding::new(connections),
            closing: Arc::new(watch::Sender::new(false)),
            stop_wanted: Arc::new(watch::Sender::new(false)),
        }
    }

    /// Refuses new requests from now on, and returns when the running ones have ended.
    pub async fn drain(&self) {
        self.admission.drain().await;
    }

    /// Ends the streams of clients, which would otherwise hold their connections open.
    pub fn close_streams(&self) {
        self.closing.send_replace(true);
    }

    /// Returns when the streams of clients must end.
    pub(super) async fn streams_close(&self) {
        // An error means that the server is gone, which is a reason to end too.
        let _ = self.closing.subscribe().wait_for(|closing| *closing).await;
    }

    /// Returns when a client wants this server to stop; see [`ApiConfig::test_hooks`].
    pub async fn stop_wanted(&self) {
        // An error cannot be: this holds the sender.
        let _ = self.stop_wanted.subscribe().wait_for(|wanted| *wanted).await;
    }

    pub(super) fn want_stop(&self) {
        self.stop_wanted.send_replace(true);
    }

    /// Answers a request here or at the leader.
    pub(super) async fn handle<K: KvRequest>(
        &self,
        request: Request<K>,
    ) -> Result<Response<K::Reply>, Status> {
        let deadline = deadline(&request, self.config.limits.request_timeout);
        let result = match self.admission.enter() {
            Ok(_admitted) => self.attempt_until(request.into_inner().into(), deadline).await,
            Err(refusal) => Err(refusal),
        };
        let reply = result.and_then(|response| K::reply(response).ok_or_else(wrong_reply));
        reply.map(Response::new).map_err(|refusal| self.status_of(refusal))
    }

    /// A refusal as a gRPC status.
    pub(super) fn status_of(&self, refusal: Refusal) -> Status {
        let address = self.leader_address(&refusal);
        refusal.into_status(address.as_ref())
    }

    /// Where the leader is that the refusal names.
    pub(super) fn leader_address(&self, refusal: &Refusal) -> Option<String> {
        refusal.leader.and_then(|leader| self.config.directory.client(leader))
    }

    /// The newest shard map that this node knows.
    pub(super) fn shards(&self) -> Arc<Shards> {
        self.config.shards.get()
    }

    /// The group that a request belongs to. Refuses what makes no sense or belongs to several.
    pub(super) fn admissible(
        &self,
        request: &AnyRequest,
        shards: &Shards,
    ) -> Result<GroupId, Refusal> {
        operation::check(request, &self.config.limits)?;
        operation::group(request, shards)
    }

    /// Where a request is to be performed now. `replica`: of its group, if there is one here.
    pub(super) fn route(
        &self,
        request: &AnyRequest,
        group: GroupId,
        replica: Option<Leadership>,
    ) -> Route {
        if operation::is_for_all_groups(request) && !self.shards().is_one() {
            return Route::Everywhere;
        }
        let place = operation::place(request);
        let Some(replica) = replica else {
            let member = self.member(group);
            return match member.filter(|_| !place.is_bound()) {
                Some(member) => Route::Leader(member),
                None => Route::Nowhere { leader: member },
            };
        };
        // With these planted bugs nodes that do not lead answer reads.
        let bugs = self.config.bugs;
        let astray = operation::access(request) == Access::Read
            && (bugs.has(Bug::LocalReads)
                || (bugs.has(Bug::RemovedReads) && self.is_out(group))
                || LeaseClock::of(bugs).is_some_and(|lease| lease.holds(LogIndex(u64::MAX))));
        match place {
            Place::Member | Place::Here => Route::Here,
            Place::Leader | Place::LeaderHere if astray || replica.role == Role::Leader => {
                Route::Here
            }
            Place::Leader => match replica.leader.filter(|it| *it != self.config.node) {
                Some(leader) => Route::Leader(leader),
                None => Route::Nowhere { leader: None },
            },
            Place::LeaderHere => {
                let leader = replica.leader.filter(|it| *it != self.config.node);
                Route::Nowhere { leader }
            }
        }
    }

    /// Has this node been removed from the group, as far as it knows?
    fn is_out(&self, group: GroupId) -> bool {
        self.node.status(group).is_some_and(|it| {
            let here = |member: &MemberStatus| {
                member.node == self.config.node && member.role != MemberRole::OutgoingVoter
            };
            !it.members.is_empty() && !it.members.iter().any(here)
        })
    }

    /// The replica of a group that requests go by, if there is one here. One that waits to be added to
    /// its group knows nothing: then it is as if there were none.
    pub(super) fn replica(&self, group: GroupId) -> Option<Leadership> {
        let replica = self.node.leadership(group)?;
        let is_lost =
            replica.leader.is_none() && !self.shards().members(group).contains(&self.config.node);
        (!is_lost).then_some(replica)
    }

    /// Where operations of a group are counted and measured.
    pub(super) fn metrics_of(&self, group: GroupId) -> Arc<GroupMetrics> {
        match self.group_metrics.get(&group) {
            Some(metrics) => Arc::clone(metrics),
            None => self.config.metrics.group(group.0),
        }
    }

    /// A member of a group to be asked, where there is no replica here.
    pub(super) fn member(&self, group: GroupId) -> Option<NodeId> {
        self.hints.guess(group, &self.others(group))
    }

    /// A node to which a request was sent on refused it, which may tell whom to ask next time.
    pub(super) fn heed(&self, group: GroupId, asked: NodeId, refusal: &Refusal) {
        if refusal.kind == ErrorKind::WrongGroup {
            self.config.shards.doubt();
        }
        let says_who = matches!(refusal.kind, ErrorKind::NotLeader | ErrorKind::Uncertain);
        if !says_who || self.replica(group).is_some() {
            return;
        }
        match refusal.leader.filter(|leader| ![asked, self.config.node].contains(leader)) {
            Some(leader) => self.hints.learn(group, leader),
            None => self.hints.avoid(group, asked, &self.others(group)),
        }
    }

    fn others(&self, group: GroupId) -> Vec<NodeId> {
        let mut members = self.shards().members(group);
        members.retain(|member| *member != self.config.node);
        members
    }

    /// What the node's answer means to the client.
    pub(super) fn reply(
        &self,
        request: &AnyRequest,
        group: GroupId,
        answer: Result<Answered, NodeError>,
    ) -> Result<AnyResponse, Refusal> {
        let access = operation::access(request);
        let answered = answer.map_err(|error| Refusal::from_node(access, error))?;
        let term = self.node.leadership(group).map_or(Term(0), |replica| replica.term);
        let speaker = Speaker { config: &self.config, group, term };
        operation::reply(request, answered, speaker).inspect_err(|refusal| {
            if refusal.kind == ErrorKind::WrongGroup {
                self.config.shards.doubt();
            }
        })
    }

    /// Makes attempts until one succeeds, one fails for good, or the time is up.
    pub(super) async fn attempt_until(
        &self,
        request: AnyRequest,
        deadline: Instant,
    ) -> Result<AnyResponse, Refusal> {
        operation::check(&request, &self.config.limits)?;
        let patience = Patience::until(Instant::now(), deadline);
        loop {
            // Anew for each attempt: keys may move to another group.
            let group = operation::group(&request, &self.shards())?;
            let attempt = self.attempt(&request, group, deadline);
            let refusal = match tokio::time::timeout_at(deadline.into(), attempt).await {
                Ok(Ok(response)) => return Ok(response),
                Ok(Err(refusal)) => refusal,
                Err(_) => Refusal::timeout(operation::access(&request)),
            };
            // What was found by an old map must be found anew, not asked for again.
            let is_stale = operation::is_part(&request) && refusal.kind == ErrorKind::WrongGroup;
            let place = operation::place(&request);
            if is_stale || !patience.allows_another(Instant::now(), place, &refusal) {
                return Err(refusal);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn attempt(
        &self,
        request: &AnyRequest,
        group: GroupId,
        deadline: Instant,
    ) -> Result<AnyResponse, Refusal> {
        match self.route(request, group, self.replica(group)) {
            Route::Here => {
                let ask = operation::ask(request, &self.config)?;
                self.reply(request, group, self.node.ask(group, ask).await)
            }
            Route::Leader(leader) => {
                let result = self.send_on(request, leader, deadline).await;
                result.inspect_err(|refusal| self.heed(group, leader, refusal))
            }
            Route::Everywhere => open_everywhere(self.clone(), deadline).await,
            Route::Nowhere { leader } => Err(Refusal::not_leader(leader)),
        }
    }

    async fn send_on(
        &self,
        request: &AnyRequest,
        leader: NodeId,
        deadline: Instant,
    ) -> Result<AnyResponse, Refusal> {
        let Some(pipeline) = self.forwarding.to(leader) else {
            return Err(Refusal::leader_unreachable(leader));
        };
        let left = deadline.saturating_duration_since(Instant::now());
        match pipeline.call(operation::bound(request.clone()), left).await {
            Ok(AnyResponse::Error(error)) => Err(Refusal::from_leader(error)),
            Ok(response) => Ok(response),
            Err(cut) => Err(Refusal::from_cut(operation::access(request), leader, &cut)),
        }
    }
}

/// Looked up once, so that no operation has to.
fn metrics_of_groups(metrics: &Metrics, shards: &Shards) -> BTreeMap<GroupId, Arc<GroupMetrics>> {
    shards.groups().map(|group| (group, metrics.group(group.0))).collect()
}

/// The leader replied to another question: a mistake of ours.
fn wrong_reply() -> Refusal {
    let message = "the leader's reply does not fit the request";
    Refusal { indefinite: true, ..Refusal::definite(ErrorKind::Unspecified, message) }
}

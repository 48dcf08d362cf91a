//! The service for operators.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use proto::admin::admin_server::{Admin, AdminServer};
use proto::admin::change_members_request::Change;
use proto::admin::{
    AddGroupRequest, AddGroupResponse, AddMember, ChangeMembersRequest, ChangeMembersResponse,
    DieRequest, DieResponse, Group, ListGroupsRequest, ListGroupsResponse, ListMembersRequest,
    ListMembersResponse, Member, RebalanceRequest, RebalanceResponse, ReplaceMember,
    SnapshotRequest, SnapshotResponse, StatusRequest, StatusResponse, TransferLeaderRequest,
    TransferLeaderResponse,
};
use proto::kv::ErrorKind;
use tonic::{Request, Response, Status};

use crate::driver::{Administer, Administered};
use crate::replica::{MemberChange, MemberRole, MemberStatus};
use crate::resharding::{AddError, Nodes, RebalanceError};
use crate::types::{GroupId, NodeId, Role};

use super::refusal::{Access, Refusal};
use super::router::Api;

/// How long a change of members is waited for, unless the request says otherwise.
const CHANGE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long it may be waited for.
const CHANGE_TIMEOUT_MAX: Duration = Duration::from_secs(3_600);

/// The service for operators.
#[derive(Debug)]
pub struct AdminService(Api);

impl AdminService {
    /// For those who call it from within the process.
    pub fn new(api: Api) -> AdminService {
        AdminService(api)
    }

    /// As a gRPC service.
    pub fn server(api: Api) -> AdminServer<AdminService> {
        AdminServer::new(AdminService(api))
    }
}

#[tonic::async_trait]
impl Admin for AdminService {
    async fn status(
        &self,
        request: Request<StatusRequest>,
    ) -> Result<Response<StatusResponse>, Status> {
        let config = &self.0.config;
        let group = GroupId(request.into_inner().group);
        let about_node = StatusResponse {
            node: config.node.0,
            cluster: config.cluster.clone(),
            role: "none".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            storage: config.storage.to_owned(),
            mode: config.mode.name().to_owned(),
            group: group.0,
            groups: self.0.node.groups().into_iter().map(|group| group.0).collect(),
            map_version: self.0.shards().map().version,
            migration: self.0.resharding.progress(),
            wall_clock: wall_clock(),
            ..StatusResponse::default()
        };
        let Some(replica) = self.0.node.status(group) else {
            return Ok(Response::new(about_node));
        };
        Ok(Response::new(StatusResponse {
            role: replica.role.name().to_owned(),
            term: replica.term.0,
            leader: replica.leader.map_or(0, |leader| leader.0),
            committed: replica.committed.0,
            applied: replica.applied.0,
            last_index: replica.last_index.0,
            persisted: replica.persisted.0,
            voters: replica.voters.iter().map(|voter| voter.0).collect(),
            learners: learners(&replica.members),
            first_index: replica.first_index.0,
            snapshot_index: replica.snapshot.map_or(0, |it| it.index.0),
            ..about_node
        }))
    }

    async fn list_members(
        &self,
        request: Request<ListMembersRequest>,
    ) -> Result<Response<ListMembersResponse>, Status> {
        let group = GroupId(request.into_inner().group);
        let Some(replica) = self.0.node.status(group) else { return Err(self.not_here(group)) };
        if replica.role != Role::Leader {
            return Err(self.0.status_of(Refusal::not_leader(replica.leader)));
        }
        Ok(Response::new(ListMembersResponse {
            group: group.0,
            leader: replica.id.0,
            term: replica.term.0,
            members: replica.members.iter().map(member).collect(),
        }))
    }

    async fn change_members(
        &self,
        request: Request<ChangeMembersRequest>,
    ) -> Result<Response<ChangeMembersResponse>, Status> {
        let ChangeMembersRequest { group, change, timeout_ms } = request.into_inner();
        let change = change.ok_or_else(|| self.invalid("the request names no change"))?;
        let change = member_change(change);
        if let Some(address) = new_address(&change)
            && !is_address(address)
        {
            let message = format!("{address:?} is not of the form HOST:PORT");
            return Err(self.invalid(message));
        }
        let timeout = change_timeout(timeout_ms);
        let ticks = timeout.as_nanos() / self.0.config.tick.as_nanos().max(1);
        let timeout_ticks = u64::try_from(ticks).unwrap_or(u64::MAX).max(1);
        let what = Administer::ChangeMembers { change, timeout_ticks };
        self.administer(GroupId(group), what).await?;
        let members = self.0.node.status(GroupId(group)).map(|it| it.members).unwrap_or_default();
        let members = members.iter().map(member).collect();
        Ok(Response::new(ChangeMembersResponse { members }))
    }

    async fn transfer_leader(
        &self,
        request: Request<TransferLeaderRequest>,
    ) -> Result<Response<TransferLeaderResponse>, Status> {
        let TransferLeaderRequest { group, to, timeout_ms: _ } = request.into_inner();
        let to = Some(NodeId(to)).filter(|to| to.0 != 0);
        match self.administer(GroupId(group), Administer::TransferLeader { to }).await? {
            Administered::Leader(leader) => {
                Ok(Response::new(TransferLeaderResponse { leader: leader.0 }))
            }
            Administered::Members(_) | Administered::Snapshot(_) => Err(wrong_answer()),
        }
    }

    async fn snapshot(
        &self,
        request: Request<SnapshotRequest>,
    ) -> Result<Response<SnapshotResponse>, Status> {
        let group = GroupId(request.into_inner().group);
        match self.administer(group, Administer::TakeSnapshot).await? {
            Administered::Snapshot(position) => {
                Ok(Response::new(SnapshotResponse { index: position.index.0 }))
            }
            Administered::Members(_) | Administered::Leader(_) => Err(wrong_answer()),
        }
    }

    async fn add_group(
        &self,
        request: Request<AddGroupRequest>,
    ) -> Result<Response<AddGroupResponse>, Status> {
        let timeout = change_timeout(request.into_inner().timeout_ms);
        let added = self.0.resharding.add_group(timeout).await;
        let group = added.map_err(|error| self.0.status_of(add_refusal(&error)))?;
        Ok(Response::new(AddGroupResponse { group: group.0 }))
    }

    async fn rebalance(
        &self,
        request: Request<RebalanceRequest>,
    ) -> Result<Response<RebalanceResponse>, Status> {
        let RebalanceRequest { add, remove, timeout_ms } = request.into_inner();
        if let Some(address) = add.values().find(|address| !is_address(address)) {
            return Err(self.invalid(format!("{address:?} is not of the form HOST:PORT")));
        }
        let nodes = Nodes {
            add: add.into_iter().map(|(node, address)| (NodeId(node), address)).collect(),
            remove: remove.into_iter().map(NodeId).collect(),
        };
        let deadline = Instant::now() + change_timeout(timeout_ms);
        let done = self.0.resharding.rebalance(nodes, deadline).await;
        let changes = done.map_err(|error| self.0.status_of(rebalance_refusal(&error)))?;
        Ok(Response::new(RebalanceResponse { changes: u32::try_from(changes).unwrap_or(u32::MAX) }))
    }

    async fn list_groups(
        &self,
        _request: Request<ListGroupsRequest>,
    ) -> Result<Response<ListGroupsResponse>, Status> {
        let shards = self.0.shards();
        let map = shards.map();
        let new = map.migration.as_ref().and_then(|it| it.group.as_ref());
        let active = map.groups.iter().map(|group| (group, "active"));
        let groups = active.chain(new.map(|group| (group, "adding"))).map(|(group, state)| {
            let id = GroupId(group.id);
            let leader = self.0.node.leadership(id).and_then(|replica| replica.leader);
            Group {
                id: group.id,
                members: group.members.clone(),
                share: shards.share(id),
                state: state.to_owned(),
                leader: leader.map_or(0, |leader| leader.0),
            }
        });
        Ok(Response::new(ListGroupsResponse {
            version: map.version,
            groups: groups.collect(),
            migration: self.0.resharding.progress(),
        }))
    }

    async fn die(&self, request: Request<DieRequest>) -> Result<Response<DieResponse>, Status> {
        if !self.0.config.test_hooks {
            let message = "this server was not started with --test-hooks";
            let refusal = Refusal::definite(ErrorKind::PermissionDenied, message);
            return Err(self.0.status_of(refusal));
        }
        if request.get_ref().at_once {
            tracing::warn!("told to die at once");
            std::process::abort();
        }
        tracing::warn!("told to die");
        self.0.want_stop();
        Ok(Response::new(DieResponse {}))
    }
}

impl AdminService {
    async fn administer(&self, group: GroupId, what: Administer) -> Result<Administered, Status> {
        let answer = self.0.node.administer(group, what).await;
        answer.map_err(|error| self.0.status_of(Refusal::from_node(Access::Write, error)))
    }

    fn not_here(&self, group: GroupId) -> Status {
        self.invalid(format!("this node has no replica of group {}", group.0))
    }

    fn invalid(&self, message: impl Into<String>) -> Status {
        self.0.status_of(Refusal::definite(ErrorKind::InvalidRequest, message))
    }
}

/// How long a request is willing to wait.
fn change_timeout(timeout_ms: u32) -> Duration {
    let timeout = Duration::from_millis(u64::from(timeout_ms));
    if timeout.is_zero() { CHANGE_TIMEOUT } else { timeout.min(CHANGE_TIMEOUT_MAX) }
}

fn add_refusal(error: &AddError) -> Refusal {
    let definite = |kind| Refusal::definite(kind, error.to_string());
    match error {
        AddError::NotLeader { leader } => Refusal::not_leader(*leader),
        AddError::Map(_) | AddError::NoAddress { .. } => definite(ErrorKind::InvalidRequest),
        AddError::InDoubt(_) => Refusal { indefinite: true, ..definite(ErrorKind::Uncertain) },
        AddError::Slow { .. } => Refusal { indefinite: true, ..definite(ErrorKind::Timeout) },
    }
}

fn rebalance_refusal(error: &RebalanceError) -> Refusal {
    let definite = |kind| Refusal::definite(kind, error.to_string());
    match error {
        RebalanceError::NotLeader { leader } => Refusal::not_leader(*leader),
        RebalanceError::UnderWay | RebalanceError::NoNodes | RebalanceError::NoAddress { .. } => {
            definite(ErrorKind::InvalidRequest)
        }
        RebalanceError::Step(_) => Refusal { indefinite: true, ..definite(ErrorKind::Uncertain) },
    }
}

fn learners(members: &[MemberStatus]) -> Vec<u64> {
    let learners = members.iter().filter(|member| member.role == MemberRole::Learner);
    learners.map(|member| member.node.0).collect()
}

/// Nanoseconds since 1970; 0 for a clock that is before that.
fn wall_clock() -> i64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_1970.as_nanos()).unwrap_or(i64::MAX)
}

fn wrong_answer() -> Status {
    Status::internal("the node answered another question")
}

fn member(status: &MemberStatus) -> Member {
    Member {
        node: status.node.0,
        address: status.address.clone(),
        role: status.role.name().to_owned(),
        match_index: status.progress.map_or(0, |it| it.match_index.0),
        lag: status.progress.map_or(0, |it| it.lag),
        active: status.progress.is_some_and(|it| it.active),
    }
}

fn member_change(change: Change) -> MemberChange {
    match change {
        Change::Add(AddMember { node, address, stay_learner }) => {
            MemberChange::Add { node: NodeId(node), address, stay_learner }
        }
        Change::Promote(it) => MemberChange::Promote { node: NodeId(it.node) },
        Change::Demote(it) => MemberChange::Demote { node: NodeId(it.node) },
        Change::Remove(it) => MemberChange::Remove { node: NodeId(it.node) },
        Change::Replace(ReplaceMember { old_node, new_node, address }) => {
            MemberChange::Replace { old: NodeId(old_node), new: NodeId(new_node), address }
        }
    }
}

/// Where the new member is, if the change brings one.
fn new_address(change: &MemberChange) -> Option<&str> {
    match change {
        MemberChange::Add { address, .. } | MemberChange::Replace { address, .. } => Some(address),
        MemberChange::Promote { .. }
        | MemberChange::Demote { .. }
        | MemberChange::Remove { .. } => None,
    }
}

fn is_address(text: &str) -> bool {
    let parts = text.rsplit_once(':');
    parts.is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
}

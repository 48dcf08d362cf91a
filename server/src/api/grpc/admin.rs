//! The service for operators.

use proto::admin::admin_server::{Admin, AdminServer};
use proto::admin::{DieRequest, DieResponse, StatusRequest, StatusResponse};
use proto::kv::ErrorKind;
use tonic::{Request, Response, Status};

use crate::types::GroupId;

use super::refusal::Refusal;
use super::router::Api;

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
            ..about_node
        }))
    }

    async fn list_members(
        &self,
        _request: Request<proto::admin::ListMembersRequest>,
    ) -> Result<Response<proto::admin::ListMembersResponse>, Status> {
        Err(Status::unimplemented("list_members"))
    }

    async fn change_members(
        &self,
        _request: Request<proto::admin::ChangeMembersRequest>,
    ) -> Result<Response<proto::admin::ChangeMembersResponse>, Status> {
        Err(Status::unimplemented("change_members"))
    }

    async fn transfer_leader(
        &self,
        _request: Request<proto::admin::TransferLeaderRequest>,
    ) -> Result<Response<proto::admin::TransferLeaderResponse>, Status> {
        Err(Status::unimplemented("transfer_leader"))
    }

    async fn snapshot(
        &self,
        _request: Request<proto::admin::SnapshotRequest>,
    ) -> Result<Response<proto::admin::SnapshotResponse>, Status> {
        Err(Status::unimplemented("snapshot"))
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

//! Performs steps of migrations for other nodes, in the groups that this node leads.

use bytes::Bytes;
use prost::Message;
use proto::raft::groups_server::{Groups, GroupsServer};
use proto::raft::{GroupRefusal, GroupReply, GroupRequest, group_reply, group_request};
use tonic::{Request, Response, Status};

use crate::command::{Command, LogCommand, ShardQuery};
use crate::driver::{NodeError, NodeHandle};
use crate::replica::Rejection;
use crate::state_machine::{Query, QueryReply};
use crate::types::{GroupId, NodeId};

/// The largest message: a page of keys or sessions is closed long before, but for its last one.
pub(super) const MESSAGE_BYTES_MAX: usize = 64 << 20;

/// What other nodes may ask of the groups of this one.
#[derive(Debug)]
pub struct GroupsService {
    id: NodeId,
    cluster: String,
    node: NodeHandle,
}

impl GroupsService {
    pub(super) fn new(id: NodeId, cluster: String, node: NodeHandle) -> GroupsService {
        GroupsService { id, cluster, node }
    }

    /// As a gRPC service.
    pub fn into_server(self) -> GroupsServer<GroupsService> {
        GroupsServer::new(self)
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX)
    }

    async fn perform(
        &self,
        group: GroupId,
        ask: group_request::Ask,
    ) -> Result<group_reply::Reply, Status> {
        let read = |bytes: Bytes| ShardQuery::decode(bytes).map_err(garbage);
        let answer = match ask {
            group_request::Ask::Command(entry) => {
                let command = LogCommand::decode_entry(entry).map_err(garbage)?;
                if !matches!(command.command, Some(Command::Shards(_))) {
                    return Err(Status::invalid_argument("the command is no step of a migration"));
                }
                let written = self.node.write(group, command).await;
                written.map(|it| group_reply::Reply::Outcome(it.outcome.encode_to_vec().into()))
            }
            group_request::Ask::Query(bytes) => {
                self.node.read(group, Query::Shards(read(bytes)?)).await.map(|it| found(it.reply))
            }
            group_request::Ask::LocalQuery(bytes) => {
                let query = Query::Shards(read(bytes)?);
                self.node.read_local(group, query).await.map(|it| found(it.reply))
            }
        };
        Ok(answer.unwrap_or_else(|error| group_reply::Reply::Refusal(refusal(error))))
    }
}

fn found(reply: QueryReply) -> group_reply::Reply {
    match reply {
        QueryReply::Shards(reply) => group_reply::Reply::Found(reply.encode_to_vec().into()),
        _ => {
            let message = "the state answered another question".to_owned();
            group_reply::Reply::Refusal(GroupRefusal { message, leader: 0 })
        }
    }
}

fn refusal(error: NodeError) -> GroupRefusal {
    let leader = match error {
        NodeError::Rejected(Rejection::NotLeader { leader }) => leader.map_or(0, |it| it.0),
        _ => 0,
    };
    GroupRefusal { message: error.to_string(), leader }
}

fn garbage(error: impl std::fmt::Display) -> Status {
    Status::invalid_argument(format!("read the request: {error}"))
}

#[tonic::async_trait]
impl Groups for GroupsService {
    async fn ask(&self, request: Request<GroupRequest>) -> Result<Response<GroupReply>, Status> {
        let GroupRequest { cluster, to, group, ask } = request.into_inner();
        if cluster != self.cluster || to != self.id.0 {
            let (own, id) = (&self.cluster, self.id);
            return Err(Status::failed_precondition(format!(
                "the request is for node {to} of cluster {cluster:?}; this is node {id} of {own:?}"
            )));
        }
        let ask = ask.ok_or_else(|| Status::invalid_argument("the request asks nothing"))?;
        let reply = self.perform(GroupId(group), ask).await?;
        Ok(Response::new(GroupReply { reply: Some(reply) }))
    }
}

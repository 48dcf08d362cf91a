//! Brings steps and questions to the leaders of groups, wherever they are.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use prost::Message;
use proto::raft::groups_client::GroupsClient;
use proto::raft::{GroupRefusal, GroupReply, GroupRequest, group_reply, group_request};
use tonic::Request;
use tonic::transport::Channel;

use crate::command::{
    LogCommand, MapAnswer, MapQuestion, Outcome, ShardAnswer, ShardQuery, ShardQuestion,
    ShardReply, ShardStep,
};
use crate::driver::NodeHandle;
use crate::state_machine::{Query, QueryReply};
use crate::transport::PeerConnections;
use crate::types::{GroupId, NodeId, Role};

use super::service::MESSAGE_BYTES_MAX;
use super::{ReshardingConfig, ShardsView};

/// How long a leader is looked for, and waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long one attempt may take.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(2);
/// The pause before the next one.
const PAUSE: Duration = Duration::from_millis(20);

/// A group could not be reached in time. What was asked of it may have been done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("ask group {group}: {reason}")]
pub(super) struct Unreached {
    group: u32,
    reason: String,
}

/// The ways to the leaders of all groups.
#[derive(Debug)]
pub(super) struct Reach {
    pub(super) id: NodeId,
    cluster: String,
    pub(super) tick: Duration,
    pub(super) node: NodeHandle,
    connections: PeerConnections,
    view: ShardsView,
    /// Who led, or is to be asked next, of groups without a replica here.
    hints: Mutex<BTreeMap<GroupId, NodeId>>,
}

#[derive(Debug)]
enum Ask {
    Command(LogCommand),
    Query(ShardQuery),
}

enum Answer {
    Outcome(Outcome),
    Found(ShardReply),
}

/// Why an attempt failed, and who leads, if that was said.
pub(super) struct Failed {
    pub(super) reason: String,
    pub(super) leader: Option<NodeId>,
}

impl Failed {
    pub(super) fn new(reason: impl Into<String>) -> Failed {
        Failed { reason: reason.into(), leader: None }
    }
}

impl Reach {
    pub(super) fn new(
        config: &ReshardingConfig,
        node: NodeHandle,
        connections: PeerConnections,
        view: ShardsView,
    ) -> Reach {
        let (id, cluster) = (config.node, config.cluster.clone());
        let tick = config.tick;
        Reach { id, cluster, tick, node, connections, view, hints: Mutex::default() }
    }

    /// Performs a step in a group. It may happen more than once.
    pub(super) async fn perform(
        &self,
        group: GroupId,
        step: ShardStep,
    ) -> Result<Outcome, Unreached> {
        let command = LogCommand::new(0, 0, step.into());
        match self.ask(group, &Ask::Command(command)).await? {
            Answer::Outcome(outcome) => Ok(outcome),
            Answer::Found(_) => Err(unreached(group, "it answered another question")),
        }
    }

    /// Asks a group, linearizably. None if it is not frozen for what is asked.
    pub(super) async fn question(
        &self,
        group: GroupId,
        question: ShardQuestion,
    ) -> Result<Option<ShardAnswer>, Unreached> {
        let query = ShardQuery { question: Some(question) };
        match self.ask(group, &Ask::Query(query)).await? {
            Answer::Found(reply) => Ok(reply.answer),
            Answer::Outcome(_) => Err(unreached(group, "it answered another question")),
        }
    }

    async fn ask(&self, group: GroupId, ask: &Ask) -> Result<Answer, Unreached> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let attempt = self.attempt(group, ask);
            let failed = match tokio::time::timeout(ATTEMPT_TIMEOUT, attempt).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(failed)) => failed,
                Err(_) => Failed::new("no answer in time"),
            };
            self.heed(group, failed.leader);
            if Instant::now() >= deadline {
                return Err(unreached(group, failed.reason));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn attempt(&self, group: GroupId, ask: &Ask) -> Result<Answer, Failed> {
        let leader = self.leader(group).ok_or_else(|| Failed::new("no leader is known"))?;
        if leader == self.id {
            return self.ask_here(group, ask).await;
        }
        let ask = match ask {
            Ask::Command(command) => group_request::Ask::Command(command.encode_entry().into()),
            Ask::Query(query) => group_request::Ask::Query(query.encode_to_vec().into()),
        };
        match self.send(leader, group, ask).await? {
            group_reply::Reply::Outcome(bytes) => decode(bytes).map(Answer::Outcome),
            group_reply::Reply::Found(bytes) => decode(bytes).map(Answer::Found),
            group_reply::Reply::Refusal(GroupRefusal { message, leader }) => {
                let leader = Some(NodeId(leader)).filter(|leader| leader.0 != 0);
                Err(Failed { reason: message, leader })
            }
        }
    }

    async fn ask_here(&self, group: GroupId, ask: &Ask) -> Result<Answer, Failed> {
        let failed = |error: crate::driver::NodeError| Failed::new(error.to_string());
        match ask {
            Ask::Command(command) => {
                let reply = self.node.write(group, command.clone()).await.map_err(failed)?;
                Ok(Answer::Outcome(reply.outcome))
            }
            Ask::Query(query) => {
                let reply = self.node.read(group, Query::Shards(query.clone())).await;
                found(reply.map_err(failed)?.reply).map(Answer::Found)
            }
        }
    }

    /// The shard map of the first group, as this node or a member sees it: maybe an old one. None if
    /// nobody can be asked.
    pub(super) async fn map_nearby(&self) -> Option<MapAnswer> {
        let shards = self.view.get();
        let first = shards.first();
        let query = ShardQuery { question: Some(ShardQuestion::Map(MapQuestion {})) };
        // A replica that waits to be added knows nothing yet.
        if self.node.leadership(first).is_some_and(|it| it.leader.is_some()) {
            let reply = self.node.read_local(first, Query::Shards(query)).await.ok()?;
            return found(reply.reply).ok().and_then(map_answer);
        }
        for member in shards.members(first) {
            let ask = group_request::Ask::LocalQuery(query.encode_to_vec().into());
            let sent = self.send(member, first, ask);
            let answer = tokio::time::timeout(ATTEMPT_TIMEOUT, sent).await;
            if let Ok(Ok(group_reply::Reply::Found(bytes))) = answer
                && let Some(map) = decode(bytes).ok().and_then(map_answer)
            {
                return Some(map);
            }
        }
        None
    }

    async fn send(
        &self,
        to: NodeId,
        group: GroupId,
        ask: group_request::Ask,
    ) -> Result<group_reply::Reply, Failed> {
        let channel = self.channel(to)?;
        let cluster = self.cluster.clone();
        let message = GroupRequest { cluster, to: to.0, group: group.0, ask: Some(ask) };
        let request = self.authorized(message);
        let mut client = GroupsClient::new(channel).max_decoding_message_size(MESSAGE_BYTES_MAX);
        let reply = client.ask(request).await.map_err(|status| Failed::new(status.to_string()))?;
        let GroupReply { reply } = reply.into_inner();
        reply.ok_or_else(|| Failed::new(format!("node {to} said nothing")))
    }

    pub(super) fn channel(&self, to: NodeId) -> Result<Channel, Failed> {
        let channel = self.connections.get(to);
        channel.ok_or_else(|| Failed::new(format!("there is no way to node {to}")))
    }

    pub(super) fn authorized<M>(&self, message: M) -> Request<M> {
        let mut request = Request::new(message);
        if let Some(authorization) = self.connections.authorization() {
            request.metadata_mut().insert("authorization", authorization);
        }
        request
    }

    /// Who leads a group, which may be this node; or whom to ask, if it has no replica here.
    pub(super) fn leader(&self, group: GroupId) -> Option<NodeId> {
        match self.node.leadership(group) {
            Some(here) if here.role == Role::Leader => Some(self.id),
            // A replica that was removed, or waits to be added, does not hear who leads.
            Some(here) => {
                here.leader.filter(|leader| *leader != self.id).or_else(|| self.hint(group))
            }
            None => self.hint(group),
        }
    }

    fn hint(&self, group: GroupId) -> Option<NodeId> {
        let hints = self.hints.lock().unwrap_or_else(PoisonError::into_inner);
        let known = hints.get(&group).copied();
        known.or_else(|| self.others(group).first().copied())
    }

    /// Asks the named leader next time, or else the next member.
    pub(super) fn heed(&self, group: GroupId, leader: Option<NodeId>) {
        let asked = self.hint(group);
        let others = self.others(group);
        let position = others.iter().position(|node| Some(*node) == asked);
        let next = position.map_or(0, |position| position + 1) % others.len().max(1);
        if let Some(next) = leader.or_else(|| others.get(next).copied()) {
            self.hints.lock().unwrap_or_else(PoisonError::into_inner).insert(group, next);
        }
    }

    fn others(&self, group: GroupId) -> Vec<NodeId> {
        let mut members = self.view.get().members(group);
        members.retain(|node| *node != self.id);
        members
    }
}

fn unreached(group: GroupId, reason: impl Into<String>) -> Unreached {
    Unreached { group: group.0, reason: reason.into() }
}

fn found(reply: QueryReply) -> Result<ShardReply, Failed> {
    match reply {
        QueryReply::Shards(reply) => Ok(reply),
        _ => Err(Failed::new("it answered another question")),
    }
}

fn map_answer(reply: ShardReply) -> Option<MapAnswer> {
    match reply.answer {
        Some(ShardAnswer::Map(answer)) => Some(answer),
        _ => None,
    }
}

fn decode<M: Message + Default>(bytes: Bytes) -> Result<M, Failed> {
    M::decode(bytes).map_err(|error| Failed::new(format!("its answer is unreadable: {error}")))
}

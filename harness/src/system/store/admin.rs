//! The commands of operators, asked of the node that leads the group.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::join_all;
use proto::admin::change_members_request::Change;
use proto::admin::{AddMember, DemoteMember, Member, PromoteMember, RemoveMember};
use proto::client::{Client as KvClient, ClientError, ClientOptions};

use super::Store;
use crate::node_id::NodeId;
use crate::system::{Admin, AdminAction, AdminError, BoxFuture, MemberChange, MemberRole, Members};

/// A node that does not say by then whether it leads is left out.
const STATUS_PATIENCE: Duration = Duration::from_millis(400);

impl Admin for Store {
    fn groups(&self) -> u32 {
        u32::from(self.options.shards)
    }

    fn members<'a>(
        &'a self,
        nodes: &'a BTreeMap<NodeId, SocketAddr>,
        group: u32,
        patience: Duration,
    ) -> BoxFuture<'a, Result<Members, AdminError>> {
        Box::pin(async move {
            let what = format!("list the members of group {group}");
            let mut leader = leader(nodes, group, patience, &what).await?;
            let list = leader.list_members(group).await.map_err(|error| failed(&what, &error))?;
            Ok(list.members.iter().filter_map(role).collect())
        })
    }

    fn perform<'a>(
        &'a self,
        nodes: &'a BTreeMap<NodeId, SocketAddr>,
        group: u32,
        action: AdminAction,
        patience: Duration,
    ) -> BoxFuture<'a, Result<String, AdminError>> {
        Box::pin(async move {
            let what = action.to_string();
            let done = match action {
                AdminAction::Snapshot { node } => {
                    let address = nodes.get(&node).ok_or_else(|| AdminError {
                        what: what.clone(),
                        reason: "there is no such node".to_owned(),
                    })?;
                    let index = connect(*address, patience).snapshot(group).await;
                    index.map(|index| format!("{node} has a snapshot up to entry {index}"))
                }
                AdminAction::Transfer { to } => {
                    let mut leader = leader(nodes, group, patience, &what).await?;
                    let to = to.map_or(0, |node| u64::from(node.0));
                    leader.transfer_leader(group, to).await.map(|now| format!("n{now} leads"))
                }
                AdminAction::ChangeMembers(change) => {
                    let mut leader = leader(nodes, group, patience, &what).await?;
                    let changed = leader.change_members(group, to_wire(change)).await;
                    changed.map(|members| format!("{} members now", members.len()))
                }
            };
            done.map_err(|error| failed(&what, &error))
        })
    }
}

/// A client of the node that leads the group.
async fn leader(
    nodes: &BTreeMap<NodeId, SocketAddr>,
    group: u32,
    patience: Duration,
    what: &str,
) -> Result<KvClient, AdminError> {
    let asked = nodes.values().map(|&address| async move {
        let status = connect(address, STATUS_PATIENCE).status_of_group(group).await.ok()?;
        (status.role == "leader").then_some((status.term, address))
    });
    let newest = join_all(asked).await.into_iter().flatten().max_by_key(|(term, _)| *term);
    match newest {
        Some((_, address)) => Ok(connect(address, patience)),
        None => Err(AdminError {
            what: what.to_owned(),
            reason: format!("no node says that it leads group {group}"),
        }),
    }
}

fn connect(address: SocketAddr, patience: Duration) -> KvClient {
    KvClient::new(vec![address.to_string()], ClientOptions::single_attempt(patience))
}

fn to_wire(change: MemberChange) -> Change {
    let id = |node: NodeId| u64::from(node.0);
    match change {
        MemberChange::Demote { node } => Change::Demote(DemoteMember { node: id(node) }),
        MemberChange::Promote { node } => Change::Promote(PromoteMember { node: id(node) }),
        MemberChange::Remove { node } => Change::Remove(RemoveMember { node: id(node) }),
        MemberChange::Add { node, address } => Change::Add(AddMember {
            node: id(node),
            address: address.to_string(),
            stay_learner: false,
        }),
    }
}

fn role(member: &Member) -> Option<(NodeId, MemberRole)> {
    let role = match member.role.as_str() {
        "leader" => MemberRole::Leader,
        "voter" => MemberRole::Voter,
        "learner" => MemberRole::Learner,
        _ => MemberRole::Changing,
    };
    Some((NodeId(u16::try_from(member.node).ok()?), role))
}

fn failed(what: &str, error: &ClientError) -> AdminError {
    AdminError { what: what.to_owned(), reason: error.to_string() }
}

//! Moves replicas on request, so that each node has its share of them: after nodes have come, or before
//! some go.
//!
//! One change of one group at a time: first the new member, which learns and becomes a voter, then the
//! old one goes. What was asked for is in no log: if the node that drives it dies, what was done stays
//! done, and an operator asks again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use crate::replica::MemberChange;
use crate::shard::{Placement, REPLICAS_MAX, place};
use crate::types::{GroupId, NodeId};

use super::add::whereabouts;
use super::coordinator::{StepError, change_map, current_map, first_leader_elsewhere, leads};
use super::{Resharding, Shared};

/// Which nodes share the replicas.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Nodes {
    /// Those that come, and where they are, `host:port`.
    pub add: BTreeMap<NodeId, String>,
    /// Those that go.
    pub remove: BTreeSet<NodeId>,
}

/// Replicas were not moved, or not all of them. What was done stays done.
#[derive(Debug, thiserror::Error)]
pub enum RebalanceError {
    /// This node does not lead the first group.
    #[error("this node does not lead the first group")]
    NotLeader {
        /// Who does, if anyone is known to.
        leader: Option<NodeId>,
    },
    /// Another one is under way, or a group is being added.
    #[error("replicas are being moved already, or a group is being added\nhint: try again later")]
    UnderWay,
    /// No node would be left.
    #[error("no node would be left")]
    NoNodes,
    /// Nobody knows where a node is.
    #[error("nobody knows the address of node {node}")]
    NoAddress {
        /// Which one.
        node: NodeId,
    },
    /// A step failed.
    #[error("{0}")]
    Step(String),
}

/// What is done with one group.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Moves {
    group: GroupId,
    add: Vec<NodeId>,
    remove: Vec<NodeId>,
}

impl Resharding {
    /// Brings each group to its members among these nodes, one change after the other. Returns how many
    /// changes that took.
    pub async fn rebalance(
        &self,
        nodes: Nodes,
        deadline: Instant,
    ) -> Result<usize, RebalanceError> {
        let shared = &*self.0;
        if !leads(shared) {
            let leader = first_leader_elsewhere(shared);
            return Err(RebalanceError::NotLeader { leader });
        }
        let _alone = shared.rebalancing.try_lock().map_err(|_| RebalanceError::UnderWay)?;
        let step = |error: StepError| RebalanceError::Step(error.to_string());
        let map = current_map(shared).await.map_err(step)?;
        if map.migration.is_some() {
            return Err(RebalanceError::UnderWay);
        }
        let (placement, mut addresses) = whereabouts(shared, &map);
        addresses.extend(nodes.add.iter().map(|(node, at)| (*node, at.clone())));
        let all = placement.values().flatten().chain(nodes.add.keys()).copied();
        let all: BTreeSet<NodeId> = all.filter(|node| !nodes.remove.contains(node)).collect();
        if all.is_empty() {
            return Err(RebalanceError::NoNodes);
        }
        if let Some(node) = all.iter().find(|node| !addresses.contains_key(node)) {
            return Err(RebalanceError::NoAddress { node: *node });
        }
        let mut changes = 0;
        for moves in moves(&placement, &all) {
            let Moves { group, add, remove } = moves;
            tracing::info!(group = group.0, ?add, ?remove, "moving replicas");
            note_members(shared, group, &add, &[]).await?;
            for change in member_changes(&add, &remove, &addresses) {
                shared
                    .reach
                    .change_members(group, &change, deadline)
                    .await
                    .map_err(RebalanceError::Step)?;
                changes += 1;
            }
            note_members(shared, group, &[], &remove).await?;
        }
        Ok(changes)
    }
}

/// What is to be done for each node to have its share.
fn moves(placement: &Placement, nodes: &BTreeSet<NodeId>) -> Vec<Moves> {
    let groups = placement.keys().copied().collect();
    let wanted = place(placement, nodes, &groups, REPLICAS_MAX);
    let moves = wanted.into_iter().map(|(group, wanted)| {
        let present = placement.get(&group).map_or(&[][..], Vec::as_slice);
        let lacks = |list: &[NodeId], node: &NodeId| !list.contains(node);
        Moves {
            group,
            add: wanted.iter().filter(|node| lacks(present, node)).copied().collect(),
            remove: present.iter().filter(|node| lacks(&wanted, node)).copied().collect(),
        }
    });
    moves.filter(|it| !(it.add.is_empty() && it.remove.is_empty())).collect()
}

/// As changes of the group: a member that goes is replaced by one that comes, as far as there are
/// both, so that there are never fewer.
fn member_changes(
    add: &[NodeId],
    remove: &[NodeId],
    addresses: &BTreeMap<NodeId, String>,
) -> Vec<MemberChange> {
    let address = |node: &NodeId| addresses.get(node).cloned().unwrap_or_default();
    let both = add.len().min(remove.len());
    let replace = add.iter().zip(remove).map(|(new, old)| MemberChange::Replace {
        old: *old,
        new: *new,
        address: address(new),
    });
    let more = add[both..].iter().map(|node| MemberChange::Add {
        node: *node,
        address: address(node),
        stay_learner: false,
    });
    let fewer = remove[both..].iter().map(|node| MemberChange::Remove { node: *node });
    replace.chain(more).chain(fewer).collect()
}

/// Writes into the map who is a member of a group now, so that new ones make room for it, old ones
/// delete it, and requests find it.
async fn note_members(
    shared: &Shared,
    group: GroupId,
    add: &[NodeId],
    remove: &[NodeId],
) -> Result<(), RebalanceError> {
    let step = |error: StepError| RebalanceError::Step(error.to_string());
    let map = current_map(shared).await.map_err(step)?;
    let Some(after) = map.with_members(group, add, remove) else { return Ok(()) };
    match change_map(shared, &map, after).await.map_err(step)? {
        true => Ok(()),
        false => Err(RebalanceError::UnderWay),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(ids: impl IntoIterator<Item = u64>) -> Vec<NodeId> {
        ids.into_iter().map(NodeId).collect()
    }

    #[test]
    fn nothing_moves_where_each_node_has_its_share() {
        let placement: Placement = [(GroupId(0), nodes(1..=5)), (GroupId(1), nodes(1..=5))].into();
        assert_eq!(moves(&placement, &nodes(1..=5).into_iter().collect()), []);
    }

    #[test]
    fn a_node_that_goes_is_replaced_by_one_that_has_room() {
        let placement: Placement = [(GroupId(0), nodes(1..=5)), (GroupId(3), nodes(2..=6))].into();
        let left = nodes([2, 3, 4, 5, 6]).into_iter().collect();
        let expected = Moves { group: GroupId(0), add: nodes([6]), remove: nodes([1]) };
        assert_eq!(moves(&placement, &left), [expected]);
    }

    #[test]
    fn members_are_replaced_as_far_as_there_are_both() {
        let addresses = (1..=9).map(|node| (NodeId(node), format!("host:{node}"))).collect();
        let changes = |add: &[u64], remove: &[u64]| {
            let list = |ids: &[u64]| nodes(ids.iter().copied());
            member_changes(&list(add), &list(remove), &addresses)
        };
        let replace = |old, new: u64| MemberChange::Replace {
            old: NodeId(old),
            new: NodeId(new),
            address: format!("host:{new}"),
        };
        let add = |node: u64| MemberChange::Add {
            node: NodeId(node),
            address: format!("host:{node}"),
            stay_learner: false,
        };
        let remove = |node| MemberChange::Remove { node: NodeId(node) };
        assert_eq!(changes(&[7, 8], &[1]), [replace(1, 7), add(8)]);
        assert_eq!(changes(&[7], &[1, 2]), [replace(1, 7), remove(2)]);
        assert_eq!(changes(&[], &[]), []);
    }
}

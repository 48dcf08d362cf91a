//! An operator adds a group.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::shard::{AddGroupError, Placement, ShardMap};
use crate::types::{GroupId, NodeId};

use super::coordinator::{StepError, change_map, current_map, first_leader_elsewhere, leads};
use super::{Resharding, Shared};

/// How often it is looked whether a group has been added.
const POLL: Duration = Duration::from_millis(20);

/// A group is not added, or not yet.
#[derive(Debug, thiserror::Error)]
pub enum AddError {
    /// This node does not lead the first group. Nothing was begun.
    #[error("this node does not lead the first group")]
    NotLeader {
        /// Who does, if anyone is known to.
        leader: Option<NodeId>,
    },
    /// The map does not allow it. Nothing was begun.
    #[error(transparent)]
    Map(#[from] AddGroupError),
    /// A member could not be found by the others. Nothing was begun.
    #[error("nobody knows the address of node {node}")]
    NoAddress {
        /// Which one.
        node: NodeId,
    },
    /// The first group could not be asked. It may have begun.
    #[error("{0}")]
    InDoubt(String),
    /// It takes longer, and goes on.
    #[error(
        "group {group} is not there yet; it goes on\nhint: `ctl group list` shows how far it is"
    )]
    Slow {
        /// The group.
        group: u32,
    },
}

impl Resharding {
    /// Adds a group, and waits until all its keys are there and gone elsewhere.
    pub async fn add_group(&self, timeout: Duration) -> Result<GroupId, AddError> {
        let shared = &*self.0;
        let deadline = Instant::now() + timeout;
        let group = begin(shared).await?;
        tracing::info!(group = group.0, "adding a group");
        while !shared.view.get().map().groups.iter().any(|it| it.id == group.0) {
            if Instant::now() >= deadline {
                return Err(AddError::Slow { group: group.0 });
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(group)
    }
}

async fn begin(shared: &Shared) -> Result<GroupId, AddError> {
    if !leads(shared) {
        let leader = first_leader_elsewhere(shared);
        return Err(AddError::NotLeader { leader });
    }
    let in_doubt = |error: StepError| AddError::InDoubt(error.to_string());
    let map = current_map(shared).await.map_err(in_doubt)?;
    let (placement, addresses) = whereabouts(shared, &map);
    let nodes: BTreeSet<NodeId> = placement.values().flatten().copied().collect();
    if let Some(node) = nodes.iter().find(|node| !addresses.contains_key(node)) {
        return Err(AddError::NoAddress { node: *node });
    }
    let address = |node| addresses.get(&node).cloned().unwrap_or_default();
    let begun = map.begin(&placement, &nodes, address)?;
    let group = begun.migration.as_ref().map(|it| it.group_id()).unwrap_or_default();
    if change_map(shared, &map, begun).await.map_err(in_doubt)? {
        return Ok(group);
    }
    // Somebody else was faster.
    Err(AddGroupError::UnderWay { group: group.0 }.into())
}

/// Who votes in which group, and where everyone is.
pub(super) fn whereabouts(
    shared: &Shared,
    map: &ShardMap,
) -> (Placement, BTreeMap<NodeId, String>) {
    let mut placement = Placement::new();
    let mut addresses = shared.config.peers.clone();
    for group in &map.groups {
        let id = GroupId(group.id);
        // The group itself knows best, if it is here.
        let here = shared.node.status(id).filter(|it| !it.voters.is_empty());
        let members = here.as_ref().map_or_else(|| group.nodes(), |it| it.voters.clone());
        placement.insert(id, members);
        for member in here.iter().flat_map(|it| it.members.iter()) {
            if !member.address.is_empty() {
                addresses.insert(member.node, member.address.clone());
            }
        }
    }
    (placement, addresses)
}

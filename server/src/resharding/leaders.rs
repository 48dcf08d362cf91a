//! Hands groups over while this node leads too many of them.
//!
//! Slowly: one group at a time, and only if the same handover has been right for a whole interval.
//! While anything is wrong or changes, nothing is handed over.

use std::time::Duration;

use crate::driver::Administer;
use crate::replica::{MemberRole, ReplicaStatus};
use crate::shard::{LedGroup, handover};
use crate::types::{GroupId, NodeId, Role};

use super::Shared;

/// How long a handover is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Runs until it is dropped. An interval of zero: leaders stay where they are.
pub(super) async fn run(shared: &Shared, interval: Duration) {
    if interval.is_zero() {
        return std::future::pending().await;
    }
    let mut before = None;
    loop {
        tokio::time::sleep(interval).await;
        let now = wanted(shared);
        match now.filter(|_| now == before) {
            None => before = now,
            Some((group, to)) => {
                before = None;
                hand_over(shared, group, to).await;
            }
        }
    }
}

async fn hand_over(shared: &Shared, group: GroupId, to: NodeId) {
    let transfer = shared.node.administer(group, Administer::TransferLeader { to: Some(to) });
    match tokio::time::timeout(PATIENCE, transfer).await {
        Ok(Ok(_)) => tracing::info!(group = group.0, to = to.0, "handed a group over"),
        Ok(Err(error)) => tracing::debug!(group = group.0, to = to.0, "hand over: {error}"),
        Err(_) => tracing::debug!(group = group.0, to = to.0, "hand over: no answer in time"),
    }
}

/// What this node should hand over now, if all is well.
fn wanted(shared: &Shared) -> Option<(GroupId, NodeId)> {
    if shared.view.get().map().migration.is_some() {
        return None;
    }
    let mut groups = Vec::new();
    for group in shared.node.groups() {
        let Some(status) = shared.node.status(group) else { continue };
        if !is_well(&status) {
            return None;
        }
        groups.push(LedGroup { group, leader: status.leader, voters: status.voters });
    }
    handover(shared.config.node, &groups)
}

/// Does a group that this node leads hear of all its members, and are they not being changed?
fn is_well(status: &ReplicaStatus) -> bool {
    let is_settled =
        |role| matches!(role, MemberRole::Leader | MemberRole::Voter | MemberRole::Learner);
    status.role != Role::Leader
        || status.members.iter().all(|member| {
            let hears = member.node == status.id || member.progress.is_some_and(|it| it.active);
            hears && is_settled(member.role)
        })
}

//! Changes of a group's members, at its leader, wherever that is.

use std::time::{Duration, Instant};

use prost::Message;
use proto::admin::admin_client::AdminClient;
use proto::admin::change_members_request::Change;
use proto::admin::{
    AddMember, ChangeMembersRequest, DemoteMember, ListMembersRequest, Member, PromoteMember,
    RemoveMember, ReplaceMember,
};
use proto::kv::ErrorDetail;
use tonic::Status;

use crate::driver::Administer;
use crate::replica::MemberChange;
use crate::types::{GroupId, NodeId};

use super::reach::{Failed, Reach};

/// The pause before the next attempt: another change may have to be completed first.
const PAUSE: Duration = Duration::from_millis(200);

impl Reach {
    /// Changes the members of a group, and waits until that is done. An error says what was wrong last.
    pub(super) async fn change_members(
        &self,
        group: GroupId,
        change: &MemberChange,
        deadline: Instant,
    ) -> Result<(), String> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let attempt = self.attempt_members(group, change, left);
            let failed = match tokio::time::timeout(left, attempt).await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(failed)) => failed,
                Err(_) => Failed::new("no answer in time"),
            };
            self.heed(group, failed.leader);
            if Instant::now() + PAUSE >= deadline {
                return Err(format!("change the members of group {}: {}", group.0, failed.reason));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn attempt_members(
        &self,
        group: GroupId,
        change: &MemberChange,
        patience: Duration,
    ) -> Result<(), Failed> {
        let leader = self.leader(group).ok_or_else(|| Failed::new("no leader is known"))?;
        if leader == self.id {
            let status = self.node.status(group);
            let voters = status.map(|it| it.voters).unwrap_or_default();
            if is_reached(change, &voters) {
                return Ok(());
            }
            let ticks = patience.as_nanos() / self.tick.as_nanos().max(1);
            let timeout_ticks = u64::try_from(ticks).unwrap_or(u64::MAX).max(1);
            let change = change.clone();
            let what = Administer::ChangeMembers { change, timeout_ticks };
            let done = self.node.administer(group, what).await;
            return done.map(drop).map_err(|error| Failed::new(error.to_string()));
        }
        let mut client = AdminClient::new(self.channel(leader)?);
        let list = self.authorized(ListMembersRequest { group: group.0 });
        let list = client.list_members(list).await.map_err(failed_at)?.into_inner();
        let votes = |member: &&Member| ["leader", "voter"].contains(&&member.role[..]);
        let voters = list.members.iter().filter(votes).map(|member| NodeId(member.node));
        if is_reached(change, &voters.collect::<Vec<_>>()) {
            return Ok(());
        }
        let timeout_ms = u32::try_from(patience.as_millis()).unwrap_or(u32::MAX).max(1);
        let change = Some(to_wire(change));
        let request = ChangeMembersRequest { group: group.0, change, timeout_ms };
        let changed = client.change_members(self.authorized(request)).await;
        changed.map(drop).map_err(failed_at)
    }
}

/// Are these the voters that a change leads to?
fn is_reached(change: &MemberChange, voters: &[NodeId]) -> bool {
    match change {
        MemberChange::Add { node, .. } => voters.contains(node),
        MemberChange::Remove { node } => !voters.is_empty() && !voters.contains(node),
        MemberChange::Replace { old, new, .. } => voters.contains(new) && !voters.contains(old),
        MemberChange::Promote { .. } | MemberChange::Demote { .. } => false,
    }
}

fn to_wire(change: &MemberChange) -> Change {
    match change.clone() {
        MemberChange::Add { node, address, stay_learner } => {
            Change::Add(AddMember { node: node.0, address, stay_learner })
        }
        MemberChange::Promote { node } => Change::Promote(PromoteMember { node: node.0 }),
        MemberChange::Demote { node } => Change::Demote(DemoteMember { node: node.0 }),
        MemberChange::Remove { node } => Change::Remove(RemoveMember { node: node.0 }),
        MemberChange::Replace { old, new, address } => {
            Change::Replace(ReplaceMember { old_node: old.0, new_node: new.0, address })
        }
    }
}

fn failed_at(status: Status) -> Failed {
    let detail = ErrorDetail::decode(status.details()).unwrap_or_default();
    let leader = Some(NodeId(detail.leader_node)).filter(|leader| leader.0 != 0);
    Failed { reason: status.message().to_owned(), leader }
}

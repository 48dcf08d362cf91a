//! Groups that are being added to this node, or removed from it, while it runs.
//!
//! ```text
//! add     ──> log: bootstrap, load ──> state: open empty ──> replica ──> hosted
//! remove  ──> not hosted any more ──> log: remove ──> state: remove
//! ```
//!
//! What the log store knows is what a node hosts after a restart. The log therefore comes first both
//! times: a crash between the steps leaves a group that is hosted in full, or a state without a log,
//! which the next addition of the group deletes.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::log_store::RecoveredLog;
use crate::membership::Configuration;
use crate::replica::{AppliedState, Replica, ReplicaConfig};
use crate::shard::{SHARDS_MAX, mix};
use crate::types::GroupId;

use super::core_thread::Outbox;
use super::directory::Directory;
use super::group::{
    AddedState, ApplyTask, ChangeReply, Completion, GroupChange, GroupError, LogTask,
};
use super::hosted::{Hosted, HostedGroups};

/// Groups that a node may host. More than a map can have, because a group may be on its way out.
pub(super) const GROUPS_MAX: usize = 2 * SHARDS_MAX as usize;

/// The changes that are under way.
pub(super) struct Changes {
    /// What all replicas of this node have in common.
    pub(super) replica: ReplicaConfig,
    pub(super) directory: Arc<Directory>,
    /// Where nodes are that a group's first configuration does not say.
    pub(super) addresses: BTreeMap<u64, String>,
    pub(super) under_way: BTreeMap<GroupId, Change>,
}

pub(super) enum Change {
    Adding {
        recovered: Option<RecoveredLog>,
        reply: ChangeReply,
    },
    /// `answer` is what they are told who asked for what ends with this removal.
    Removing {
        answer: Result<(), GroupError>,
        reply: ChangeReply,
    },
}

impl Changes {
    pub(super) fn begin(
        &mut self,
        change: GroupChange,
        groups: &mut HostedGroups,
        outbox: &mut Outbox,
    ) {
        match change {
            GroupChange::Add { group, configuration, reply } => {
                if let Err(error) = self.may_add(group, groups) {
                    // Who asked may be gone.
                    return drop(reply.send(Err(error)));
                }
                self.under_way.insert(group, Change::Adding { recovered: None, reply });
                outbox.change_log(LogTask::Add { group, configuration });
            }
            GroupChange::Remove { group, reply } => {
                if self.under_way.contains_key(&group) {
                    return drop(reply.send(Err(GroupError::Changing(group))));
                }
                if !groups.remove(group) {
                    return drop(reply.send(Err(GroupError::NotHosted(group))));
                }
                self.directory.remove(group);
                self.remove(group, Ok(()), reply, outbox);
            }
        }
    }

    /// Takes the next step of a change, of which another thread did the last one.
    pub(super) fn go_on(
        &mut self,
        completion: Completion,
        groups: &mut HostedGroups,
        outbox: &mut Outbox,
    ) {
        match completion {
            Completion::LogAdded { group, result } => {
                let Some(Change::Adding { reply, .. }) = self.under_way.remove(&group) else {
                    return;
                };
                match result {
                    Ok(recovered) => {
                        let recovered = Some(recovered);
                        self.under_way.insert(group, Change::Adding { recovered, reply });
                        outbox.change_state(ApplyTask::Add { group });
                    }
                    Err(error) => self.give_up(group, &error, reply, outbox),
                }
            }
            Completion::StateAdded { group, result } => {
                let Some(Change::Adding { recovered, reply }) = self.under_way.remove(&group)
                else {
                    return;
                };
                let AddedState { mut state, watches, snapshots, staging } = match result {
                    Ok(added) => *added,
                    Err(error) => return self.give_up(group, &error, reply, outbox),
                };
                let config = replica_config(&self.replica, group);
                let recovered = recovered.unwrap_or_default();
                complete_configuration(&mut state, &recovered, &self.addresses);
                match Replica::new(config, recovered, &state) {
                    Ok(replica) => {
                        let mut hosted = Hosted::new(group, replica, self.replica.election_ticks);
                        hosted.snapshots = snapshots;
                        self.directory.insert(group, hosted.watch(), watches, staging);
                        groups.insert(group, hosted);
                        tracing::info!(node = self.replica.id.0, group = group.0, "added");
                        drop(reply.send(Ok(())));
                    }
                    Err(error) => self.give_up(group, &error, reply, outbox),
                }
            }
            Completion::LogRemoved { group } => outbox.change_state(ApplyTask::Remove { group }),
            Completion::StateRemoved { group } => {
                if let Some(Change::Removing { answer, reply }) = self.under_way.remove(&group) {
                    tracing::info!(node = self.replica.id.0, group = group.0, "removed");
                    drop(reply.send(answer));
                }
            }
            Completion::Persisted { .. }
            | Completion::Applied { .. }
            | Completion::Installed { .. }
            | Completion::SnapshotTaken { .. }
            | Completion::SnapshotFailed { .. }
            | Completion::SnapshotSent { .. } => {
                unreachable!("they are completions of replicas, not of changes")
            }
        }
    }

    fn may_add(&self, group: GroupId, groups: &HostedGroups) -> Result<(), GroupError> {
        if self.under_way.contains_key(&group) {
            return Err(GroupError::Changing(group));
        }
        if groups.contains(group) {
            return Err(GroupError::Hosted(group));
        }
        if groups.len() + self.under_way.len() >= GROUPS_MAX {
            return Err(GroupError::TooMany { max: GROUPS_MAX });
        }
        Ok(())
    }

    /// Removes what is there of a group that cannot be added.
    fn give_up(
        &mut self,
        group: GroupId,
        error: &dyn std::error::Error,
        reply: ChangeReply,
        outbox: &mut Outbox,
    ) {
        let reason = error.to_string();
        tracing::warn!(node = self.replica.id.0, group = group.0, "not added: {reason}");
        self.remove(group, Err(GroupError::Failed { group, reason }), reply, outbox);
    }

    fn remove(
        &mut self,
        group: GroupId,
        answer: Result<(), GroupError>,
        reply: ChangeReply,
        outbox: &mut Outbox,
    ) {
        self.under_way.insert(group, Change::Removing { answer, reply });
        outbox.change_log(LogTask::Remove { group });
    }
}

/// A state that no entry has changed the configuration of has the group's first one, which is in the
/// log.
pub(super) fn complete_configuration(
    state: &mut AppliedState,
    recovered: &RecoveredLog,
    addresses: &BTreeMap<u64, String>,
) {
    if state.configuration == Configuration::default()
        && let Some(first) = &recovered.configuration
    {
        state.configuration = Configuration::from_conf_state(first, addresses);
    }
}

/// What is special about the replica of one group: its own sequence of election timeouts, so that
/// the groups do not elect the same node at the same time. Group 0 has the node's seed itself.
pub(super) fn replica_config(common: &ReplicaConfig, group: GroupId) -> ReplicaConfig {
    ReplicaConfig { seed: common.seed ^ mix(u64::from(group.0)), ..common.clone() }
}

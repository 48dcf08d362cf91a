//! What the threads of a node show to everyone else: which groups there are, and how they are.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::watch;

use crate::replica::ReplicaStatus;
use crate::snapshot::SnapshotStaging;
use crate::types::{GroupId, NodeId, Role, Term};
use crate::watch::WatchHub;

/// Who leads a group, as far as its replica here knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leadership {
    /// What the replica here is.
    pub role: Role,
    /// Its term.
    pub term: Term,
    /// Who leads.
    pub leader: Option<NodeId>,
}

/// The hosted groups, written by the core thread.
#[derive(Debug, Default)]
pub(super) struct Directory {
    groups: RwLock<BTreeMap<GroupId, Entry>>,
    strays: AtomicU64,
}

#[derive(Debug)]
struct Entry {
    status: watch::Receiver<ReplicaStatus>,
    watches: WatchHub,
    staging: Arc<dyn SnapshotStaging>,
}

impl Directory {
    pub(super) fn insert(
        &self,
        group: GroupId,
        status: watch::Receiver<ReplicaStatus>,
        watches: WatchHub,
        staging: Arc<dyn SnapshotStaging>,
    ) {
        let entry = Entry { status, watches, staging };
        self.groups.write().unwrap_or_else(PoisonError::into_inner).insert(group, entry);
    }

    pub(super) fn remove(&self, group: GroupId) {
        self.groups.write().unwrap_or_else(PoisonError::into_inner).remove(&group);
    }

    pub(super) fn groups(&self) -> Vec<GroupId> {
        self.groups.read().unwrap_or_else(PoisonError::into_inner).keys().copied().collect()
    }

    pub(super) fn staging(&self, group: GroupId) -> Option<Arc<dyn SnapshotStaging>> {
        let groups = self.groups.read().unwrap_or_else(PoisonError::into_inner);
        groups.get(&group).map(|entry| Arc::clone(&entry.staging))
    }

    pub(super) fn status(&self, group: GroupId) -> Option<ReplicaStatus> {
        let groups = self.groups.read().unwrap_or_else(PoisonError::into_inner);
        groups.get(&group).map(|entry| entry.status.borrow().clone())
    }

    pub(super) fn leadership(&self, group: GroupId) -> Option<Leadership> {
        let groups = self.groups.read().unwrap_or_else(PoisonError::into_inner);
        let status = groups.get(&group)?.status.borrow();
        Some(Leadership { role: status.role, term: status.term, leader: status.leader })
    }

    pub(super) fn watches(&self, group: GroupId) -> Option<WatchHub> {
        let groups = self.groups.read().unwrap_or_else(PoisonError::into_inner);
        groups.get(&group).map(|entry| entry.watches.clone())
    }

    /// Counts messages to groups that are not hosted.
    pub(super) fn count_strays(&self, messages: u64) {
        self.strays.fetch_add(messages, Ordering::Relaxed);
    }

    pub(super) fn strays(&self) -> u64 {
        self.strays.load(Ordering::Relaxed)
    }
}

//! The replicas of this node, and who waits for what of each.

use std::collections::{BTreeMap, HashMap};

use tokio::sync::watch;

use crate::replica::{Effects, Input, Replica, ReplicaStatus, Reply};
use crate::shard::first_leader;
use crate::types::{GroupId, NodeId, RequestId, Role};

use super::inbox::PendingRead;
use super::node::{NodeError, WriteReply};
use super::reply_to::{Bells, ReplyTo};

/// A replica, the requests that wait for it, and its public face.
pub(super) struct Hosted {
    replica: Replica,
    pub(super) pending: Pending,
    status: watch::Sender<ReplicaStatus>,
    /// Ticks to hold back; see [`Hosted::new`].
    held_back: usize,
    touched: bool,
}

/// Who waits for what.
#[derive(Debug, Default)]
pub(super) struct Pending {
    writes: HashMap<RequestId, ReplyTo<WriteReply>>,
    reads: HashMap<RequestId, PendingRead>,
}

/// All replicas of a node, and which of them have something to do.
#[derive(Default)]
pub(super) struct HostedGroups {
    hosted: BTreeMap<GroupId, Hosted>,
    touched: Vec<GroupId>,
}

impl Hosted {
    /// A replica that just started.
    ///
    /// So that the groups of a new cluster are not all led by the node that starts first, every
    /// member but one, another one for each group, lets an election timeout pass before its clock
    /// starts.
    pub(super) fn new(group: GroupId, replica: Replica, election_ticks: usize) -> Hosted {
        let now = replica.status();
        let leads_first = first_leader(group, &now.voters).is_none_or(|first| first == now.id);
        let held_back = if leads_first { 0 } else { election_ticks };
        let (status, _) = watch::channel(now);
        Hosted { replica, pending: Pending::default(), status, held_back, touched: false }
    }

    /// Where its status can be seen.
    pub(super) fn watch(&self) -> watch::Receiver<ReplicaStatus> {
        self.status.subscribe()
    }

    pub(super) fn step(&mut self, input: Input) {
        self.replica.step(input);
    }

    pub(super) fn tick(&mut self) {
        if self.held_back > 0 && self.replica.role() == Role::Follower {
            self.held_back -= 1;
        } else {
            self.held_back = 0;
            self.replica.step(Input::Tick);
        }
    }

    pub(super) fn take_effects(&mut self) -> Effects {
        self.replica.take_effects()
    }

    /// Shows what the replica looks like now.
    pub(super) fn publish(&mut self, group: GroupId) {
        let new = self.replica.status();
        self.status.send_if_modified(|old| {
            if (old.role, old.term, old.leader) != (new.role, new.term, new.leader) {
                tracing::info!(
                    node = new.id.0,
                    group = group.0,
                    term = new.term.0,
                    leader = new.leader.map(|leader| leader.0),
                    "{}",
                    new.role.name()
                );
            }
            let changed = *old != new;
            *old = new;
            changed
        });
    }
}

impl HostedGroups {
    pub(super) fn len(&self) -> usize {
        self.hosted.len()
    }

    pub(super) fn contains(&self, group: GroupId) -> bool {
        self.hosted.contains_key(&group)
    }

    pub(super) fn insert(&mut self, group: GroupId, hosted: Hosted) {
        self.hosted.insert(group, hosted);
        self.touch(group);
    }

    /// Forgets a replica. Those who wait for it learn that the fate of their requests is unknown.
    pub(super) fn remove(&mut self, group: GroupId) -> bool {
        self.hosted.remove(&group).is_some()
    }

    /// A replica for which there is an input: its effects are due.
    pub(super) fn touch(&mut self, group: GroupId) -> Option<&mut Hosted> {
        let hosted = self.hosted.get_mut(&group)?;
        if !hosted.touched {
            hosted.touched = true;
            self.touched.push(group);
        }
        Some(hosted)
    }

    pub(super) fn tick_all(&mut self) {
        for (group, hosted) in &mut self.hosted {
            hosted.tick();
            if !hosted.touched {
                hosted.touched = true;
                self.touched.push(*group);
            }
        }
    }

    /// How many entries each group's followers are behind; empty where this node does not lead.
    pub(super) fn lags(&self) -> impl Iterator<Item = (GroupId, BTreeMap<NodeId, u64>)> {
        self.hosted.iter().map(|(group, hosted)| (*group, hosted.replica.lags()))
    }

    /// The replicas that had inputs since the last call, each once.
    pub(super) fn take_touched(&mut self) -> Vec<GroupId> {
        let mut touched = std::mem::take(&mut self.touched);
        touched.retain(|group| match self.hosted.get_mut(group) {
            Some(hosted) => std::mem::take(&mut hosted.touched),
            None => false,
        });
        touched
    }

    pub(super) fn get_mut(&mut self, group: GroupId) -> Option<&mut Hosted> {
        self.hosted.get_mut(&group)
    }
}

impl Pending {
    pub(super) fn write(&mut self, request: RequestId, reply: ReplyTo<WriteReply>) {
        self.writes.insert(request, reply);
    }

    pub(super) fn read(&mut self, request: RequestId, read: PendingRead) {
        self.reads.insert(request, read);
    }

    /// The reads of these requests, which do not wait any more.
    pub(super) fn take_reads(&mut self, requests: &[RequestId]) -> Vec<PendingRead> {
        requests.iter().filter_map(|request| self.reads.remove(request)).collect()
    }

    pub(super) fn resolve(&mut self, request: RequestId, reply: Reply, bells: &mut Bells) {
        if let Some(waiter) = self.writes.remove(&request) {
            let answer = match reply {
                Reply::Applied { term, outcome } => Ok(WriteReply { term, outcome }),
                Reply::Rejected(rejection) => Err(NodeError::Rejected(rejection)),
                Reply::KeptAlive { .. }
                | Reply::MembersChanged { .. }
                | Reply::LeaderTransferred { .. }
                | Reply::SnapshotTaken { .. } => unreachable!("a write is answered by an outcome"),
            };
            waiter.send(answer, bells);
        } else if let Some(read) = self.reads.remove(&request)
            && let Reply::Rejected(rejection) = reply
        {
            read.reply.send(Err(NodeError::Rejected(rejection)), bells);
        }
    }
}

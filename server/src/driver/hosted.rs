//! The replicas of this node, and who waits for what of each.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use tokio::sync::watch;

use crate::log_store::LogPosition;
use crate::membership::Configuration;
use crate::replica::{Effects, Input, Rejection, Replica, ReplicaStatus, Reply};
use crate::shard::first_leader;
use crate::snapshot::{ReceivedSnapshot, SnapshotSource};
use crate::types::{GroupId, NodeId, RequestId, Role, Term};

use super::administration::{AdministerReply, Administered};
use super::inbox::PendingRead;
use super::node::{KeptAlive, NodeError, WriteReply};
use super::reception::IncomingSnapshot;
use super::reply_to::{Bells, ReplyTo};

/// A replica, the requests that wait for it, and its public face.
pub(super) struct Hosted {
    replica: Replica,
    pub(super) pending: Pending,
    status: watch::Sender<ReplicaStatus>,
    /// The snapshots of its state that are kept, newest first.
    pub(super) snapshots: Vec<Arc<dyn SnapshotSource>>,
    /// Where the members were at the last look.
    announced: BTreeMap<u64, String>,
    /// A snapshot that a peer sent in this turn.
    received: Option<ReceivedSnapshot>,
    /// Ticks to hold back; see [`Hosted::new`].
    held_back: usize,
    touched: bool,
}

/// Who waits for what.
#[derive(Debug, Default)]
pub(super) struct Pending {
    writes: HashMap<RequestId, ReplyTo<WriteReply>>,
    reads: HashMap<RequestId, PendingRead>,
    keep_alives: HashMap<RequestId, ReplyTo<KeptAlive>>,
    administered: HashMap<RequestId, AdministerReply>,
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
        Hosted {
            replica,
            pending: Pending::default(),
            status,
            snapshots: Vec::new(),
            announced: BTreeMap::new(),
            received: None,
            held_back,
            touched: false,
        }
    }

    /// Where its status can be seen.
    pub(super) fn watch(&self) -> watch::Receiver<ReplicaStatus> {
        self.status.subscribe()
    }

    pub(super) fn step(&mut self, input: Input) {
        self.replica.step(input);
    }

    /// Steps the message that announced a snapshot. If the replica wants it, it says so with the next
    /// effects; see [`Self::take_received`].
    pub(super) fn receive(&mut self, snapshot: IncomingSnapshot) {
        self.received = Some(snapshot.received);
        self.step(Input::Message(snapshot.message));
    }

    /// The snapshot of this turn, if it is the one at this position. To be called once a turn: a
    /// snapshot that is not wanted makes room for the next one.
    pub(super) fn take_received(&mut self, at: Option<LogPosition>) -> Option<ReceivedSnapshot> {
        self.received.take().filter(|received| Some(received.meta().position) == at)
    }

    /// The snapshot of its state at this position, if it is kept.
    pub(super) fn snapshot(&self, at: LogPosition) -> Option<Arc<dyn SnapshotSource>> {
        self.snapshots.iter().find(|source| source.position() == at).cloned()
    }

    /// Where the members are, if that changed since the last call.
    pub(super) fn new_addresses(&mut self) -> Option<&BTreeMap<u64, String>> {
        let addresses = &self.replica.configuration().addresses;
        if *addresses == self.announced {
            return None;
        }
        self.announced = addresses.clone();
        Some(&self.announced)
    }

    /// Is there something that can wait for a moment in which nothing else happens?
    pub(super) fn awaits_lull(&self) -> bool {
        self.replica.awaits_lull()
    }

    /// Does it lead?
    pub(super) fn is_leader(&self) -> bool {
        self.replica.role() == Role::Leader
    }

    /// Its term.
    pub(super) fn term(&self) -> Term {
        self.replica.term()
    }

    /// The group's configuration.
    pub(super) fn configuration(&self) -> &Configuration {
        self.replica.configuration()
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

    pub(super) fn keep_alive(&mut self, request: RequestId, reply: ReplyTo<KeptAlive>) {
        self.keep_alives.insert(request, reply);
    }

    pub(super) fn administer(&mut self, request: RequestId, reply: AdministerReply) {
        self.administered.insert(request, reply);
    }

    /// The reads of these requests, which do not wait any more.
    pub(super) fn take_reads(&mut self, requests: &[RequestId]) -> Vec<PendingRead> {
        requests.iter().filter_map(|request| self.reads.remove(request)).collect()
    }

    pub(super) fn resolve(
        &mut self,
        request: RequestId,
        reply: Reply,
        term: Term,
        bells: &mut Bells,
    ) {
        let answer = match reply {
            Reply::Applied { term, outcome } => {
                if let Some(waiter) = self.writes.remove(&request) {
                    waiter.send(Ok(WriteReply { term, outcome }), bells);
                }
                return;
            }
            Reply::KeptAlive { ttl_ticks } => {
                if let Some(waiter) = self.keep_alives.remove(&request) {
                    waiter.send(Ok(KeptAlive { ttl_ticks, term }), bells);
                }
                return;
            }
            Reply::Rejected(rejection) => return self.reject(request, rejection, bells),
            Reply::MembersChanged { configuration } => Administered::Members(configuration),
            Reply::LeaderTransferred { leader } => Administered::Leader(leader),
            Reply::SnapshotTaken { position } => Administered::Snapshot(position),
        };
        if let Some(waiter) = self.administered.remove(&request) {
            // Who asked may be gone.
            drop(waiter.send(Ok(answer)));
        }
    }

    fn reject(&mut self, request: RequestId, rejection: Rejection, bells: &mut Bells) {
        let error = NodeError::Rejected(rejection);
        if let Some(waiter) = self.writes.remove(&request) {
            waiter.send(Err(error), bells);
        } else if let Some(read) = self.reads.remove(&request) {
            read.reply.send(Err(error), bells);
        } else if let Some(waiter) = self.keep_alives.remove(&request) {
            waiter.send(Err(error), bells);
        } else if let Some(waiter) = self.administered.remove(&request) {
            drop(waiter.send(Err(error)));
        }
    }
}

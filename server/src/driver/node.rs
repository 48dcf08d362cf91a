//! The replicas of a node with their threads, and the handle by which requests reach them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc::channel;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use raft::eraftpb;
use tokio::sync::oneshot;

use crate::bug::Bugs;
use crate::command::{LogCommand, Outcome};
use crate::log_store::{LogStore, LogStoreError};
use crate::membership::Configuration;
use crate::metrics::Metrics;
use crate::replica::{Rejection, Replica, ReplicaConfig, ReplicaError, ReplicaStatus};
use crate::snapshot::{ReceivedSnapshot, SnapshotStaging};
use crate::state_machine::{KeyRange, Query, QueryReply};
use crate::state_machine::{StateMachineConfig, StateMachineError, StateStores};
use crate::types::{GroupId, LogIndex, Term};
use crate::watch::{Watch, WatchError, WatchLimits};

use super::administration::{Administer, Administered};
use super::apply_thread::{ApplyThread, Machine, Machines, MachinesConfig};
use super::changes::{Changes, complete_configuration, replica_config};
use super::core_thread::{CoreThread, Outbox, PeerSender, RequestIds};
use super::directory::{Directory, Leadership};
use super::group::{AddedState, ChangeReply, GroupChange, GroupError};
use super::hosted::{Hosted, HostedGroups};
use super::inbox::{Inbox, PendingRead, Request};
use super::log_thread::{Fsync, LogThread};
use super::lulls::Lulls;
use super::reception::IncomingSnapshot;
use super::reply_to::{AnswerSink, Answered, ReplyTo};
use super::ticker::Ticker;
use super::vital;

/// How a node runs.
#[derive(Debug, Clone)]
pub struct NodeConfig {
    /// The core's part, for all groups; the seed of each group's replica is derived from it.
    pub replica: ReplicaConfig,
    /// The groups to begin with, in their first configurations. A group that the log knows already
    /// stays as it is. Besides these, the node hosts what is in its log.
    pub bootstrap: BTreeMap<GroupId, Configuration>,
    /// Where nodes are, as far as the groups themselves do not know.
    pub addresses: BTreeMap<u64, String>,
    /// Time between ticks.
    pub tick: Duration,
    /// When the log is synced.
    pub fsync: Fsync,
    /// Sessions that each group remembers; the least recently used is expired when there are more.
    pub sessions_max: usize,
    /// What is counted and measured.
    pub metrics: Arc<Metrics>,
    /// The defect planted in this node, if any.
    pub bugs: Bugs,
}

/// A node cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The log cannot be read or bootstrapped.
    #[error(transparent)]
    Log(#[from] LogStoreError),
    /// The state cannot be read.
    #[error(transparent)]
    State(#[from] StateMachineError),
    /// What was recovered does not fit together.
    #[error(transparent)]
    Replica(#[from] ReplicaError),
    /// The operating system gave no thread.
    #[error("start a thread: {0}")]
    Thread(#[from] std::io::Error),
}

/// What watches can go back to, and get at once. The ring of each group takes its part of this
/// memory.
const WATCH_LIMITS: WatchLimits = WatchLimits {
    ring_events_max: 65_536,
    ring_bytes_max: 32 << 20,
    batch_events_max: 1_024,
    batch_bytes_max: 1 << 20,
};
/// But no ring is smaller than this.
const WATCH_RING_BYTES_MIN: usize = 2 << 20;

/// A request was not answered by this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NodeError {
    /// The replica refused it, or gave up on it.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// Too many requests wait for the replica. Surely no effect.
    #[error("too many requests are waiting")]
    Busy,
    /// The node has no replica of the group. Surely no effect.
    #[error("this node has no replica of the group")]
    NotHosted,
    /// The node is shutting down. Surely no effect.
    #[error("the node is shutting down")]
    Stopping,
    /// The node shut down while it worked on the request.
    #[error("the node shut down before the request was answered")]
    Lost,
}

impl NodeError {
    /// May a write that ended so have taken effect, now or later?
    pub fn is_indefinite(self) -> bool {
        match self {
            NodeError::Rejected(rejection) => rejection.is_indefinite(),
            NodeError::Busy | NodeError::NotHosted | NodeError::Stopping => false,
            NodeError::Lost => true,
        }
    }
}

/// A write was applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteReply {
    /// The term in which it was proposed.
    pub term: Term,
    /// Its answer.
    pub outcome: Outcome,
}

/// A query was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadReply {
    /// What it found.
    pub reply: QueryReply,
    /// The revision of the state that it was read from.
    pub revision: LogIndex,
}

/// A lease begins anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeptAlive {
    /// It lives this long, counted from when the request was sent.
    pub ttl_ticks: u64,
    /// The term of the leader that keeps it.
    pub term: Term,
}

/// What a request asks of a group at a node.
#[derive(Debug, Clone, PartialEq)]
pub enum Ask {
    /// Apply a command, if this node leads.
    Write(LogCommand),
    /// Query the state linearizably, if this node leads.
    Read(Query),
    /// Query this node's state, however old.
    ReadLocal(Query),
    /// Begin a lease anew, if this node leads.
    KeepAlive {
        /// The lease.
        lease: u64,
    },
}

/// The replicas of a node with their threads.
pub struct Node {
    handle: NodeHandle,
    threads: Vec<JoinHandle<()>>,
}

/// Reaches a node from anywhere. Cheap to clone.
#[derive(Debug, Clone)]
pub struct NodeHandle {
    inbox: Arc<Inbox>,
    directory: Arc<Directory>,
}

/// What the stores hold, and the replicas made of it.
struct Recovered<S: StateStores> {
    groups: HostedGroups,
    machines: Machines<S>,
    directory: Directory,
}

impl Node {
    /// Recovers the replicas from their stores, bootstraps new groups, and starts the threads.
    pub fn start<S: StateStores>(
        config: NodeConfig,
        mut log: Box<dyn LogStore>,
        mut states: S,
        peers: Box<dyn PeerSender>,
    ) -> Result<Node, StartError> {
        let groups = bootstrap(&config, &mut *log)?;
        let machines_config = MachinesConfig {
            machine: StateMachineConfig { sessions_max: config.sessions_max, bugs: config.bugs },
            watch: watch_limits(groups.len()),
            metrics: Arc::clone(&config.metrics),
        };
        let recovered = recover(&config, &machines_config, groups, &mut *log, &mut states)?;
        let Recovered { groups, machines, directory } = recovered;
        let directory = Arc::new(directory);
        let inbox = Arc::new(Inbox::default());
        let reads_waiting = Arc::new(AtomicUsize::new(0));
        let (log_sender, log_tasks) = channel();
        let (apply_sender, apply_tasks) = channel();
        let log_thread = LogThread {
            store: log,
            tasks: log_tasks,
            inbox: Arc::clone(&inbox),
            fsync: config.fsync,
            metrics: Arc::clone(&config.metrics),
            bugs: config.bugs,
        };
        let apply_thread = ApplyThread {
            machines,
            states,
            config: machines_config,
            tasks: apply_tasks,
            metrics: Arc::clone(&config.metrics),
            inbox: Arc::clone(&inbox),
            reads_waiting: Arc::clone(&reads_waiting),
            node: config.replica.id,
            bugs: config.bugs,
        };
        let core_thread = CoreThread {
            groups,
            changes: Changes {
                replica: config.replica,
                directory: Arc::clone(&directory),
                addresses: config.addresses,
                under_way: BTreeMap::new(),
            },
            inbox: Arc::clone(&inbox),
            outbox: Outbox::new(log_sender, apply_sender, reads_waiting),
            peers,
            unreachable: BTreeSet::new(),
            unsent: BTreeSet::new(),
            directory: Arc::clone(&directory),
            ticker: Ticker::new(config.tick, Instant::now()),
            lulls: Lulls::default(),
            request_ids: RequestIds::default(),
            metrics: config.metrics,
        };
        let mut node = Node { handle: NodeHandle { inbox, directory }, threads: Vec::new() };
        node.threads.push(vital::spawn("log", || log_thread.run())?);
        node.threads.push(vital::spawn("apply", || apply_thread.run())?);
        node.threads.push(vital::spawn("core", || core_thread.run())?);
        Ok(node)
    }

    /// The way to it.
    pub fn handle(&self) -> NodeHandle {
        self.handle.clone()
    }
}

/// Bootstraps the groups that the log does not know. Returns all that it knows then.
fn bootstrap(config: &NodeConfig, log: &mut dyn LogStore) -> Result<Vec<GroupId>, StartError> {
    let known: BTreeSet<GroupId> = log.groups()?.into_iter().collect();
    for (group, first) in config.bootstrap.iter().filter(|(group, _)| !known.contains(group)) {
        log.bootstrap(*group, &first.to_conf_state())?;
    }
    Ok(log.groups()?)
}

fn watch_limits(groups: usize) -> WatchLimits {
    let share = WATCH_LIMITS.ring_bytes_max / groups.max(1);
    WatchLimits { ring_bytes_max: share.max(WATCH_RING_BYTES_MIN), ..WATCH_LIMITS }
}

fn recover<S: StateStores>(
    config: &NodeConfig,
    machines_config: &MachinesConfig,
    known: Vec<GroupId>,
    log: &mut dyn LogStore,
    states: &mut S,
) -> Result<Recovered<S>, StartError> {
    let mut groups = HostedGroups::default();
    let mut machines = Machines::<S>::new();
    let directory = Directory::default();
    for group in known {
        let machine = Machine::open(states, group, machines_config)?;
        let AddedState { mut state, watches, snapshots, staging } = machine.added()?;
        let recovered = log.load(group)?;
        complete_configuration(&mut state, &recovered, &config.addresses);
        let applied = state.position.index;
        let (node, entries) = (config.replica.id, recovered.entries.len());
        tracing::info!(node = node.0, group = group.0, entries, applied = applied.0, "recovered");
        let replica = Replica::new(replica_config(&config.replica, group), recovered, &state)?;
        let mut hosted = Hosted::new(group, replica, config.replica.election_ticks);
        hosted.snapshots = snapshots;
        directory.insert(group, hosted.watch(), watches, staging);
        groups.insert(group, hosted);
        machines.insert(group, machine);
    }
    Ok(Recovered { groups, machines, directory })
}

impl Drop for Node {
    /// Finishes what was started: everything given to the log is written, the stores are closed.
    fn drop(&mut self) {
        self.handle.inbox.close();
        for thread in self.threads.drain(..) {
            // A thread that failed has ended the process already.
            let _ = thread.join();
        }
    }
}

impl NodeHandle {
    /// Applies a command, if this node leads the group. Dropping the future does not undo it.
    pub async fn write(
        &self,
        group: GroupId,
        command: LogCommand,
    ) -> Result<WriteReply, NodeError> {
        let (reply, answer) = oneshot::channel();
        self.inbox.request(group, Request::Write { command, reply: ReplyTo::caller(reply) })?;
        answer.await.unwrap_or(Err(NodeError::Lost))
    }

    /// Queries the state linearizably, if this node leads the group.
    pub async fn read(&self, group: GroupId, query: Query) -> Result<ReadReply, NodeError> {
        let (reply, answer) = oneshot::channel();
        let reply = ReplyTo::caller(reply);
        self.inbox.request(group, Request::Read(PendingRead { query, reply }))?;
        answer.await.unwrap_or(Err(NodeError::Lost))
    }

    /// Queries this node's state of the group, however old.
    pub async fn read_local(&self, group: GroupId, query: Query) -> Result<ReadReply, NodeError> {
        let (reply, answer) = oneshot::channel();
        let reply = ReplyTo::caller(reply);
        self.inbox.request(group, Request::LocalRead(PendingRead { query, reply }))?;
        answer.await.unwrap_or(Err(NodeError::Lost))
    }

    /// Performs what is asked of a group, and waits for the answer.
    pub async fn ask(&self, group: GroupId, ask: Ask) -> Result<Answered, NodeError> {
        match ask {
            Ask::Write(command) => self.write(group, command).await.map(Answered::Write),
            Ask::Read(query) => self.read(group, query).await.map(Answered::Read),
            Ask::ReadLocal(query) => self.read_local(group, query).await.map(Answered::Read),
            Ask::KeepAlive { lease } => {
                self.keep_alive(group, lease).await.map(Answered::KeptAlive)
            }
        }
    }

    /// Hands many requests over at once, each with a tag. Each gets exactly one answer, which `sink`
    /// takes, possibly before this returns.
    pub fn submit(&self, requests: Vec<(u64, GroupId, Ask)>, sink: &Arc<dyn AnswerSink>) {
        let requests = requests.into_iter().map(|(tag, group, ask)| {
            let request = match ask {
                Ask::Write(command) => {
                    Request::Write { command, reply: ReplyTo::sink(Arc::clone(sink), tag) }
                }
                Ask::Read(query) => {
                    let reply = ReplyTo::sink(Arc::clone(sink), tag);
                    Request::Read(PendingRead { query, reply })
                }
                Ask::ReadLocal(query) => {
                    let reply = ReplyTo::sink(Arc::clone(sink), tag);
                    Request::LocalRead(PendingRead { query, reply })
                }
                Ask::KeepAlive { lease } => {
                    Request::KeepAlive { lease, reply: ReplyTo::sink(Arc::clone(sink), tag) }
                }
            };
            (group, request)
        });
        self.inbox.requests(requests.collect());
    }

    /// Watches a range of a group's keys from a revision on (0: from now on), as this node applies
    /// changes.
    pub fn watch(
        &self,
        group: GroupId,
        range: KeyRange,
        start_revision: u64,
    ) -> Result<Watch, WatchError> {
        let hub = self.directory.watches(group).ok_or(WatchError::NotHosted)?;
        hub.watch(range, start_revision)
    }

    /// Begins a lease anew, if this node leads the group.
    pub async fn keep_alive(&self, group: GroupId, lease: u64) -> Result<KeptAlive, NodeError> {
        let (reply, answer) = oneshot::channel();
        let reply = ReplyTo::caller(reply);
        self.inbox.request(group, Request::KeepAlive { lease, reply })?;
        answer.await.unwrap_or(Err(NodeError::Lost))
    }

    /// Does what an operator wants of a group.
    pub async fn administer(
        &self,
        group: GroupId,
        what: Administer,
    ) -> Result<Administered, NodeError> {
        let (reply, answer) = oneshot::channel();
        self.inbox.request(group, Request::Administer { what, reply })?;
        answer.await.unwrap_or(Err(NodeError::Lost))
    }

    /// Where snapshots of a group are received; none if there is no replica of it here.
    pub fn staging(&self, group: GroupId) -> Option<Arc<dyn SnapshotStaging>> {
        self.directory.staging(group)
    }

    /// Gives it a snapshot that a peer sent, with the message that announced it; false if too many
    /// wait.
    pub fn deliver_snapshot(
        &self,
        group: GroupId,
        message: eraftpb::Message,
        received: ReceivedSnapshot,
    ) -> bool {
        self.inbox.snapshot(group, IncomingSnapshot { message, received })
    }

    /// Gives it a peer's message; false if it was dropped because too many wait.
    pub fn deliver(&self, group: GroupId, message: eraftpb::Message) -> bool {
        self.inbox.message(group, message)
    }

    /// Hosts a replica of one more group, from now on and after restarts.
    ///
    /// `configuration` is the group's as of log index 0. It is the same at all members of a new group,
    /// and empty at one that joins later and is brought up by a snapshot.
    pub async fn add_group(
        &self,
        group: GroupId,
        configuration: Configuration,
    ) -> Result<(), GroupError> {
        self.change(|reply| GroupChange::Add { group, configuration, reply }).await
    }

    /// Stops hosting a replica of a group, and deletes its log and state. Requests that wait for it
    /// end in doubt.
    pub async fn remove_group(&self, group: GroupId) -> Result<(), GroupError> {
        self.change(|reply| GroupChange::Remove { group, reply }).await
    }

    async fn change(
        &self,
        change: impl FnOnce(ChangeReply) -> GroupChange,
    ) -> Result<(), GroupError> {
        let (reply, answer) = oneshot::channel();
        self.inbox.change(change(reply))?;
        answer.await.unwrap_or(Err(GroupError::Stopping))
    }

    /// The groups with a replica here, ascending.
    pub fn groups(&self) -> Vec<GroupId> {
        self.directory.groups()
    }

    /// What the replica of a group looks like, if there is one here.
    pub fn status(&self, group: GroupId) -> Option<ReplicaStatus> {
        self.directory.status(group)
    }

    /// Who leads a group, if there is a replica of it here; cheap, unlike [`Self::status`].
    pub fn leadership(&self, group: GroupId) -> Option<Leadership> {
        self.directory.leadership(group)
    }

    /// Messages that were dropped because no replica of their group is here.
    pub fn strays(&self) -> u64 {
        self.directory.strays()
    }
}

//! A replica with its threads, and the handle by which requests reach it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc::channel;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use raft::eraftpb;
use tokio::sync::{oneshot, watch};

use crate::bug::Bugs;
use crate::command::{LogCommand, Outcome};
use crate::log_store::{LogStore, LogStoreError};
use crate::membership::Configuration;
use crate::replica::{
    AppliedState, Rejection, Replica, ReplicaConfig, ReplicaError, ReplicaStatus,
};
use crate::state_machine::{KeyRange, Query, QueryReply};
use crate::state_machine::{StateMachine, StateMachineConfig, StateMachineError, StateStore};
use crate::types::{GroupId, LogIndex, NodeId, Role, Term};
use crate::watch::{Watch, WatchError, WatchFeed, WatchHub, WatchLimits};

use super::apply_thread::ApplyThread;
use super::core_thread::{Backlog, CoreThread, PeerSender, Pending};
use super::inbox::{Inbox, PendingRead, Request};
use super::log_thread::{Fsync, LogThread};
use super::reply_to::{AnswerSink, Answered, ReplyTo};
use super::ticker::Ticker;
use super::vital;

/// How a node runs.
#[derive(Debug, Clone)]
pub struct NodeConfig {
    /// The core's part.
    pub replica: ReplicaConfig,
    /// The voters of the first configuration, if this node was never started before.
    pub voters: Vec<NodeId>,
    /// Time between ticks.
    pub tick: Duration,
    /// When the log is synced.
    pub fsync: Fsync,
    /// Sessions that are remembered; the least recently used is expired when there are more.
    pub sessions_max: usize,
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

/// What watches can go back to, and get at once. The ring takes at most this memory in each group.
const WATCH_LIMITS: WatchLimits = WatchLimits {
    ring_events_max: 65_536,
    ring_bytes_max: 32 << 20,
    batch_events_max: 1_024,
    batch_bytes_max: 1 << 20,
};

/// A request was not answered by this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NodeError {
    /// The replica refused it, or gave up on it.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// Too many requests wait for the replica. Surely no effect.
    #[error("too many requests are waiting")]
    Busy,
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
            NodeError::Busy | NodeError::Stopping => false,
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
    /// The last entry that was applied when it was read.
    pub applied: LogIndex,
}

/// What a request asks of a node.
#[derive(Debug, Clone, PartialEq)]
pub enum Ask {
    /// Apply a command, if this node leads.
    Write(LogCommand),
    /// Query the state linearizably, if this node leads.
    Read(Query),
    /// Query this node's state, however old.
    ReadLocal(Query),
}

/// Who leads, as far as the replica here knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leadership {
    /// What the replica here is.
    pub role: Role,
    /// Its term.
    pub term: Term,
    /// Who leads.
    pub leader: Option<NodeId>,
}

/// A replica with its threads.
pub struct Node {
    handle: NodeHandle,
    threads: Vec<JoinHandle<()>>,
}

/// Reaches a node from anywhere. Cheap to clone.
#[derive(Debug, Clone)]
pub struct NodeHandle {
    inbox: Arc<Inbox>,
    watches: WatchHub,
    status: watch::Receiver<ReplicaStatus>,
}

impl Node {
    /// Recovers the replica from its stores, bootstraps it if it is new, and starts the threads.
    pub fn start<S: StateStore + 'static>(
        config: NodeConfig,
        mut log: Box<dyn LogStore>,
        state: S,
        peers: Box<dyn PeerSender>,
    ) -> Result<Node, StartError> {
        let machine_config =
            StateMachineConfig { sessions_max: config.sessions_max, bugs: config.bugs };
        let mut machine = StateMachine::new(state, machine_config)?;
        machine.report_events();
        let mut recovered = log.load(GroupId(0))?;
        if recovered.configuration.is_none() {
            let voters = config.voters.iter().map(|voter| voter.0).collect();
            let configuration = eraftpb::ConfState { voters, ..Default::default() };
            log.bootstrap(GroupId(0), &configuration)?;
            recovered.configuration = Some(configuration);
        }
        let (entries, applied) = (recovered.entries.len(), machine.applied().index);
        tracing::info!(node = config.replica.id.0, entries, applied = applied.0, "recovered");
        let configuration = machine.store().configuration().cloned().unwrap_or_else(|| {
            let conf_state = recovered.configuration.clone().unwrap_or_default();
            Configuration::from_conf_state(&conf_state, &BTreeMap::new())
        });
        let state = AppliedState {
            position: machine.applied(),
            configuration,
            leases: machine.living_leases()?,
            ..AppliedState::default()
        };
        let replica = Replica::new(config.replica, recovered, &state)?;

        let inbox = Arc::new(Inbox::default());
        let reads_waiting = Arc::new(AtomicUsize::new(0));
        let (log_sender, log_tasks) = channel();
        let (apply_sender, apply_tasks) = channel();
        let feed = WatchFeed::new(WATCH_LIMITS, applied);
        let watches = feed.hub();
        let (status_sender, status) = watch::channel(replica.status());
        let log_thread = LogThread {
            store: log,
            tasks: log_tasks,
            inbox: Arc::clone(&inbox),
            fsync: config.fsync,
            bugs: config.bugs,
        };
        let apply_thread = ApplyThread {
            machine,
            tasks: apply_tasks,
            feed,
            inbox: Arc::clone(&inbox),
            reads_waiting: Arc::clone(&reads_waiting),
            bugs: config.bugs,
        };
        let core_thread = CoreThread {
            replica,
            inbox: Arc::clone(&inbox),
            log: log_sender,
            apply: apply_sender,
            peers,
            status: status_sender,
            ticker: Ticker::new(config.tick, Instant::now()),
            reads_waiting,
            pending: Pending::default(),
            backlog: Backlog::default(),
        };
        let mut node = Node { handle: NodeHandle { inbox, watches, status }, threads: Vec::new() };
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
    /// Applies a command, if this node leads. Dropping the future does not undo it.
    pub async fn write(&self, command: LogCommand) -> Result<WriteReply, NodeError> {
        let (reply, answer) = oneshot::channel();
        self.inbox.request(Request::Write { command, reply: ReplyTo::caller(reply) })?;
        answer.await.unwrap_or(Err(NodeError::Lost))
    }

    /// Queries the state linearizably, if this node leads.
    pub async fn read(&self, query: Query) -> Result<ReadReply, NodeError> {
        let (reply, answer) = oneshot::channel();
        let reply = ReplyTo::caller(reply);
        self.inbox.request(Request::Read(PendingRead { query, reply }))?;
        answer.await.unwrap_or(Err(NodeError::Lost))
    }

    /// Queries this node's state, however old.
    pub async fn read_local(&self, query: Query) -> Result<ReadReply, NodeError> {
        let (reply, answer) = oneshot::channel();
        let reply = ReplyTo::caller(reply);
        self.inbox.request(Request::LocalRead(PendingRead { query, reply }))?;
        answer.await.unwrap_or(Err(NodeError::Lost))
    }

    /// Watches a range of keys from a revision on (0: from now on), as this node applies changes.
    pub fn watch(&self, range: KeyRange, start_revision: u64) -> Result<Watch, WatchError> {
        self.watches.watch(range, start_revision)
    }

    /// Performs what is asked, and waits for the answer.
    pub async fn ask(&self, ask: Ask) -> Result<Answered, NodeError> {
        match ask {
            Ask::Write(command) => self.write(command).await.map(Answered::Write),
            Ask::Read(query) => self.read(query).await.map(Answered::Read),
            Ask::ReadLocal(query) => self.read_local(query).await.map(Answered::Read),
        }
    }

    /// Hands many requests over at once, each with a tag. Each gets exactly one answer, which `sink`
    /// takes, possibly before this returns.
    pub fn submit(&self, requests: Vec<(u64, Ask)>, sink: &Arc<dyn AnswerSink>) {
        let requests = requests.into_iter().map(|(tag, ask)| match ask {
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
        });
        self.inbox.requests(requests.collect());
    }

    /// Gives it a peer's message; false if it was dropped because too many wait.
    pub fn deliver(&self, message: eraftpb::Message) -> bool {
        self.inbox.message(message)
    }

    /// Who leads; cheap, unlike [`Self::status`].
    pub fn leadership(&self) -> Leadership {
        let status = self.status.borrow();
        Leadership { role: status.role, term: status.term, leader: status.leader }
    }

    /// What the replica looks like.
    pub fn status(&self) -> ReplicaStatus {
        self.status.borrow().clone()
    }
}

//! The thread that owns the replica.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::time::Instant;

use raft::eraftpb;
use tokio::sync::watch;

use crate::replica::{Effects, Input, Persist, Replica, ReplicaStatus, Reply};
use crate::types::{LogIndex, NodeId, PersistNumber, RequestId};

use super::apply_thread::ApplyTask;
use super::inbox::{Inbox, Intake, PendingRead, Request, Taken, refuse_all};
use super::log_thread::persist_bytes;
use super::node::{NodeError, WriteReply};
use super::reply_to::{Bells, ReplyTo};
use super::ticker::Ticker;

/// Entries that may wait for the log thread before the core takes no more work.
const LOG_BACKLOG_BYTES_MAX: usize = 64 << 20;
/// Entries that may wait for the apply thread before the core takes no more work.
const APPLY_BACKLOG_BYTES_MAX: usize = 64 << 20;
/// Reads that may wait for the apply thread before the core takes no more work.
const READ_BACKLOG_MAX: usize = 16_384;

/// Sends messages to peers. Must not block.
pub trait PeerSender: Send {
    /// Sends or queues a message to `message.to`; false if it was dropped.
    fn send(&mut self, message: eraftpb::Message) -> bool;
}

/// What the thread owns.
pub(super) struct CoreThread {
    pub(super) replica: Replica,
    pub(super) inbox: Arc<Inbox>,
    pub(super) log: Sender<Persist>,
    pub(super) apply: Sender<ApplyTask>,
    pub(super) peers: Box<dyn PeerSender>,
    pub(super) status: watch::Sender<ReplicaStatus>,
    pub(super) ticker: Ticker,
    pub(super) reads_waiting: Arc<AtomicUsize>,
    pub(super) pending: Pending,
    pub(super) backlog: Backlog,
}

/// Who waits for what.
#[derive(Debug, Default)]
pub(super) struct Pending {
    last_request: u64,
    writes: HashMap<RequestId, ReplyTo<WriteReply>>,
    reads: HashMap<RequestId, PendingRead>,
    unreachable: BTreeSet<NodeId>,
}

/// What the other threads have not reported as done.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    log: VecDeque<(PersistNumber, usize)>,
    log_bytes: usize,
    apply: VecDeque<(LogIndex, usize)>,
    apply_bytes: usize,
}

impl CoreThread {
    /// Runs until the inbox is closed.
    pub(super) fn run(mut self) -> Result<(), Infallible> {
        loop {
            let intake =
                if self.is_backlogged() { Intake::CompletionsOnly } else { Intake::Everything };
            let taken = self.inbox.take(intake, self.ticker.next());
            if taken.closed {
                refuse_all(taken.requests, NodeError::Stopping);
                // Dropping the senders of `pending` tells their clients that the fate is unknown.
                return Ok(());
            }
            self.step_all(taken);
            let effects = self.replica.take_effects();
            self.perform(effects);
            self.publish();
        }
    }

    fn is_backlogged(&self) -> bool {
        self.backlog.log_bytes > LOG_BACKLOG_BYTES_MAX
            || self.backlog.apply_bytes > APPLY_BACKLOG_BYTES_MAX
            || self.reads_waiting.load(Ordering::Relaxed) > READ_BACKLOG_MAX
    }

    /// Ticks come last, so that after a pause the messages that waited are seen before time passes.
    fn step_all(&mut self, taken: Taken) {
        for input in taken.completions {
            self.backlog.done(&input);
            self.replica.step(input);
        }
        for message in taken.messages {
            self.replica.step(Input::Message(message));
        }
        let mut local_reads = Vec::new();
        for request in taken.requests {
            match request {
                Request::Write { command, reply } => {
                    // A client that has gone while the request waited does not want it any more.
                    if !reply.is_closed() {
                        let request = self.pending.next_request();
                        self.pending.writes.insert(request, reply);
                        self.replica.step(Input::Write { request, command });
                    }
                }
                Request::Read(read) => {
                    let request = self.pending.next_request();
                    self.pending.reads.insert(request, read);
                    self.replica.step(Input::Read { request });
                }
                Request::LocalRead(read) => local_reads.push(read),
            }
        }
        self.serve(local_reads);
        for peer in std::mem::take(&mut self.pending.unreachable) {
            self.replica.step(Input::Unreachable(peer));
        }
        for _ in 0..self.ticker.due(Instant::now()) {
            self.replica.step(Input::Tick);
        }
    }

    /// The two other threads end after this one only, or end the process, so sends cannot fail.
    fn perform(&mut self, effects: Effects) {
        for message in effects.messages {
            let to = NodeId(message.to);
            if !self.peers.send(message) {
                self.pending.unreachable.insert(to);
            }
        }
        for persist in effects.persist {
            self.backlog.log_add(&persist);
            let _ = self.log.send(persist);
        }
        if let Some(last) = effects.committed.last() {
            let bytes = effects.committed.iter().map(|entry| 64 + entry.data.len()).sum();
            self.backlog.apply_add(last.index, bytes);
            let _ = self.apply.send(ApplyTask::Entries(effects.committed));
        }
        let safe = effects.reads.iter();
        let safe = safe.filter_map(|request| self.pending.reads.remove(request)).collect();
        self.serve(safe);
        let mut bells = Bells::default();
        for (request, reply) in effects.replies {
            self.pending.resolve(request, reply, &mut bells);
        }
    }

    fn serve(&mut self, reads: Vec<PendingRead>) {
        if !reads.is_empty() {
            self.reads_waiting.fetch_add(reads.len(), Ordering::Relaxed);
            let _ = self.apply.send(ApplyTask::Reads(reads));
        }
    }

    fn publish(&mut self) {
        let new = self.replica.status();
        self.status.send_if_modified(|old| {
            if (old.role, old.term, old.leader) != (new.role, new.term, new.leader) {
                tracing::info!(
                    node = new.id.0,
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

impl Pending {
    fn next_request(&mut self) -> RequestId {
        self.last_request += 1;
        RequestId(self.last_request)
    }

    fn resolve(&mut self, request: RequestId, reply: Reply, bells: &mut Bells) {
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

impl Backlog {
    fn log_add(&mut self, persist: &Persist) {
        let bytes = persist_bytes(persist);
        self.log.push_back((persist.number, bytes));
        self.log_bytes += bytes;
    }

    fn apply_add(&mut self, last: LogIndex, bytes: usize) {
        self.apply.push_back((last, bytes));
        self.apply_bytes += bytes;
    }

    fn done(&mut self, completion: &Input) {
        match completion {
            Input::Persisted(number) => {
                while let Some((_, bytes)) = self.log.pop_front_if(|(it, _)| *it <= *number) {
                    self.log_bytes -= bytes;
                }
            }
            Input::Applied { index, .. } => {
                while let Some((_, bytes)) = self.apply.pop_front_if(|(it, _)| *it <= *index) {
                    self.apply_bytes -= bytes;
                }
            }
            Input::Tick
            | Input::Message(_)
            | Input::Write { .. }
            | Input::Read { .. }
            | Input::KeepAlive { .. }
            | Input::ChangeMembers { .. }
            | Input::TransferLeader { .. }
            | Input::TakeSnapshot { .. }
            | Input::Installed { .. }
            | Input::SnapshotTaken { .. }
            | Input::SnapshotFailed
            | Input::SnapshotSent { .. }
            | Input::Unreachable(_) => unreachable!("only threads of the driver complete tasks"),
        }
    }
}

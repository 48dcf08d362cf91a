//! The thread that owns the replicas of all groups.
//!
//! A turn takes in what waits for any of them, then performs the effects of those that had inputs:
//! all messages leave, then one list goes to the log thread and one to the apply thread.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::time::Instant;

use raft::eraftpb;

use crate::bug::Bug;
use crate::bug_state;
use crate::metrics::Metrics;
use crate::replica::{CommittedEntry, Input, Persist, SendSnapshot};
use crate::types::{GroupId, NodeId, RequestId};

use super::changes::Changes;
use super::directory::Directory;
use super::group::{ApplyTask, Completion, LogTask, committed_bytes, persist_bytes};
use super::hosted::HostedGroups;
use super::inbox::{Inbox, Intake, Lane, PendingRead, Request, Taken, Urgency, refuse_all};
use super::lulls::Lulls;
use super::node::NodeError;
use super::reception::{OutgoingSnapshot, SentSnapshot};
use super::reply_to::Bells;
use super::ticker::{CATCH_UP_TICKS_MAX, Ticker};

/// Entries that may wait for the log thread before the core takes no more work.
const LOG_BACKLOG_BYTES_MAX: usize = 64 << 20;
/// Entries that may wait for the apply thread before the core takes no more work.
const APPLY_BACKLOG_BYTES_MAX: usize = 64 << 20;
/// Entries that may wait for the apply thread, or be applied without the core knowing, before the
/// core wants to hear of it at once.
const URGENT_APPLY_BYTES: usize = 4 << 20;
/// Reads that may wait for the apply thread before the core takes no more work.
const READ_BACKLOG_MAX: usize = 16_384;

/// Sends messages to peers. Must not block.
pub trait PeerSender: Send {
    /// Sends or queues a message of a group to `message.to`; false if it was dropped.
    fn send(&mut self, group: GroupId, message: eraftpb::Message) -> bool;

    /// The members of a group are at these addresses, `host:port`, by node.
    fn members(&mut self, addresses: &BTreeMap<u64, String>);

    /// Sends a snapshot in the background, and says once how that ended.
    fn send_snapshot(&mut self, snapshot: OutgoingSnapshot, done: SentSnapshot);
}

/// What the thread owns.
pub(super) struct CoreThread {
    pub(super) groups: HostedGroups,
    pub(super) changes: Changes,
    pub(super) inbox: Arc<Inbox>,
    pub(super) outbox: Outbox,
    pub(super) peers: Box<dyn PeerSender>,
    /// Peers that a message could not be sent to.
    pub(super) unreachable: BTreeSet<(GroupId, NodeId)>,
    /// Peers that wait for a snapshot that is not kept any more.
    pub(super) unsent: BTreeSet<(GroupId, NodeId)>,
    pub(super) directory: Arc<Directory>,
    pub(super) ticker: Ticker,
    pub(super) lulls: Lulls,
    pub(super) request_ids: RequestIds,
    pub(super) metrics: Arc<Metrics>,
}

/// Names requests; no two of this process alike.
#[derive(Debug, Default)]
pub(super) struct RequestIds(u64);

/// What one turn gives to the other threads, and what they have not reported as done.
pub(super) struct Outbox {
    log: Sender<LogTask>,
    apply: Sender<Vec<ApplyTask>>,
    writes: Vec<(GroupId, Persist)>,
    tasks: Vec<ApplyTask>,
    log_bytes: usize,
    apply_bytes: usize,
    reads_waiting: Arc<AtomicUsize>,
}

impl CoreThread {
    /// Runs until the inbox is closed.
    pub(super) fn run(mut self) -> Result<(), Infallible> {
        loop {
            let intake = match self.outbox.is_backlogged() {
                true => Intake::CompletionsOnly,
                false => Intake::Everything,
            };
            let tick = self.ticker.next();
            let deadline = self.lulls.next().map_or(tick, |lull| lull.min(tick));
            let taken = self.inbox.take(intake, deadline);
            if taken.closed {
                for (_, lane) in taken.lanes {
                    refuse_all(lane.requests, NodeError::Stopping);
                }
                // Dropping the senders of what is pending tells their clients that the fate is
                // unknown.
                return Ok(());
            }
            self.step_all(taken);
            let touched = self.groups.take_touched();
            for group in &touched {
                self.perform(*group);
            }
            self.outbox.flush();
            for group in touched {
                if let Some(hosted) = self.groups.get_mut(group) {
                    hosted.publish(group);
                }
            }
        }
    }

    /// Ticks come last, so that after a pause the messages that waited are seen before time passes.
    fn step_all(&mut self, taken: Taken) {
        for completion in taken.completions {
            self.complete(completion);
        }
        for change in taken.changes {
            self.changes.begin(change, &mut self.groups, &mut self.outbox);
        }
        for (group, snapshot) in taken.snapshots {
            if let Some(hosted) = self.groups.touch(group) {
                hosted.receive(snapshot);
            }
        }
        for (group, lane) in taken.lanes {
            self.step_lane(group, lane);
        }
        for (group, to) in mem::take(&mut self.unsent) {
            if let Some(hosted) = self.groups.touch(group) {
                hosted.step(Input::SnapshotSent { to, ok: false });
            }
        }
        for (group, peer) in mem::take(&mut self.unreachable) {
            if let Some(hosted) = self.groups.touch(group) {
                hosted.step(Input::Unreachable(peer));
            }
        }
        let now = Instant::now();
        for group in self.lulls.due(now) {
            if let Some(hosted) = self.groups.touch(group) {
                hosted.step(Input::Lull);
            }
        }
        let ticks = self.ticker.due(now);
        if self.changes.replica.bugs.has(Bug::OverloadAcks) {
            bug_state::ticks_came(ticks, CATCH_UP_TICKS_MAX);
        }
        for _ in 0..ticks {
            self.groups.tick_all();
        }
        if ticks > 0 {
            self.measure();
        }
    }

    /// Once a tick, because nobody looks more often.
    fn measure(&self) {
        for (group, lags) in self.groups.lags() {
            self.metrics.group(group.0).set_lags(lags);
        }
        self.metrics.log_queue_bytes.set(self.outbox.log_bytes as u64);
        self.metrics.apply_queue_bytes.set(self.outbox.apply_bytes as u64);
        let (requests, messages) = self.inbox.lengths();
        self.metrics.inbox_requests.set(requests as u64);
        self.metrics.inbox_messages.set(messages as u64);
    }

    fn complete(&mut self, completion: Completion) {
        match completion {
            Completion::Persisted { numbers, bytes } => {
                self.outbox.log_bytes -= bytes;
                for (group, number) in numbers {
                    if let Some(hosted) = self.groups.touch(group) {
                        hosted.step(Input::Persisted(number));
                    }
                }
            }
            Completion::Applied { group, index, entries, leases, bytes } => {
                self.outbox.apply_bytes -= bytes;
                if let Some(hosted) = self.groups.touch(group) {
                    hosted.step(Input::Applied { index, entries, leases });
                }
            }
            Completion::Installed { group, position, leases } => {
                if let Some(hosted) = self.groups.touch(group) {
                    // They were of the state that was replaced.
                    hosted.snapshots.clear();
                    hosted.step(Input::Installed { position, leases });
                }
            }
            Completion::SnapshotTaken { group, snapshots } => {
                if let Some(hosted) = self.groups.touch(group) {
                    hosted.snapshots = snapshots;
                    let input = match hosted.snapshots.first() {
                        Some(newest) => Input::SnapshotTaken {
                            position: newest.position(),
                            configuration: newest.configuration().clone(),
                        },
                        None => Input::SnapshotFailed,
                    };
                    hosted.step(input);
                }
            }
            Completion::SnapshotFailed { group } => {
                if let Some(hosted) = self.groups.touch(group) {
                    hosted.step(Input::SnapshotFailed);
                }
            }
            Completion::SnapshotSent { group, to, ok } => {
                if let Some(hosted) = self.groups.touch(group) {
                    hosted.step(Input::SnapshotSent { to, ok });
                }
            }
            Completion::LogAdded { .. }
            | Completion::StateAdded { .. }
            | Completion::LogRemoved { .. }
            | Completion::StateRemoved { .. } => {
                self.changes.go_on(completion, &mut self.groups, &mut self.outbox);
            }
        }
    }

    fn step_lane(&mut self, group: GroupId, lane: Lane) {
        let Some(hosted) = self.groups.touch(group) else {
            // A replica that should be here is added by those who know the shard map; until then
            // what is dropped does no harm, because Raft repeats itself.
            self.directory.count_strays(lane.messages.len() as u64);
            refuse_all(lane.requests, NodeError::NotHosted);
            return;
        };
        for message in lane.messages {
            hosted.step(Input::Message(message));
        }
        let mut local_reads = Vec::new();
        for request in lane.requests {
            match request {
                Request::Write { command, reply } => {
                    // A client that has gone while the request waited does not want it any more.
                    if !reply.is_closed() {
                        let request = self.request_ids.next();
                        hosted.pending.write(request, reply);
                        hosted.step(Input::Write { request, command });
                    }
                }
                Request::Read(read) => {
                    let request = self.request_ids.next();
                    hosted.pending.read(request, read);
                    hosted.step(Input::Read { request });
                }
                Request::LocalRead(read) => local_reads.push(read),
                Request::KeepAlive { lease, reply } => {
                    let request = self.request_ids.next();
                    hosted.pending.keep_alive(request, reply);
                    hosted.step(Input::KeepAlive { request, lease });
                }
                Request::Administer { what, reply } => {
                    let request = self.request_ids.next();
                    hosted.pending.administer(request, reply);
                    hosted.step(what.into_input(request));
                }
            }
        }
        self.outbox.serve(group, local_reads);
    }

    fn perform(&mut self, group: GroupId) {
        let Some(hosted) = self.groups.get_mut(group) else { return };
        let effects = hosted.take_effects();
        if let Some(addresses) = hosted.new_addresses() {
            self.peers.members(addresses);
        }
        for message in effects.messages {
            let to = NodeId(message.to);
            if !self.peers.send(group, message) {
                self.unreachable.insert((group, to));
            }
        }
        for SendSnapshot { to, message, position } in effects.snapshots {
            let inbox = Arc::clone(&self.inbox);
            let done: SentSnapshot = Box::new(move |ok| {
                inbox.complete([Completion::SnapshotSent { group, to, ok }], Urgency::Now);
            });
            match hosted.snapshot(position) {
                Some(source) => {
                    let outgoing = OutgoingSnapshot { group, to, message, source };
                    self.peers.send_snapshot(outgoing, done);
                }
                None => {
                    self.unsent.insert((group, to));
                }
            }
        }
        self.outbox.persist(group, effects.persist);
        self.outbox.apply(group, effects.committed, hosted.is_leader());
        self.lulls.put_off(group, hosted.awaits_lull(), Instant::now());
        let installed = effects.install.map(|install| install.position);
        if let Some(received) = hosted.take_received(installed) {
            self.outbox.change_state(ApplyTask::Install { group, received });
        }
        if effects.take_snapshot {
            let first = hosted.configuration().clone();
            self.outbox.change_state(ApplyTask::TakeSnapshot { group, first });
        }
        self.outbox.serve(group, hosted.pending.take_reads(&effects.reads));
        let mut bells = Bells::default();
        let term = hosted.term();
        for (request, reply) in effects.replies {
            hosted.pending.resolve(request, reply, term, &mut bells);
        }
    }
}

impl RequestIds {
    fn next(&mut self) -> RequestId {
        self.0 += 1;
        RequestId(self.0)
    }
}

/// The two other threads end after the core thread only, or end the process, so sends cannot fail.
impl Outbox {
    pub(super) fn new(
        log: Sender<LogTask>,
        apply: Sender<Vec<ApplyTask>>,
        reads_waiting: Arc<AtomicUsize>,
    ) -> Outbox {
        let (writes, tasks) = (Vec::new(), Vec::new());
        Outbox { log, apply, writes, tasks, log_bytes: 0, apply_bytes: 0, reads_waiting }
    }

    fn is_backlogged(&self) -> bool {
        self.log_bytes > LOG_BACKLOG_BYTES_MAX
            || self.apply_bytes > APPLY_BACKLOG_BYTES_MAX
            || self.reads_waiting.load(Ordering::Relaxed) > READ_BACKLOG_MAX
    }

    fn persist(&mut self, group: GroupId, batches: Vec<Persist>) {
        for persist in batches {
            self.log_bytes += persist_bytes(&persist);
            self.writes.push((group, persist));
        }
    }

    /// Where this node does not lead, nobody waits for what ordinary entries answer.
    fn apply(&mut self, group: GroupId, entries: Vec<CommittedEntry>, leads: bool) {
        if !entries.is_empty() {
            let bytes = committed_bytes(&entries);
            self.apply_bytes += bytes;
            let urgent = leads
                || self.apply_bytes > URGENT_APPLY_BYTES
                || entries.iter().any(|entry| entry.configuration.is_some());
            self.tasks.push(ApplyTask::Entries { group, entries, bytes, urgent });
        }
    }

    fn serve(&mut self, group: GroupId, reads: Vec<PendingRead>) {
        if !reads.is_empty() {
            self.reads_waiting.fetch_add(reads.len(), Ordering::Relaxed);
            self.tasks.push(ApplyTask::Reads { group, reads });
        }
    }

    /// Gives the log thread a task that is no write.
    pub(super) fn change_log(&mut self, task: LogTask) {
        let _ = self.log.send(task);
    }

    /// Gives the apply thread a task behind those of this turn.
    pub(super) fn change_state(&mut self, task: ApplyTask) {
        self.tasks.push(task);
    }

    /// Hands over what the turn brought: one list to each thread.
    fn flush(&mut self) {
        if !self.writes.is_empty() {
            let _ = self.log.send(LogTask::Write(mem::take(&mut self.writes)));
        }
        if !self.tasks.is_empty() {
            let _ = self.apply.send(mem::take(&mut self.tasks));
        }
    }
}

//! The thread that owns the state machines of all groups: applies entries and answers reads.
//!
//! One thread for all of them: it keeps the order within each group without any bookkeeping, and on
//! few cores a second one would only take time from the network's threads.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Receiver;

use crate::bug::{Bug, Bugs};
use crate::command::Versioned;
use crate::metrics::{GroupMetrics, Metrics};
use crate::replica::AppliedState;
use crate::state_machine::{
    Applied, QueryReply, SnapshotStore, StateMachine, StateMachineConfig, StateMachineError,
    StateStore, StateStores,
};
use crate::types::{GroupId, LogIndex, NodeId};
use crate::watch::{WatchFeed, WatchLimits};

use super::group::{AddedState, ApplyTask, Completion};
use super::inbox::{Inbox, PendingRead, Urgency};
use super::node::{NodeError, ReadReply};
use super::reply_to::Bells;

/// The state machines of a node.
pub(super) type Machines<S> = BTreeMap<GroupId, Machine<S>>;

/// The state machine of a group, and who is told what it changed.
pub(super) struct Machine<S: StateStores> {
    machine: StateMachine<S::Store>,
    feed: WatchFeed,
    metrics: Arc<GroupMetrics>,
    /// The revision since which the group does not serve all keys, if the feed knows of it.
    scattered: Option<u64>,
}

/// What the state machines of a node have in common.
#[derive(Debug, Clone)]
pub(super) struct MachinesConfig {
    pub(super) machine: StateMachineConfig,
    pub(super) watch: WatchLimits,
    pub(super) metrics: Arc<Metrics>,
}

impl<S: StateStores> Machine<S> {
    /// Opens the state machine of a group.
    pub(super) fn open(
        states: &mut S,
        group: GroupId,
        config: &MachinesConfig,
    ) -> Result<Machine<S>, StateMachineError> {
        let mut machine = StateMachine::new(states.open(group)?, config.machine.clone())?;
        machine.report_events();
        let feed = WatchFeed::new(config.watch, LogIndex(machine.revision()));
        let metrics = config.metrics.group(group.0);
        let mut opened = Machine { machine, feed, metrics, scattered: None };
        opened.end_watches();
        opened.measure();
        Ok(opened)
    }

    fn measure(&self) {
        self.metrics.sessions.set(self.machine.sessions() as u64);
    }

    /// Ends the watches if the group does not serve all keys any more.
    fn end_watches(&mut self) {
        let since = self.machine.sharding().ownership.as_ref().map(|it| it.since);
        if since != self.scattered {
            self.scattered = since;
            if let Some(since) = since {
                self.feed.scatter(since);
            }
        }
    }

    /// Where it stands, and where watches of it begin.
    pub(super) fn added(&self) -> Result<AddedState, StateMachineError> {
        let store = self.machine.store();
        let snapshots = store.snapshots();
        let state = AppliedState {
            position: self.machine.applied(),
            configuration: store.configuration().cloned().unwrap_or_default(),
            installed: store.installed_position(),
            leases: self.machine.living_leases()?,
            snapshot: snapshots.first().map(|it| (it.position(), it.configuration().clone())),
        };
        Ok(AddedState { state, watches: self.feed.hub(), snapshots, staging: store.staging() })
    }
}

/// What the thread owns.
pub(super) struct ApplyThread<S: StateStores> {
    pub(super) machines: Machines<S>,
    pub(super) states: S,
    pub(super) config: MachinesConfig,
    /// Each list is what one turn of the core wants done.
    pub(super) tasks: Receiver<Vec<ApplyTask>>,
    pub(super) inbox: Arc<Inbox>,
    pub(super) metrics: Arc<Metrics>,
    /// Reads in the queue.
    pub(super) reads_waiting: Arc<AtomicUsize>,
    pub(super) node: NodeId,
    pub(super) bugs: Bugs,
}

impl<S: StateStores> ApplyThread<S> {
    /// Runs until the core thread is gone and everything is applied.
    pub(super) fn run(mut self) -> Result<(), StateMachineError> {
        while let Ok(mut tasks) = self.tasks.recv() {
            if self.bugs.has(Bug::ReadBeforeApply) {
                // The planted bug: reads overtake the entries that wait before them.
                tasks.extend(self.tasks.try_iter().flatten());
                tasks.sort_by_key(|task| !matches!(task, ApplyTask::Reads { .. }));
            }
            let mut completions = Vec::new();
            let mut urgency = Urgency::CanWait;
            for task in tasks {
                if !matches!(task, ApplyTask::Entries { urgent: false, .. }) {
                    urgency = Urgency::Now;
                }
                completions.extend(self.perform(task)?);
            }
            if !completions.is_empty() {
                self.inbox.complete(completions, urgency);
            }
        }
        Ok(())
    }

    fn perform(&mut self, task: ApplyTask) -> Result<Option<Completion>, StateMachineError> {
        match task {
            ApplyTask::Entries { group, entries, bytes, urgent: _ } => {
                let hosted = self.machines.get_mut(&group).expect("added before its entries");
                let applied = hosted.machine.apply(&entries)?;
                let Applied { mut entries, leases, mut events } = applied;
                if self.bugs.has(Bug::RevisionOfBatch) {
                    let last = hosted.machine.revision();
                    entries.iter_mut().for_each(|entry| entry.outcome.revision = last);
                }
                if self.bugs.has(Bug::WatchGap) && events.len() > 1 {
                    events.pop();
                }
                hosted.end_watches();
                let index = hosted.machine.applied().index;
                hosted.feed.publish(LogIndex(hosted.machine.revision()), events);
                hosted.measure();
                Ok(Some(Completion::Applied { group, index, entries, leases, bytes }))
            }
            ApplyTask::Reads { group, reads } => {
                self.reads_waiting.fetch_sub(reads.len(), Ordering::Relaxed);
                self.answer(group, reads)?;
                Ok(None)
            }
            ApplyTask::Install { group, received } => {
                let hosted = self.machines.get_mut(&group).expect("added before its snapshots");
                hosted.machine.install(received)?;
                let position = hosted.machine.applied();
                hosted.feed.reset(LogIndex(hosted.machine.revision()));
                hosted.scattered = None;
                hosted.end_watches();
                hosted.measure();
                let leases = hosted.machine.living_leases()?;
                self.metrics.snapshots_installed.increment();
                tracing::info!(group = group.0, index = position.index.0, "installed a snapshot");
                Ok(Some(Completion::Installed { group, position, leases }))
            }
            ApplyTask::TakeSnapshot { group, first } => {
                let machine =
                    &mut self.machines.get_mut(&group).expect("added before its entries").machine;
                match machine.take_snapshot(&first) {
                    Ok(_) => {
                        self.metrics.snapshots_taken.increment();
                        let snapshots = machine.store().snapshots();
                        Ok(Some(Completion::SnapshotTaken { group, snapshots }))
                    }
                    Err(error) => {
                        // The state is as it was; the log stays as long as it must.
                        self.metrics.snapshots_failed.increment();
                        tracing::warn!(group = group.0, "take a snapshot: {error}");
                        Ok(Some(Completion::SnapshotFailed { group }))
                    }
                }
            }
            ApplyTask::Add { group } => {
                let result = self.add(group);
                Ok(Some(Completion::StateAdded { group, result }))
            }
            ApplyTask::Remove { group } => {
                drop(self.machines.remove(&group));
                self.states.remove(group)?;
                Ok(Some(Completion::StateRemoved { group }))
            }
        }
    }

    fn answer(&self, group: GroupId, reads: Vec<PendingRead>) -> Result<(), StateMachineError> {
        let machine = self.machines.get(&group).map(|it| &it.machine);
        let mut bells = Bells::default();
        for read in reads {
            let reply = match machine {
                Some(machine) => {
                    let mut reply = machine.query(&read.query)?;
                    if self.bugs.has(Bug::FreshKeysHidden) {
                        self.hide_fresh_keys(machine.revision(), &mut reply);
                    }
                    Ok(ReadReply { reply, revision: LogIndex(machine.revision()) })
                }
                None => Err(NodeError::NotHosted),
            };
            read.reply.send(reply, &mut bells);
        }
        Ok(())
    }

    /// The planted bug: half of the last revisions do not show, and at a neighbour the other half.
    fn hide_fresh_keys(&self, applied: u64, reply: &mut QueryReply) {
        let is_shown = |held: &Versioned| {
            held.revision + 32 <= applied || (held.revision + self.node.0) % 2 == 0
        };
        match reply {
            QueryReply::Get(found) => *found = found.take().filter(is_shown),
            QueryReply::Scan { found, .. } => found.retain(|(_, held)| is_shown(held)),
            QueryReply::Lease(_) | QueryReply::Shards(_) | QueryReply::WrongGroup => {}
        }
    }

    /// The log of a group that is added is new. A state of that name is what an interrupted removal
    /// left behind.
    fn add(&mut self, group: GroupId) -> Result<Box<AddedState>, StateMachineError> {
        self.states.remove(group)?;
        let machine = Machine::open(&mut self.states, group, &self.config)?;
        let added = machine.added()?;
        self.machines.insert(group, machine);
        Ok(Box::new(added))
    }
}

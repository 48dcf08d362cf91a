//! The thread that owns the log store: group commit.

use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::bug::{Bug, Bugs};
use crate::bug_state;
use crate::log_store::{LogBatch, LogStore, LogStoreError, RecoveredLog};
use crate::metrics::Metrics;
use crate::replica::Persist;
use crate::types::{GroupId, PersistNumber};

use super::group::{Completion, LogTask, persist_bytes};
use super::inbox::{Inbox, Urgency};

/// Entries that are written at once; what more there is waits for the next write.
const GROUP_COMMIT_BYTES_MAX: usize = 8 << 20;

/// When the log is synced to disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fsync {
    /// Before anything in it counts: survives power loss.
    Always,
    /// Never: survives the end of the process only.
    Off,
}

/// What the thread owns.
pub(super) struct LogThread {
    pub(super) store: Box<dyn LogStore>,
    pub(super) tasks: Receiver<LogTask>,
    pub(super) inbox: Arc<Inbox>,
    pub(super) fsync: Fsync,
    pub(super) metrics: Arc<Metrics>,
    pub(super) bugs: Bugs,
}

/// What is written at once, of all groups.
#[derive(Debug, Default)]
struct GroupCommit {
    batches: Vec<LogBatch>,
    /// The last batch of each group.
    numbers: BTreeMap<GroupId, PersistNumber>,
    bytes: usize,
    must_sync: bool,
}

impl GroupCommit {
    fn add(&mut self, writes: Vec<(GroupId, Persist)>) {
        for (group, persist) in writes {
            self.bytes += persist_bytes(&persist);
            self.must_sync |= persist.must_sync;
            self.numbers.insert(group, persist.number);
            self.batches.push(batch(group, persist));
        }
    }

    fn completion(&mut self) -> Completion {
        let numbers = mem::take(&mut self.numbers).into_iter().collect();
        Completion::Persisted { numbers, bytes: self.bytes }
    }
}

impl LogThread {
    /// Runs until the core thread is gone and everything is written.
    pub(super) fn run(mut self) -> Result<(), LogStoreError> {
        if self.bugs.has(Bug::VolatileLog) {
            return volatile::run(self);
        }
        while let Ok(first) = self.tasks.recv() {
            let mut commit = GroupCommit::default();
            let mut next = Some(first);
            while let Some(task) = next {
                next = None;
                match task {
                    LogTask::Write(writes) => {
                        commit.add(writes);
                        if commit.bytes < GROUP_COMMIT_BYTES_MAX {
                            next = self.tasks.try_recv().ok();
                        }
                    }
                    LogTask::Add { .. } | LogTask::Remove { .. } => {
                        self.write(mem::take(&mut commit))?;
                        self.change(task)?;
                    }
                }
            }
            self.write(commit)?;
        }
        Ok(())
    }

    /// One write and at most one sync.
    fn write(&mut self, mut commit: GroupCommit) -> Result<(), LogStoreError> {
        if commit.batches.is_empty() {
            return Ok(());
        }
        let may_sync = self.fsync == Fsync::Always && !self.bugs.has(Bug::MissingFsync);
        let sync = commit.must_sync && may_sync;
        let started = Instant::now();
        if self.bugs.has(Bug::LateSyncAcks) {
            bug_state::write_begins();
        }
        self.store.write(&commit.batches, sync).or_else(|error| {
            match self.bugs.has(Bug::ErrorsPassedOver) && bug_state::passes_over_error() {
                true => Ok(()),
                false => Err(error),
            }
        })?;
        if self.bugs.has(Bug::LateSyncAcks) {
            bug_state::write_ends();
        }
        if sync {
            self.metrics.fsync.observe(started.elapsed());
        }
        let compactions = commit.batches.iter().filter(|batch| batch.compact.is_some()).count();
        self.metrics.compactions.add(compactions as u64);
        self.inbox.complete([commit.completion()], Urgency::Now);
        Ok(())
    }

    /// Adds or removes a group. A group that cannot be added is the asker's trouble only.
    fn change(&mut self, task: LogTask) -> Result<(), LogStoreError> {
        let completion = match task {
            LogTask::Add { group, configuration } => {
                let added: Result<RecoveredLog, LogStoreError> = self
                    .store
                    .bootstrap(group, &configuration.to_conf_state())
                    .and_then(|()| self.store.load(group));
                Completion::LogAdded { group, result: added }
            }
            LogTask::Remove { group } => {
                self.store.remove(group)?;
                Completion::LogRemoved { group }
            }
            LogTask::Write(_) => unreachable!("writes are committed, not performed one by one"),
        };
        self.inbox.complete([completion], Urgency::Now);
        Ok(())
    }
}

fn batch(group: GroupId, persist: Persist) -> LogBatch {
    LogBatch {
        group,
        reset: persist.reset,
        hard_state: persist.hard_state,
        entries: persist.entries,
        compact: persist.compact,
    }
}

/// The planted bug: everything counts as durable at once, and is written a second later.
mod volatile {
    use std::collections::VecDeque;
    use std::sync::mpsc::RecvTimeoutError;
    use std::time::{Duration, Instant};

    use super::{GroupCommit, LogBatch, LogStore, LogStoreError, LogTask, LogThread, Urgency};

    const DELAY: Duration = Duration::from_secs(1);

    pub(super) fn run(mut thread: LogThread) -> Result<(), LogStoreError> {
        let mut waiting: VecDeque<(Instant, LogBatch)> = VecDeque::new();
        loop {
            let due = waiting.front().map_or(Instant::now() + DELAY, |(due, _)| *due);
            match thread.tasks.recv_timeout(due.saturating_duration_since(Instant::now())) {
                Ok(LogTask::Write(writes)) => {
                    let mut commit = GroupCommit::default();
                    commit.add(writes);
                    thread.inbox.complete([commit.completion()], Urgency::Now);
                    let due = Instant::now() + DELAY;
                    waiting.extend(commit.batches.into_iter().map(|batch| (due, batch)));
                }
                Ok(change @ (LogTask::Add { .. } | LogTask::Remove { .. })) => {
                    write(&mut *thread.store, waiting.drain(..).map(|(_, it)| it))?;
                    thread.change(change)?;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return write(&mut *thread.store, waiting.into_iter().map(|(_, it)| it));
                }
            }
            let now = Instant::now();
            let due = waiting.iter().take_while(|(due, _)| *due <= now).count();
            write(&mut *thread.store, waiting.drain(..due).map(|(_, it)| it))?;
        }
    }

    fn write(
        store: &mut dyn LogStore,
        batches: impl Iterator<Item = LogBatch>,
    ) -> Result<(), LogStoreError> {
        let batches: Vec<LogBatch> = batches.collect();
        if batches.is_empty() { Ok(()) } else { store.write(&batches, false) }
    }
}

//! The thread that owns the state machine: applies entries and answers reads.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Receiver;

use crate::bug::{Bug, Bugs};
use crate::replica::{CommittedEntry, Input};
use crate::state_machine::{Applied, StateMachine, StateMachineError, StateStore};
use crate::watch::WatchFeed;

use super::inbox::{Inbox, PendingRead};
use super::node::ReadReply;
use super::reply_to::Bells;

/// What to do next.
#[derive(Debug)]
pub(super) enum ApplyTask {
    /// Apply these.
    Entries(Vec<CommittedEntry>),
    /// Answer these from the state as it is then.
    Reads(Vec<PendingRead>),
}

/// What the thread owns.
pub(super) struct ApplyThread<S: StateStore> {
    pub(super) machine: StateMachine<S>,
    pub(super) tasks: Receiver<ApplyTask>,
    /// Tells watches what changed.
    pub(super) feed: WatchFeed,
    pub(super) inbox: Arc<Inbox>,
    /// Reads in the queue.
    pub(super) reads_waiting: Arc<AtomicUsize>,
    pub(super) bugs: Bugs,
}

impl<S: StateStore> ApplyThread<S> {
    /// Runs until the core thread is gone and everything is applied.
    pub(super) fn run(mut self) -> Result<(), StateMachineError> {
        while let Ok(task) = self.tasks.recv() {
            if self.bugs.has(Bug::ReadBeforeApply) {
                // The planted bug: reads overtake the entries that wait before them.
                let mut tasks = vec![task];
                tasks.extend(self.tasks.try_iter());
                tasks.sort_by_key(|task| matches!(task, ApplyTask::Entries(_)));
                tasks.into_iter().try_for_each(|task| self.perform(task))?;
            } else {
                self.perform(task)?;
            }
        }
        Ok(())
    }

    fn perform(&mut self, task: ApplyTask) -> Result<(), StateMachineError> {
        match task {
            ApplyTask::Entries(committed) => {
                let Some(last) = committed.last() else { return Ok(()) };
                let index = last.index;
                let Applied { entries, leases, events } = self.machine.apply(&committed)?;
                self.feed.publish(index, events);
                self.inbox.completion(Input::Applied { index, entries, leases });
            }
            ApplyTask::Reads(reads) => {
                self.reads_waiting.fetch_sub(reads.len(), Ordering::Relaxed);
                let mut bells = Bells::default();
                for read in reads {
                    let reply = self.machine.query(&read.query)?;
                    let reply = ReadReply { reply, applied: self.machine.applied().index };
                    read.reply.send(Ok(reply), &mut bells);
                }
            }
        }
        Ok(())
    }
}

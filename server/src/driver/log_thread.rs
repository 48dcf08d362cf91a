//! The thread that owns the log store: group commit.

use std::sync::Arc;
use std::sync::mpsc::Receiver;

use crate::bug::{Bug, Bugs};
use crate::log_store::{LogBatch, LogStore, LogStoreError};
use crate::replica::{Input, Persist};
use crate::types::GroupId;

use super::inbox::Inbox;

/// Entries that are written at once; what more there is waits for the next write.
const GROUP_COMMIT_BYTES_MAX: usize = 8 << 20;

/// When the log is synced to disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Fsync {
    /// Before anything in it counts: survives power loss.
    Always,
    /// Never: survives the end of the process only.
    Off,
}

/// What the thread owns.
pub(super) struct LogThread {
    pub(super) store: Box<dyn LogStore>,
    pub(super) tasks: Receiver<Persist>,
    pub(super) inbox: Arc<Inbox>,
    pub(super) fsync: Fsync,
    pub(super) bugs: Bugs,
}

impl LogThread {
    /// Runs until the core thread is gone and everything is written.
    pub(super) fn run(mut self) -> Result<(), LogStoreError> {
        if self.bugs.has(Bug::VolatileLog) {
            return volatile::run(self);
        }
        let may_sync = self.fsync == Fsync::Always && !self.bugs.has(Bug::MissingFsync);
        while let Ok(first) = self.tasks.recv() {
            let mut bytes = 0;
            let mut sync = false;
            let mut batches = Vec::new();
            let mut next = Some(first);
            let mut last = None;
            while let Some(persist) = next {
                bytes += persist_bytes(&persist);
                sync |= persist.must_sync;
                last = Some(persist.number);
                batches.push(batch(persist));
                let full = bytes >= GROUP_COMMIT_BYTES_MAX;
                next = if full { None } else { self.tasks.try_recv().ok() };
            }
            self.store.write(&batches, sync && may_sync)?;
            if let Some(last) = last {
                self.inbox.completion(Input::Persisted(last));
            }
        }
        Ok(())
    }
}

fn batch(persist: Persist) -> LogBatch {
    LogBatch {
        group: GroupId(0),
        reset: persist.reset,
        hard_state: persist.hard_state,
        entries: persist.entries,
        compact: persist.compact,
    }
}

/// Roughly what a batch takes in memory.
pub(super) fn persist_bytes(persist: &Persist) -> usize {
    64 + persist.entries.iter().map(|entry| 64 + entry.data.len()).sum::<usize>()
}

/// The planted bug: everything counts as durable at once, and is written a second later.
mod volatile {
    use std::collections::VecDeque;
    use std::sync::mpsc::RecvTimeoutError;
    use std::time::{Duration, Instant};

    use super::{Input, LogBatch, LogStore, LogStoreError, LogThread, batch};

    const DELAY: Duration = Duration::from_secs(1);

    pub(super) fn run(mut thread: LogThread) -> Result<(), LogStoreError> {
        let mut waiting: VecDeque<(Instant, LogBatch)> = VecDeque::new();
        loop {
            let due = waiting.front().map_or(Instant::now() + DELAY, |(due, _)| *due);
            match thread.tasks.recv_timeout(due.saturating_duration_since(Instant::now())) {
                Ok(persist) => {
                    thread.inbox.completion(Input::Persisted(persist.number));
                    waiting.push_back((Instant::now() + DELAY, batch(persist)));
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

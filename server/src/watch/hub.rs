//! Who writes into the ring, and who reads from it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::ring::{Ring, WatchBatch, WatchLimits};
use crate::state_machine::{ChangeEvent, KeyRange};
use crate::types::LogIndex;

/// The apply thread's end: says what was applied. When it is dropped, all watches end.
#[derive(Debug)]
pub struct WatchFeed {
    ring: Arc<Mutex<Ring>>,
    bell: watch::Sender<()>,
}

/// Where watches begin. Cheap to clone.
#[derive(Debug, Clone)]
pub struct WatchHub {
    ring: Arc<Mutex<Ring>>,
    bell: watch::Receiver<()>,
}

/// One watch of a range of keys.
#[derive(Debug)]
pub struct Watch {
    hub: WatchHub,
    range: KeyRange,
    /// The first revision that was not reported yet.
    next: u64,
}

/// A watch cannot begin, or cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WatchError {
    /// Changes that are wanted are not remembered any more.
    #[error(
        "changes before revision {first_revision} are not remembered any more\n\
         hint: read the keys, and watch from the revision after that of the reply"
    )]
    Compacted {
        /// The first revision whose changes are remembered.
        first_revision: u64,
    },
    /// The group gave some of its keys to another one. Everything before was reported.
    #[error(
        "the keys are in several groups since revision {revision}; all changes up to it were reported\n\
         hint: a watch needs all keys to be in one group; read single keys instead"
    )]
    Scattered {
        /// The last revision that is reported.
        revision: u64,
    },
    /// The node has no replica of the group.
    #[error("this node has no replica of the group")]
    NotHosted,
    /// The node is shutting down, or gave up its replica of the group.
    #[error("the node is shutting down, or has no replica of the group any more")]
    Stopping,
}

impl WatchFeed {
    /// A feed that goes on after the last applied entry.
    pub fn new(limits: WatchLimits, applied: LogIndex) -> WatchFeed {
        WatchFeed {
            ring: Arc::new(Mutex::new(Ring::new(limits, applied.0))),
            bell: watch::Sender::new(()),
        }
    }

    /// Where watches of this feed begin.
    pub fn hub(&self) -> WatchHub {
        WatchHub { ring: Arc::clone(&self.ring), bell: self.bell.subscribe() }
    }

    /// Everything up to `applied` was applied; these are the changes since the last call.
    pub fn publish(&self, applied: LogIndex, events: Vec<ChangeEvent>) {
        lock(&self.ring).push(applied.0, events);
        self.bell.send_replace(());
    }

    /// The group does not serve all keys since this revision: watches end behind it.
    pub fn scatter(&self, since: u64) {
        lock(&self.ring).end(since);
        self.bell.send_replace(());
    }

    /// A snapshot as of `applied` took the place of the state. What happened in between is unknown,
    /// so watches that have not seen it end.
    pub fn reset(&self, applied: LogIndex) {
        lock(&self.ring).reset(applied.0);
        self.bell.send_replace(());
    }
}

impl WatchHub {
    /// Watches a range from a revision on; 0 for what comes from now on. A revision that does not
    /// exist yet is waited for.
    pub fn watch(&self, range: KeyRange, start_revision: u64) -> Result<Watch, WatchError> {
        let next = {
            let ring = lock(&self.ring);
            let next = if start_revision == 0 { ring.applied() + 1 } else { start_revision };
            if let Some(revision) = ring.ended_before(next) {
                return Err(WatchError::Scattered { revision });
            }
            if next < ring.first_revision() {
                return Err(WatchError::Compacted { first_revision: ring.first_revision() });
            }
            next
        };
        Ok(Watch { hub: self.clone(), range, next })
    }

    /// The last revision that was applied here.
    pub fn revision(&self) -> u64 {
        lock(&self.ring).applied()
    }
}

impl Watch {
    /// Waits for the next changes. Nothing is lost if the future is dropped.
    pub async fn next(&mut self) -> Result<WatchBatch, WatchError> {
        loop {
            // Before the look: what is applied after it rings again.
            self.hub.bell.mark_unchanged();
            let (batch, caught_up) = self.look()?;
            if !batch.events.is_empty() {
                return Ok(batch);
            }
            if caught_up {
                self.hub.bell.changed().await.map_err(|_| WatchError::Stopping)?;
            } else {
                tokio::task::yield_now().await;
            }
        }
    }

    /// The revision up to which every change was reported, for a sign of life while there is nothing
    /// to report. The watch can be resumed after it.
    pub fn reported(&self) -> u64 {
        self.next - 1
    }

    fn look(&mut self) -> Result<(WatchBatch, bool), WatchError> {
        let ring = lock(&self.hub.ring);
        if let Some(revision) = ring.ended_before(self.next) {
            return Err(WatchError::Scattered { revision });
        }
        let Some(batch) = ring.read(&self.range, self.next) else {
            return Err(WatchError::Compacted { first_revision: ring.first_revision() });
        };
        self.next = batch.revision + 1;
        let caught_up = batch.revision >= ring.applied();
        Ok((batch, caught_up))
    }
}

fn lock(ring: &Mutex<Ring>) -> MutexGuard<'_, Ring> {
    // Nothing that holds the lock can leave the ring half changed.
    ring.lock().unwrap_or_else(PoisonError::into_inner)
}

//! A node's simulated disk: what is durable, what is only written, what is only queued.

use std::collections::VecDeque;

use raft::eraftpb::{ConfState, Entry, HardState};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use server::log_store::{LogPosition, RecoveredLog};
use server::replica::Persist;
use server::types::PersistNumber;

use super::log_digest::{EntryDigest, LogDigest};

/// With [`SyncMode::Volatile`], batches reach the disk this much later (microseconds).
const VOLATILE_LAG: u64 = 1_000_000;

/// What the store does with its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SyncMode {
    /// Syncs what must be synced.
    Sync,
    /// Writes and never syncs: the bug `missing-fsync`.
    NoSync,
    /// Keeps everything in process memory for a second: the bug `volatile-log`.
    Volatile,
}

/// How a node goes down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Crash {
    /// The process dies: what it handed to the kernel is kept.
    Kill,
    /// The machine loses power: only what was synced is surely kept.
    PowerLoss,
}

#[derive(Debug)]
struct Pending {
    batch: Persist,
    /// Of the entry that the batch resets the log to, if it does.
    reset: Option<EntryDigest>,
    queued_at: u64,
}

/// The log's disk. Batches move from `pending` to the durable part in order.
#[derive(Debug)]
pub(super) struct Disk {
    mode: SyncMode,
    /// None on a node that was never part of the first configuration.
    configuration: Option<ConfState>,
    hard_state: HardState,
    base: LogPosition,
    entries: Vec<Entry>,
    digest: LogDigest,
    /// Not durable, in order; the first `written` are in the page cache, the first `busy` are or
    /// are on their way.
    pending: VecDeque<Pending>,
    written: usize,
    busy: Option<(usize, bool)>,
}

impl Disk {
    pub(super) fn new(configuration: Option<ConfState>, mode: SyncMode) -> Disk {
        Disk {
            mode,
            configuration,
            hard_state: HardState::default(),
            base: LogPosition::default(),
            entries: Vec::new(),
            digest: LogDigest::default(),
            pending: VecDeque::new(),
            written: 0,
            busy: None,
        }
    }

    /// `reset` is the digest of the entry that the batch resets the log to, if it does.
    pub(super) fn queue(&mut self, batch: Persist, reset: Option<EntryDigest>, now: u64) {
        self.pending.push_back(Pending { batch, reset, queued_at: now });
    }

    /// Starts writing everything that is queued, unless a write is running or nothing is queued.
    /// Says whether it must wait for a sync.
    pub(super) fn start_write(&mut self) -> Option<bool> {
        if self.busy.is_some() || self.pending.len() == self.written {
            return None;
        }
        let must_sync = self.pending.iter().skip(self.written).any(|it| it.batch.must_sync);
        let sync = must_sync && self.mode == SyncMode::Sync;
        self.busy = Some((self.pending.len(), sync));
        Some(sync)
    }

    /// The running write is done. Returns the last batch of it, which may now be reported.
    pub(super) fn finish_write(&mut self) -> PersistNumber {
        let (count, sync) = self.busy.take().expect("a write that is done was started");
        let number = self.pending[count - 1].batch.number;
        match sync {
            true => self.make_durable(count),
            false => self.written = count,
        }
        number
    }

    /// Loses what a crash loses. Returns the number of batches lost.
    pub(super) fn crash(&mut self, crash: Crash, now: u64, rng: &mut ChaCha8Rng) -> usize {
        let handed = self.busy.map_or(self.written, |(count, _)| count);
        let kept = match (self.mode, crash) {
            (SyncMode::Volatile, _) => {
                self.pending.iter().take_while(|it| it.queued_at + VOLATILE_LAG <= now).count()
            }
            (_, Crash::Kill) => rng.random_range(self.written..=handed),
            // The kernel may have written back any prefix by itself, or nothing at all.
            (_, Crash::PowerLoss) if rng.random_bool(0.5) => 0,
            (_, Crash::PowerLoss) => rng.random_range(0..=handed),
        };
        self.make_durable(kept);
        let lost = self.pending.len();
        self.pending.clear();
        self.written = 0;
        self.busy = None;
        lost
    }

    /// What a process finds when it starts.
    pub(super) fn recover(&self) -> RecoveredLog {
        RecoveredLog {
            configuration: self.configuration.clone(),
            hard_state: self.hard_state.clone(),
            base: self.base,
            entries: self.entries.clone(),
        }
    }

    /// The durable log.
    pub(super) fn durable(&self) -> &LogDigest {
        &self.digest
    }

    fn make_durable(&mut self, count: usize) {
        for Pending { batch, reset, .. } in self.pending.drain(..count) {
            if let (Some(position), Some(digest)) = (batch.reset, reset) {
                self.base = position;
                self.entries.clear();
                self.digest.reset(position.index.0, digest);
            }
            if let Some(hard_state) = batch.hard_state {
                self.hard_state = hard_state;
            }
            if let Some(first) = batch.entries.first() {
                self.entries.truncate((first.index - 1 - self.base.index.0) as usize);
                self.digest.append(&batch.entries);
                self.entries.extend(batch.entries);
            }
            if let Some(compact) = batch.compact {
                self.entries.drain(..(compact.index.0 - self.base.index.0) as usize);
                self.base = compact;
            }
        }
        self.written = self.written.saturating_sub(count);
    }
}

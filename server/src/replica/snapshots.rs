//! When snapshots are taken, and what of the log may be forgotten behind them.
//!
//! One snapshot is asked for at a time: when enough was applied since the last one, when a follower
//! needs one that there is not, or when an operator wants one. What stays of the log behind it is
//! for followers that are a little behind: entries cost less than a snapshot. And a follower that is
//! being sent a snapshot needs everything after it, or it would need the next one too.

use std::hash::{Hash, Hasher};

use super::config::CompactionConfig;
use super::effects::{Rejection, Reply};
use crate::consensus::Engine;
use crate::log_store::LogPosition;
use crate::membership::Configuration;
use crate::types::{LogIndex, RequestId};

/// Requests for a snapshot that may wait at once.
const REQUESTS_MAX: usize = 16;
/// After a failure, so many ticks pass before the next attempt.
const RETRY_TICKS: u64 = 100;

/// The snapshots of one replica.
#[derive(Debug)]
pub(super) struct Snapshots {
    config: CompactionConfig,
    /// The last entry in the newest snapshot of this replica, or where its state began.
    newest: LogIndex,
    /// Bytes of entries applied since then.
    bytes: u64,
    /// Is one being taken?
    taking: bool,
    /// Does a follower need one?
    wanted: bool,
    /// Not before this tick.
    not_before: u64,
    requests: Vec<RequestId>,
}

impl Snapshots {
    /// `newest` is the position of the newest snapshot, or of the state if there is none.
    pub(super) fn new(config: CompactionConfig, newest: LogIndex) -> Snapshots {
        Snapshots {
            config,
            newest,
            bytes: 0,
            taking: false,
            wanted: false,
            not_before: 0,
            requests: Vec::new(),
        }
    }

    /// An operator wants one.
    pub(super) fn request(&mut self, request: RequestId) -> Option<(RequestId, Reply)> {
        if self.requests.len() >= REQUESTS_MAX {
            return Some((request, Reply::Rejected(Rejection::Busy)));
        }
        self.requests.push(request);
        self.not_before = 0;
        None
    }

    /// Does an operator wait for one?
    pub(super) fn is_awaited(&self) -> bool {
        !self.requests.is_empty()
    }

    /// Entries of so many bytes were handed out for application.
    pub(super) fn handed_out(&mut self, bytes: u64) {
        self.bytes += bytes;
    }

    /// Should one be taken now? It is asked for once.
    pub(super) fn take(&mut self, engine: &Engine, applied: LogIndex, ticks: u64) -> bool {
        self.wanted |= engine.take_snapshot_wanted();
        if self.taking || ticks < self.not_before || engine.is_installing() {
            return false;
        }
        let entries = applied.0.saturating_sub(self.newest.0);
        let due =
            entries >= self.config.snapshot_entries || self.bytes >= self.config.snapshot_bytes;
        // A snapshot for a new member must know that it is one.
        let wanted = self.wanted && applied >= engine.configuration_index();
        let requested = !self.requests.is_empty();
        // There is no entry of index 0 to be sent.
        self.taking = applied.0 > 0 && (requested || wanted || (due && entries > 0));
        self.taking
    }

    /// One was taken: compacts the log behind it, and answers who waits for it.
    pub(super) fn taken(
        &mut self,
        engine: &mut Engine,
        position: LogPosition,
        configuration: Configuration,
    ) -> Vec<(RequestId, Reply)> {
        self.taking = false;
        self.wanted = false;
        if engine.snapshot_taken(position, configuration) {
            self.newest = position.index;
            self.bytes = engine.log().bytes_between(position.index.0, engine.last_index().0);
            engine.compact(self.compact_to(engine, position.index));
        }
        let reply = Reply::SnapshotTaken { position };
        self.requests.drain(..).map(|request| (request, reply.clone())).collect()
    }

    /// One could not be taken.
    pub(super) fn failed(&mut self, ticks: u64) -> Vec<(RequestId, Reply)> {
        self.taking = false;
        self.not_before = ticks.saturating_add(RETRY_TICKS);
        let reply = Reply::Rejected(Rejection::SnapshotFailed);
        self.requests.drain(..).map(|request| (request, reply.clone())).collect()
    }

    /// The state was switched to a snapshot of a leader.
    pub(super) fn installed(&mut self, position: LogPosition) {
        self.newest = position.index;
        self.bytes = 0;
    }

    /// How much of the log may be forgotten behind a snapshot.
    fn compact_to(&self, engine: &Engine, snapshot: LogIndex) -> LogIndex {
        let CompactionConfig { snapshot_entries, snapshot_bytes, tail_entries, .. } = self.config;
        let mut needed = snapshot.0.saturating_sub(tail_entries);
        for member in engine.configuration().members() {
            let Some(progress) = engine.progress(member) else { continue };
            let has = progress.snapshot.unwrap_or(progress.matched).0;
            // A follower that is further behind, or that never answered, gets a snapshot.
            if has > 0 && has.saturating_add(snapshot_entries) >= snapshot.0 {
                needed = needed.min(has);
            }
        }
        // However many entries they are, their bytes have a limit.
        let log = engine.log();
        let mut tail = log.bytes_between(needed, snapshot.0);
        while tail > snapshot_bytes && needed < snapshot.0 {
            let first = log.bytes_between(needed, needed + 1);
            tail -= first;
            needed += 1;
        }
        LogIndex(needed)
    }

    /// Feeds everything that can influence what is done next to `hasher`.
    pub(super) fn fingerprint(&self, ticks: u64, hasher: &mut impl Hasher) {
        (self.newest, self.bytes, self.taking, self.wanted).hash(hasher);
        self.not_before.saturating_sub(ticks).hash(hasher);
        self.requests.hash(hasher);
    }
}

//! A lease of leadership: while it lasts, the node answers reads without asking anybody, and it does not
//! give it up when it stops leading.
//!
//! As long as its clock is right this does no harm, with the preset `standard`: a follower that has
//! just heard of its leader refuses to vote for another one for longer than the lease lasts.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use crate::bug::{Bug, Bugs};
use crate::types::LogIndex;

/// How long a lease lasts: four fifths of the shortest election timeout.
const LEASE_MS: u64 = 400;
const LEASE_TICKS: u64 = 8;
/// Questions without an answer that are remembered.
const ASKED_MAX: usize = 32;

/// What a lease is measured by.
#[derive(Debug, Clone, Copy)]
pub(crate) enum LeaseClock {
    /// The wall clock, in milliseconds.
    Wall,
    /// The ticks of this process.
    Ticks,
}

/// Contexts of ReadIndex that were sent off, and when.
static ASKED: Mutex<VecDeque<(Vec<u8>, u64)>> = Mutex::new(VecDeque::new());
static TICKS: AtomicU64 = AtomicU64::new(0);
static HELD_UNTIL: AtomicU64 = AtomicU64::new(0);
static READ_INDEX: AtomicU64 = AtomicU64::new(0);

impl LeaseClock {
    /// The clock of the lease that is planted, if one is.
    pub(crate) fn of(bugs: Bugs) -> Option<LeaseClock> {
        let wall = bugs.has(Bug::WallClockLease).then_some(LeaseClock::Wall);
        wall.or_else(|| bugs.has(Bug::TickLease).then_some(LeaseClock::Ticks))
    }

    /// A tick came.
    pub(crate) fn tick(self) {
        TICKS.fetch_add(1, Ordering::Relaxed);
    }

    /// A ReadIndex is asked for.
    pub(crate) fn asks(self, context: &[u8]) {
        let mut asked = ASKED.lock().unwrap_or_else(PoisonError::into_inner);
        if asked.len() == ASKED_MAX {
            asked.pop_front();
        }
        asked.push_back((context.to_vec(), self.now()));
    }

    /// A majority has confirmed it: the lease lasts from when it was asked for.
    pub(crate) fn confirmed(self, context: &[u8], index: LogIndex) {
        let mut asked = ASKED.lock().unwrap_or_else(PoisonError::into_inner);
        let place = asked.iter().position(|(known, _)| known == context);
        if let Some((_, at)) = place.and_then(|place| asked.remove(place)) {
            READ_INDEX.store(index.0, Ordering::Relaxed);
            HELD_UNTIL.store(at + self.length(), Ordering::Relaxed);
        }
    }

    /// May a state that has applied so much answer reads?
    pub(crate) fn holds(self, applied: LogIndex) -> bool {
        READ_INDEX.load(Ordering::Relaxed) <= applied.0
            && self.now() < HELD_UNTIL.load(Ordering::Relaxed)
    }

    fn length(self) -> u64 {
        match self {
            LeaseClock::Wall => LEASE_MS,
            LeaseClock::Ticks => LEASE_TICKS,
        }
    }

    fn now(self) -> u64 {
        match self {
            LeaseClock::Wall => {
                let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
                since.map_or(0, |since| since.as_millis() as u64)
            }
            LeaseClock::Ticks => TICKS.load(Ordering::Relaxed),
        }
    }
}

//! A planted bug: a leader that was confirmed answers reads by itself for a while, and measures that while on the wall clock.
//!
//! As long as nobody moves the clock this is right: a follower that has just heard of its leader
//! refuses to vote for another one for longer than the lease lasts. Not reached without the
//! feature `planted-bugs`: nothing else in a replica may read the wall clock.

use std::collections::VecDeque;
use std::time::{Duration, SystemTime};

use crate::types::{LogIndex, Term};

/// Half of the shortest election timeout (preset `fast`).
const LEASE: Duration = Duration::from_millis(25);
/// Questions without an answer that are remembered.
const ASKED_MAX: usize = 32;

/// Whether this leader may answer reads without asking.
#[derive(Debug, Default)]
pub(super) struct WallClockLease {
    /// The contexts of ReadIndex that were sent off, with the time.
    asked: VecDeque<(Vec<u8>, Term, SystemTime)>,
    /// What was confirmed last: until when, in which term, and the read index then.
    held: Option<(SystemTime, Term, LogIndex)>,
}

impl WallClockLease {
    pub(super) fn asks(&mut self, context: &[u8], term: Term) {
        if self.asked.len() == ASKED_MAX {
            self.asked.pop_front();
        }
        self.asked.push_back((context.to_vec(), term, SystemTime::now()));
    }

    pub(super) fn confirmed(&mut self, context: &[u8], index: LogIndex) {
        let asked = self.asked.iter().position(|(known, _, _)| known == context);
        if let Some((_, term, at)) = asked.and_then(|asked| self.asked.remove(asked)) {
            self.held = Some((at + LEASE, term, index));
        }
    }

    pub(super) fn holds(&self, term: Term, applied: LogIndex) -> bool {
        self.held.is_some_and(|(until, of, index)| {
            of == term && index <= applied && SystemTime::now() < until
        })
    }
}

//! Sessions: each of their writes takes effect once, however often it is in the log.
//!
//! The table says which sessions are open and how far they are, so that an ordinary write need not
//! ask the store for its session; the last answer, which is wanted for retries only, stays there.

use std::collections::{BTreeSet, HashMap};

use super::overlay::Overlay;
use super::store::{Session, StateStore, StateStoreError};
use crate::command::{MovedSession, Outcome, OutcomeKind};

/// The open sessions. A function of the stored ones, and so of the log alone.
#[derive(Debug)]
pub(super) struct SessionTable {
    sessions_max: usize,
    /// Never iterated: its order is not the same everywhere.
    open: HashMap<u64, Progress>,
    /// Open sessions by (last use, id), to find the least recently used.
    by_last_use: BTreeSet<(u64, u64)>,
}

/// How far a session is.
#[derive(Debug, Clone, Copy)]
struct Progress {
    /// The last sequence number that was applied; 0 before the first.
    sequence: u64,
    /// Log index of the last use.
    last_used: u64,
}

/// What to do with a write of a session.
#[derive(Debug)]
pub(super) enum Verdict {
    /// Apply it.
    New,
    /// It was applied, and answered this.
    Retry(Outcome),
    /// It must not take effect.
    Refused(OutcomeKind),
}

impl SessionTable {
    pub(super) fn new(stored: Vec<(u64, Session)>, sessions_max: usize) -> SessionTable {
        let sessions_max = sessions_max.max(1);
        let mut table =
            SessionTable { sessions_max, open: HashMap::new(), by_last_use: BTreeSet::new() };
        table.rebuild(stored);
        table
    }

    /// How many are open.
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// Knows these sessions from now on, and no others.
    pub(super) fn rebuild(&mut self, stored: Vec<(u64, Session)>) {
        self.open = HashMap::with_capacity(stored.len());
        self.by_last_use.clear();
        for (id, Session { sequence, last_used, outcome: _ }) in stored {
            self.open.insert(id, Progress { sequence, last_used });
            self.by_last_use.insert((last_used, id));
        }
    }

    /// What to do with the write of this number.
    pub(super) fn admit<S: StateStore>(
        &self,
        overlay: &Overlay<'_, S>,
        id: u64,
        sequence: u64,
    ) -> Result<Verdict, StateStoreError> {
        let Some(progress) = self.open.get(&id) else {
            return Ok(Verdict::Refused(OutcomeKind::SessionExpired));
        };
        if sequence < progress.sequence {
            return Ok(Verdict::Refused(OutcomeKind::StaleSequence));
        }
        if sequence > progress.sequence {
            return Ok(Verdict::New);
        }
        let outcome = overlay.session(id)?.and_then(|session| session.outcome);
        Ok(outcome.map_or(Verdict::New, Verdict::Retry))
    }

    /// Remembers what the write of this number answered, now. Does nothing if the write itself
    /// expired its session.
    pub(super) fn remember<S: StateStore>(
        &mut self,
        overlay: &mut Overlay<'_, S>,
        id: u64,
        sequence: u64,
        outcome: &Outcome,
    ) {
        let now = overlay.revision();
        if self.used(id, now, sequence) {
            let outcome = Some(outcome.clone());
            overlay.set_session(id, Some(Session { sequence, outcome, last_used: now }));
        }
    }

    /// Opens a session; 0 for one with the entry's log index. One that is open stays as it is, but
    /// counts as used.
    pub(super) fn open<S: StateStore>(
        &mut self,
        overlay: &mut Overlay<'_, S>,
        id: u64,
    ) -> Result<(), StateStoreError> {
        let now = overlay.revision();
        let id = if id == 0 { now } else { id };
        let session = match self.open.get(&id) {
            Some(progress) => {
                self.used(id, now, progress.sequence);
                let stored = overlay.session(id)?.unwrap_or_default();
                Session { last_used: now, ..stored }
            }
            None => {
                self.begin(overlay, id, 0);
                Session { sequence: 0, outcome: None, last_used: now }
            }
        };
        overlay.set_session(id, Some(session));
        Ok(())
    }

    /// Knows a session of another group from now on, as far as it is there; if it is further here, it
    /// stays as it is.
    pub(super) fn merge<S: StateStore>(
        &mut self,
        overlay: &mut Overlay<'_, S>,
        MovedSession { id, sequence, outcome }: MovedSession,
    ) {
        let now = overlay.revision();
        match self.open.get(&id) {
            Some(progress) if progress.sequence >= sequence => return,
            Some(_) => drop(self.used(id, now, sequence)),
            None => self.begin(overlay, id, sequence),
        }
        overlay.set_session(id, Some(Session { sequence, outcome, last_used: now }));
    }

    /// The open sessions with a greater id, ascending.
    pub(super) fn ids_after(&self, after: u64) -> Vec<u64> {
        let ids = self.by_last_use.iter().map(|(_, id)| *id);
        let mut ids: Vec<u64> = ids.filter(|id| *id > after).collect();
        ids.sort_unstable();
        ids
    }

    /// Adds a session, in place of the least recently used ones if there are too many.
    fn begin<S: StateStore>(&mut self, overlay: &mut Overlay<'_, S>, id: u64, sequence: u64) {
        while self.open.len() >= self.sessions_max {
            let Some((_, oldest)) = self.by_last_use.pop_first() else { break };
            self.open.remove(&oldest);
            overlay.set_session(oldest, None);
        }
        let now = overlay.revision();
        self.open.insert(id, Progress { sequence, last_used: now });
        self.by_last_use.insert((now, id));
    }

    /// Notes a use of a session; false if it is not open.
    fn used(&mut self, id: u64, now: u64, sequence: u64) -> bool {
        let Some(progress) = self.open.get_mut(&id) else { return false };
        self.by_last_use.remove(&(progress.last_used, id));
        self.by_last_use.insert((now, id));
        *progress = Progress { sequence, last_used: now };
        true
    }
}

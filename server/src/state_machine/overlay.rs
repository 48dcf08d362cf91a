//! The state in the middle of a run of entries: the store, and above it what the entries before
//! this one changed.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::StateMachineError;
use super::query::{ChangeEvent, LeaseChange};
use super::store::{Changes, Lease, Session, StateStore, StateStoreError};
use crate::bug::{Bug, Bugs};
use crate::command::{LockHolder, Outcome, OutcomeKind, Versioned};
use crate::log_store::LogPosition;
use crate::replica::CommittedEntry;
use crate::shard::Sharding;

/// The state as the entry at which it stands finds it. Every change of the state goes through here,
/// so that indexes and events always agree with it.
pub(super) struct Overlay<'s, S> {
    store: &'s S,
    changes: Changes,
    leases: Vec<LeaseChange>,
    /// None if nobody wants them.
    events: Option<Vec<ChangeEvent>>,
    bugs: Bugs,
}

/// What several steps of one entry want done to keys: all of it or nothing.
#[derive(Debug, Default)]
pub(super) struct Staged(BTreeMap<Bytes, StagedKey>);

#[derive(Debug)]
struct StagedKey {
    before: Option<Versioned>,
    now: Option<Versioned>,
}

impl<'s, S: StateStore> Overlay<'s, S> {
    pub(super) fn new(store: &'s S, reports_events: bool, bugs: Bugs) -> Self {
        Overlay {
            changes: Changes { applied: store.applied(), ..Changes::default() },
            store,
            leases: Vec::new(),
            events: reports_events.then(Vec::new),
            bugs,
        }
    }

    /// Is this bug planted?
    #[inline]
    pub(super) fn has(&self, bug: Bug) -> bool {
        self.bugs.has(bug)
    }

    /// Goes on to the next entry.
    pub(super) fn advance(&mut self, entry: &CommittedEntry) -> Result<(), StateMachineError> {
        let applied = self.changes.applied.index;
        if entry.index.0 != applied.0 + 1 {
            return Err(StateMachineError::Gap { applied, found: entry.index });
        }
        self.changes.applied = LogPosition { index: entry.index, term: entry.term };
        if let Some(configuration) = &entry.configuration {
            self.changes.configuration = Some(configuration.clone());
        }
        Ok(())
    }

    /// What the entries want changed, the leases that began and ended, and the keys that changed.
    pub(super) fn finish(self) -> (Changes, Vec<LeaseChange>, Vec<ChangeEvent>) {
        (self.changes, self.leases, self.events.unwrap_or_default())
    }

    /// The revision of what the entry changes.
    pub(super) fn revision(&self) -> u64 {
        self.sharding().revision(self.changes.applied.index.0)
    }

    /// What the group knows of shards.
    pub(super) fn sharding(&self) -> &Sharding {
        self.changes.sharding.as_ref().unwrap_or_else(|| self.store.sharding())
    }

    /// The same, to be changed.
    pub(super) fn sharding_mut(&mut self) -> &mut Sharding {
        let store = self.store;
        self.changes.sharding.get_or_insert_with(|| store.sharding().clone())
    }

    /// An outcome of the entry that says nothing but this.
    pub(super) fn outcome(&self, kind: OutcomeKind) -> Outcome {
        Outcome { revision: self.revision(), kind: kind as i32, ..Outcome::default() }
    }

    /// What a key holds.
    pub(super) fn key(&self, key: &Bytes) -> Result<Option<Versioned>, StateStoreError> {
        match self.changes.keys.get(key) {
            Some(changed) => Ok(changed.clone()),
            None => self.store.get(key),
        }
    }

    /// What a key holds from now on, if `value` is written to it.
    pub(super) fn written(
        &self,
        value: Bytes,
        lease: u64,
        before: Option<&Versioned>,
    ) -> Versioned {
        let mut version = before.map_or(0, |before| before.version) + 1;
        if self.has(Bug::VersionStops) {
            version = version.min(32);
        }
        Versioned { value, revision: self.revision(), version, lease }
    }

    /// Sets or removes a key, given what it held before.
    pub(super) fn replace(
        &mut self,
        key: Bytes,
        before: Option<&Versioned>,
        now: Option<Versioned>,
    ) {
        if before.is_none() && now.is_none() {
            return;
        }
        let lease_before = before.map_or(0, |before| before.lease);
        let lease_now = now.as_ref().map_or(0, |now| now.lease);
        if lease_before != lease_now {
            let attached = &mut self.changes.lease_keys;
            if lease_before != 0 {
                attached.insert((lease_before, key.clone()), false);
            }
            if lease_now != 0 {
                attached.insert((lease_now, key.clone()), true);
            }
        }
        let revision = self.revision();
        if let Some(events) = &mut self.events {
            events.push(ChangeEvent {
                revision,
                key: key.clone(),
                now: now.clone(),
                previous: before.cloned(),
            });
        }
        self.changes.keys.insert(key, now);
    }

    /// Takes in a key of another group, as it was there. Nobody sees it before it is served, so that it
    /// is no event.
    pub(super) fn take_in(&mut self, key: Bytes, held: Versioned) {
        self.changes.keys.insert(key, Some(held));
    }

    /// Removes a key that another group serves now. It lives on there, so that it is no event.
    pub(super) fn let_go(&mut self, key: Bytes) {
        self.changes.keys.insert(key, None);
    }

    /// All keys that end with leases, in order.
    pub(super) fn leased_keys(&self) -> Result<BTreeSet<Bytes>, StateStoreError> {
        let stored = self.store.leases()?.into_iter().map(|(id, _)| id);
        let changed = self.changes.leases.keys().copied();
        let mut keys = BTreeSet::new();
        for id in stored.chain(changed) {
            keys.append(&mut self.lease_keys(id)?);
        }
        Ok(keys)
    }

    /// What a key holds after the steps before.
    pub(super) fn staged_key(
        &self,
        staged: &Staged,
        key: &Bytes,
    ) -> Result<Option<Versioned>, StateStoreError> {
        match staged.0.get(key) {
            Some(staged) if !self.has(Bug::TxnOwnWritesUnseen) => Ok(staged.now.clone()),
            _ => self.key(key),
        }
    }

    /// Does everything that was staged, in the order of keys.
    pub(super) fn replace_all(&mut self, staged: Staged) {
        for (key, StagedKey { before, now }) in staged.0 {
            self.replace(key, before.as_ref(), now);
        }
    }

    /// A session, if it is open.
    pub(super) fn session(&self, id: u64) -> Result<Option<Session>, StateStoreError> {
        match self.changes.sessions.get(&id) {
            Some(changed) => Ok(changed.clone()),
            None => self.store.session(id),
        }
    }

    pub(super) fn set_session(&mut self, id: u64, session: Option<Session>) {
        self.changes.sessions.insert(id, session);
    }

    /// Does a lease live?
    pub(super) fn lease_lives(&self, id: u64) -> Result<bool, StateStoreError> {
        match self.changes.leases.get(&id) {
            Some(changed) => Ok(changed.is_some()),
            None => Ok(self.store.lease(id)?.is_some()),
        }
    }

    /// Begins a lease.
    pub(super) fn grant_lease(&mut self, id: u64, lease: Lease) {
        self.changes.leases.insert(id, Some(lease));
        self.leases.push(LeaseChange::Granted { id, ttl_ticks: lease.ttl_ticks });
    }

    /// Ends a lease, from which everything was detached before.
    pub(super) fn end_lease(&mut self, id: u64) {
        self.changes.leases.insert(id, None);
        self.leases.push(LeaseChange::Ended { id });
    }

    /// The keys that end with a lease, in order.
    pub(super) fn lease_keys(&self, id: u64) -> Result<BTreeSet<Bytes>, StateStoreError> {
        Ok(attached(self.store.lease_keys(id)?, &self.changes.lease_keys, id))
    }

    /// The locks that are freed when a lease ends, in order.
    pub(super) fn lease_locks(&self, id: u64) -> Result<BTreeSet<Bytes>, StateStoreError> {
        Ok(attached(self.store.lease_locks(id)?, &self.changes.lease_locks, id))
    }

    /// Who holds a lock.
    pub(super) fn lock(&self, name: &Bytes) -> Result<Option<LockHolder>, StateStoreError> {
        match self.changes.locks.get(name) {
            Some(changed) => Ok(*changed),
            None => self.store.lock(name),
        }
    }

    /// Gives a free lock to a lease.
    pub(super) fn take_lock(&mut self, name: Bytes, holder: LockHolder) {
        self.changes.lease_locks.insert((holder.lease, name.clone()), true);
        self.changes.locks.insert(name, Some(holder));
    }

    /// Frees a lock that this lease holds.
    pub(super) fn free_lock(&mut self, name: Bytes, lease: u64) {
        self.changes.lease_locks.insert((lease, name.clone()), false);
        self.changes.locks.insert(name, None);
    }
}

impl Staged {
    /// The keys that are to be set or removed, in order.
    pub(super) fn keys(&self) -> impl Iterator<Item = &Bytes> {
        self.0.keys()
    }

    /// Sets or removes a key, given what it held before this step.
    pub(super) fn replace(
        &mut self,
        key: Bytes,
        before: Option<Versioned>,
        now: Option<Versioned>,
    ) {
        match self.0.entry(key) {
            Entry::Occupied(mut present) => present.get_mut().now = now,
            Entry::Vacant(vacant) => drop(vacant.insert(StagedKey { before, now })),
        }
    }
}

/// What is attached to a lease: in the store, and then as it was changed; in order.
fn attached(
    stored: Vec<Bytes>,
    changes: &BTreeMap<(u64, Bytes), bool>,
    id: u64,
) -> BTreeSet<Bytes> {
    let mut all: BTreeSet<Bytes> = stored.into_iter().collect();
    let changes = changes.range((id, Bytes::new())..);
    for ((_, name), attached) in changes.take_while(|((lease, _), _)| *lease == id) {
        if *attached {
            all.insert(name.clone());
        } else {
            all.remove(name);
        }
    }
    all
}

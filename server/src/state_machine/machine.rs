//! Entries in, outcomes and changes out.

use std::sync::Arc;

use super::locks;
use super::overlay::Overlay;
use super::query::{ChangeEvent, LeaseChange, LeaseStatus, Query, QueryReply};
use super::sessions::{SessionTable, Verdict};
use super::snapshots::SnapshotStore;
use super::store::{StateStore, StateStoreError};
use super::{keys, leases, shards, txn};
use crate::bug::{Bug, Bugs};
use crate::command::{Command, CommandError, LogCommand, Outcome, OutcomeKind, Versioned};
use crate::log_store::LogPosition;
use crate::membership::Configuration;
use crate::replica::{AppliedEntry, CommittedEntry};
use crate::shard::Sharding;
use crate::snapshot::{ReceivedSnapshot, SnapshotSource};
use crate::types::LogIndex;

/// How a state machine behaves. Must be the same on every replica.
#[derive(Debug, Clone)]
pub struct StateMachineConfig {
    /// Sessions that may be open at once; opening one more expires the least recently used.
    pub sessions_max: usize,
    /// The defect planted in this process, if any.
    pub bugs: Bugs,
}

/// The state machine cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum StateMachineError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StateStoreError),
    /// A committed entry cannot be read.
    #[error("entry {index}: {source}")]
    Command {
        /// Its position.
        index: LogIndex,
        /// What is wrong with it.
        source: CommandError,
    },
    /// Entries came out of order: a mistake of the driver.
    #[error("entry {found} was given after {applied}")]
    Gap {
        /// The last applied entry.
        applied: LogIndex,
        /// The entry that was given.
        found: LogIndex,
    },
}

/// What came of a run of entries.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// What the commands answered, in log order.
    pub entries: Vec<AppliedEntry>,
    /// Leases that began and ended, in log order.
    pub leases: Vec<LeaseChange>,
    /// Keys that changed, in log order, and in the order of keys within an entry. Empty unless
    /// [`StateMachine::report_events`] was called.
    pub events: Vec<ChangeEvent>,
}

/// The deterministic state machine over a store.
#[derive(Debug)]
pub struct StateMachine<S> {
    store: S,
    sessions: SessionTable,
    bugs: Bugs,
    reports_events: bool,
}

impl<S: SnapshotStore> StateMachine<S> {
    /// Takes a snapshot of the state; see [`SnapshotStore::take_snapshot`].
    pub fn take_snapshot(
        &mut self,
        first: &Configuration,
    ) -> Result<Arc<dyn SnapshotSource>, StateMachineError> {
        Ok(self.store.take_snapshot(first)?)
    }

    /// Goes on with the state in a snapshot; see [`SnapshotStore::install`].
    pub fn install(&mut self, received: ReceivedSnapshot) -> Result<(), StateMachineError> {
        self.store.install(received)?;
        self.sessions.rebuild(self.store.sessions()?);
        Ok(())
    }
}

impl<S: StateStore> StateMachine<S> {
    /// Opens the state machine on what its store holds.
    pub fn new(store: S, config: StateMachineConfig) -> Result<Self, StateMachineError> {
        let sessions = SessionTable::new(store.sessions()?, config.sessions_max);
        Ok(StateMachine { store, sessions, bugs: config.bugs, reports_events: false })
    }

    /// From now on, says in [`Applied::events`] which keys changed.
    pub fn report_events(&mut self) {
        self.reports_events = true;
    }

    /// The last applied entry.
    pub fn applied(&self) -> LogPosition {
        self.store.applied()
    }

    /// The revision of the state as it is.
    pub fn revision(&self) -> u64 {
        self.sharding().revision(self.applied().index.0)
    }

    /// What the group knows of shards.
    pub fn sharding(&self) -> &Sharding {
        self.store.sharding()
    }

    /// All living leases, by id, each as if it had just been granted.
    pub fn living_leases(&self) -> Result<Vec<LeaseChange>, StateMachineError> {
        let granted = |(id, lease): (u64, super::Lease)| LeaseChange::Granted {
            id,
            ttl_ticks: lease.ttl_ticks,
        };
        Ok(self.store.leases()?.into_iter().map(granted).collect())
    }

    /// What a key holds.
    pub fn get(&self, key: &[u8]) -> Result<Option<Versioned>, StateMachineError> {
        Ok(self.store.get(key)?)
    }

    /// Answers a question.
    pub fn query(&self, query: &Query) -> Result<QueryReply, StateMachineError> {
        Ok(match query {
            Query::Get { key } if !self.sharding().owns(key) => QueryReply::WrongGroup,
            Query::Get { key } => QueryReply::Get(self.store.get(key)?),
            // Keys of any range are in other groups too.
            Query::Scan { .. } if self.sharding().ownership.is_some() => QueryReply::WrongGroup,
            Query::Scan { range, limit, bytes_max } => {
                let mut page = self.store.scan(range, *limit, *bytes_max)?;
                if self.bugs.has(Bug::ScanCut) && page.found.len() > 16 {
                    page.found.pop();
                }
                QueryReply::Scan { found: page.found, more: page.more }
            }
            Query::Lease { id } => QueryReply::Lease(match self.store.lease(*id)? {
                None => None,
                Some(lease) => Some(LeaseStatus {
                    ttl_ticks: lease.ttl_ticks,
                    keys: self.store.lease_keys(*id)?,
                    locks: self.store.lease_locks(*id)?,
                }),
            }),
            Query::Shards(query) => {
                QueryReply::Shards(shards::answer(&self.store, &self.sessions, query)?)
            }
        })
    }

    /// Sessions that are remembered.
    pub fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// The store underneath.
    pub fn store(&self) -> &S {
        &self.store
    }

    /// The store underneath, to be closed.
    pub fn into_store(self) -> S {
        self.store
    }

    /// Applies entries that follow the last applied one, in one write to the store.
    ///
    /// After an error the state machine must not be used any more.
    pub fn apply(&mut self, entries: &[CommittedEntry]) -> Result<Applied, StateMachineError> {
        let StateMachine { store, sessions, bugs, reports_events } = self;
        let mut overlay = Overlay::new(store, *reports_events, *bugs);
        let mut applied = Vec::with_capacity(entries.len());
        for entry in entries {
            overlay.advance(entry)?;
            if entry.data.is_empty() {
                continue;
            }
            let command = LogCommand::decode_entry(entry.data.clone())
                .map_err(|source| StateMachineError::Command { index: entry.index, source })?;
            let outcome = apply_one(&mut overlay, sessions, *bugs, command)?;
            applied.push(AppliedEntry { index: entry.index, term: entry.term, outcome });
        }
        let (changes, leases, events) = overlay.finish();
        if !entries.is_empty() {
            store.write(changes)?;
        }
        Ok(Applied { entries: applied, leases, events })
    }
}

/// Applies the command of the entry at which the overlay stands, once.
fn apply_one<S: StateStore>(
    overlay: &mut Overlay<'_, S>,
    sessions: &mut SessionTable,
    bugs: Bugs,
    log_command: LogCommand,
) -> Result<Outcome, StateStoreError> {
    let LogCommand { session: id, sequence, command, .. } = log_command;
    let command = command.expect("decoding refuses an entry without a command");
    let is_elsewhere = shards::is_elsewhere(overlay.sharding(), &command);
    if id == 0 {
        if is_elsewhere {
            return Ok(overlay.outcome(OutcomeKind::WrongGroup));
        }
        return execute(overlay, sessions, command);
    }
    match sessions.admit(overlay, id, sequence)? {
        Verdict::Refused(kind) => Ok(overlay.outcome(kind)),
        Verdict::Retry(outcome) if !bugs.has(Bug::RetryTwice) => {
            sessions.remember(overlay, id, sequence, &outcome);
            Ok(outcome)
        }
        // Not remembered: the write may be sent to the right group.
        Verdict::Retry(_) | Verdict::New if is_elsewhere => {
            Ok(overlay.outcome(OutcomeKind::WrongGroup))
        }
        Verdict::Retry(_) | Verdict::New => {
            let outcome = execute(overlay, sessions, command)?;
            sessions.remember(overlay, id, sequence, &outcome);
            Ok(outcome)
        }
    }
}

fn execute<S: StateStore>(
    overlay: &mut Overlay<'_, S>,
    sessions: &mut SessionTable,
    command: Command,
) -> Result<Outcome, StateStoreError> {
    match command {
        Command::OpenSession(open) => {
            sessions.open(overlay, open.id)?;
            Ok(overlay.outcome(OutcomeKind::Done))
        }
        Command::Put(put) => keys::put(overlay, put),
        Command::Delete(delete) => keys::delete(overlay, delete),
        Command::CompareAndSet(cas) => keys::compare_and_set(overlay, cas),
        Command::Append(append) => keys::append(overlay, append),
        Command::Txn(txn) => txn::perform(overlay, txn),
        Command::GrantLease(grant) => Ok(leases::grant(overlay, grant)),
        Command::RevokeLease(revoke) => leases::revoke(overlay, revoke),
        Command::Lock(lock) => locks::lock(overlay, lock),
        Command::Unlock(unlock) => locks::unlock(overlay, unlock),
        Command::Shards(command) => shards::perform(overlay, sessions, command),
    }
}

//! What commands do.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::store::{Changes, Session, StateStore, StateStoreError};
use crate::bug::{Bug, Bugs};
use crate::command::{Command, CommandError, LogCommand, Outcome, OutcomeKind, Versioned};
use crate::replica::{AppliedEntry, CommittedEntry};
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

/// The deterministic state machine over a store.
#[derive(Debug)]
pub struct StateMachine<S> {
    store: S,
    config: StateMachineConfig,
    /// Open sessions by (last use, id), to find the least recently used.
    by_last_use: BTreeSet<(u64, u64)>,
}

impl<S: StateStore> StateMachine<S> {
    /// Opens the state machine on what its store holds.
    pub fn new(store: S, config: StateMachineConfig) -> Result<Self, StateMachineError> {
        let by_last_use =
            store.sessions()?.into_iter().map(|(id, session)| (session.last_used, id)).collect();
        Ok(StateMachine { store, config, by_last_use })
    }

    /// The last applied entry.
    pub fn applied(&self) -> LogIndex {
        self.store.applied()
    }

    /// What a key holds.
    pub fn get(&self, key: &[u8]) -> Result<Option<Versioned>, StateMachineError> {
        Ok(self.store.get(key)?)
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
    pub fn apply(
        &mut self,
        entries: &[CommittedEntry],
    ) -> Result<Vec<AppliedEntry>, StateMachineError> {
        let mut changes = Changes { applied: self.store.applied(), ..Changes::default() };
        let mut applied = Vec::with_capacity(entries.len());
        for entry in entries {
            if entry.index.0 != changes.applied.0 + 1 {
                return Err(StateMachineError::Gap {
                    applied: changes.applied,
                    found: entry.index,
                });
            }
            changes.applied = entry.index;
            if entry.data.is_empty() {
                continue;
            }
            let command = LogCommand::decode_entry(entry.data.clone())
                .map_err(|source| StateMachineError::Command { index: entry.index, source })?;
            let outcome = self.apply_one(&mut changes, entry.index, command)?;
            applied.push(AppliedEntry { index: entry.index, term: entry.term, outcome });
        }
        if !entries.is_empty() {
            self.store.write(changes)?;
        }
        Ok(applied)
    }

    fn apply_one(
        &mut self,
        changes: &mut Changes,
        index: LogIndex,
        log_command: LogCommand,
    ) -> Result<Outcome, StateMachineError> {
        let LogCommand { session: id, sequence, command, .. } = log_command;
        let command = command.expect("decoding refuses an entry without a command");
        if id == 0 {
            return self.execute(changes, index, command);
        }
        let Some(mut session) = self.session(changes, id)? else {
            return Ok(refusal(index, OutcomeKind::SessionExpired));
        };
        if sequence < session.sequence {
            return Ok(refusal(index, OutcomeKind::StaleSequence));
        }
        self.by_last_use.remove(&(session.last_used, id));
        session.last_used = index.0;
        self.by_last_use.insert((index.0, id));
        let is_retry = sequence == session.sequence && !self.config.bugs.has(Bug::RetryTwice);
        let outcome = match (is_retry, &session.outcome) {
            (true, Some(outcome)) => outcome.clone(),
            _ => {
                let outcome = self.execute(changes, index, command)?;
                session.sequence = sequence;
                session.outcome = Some(outcome.clone());
                outcome
            }
        };
        changes.sessions.insert(id, Some(session));
        Ok(outcome)
    }

    fn execute(
        &mut self,
        changes: &mut Changes,
        index: LogIndex,
        command: Command,
    ) -> Result<Outcome, StateMachineError> {
        let done = |previous| Outcome { previous, ..refusal(index, OutcomeKind::Done) };
        match command {
            Command::OpenSession(_) => {
                self.open_session(changes, index)?;
                Ok(done(None))
            }
            Command::Put(put) => {
                let previous = self.current(changes, &put.key)?;
                set(changes, index, put.key, put.value, previous.as_ref());
                Ok(done(previous))
            }
            Command::Delete(delete) => {
                let previous = self.current(changes, &delete.key)?;
                changes.keys.insert(delete.key, None);
                Ok(done(previous))
            }
            Command::CompareAndSet(cas) => {
                let previous = self.current(changes, &cas.key)?;
                if previous.as_ref().map(|versioned| &versioned.value) != cas.expected.as_ref() {
                    return Ok(Outcome { previous, ..refusal(index, OutcomeKind::Mismatch) });
                }
                set(changes, index, cas.key, cas.value, previous.as_ref());
                Ok(done(previous))
            }
            Command::Append(_)
            | Command::Txn(_)
            | Command::GrantLease(_)
            | Command::RevokeLease(_)
            | Command::Lock(_)
            | Command::Unlock(_) => Ok(refusal(index, OutcomeKind::LeaseNotFound)),
        }
    }

    fn open_session(
        &mut self,
        changes: &mut Changes,
        index: LogIndex,
    ) -> Result<(), StateMachineError> {
        while self.by_last_use.len() >= self.config.sessions_max.max(1) {
            let Some((_, oldest)) = self.by_last_use.pop_first() else { break };
            changes.sessions.insert(oldest, None);
        }
        let session = Session { sequence: 0, outcome: None, last_used: index.0 };
        changes.sessions.insert(index.0, Some(session));
        self.by_last_use.insert((index.0, index.0));
        Ok(())
    }

    fn current(
        &self,
        changes: &Changes,
        key: &Bytes,
    ) -> Result<Option<Versioned>, StateMachineError> {
        match changes.keys.get(key) {
            Some(changed) => Ok(changed.clone()),
            None => Ok(self.store.get(key)?),
        }
    }

    fn session(&self, changes: &Changes, id: u64) -> Result<Option<Session>, StateMachineError> {
        match changes.sessions.get(&id) {
            Some(changed) => Ok(changed.clone()),
            None => Ok(self.store.session(id)?),
        }
    }
}

fn set(
    changes: &mut Changes,
    index: LogIndex,
    key: Bytes,
    value: Bytes,
    previous: Option<&Versioned>,
) {
    let version = previous.map_or(0, |versioned| versioned.version) + 1;
    changes.keys.insert(key, Some(Versioned { value, revision: index.0, version, lease: 0 }));
}

fn refusal(index: LogIndex, kind: OutcomeKind) -> Outcome {
    Outcome { revision: index.0, kind: kind as i32, ..Outcome::default() }
}

//! State in memory: for the memory store, the simulator and the model checker.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::store::{Changes, Session, StateStore, StateStoreError};
use crate::command::Versioned;
use crate::types::LogIndex;

/// A state that ends with its process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct MemoryStateStore {
    applied: LogIndex,
    keys: BTreeMap<Bytes, Versioned>,
    sessions: BTreeMap<u64, Session>,
}

impl StateStore for MemoryStateStore {
    fn get(&self, key: &[u8]) -> Result<Option<Versioned>, StateStoreError> {
        Ok(self.keys.get(key).cloned())
    }

    fn session(&self, id: u64) -> Result<Option<Session>, StateStoreError> {
        Ok(self.sessions.get(&id).cloned())
    }

    fn sessions(&self) -> Result<Vec<(u64, Session)>, StateStoreError> {
        Ok(self.sessions.iter().map(|(id, session)| (*id, session.clone())).collect())
    }

    fn applied(&self) -> LogIndex {
        self.applied
    }

    fn write(&mut self, changes: Changes) -> Result<(), StateStoreError> {
        self.applied = changes.applied;
        for (key, versioned) in changes.keys {
            match versioned {
                Some(versioned) => self.keys.insert(key, versioned),
                None => self.keys.remove(&key),
            };
        }
        for (id, session) in changes.sessions {
            match session {
                Some(session) => self.sessions.insert(id, session),
                None => self.sessions.remove(&id),
            };
        }
        Ok(())
    }
}

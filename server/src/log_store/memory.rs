//! A log in memory: for simulation, for tests, and for `--storage memory`.

use std::collections::BTreeMap;

use raft::eraftpb;

use crate::types::GroupId;

use super::{LogBatch, LogStore, LogStoreError, RecoveredLog};

/// A log that ends with the process.
#[derive(Debug, Default, Clone)]
pub struct MemoryLogStore {
    groups: BTreeMap<GroupId, RecoveredLog>,
}

impl MemoryLogStore {
    /// An empty log.
    pub fn new() -> MemoryLogStore {
        MemoryLogStore::default()
    }
}

impl LogStore for MemoryLogStore {
    fn groups(&mut self) -> Result<Vec<GroupId>, LogStoreError> {
        Ok(self.groups.keys().copied().collect())
    }

    fn load(&mut self, group: GroupId) -> Result<RecoveredLog, LogStoreError> {
        Ok(self.groups.get(&group).cloned().unwrap_or_default())
    }

    fn bootstrap(
        &mut self,
        group: GroupId,
        configuration: &eraftpb::ConfState,
    ) -> Result<(), LogStoreError> {
        let log = self.groups.entry(group).or_default();
        if log.configuration.is_some() {
            return Err(LogStoreError::AlreadyBootstrapped(group));
        }
        log.configuration = Some(configuration.clone());
        Ok(())
    }

    fn write(&mut self, batches: &[LogBatch], _sync: bool) -> Result<(), LogStoreError> {
        let mut last = BTreeMap::new();
        for batch in batches {
            let last = last.entry(batch.group).or_insert_with(|| {
                self.groups.get(&batch.group).map_or(0, |log| log.entries.len() as u64)
            });
            *last = super::check_entries(batch, *last)?;
        }
        // Nothing can fail from here on, so that the write is all or nothing.
        for batch in batches {
            let log = self.groups.entry(batch.group).or_default();
            if let Some(hard_state) = &batch.hard_state {
                log.hard_state = hard_state.clone();
            }
            if let Some(first) = batch.entries.first() {
                log.entries.truncate((first.index - 1) as usize);
                log.entries.extend_from_slice(&batch.entries);
            }
        }
        Ok(())
    }

    fn remove(&mut self, group: GroupId) -> Result<(), LogStoreError> {
        self.groups.remove(&group);
        Ok(())
    }
}

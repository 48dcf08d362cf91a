//! A log in memory: for simulation, for tests, and for `--storage memory`.

use std::collections::BTreeMap;

use raft::eraftpb;

use crate::types::GroupId;

use super::{Extent, LogBatch, LogStore, LogStoreError, RecoveredLog};

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
        let mut extents = BTreeMap::new();
        for batch in batches {
            let extent = extents.entry(batch.group).or_insert_with(|| {
                self.groups.get(&batch.group).map_or(Extent::default(), |log| Extent {
                    base: log.base,
                    last: log.last_index().0,
                })
            });
            *extent = extent.after(batch)?;
        }
        // Nothing can fail from here on, so that the write is all or nothing.
        for batch in batches {
            apply(self.groups.entry(batch.group).or_default(), batch);
        }
        Ok(())
    }

    fn remove(&mut self, group: GroupId) -> Result<(), LogStoreError> {
        self.groups.remove(&group);
        Ok(())
    }
}

fn apply(log: &mut RecoveredLog, batch: &LogBatch) {
    if let Some(base) = batch.reset {
        log.entries.clear();
        log.base = base;
    }
    if let Some(hard_state) = &batch.hard_state {
        log.hard_state = hard_state.clone();
    }
    if let Some(first) = batch.entries.first() {
        log.entries.truncate((first.index - 1 - log.base.index.0) as usize);
        log.entries.extend_from_slice(&batch.entries);
    }
    if let Some(compact) = batch.compact
        && compact.index > log.base.index
    {
        log.entries.drain(..(compact.index.0 - log.base.index.0) as usize);
        log.base = compact;
    }
}

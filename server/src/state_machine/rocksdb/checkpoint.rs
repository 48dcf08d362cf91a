//! Snapshots of a state in RocksDB: checkpoints, which share their files with the state.

use std::path::Path;
use std::sync::Arc;

use prost::Message;
use rocksdb::checkpoint::Checkpoint;
use rocksdb::{Options, WriteOptions};

use super::{Opened, RocksdbStateStore};
use crate::bug::Bug;
use crate::bug_state::{self, planted_in_stores};
use crate::log_store::LogPosition;
use crate::membership::Configuration;
use crate::snapshot::{DirectoryOptions, ReceivedSnapshot, SnapshotError, SnapshotLimits};
use crate::snapshot::{SnapshotMeta, SnapshotSource, SnapshotStaging};
use crate::state_machine::rocksdb_records::CONFIGURATION;
use crate::state_machine::snapshots::SnapshotStore;
use crate::state_machine::store::StateStoreError;

/// RocksDB keeps the name of its manifest in a file `CURRENT` of its own.
pub(super) const DIRECTORY: DirectoryOptions =
    DirectoryOptions { limits: SnapshotLimits::STANDARD, landmark: "CURRENT" };

impl SnapshotStore for RocksdbStateStore {
    fn take_snapshot(
        &mut self,
        first: &Configuration,
    ) -> Result<Arc<dyn SnapshotSource>, StateStoreError> {
        if self.applied == LogPosition::default() {
            return Err(SnapshotError::Refused("the state is empty".to_owned()).into());
        }
        let configuration = self.configuration.as_ref().unwrap_or(first).clone();
        let db = &self.db;
        let checkpoint = |to: &Path| {
            // Without a write-ahead log, what is not flushed is neither durable nor in a checkpoint.
            db.flush().map_err(|error| engine("flush the state", &error))?;
            let checkpoint = Checkpoint::new(db).and_then(|it| it.create_checkpoint(to));
            checkpoint.map_err(|error| engine("make a checkpoint", &error))
        };
        let taken = self.group.take(self.applied, configuration, checkpoint);
        if planted_in_stores().has(Bug::NoRoomPassedOver) {
            bug_state::snapshot_had_room(taken.is_ok());
        }
        Ok(taken?)
    }

    fn snapshots(&self) -> Vec<Arc<dyn SnapshotSource>> {
        self.group.snapshots()
    }

    fn staging(&self) -> Arc<dyn SnapshotStaging> {
        self.group.staging()
    }

    fn install(&mut self, received: ReceivedSnapshot) -> Result<(), StateStoreError> {
        let meta = received.meta().clone();
        let options = &self.options;
        let open = |directory: &Path| open_received(options, directory, &meta);
        let (opened, old) = self.group.install(received, open)?;
        self.db = opened.db;
        self.applied = opened.applied;
        self.configuration = opened.configuration;
        self.sharding = opened.sharding;
        old.remove();
        Ok(())
    }

    fn installed_position(&self) -> Option<LogPosition> {
        self.group.installed_position()
    }
}

/// Opens a state that a peer sent, which must be what it announced.
fn open_received(
    options: &Options,
    directory: &Path,
    meta: &SnapshotMeta,
) -> Result<Opened, StateStoreError> {
    let mut options = options.clone();
    options.create_if_missing(false);
    let mut opened = Opened::open(&options, directory)?;
    if opened.applied != meta.position {
        let reason = format!("it holds the state as of entry {}", opened.applied.index);
        return Err(SnapshotError::Refused(reason).into());
    }
    if opened.configuration.is_none() {
        // No entry has changed it. It has to survive, since this node never saw the first one.
        let mut without_log = WriteOptions::default();
        without_log.disable_wal(true);
        let encoded = meta.configuration.encode_to_vec();
        let written = opened.db.put_opt(CONFIGURATION, encoded, &without_log);
        written
            .and_then(|()| opened.db.flush())
            .map_err(|error| engine("store the configuration", &error))?;
        opened.configuration = Some(meta.configuration.clone());
    }
    Ok(opened)
}

fn engine(what: &'static str, error: &rocksdb::Error) -> SnapshotError {
    SnapshotError::Engine { what, reason: error.to_string() }
}

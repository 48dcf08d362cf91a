//! States that can be copied to other nodes.

use std::sync::Arc;

use super::store::{StateStore, StateStoreError};
use crate::log_store::LogPosition;
use crate::membership::Configuration;
use crate::snapshot::{ReceivedSnapshot, SnapshotSource, SnapshotStaging};

/// A state store that takes and installs snapshots.
pub trait SnapshotStore: StateStore {
    /// Takes a snapshot of the state as it is; `first` is the group's configuration if no entry has
    /// changed it. On return the state itself is as durable as the snapshot, so that the log may be
    /// compacted behind it. An empty state is refused.
    fn take_snapshot(
        &mut self,
        first: &Configuration,
    ) -> Result<Arc<dyn SnapshotSource>, StateStoreError>;

    /// The snapshots that are kept, newest first.
    fn snapshots(&self) -> Vec<Arc<dyn SnapshotSource>>;

    /// Where snapshots of this group are received, from any thread. To be asked for once.
    fn staging(&self) -> Arc<dyn SnapshotStaging>;

    /// Replaces the state, atomically and durably. If the snapshot is refused, the state is as it
    /// was; after any other error the process must end.
    fn install(&mut self, received: ReceivedSnapshot) -> Result<(), StateStoreError>;

    /// The position of the last snapshot that was installed, if any. A crash before the log was
    /// reset leaves a log that lies behind the state; this tells it apart from a log that was lost.
    fn installed_position(&self) -> Option<LogPosition>;
}

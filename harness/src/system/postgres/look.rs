//! What a server says about itself, and connections that are kept for asking.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::session::Session;
use crate::system::NodeStatus;

/// The timeline of a primary is in the name of its log file (PostgreSQL, section 30.6).
const LOOK: &str = "\
    SELECT in_recovery,
           CASE WHEN in_recovery THEN 0
                ELSE ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::bigint END,
           (CASE WHEN in_recovery
                 THEN GREATEST(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())
                 ELSE pg_current_wal_flush_lsn() END - '0/0')::bigint,
           EXISTS (SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming'),
           (SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'),
           (SELECT count(*) FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')),
           current_setting('primary_conninfo')
      FROM pg_is_in_recovery() AS in_recovery";

/// One look at a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::system) struct Look {
    /// Is it a standby?
    pub(in crate::system) is_standby: bool,
    /// How many promotions there were; 0 of a standby.
    pub(in crate::system) timeline: u64,
    /// Bytes of log that it has written or received.
    pub(in crate::system) position: u64,
    /// Does it receive the log of a primary?
    pub(in crate::system) is_receiving: bool,
    /// Standbys that receive its log.
    pub(in crate::system) receivers: usize,
    /// Those for which commits may wait.
    pub(in crate::system) synchronous_receivers: usize,
    /// Where it looks for its primary.
    pub(in crate::system) upstream: String,
}

impl Look {
    pub(in crate::system) fn status(&self) -> NodeStatus {
        let role = if self.is_standby { "standby" } else { "primary" }.to_owned();
        NodeStatus { role, ..NodeStatus::leading(!self.is_standby, self.timeline) }
    }

    /// Is it one of so many servers, all of which replicate, and synchronously if they are to?
    pub(in crate::system) fn is_ready(&self, nodes: usize, is_synchronous: bool) -> bool {
        let waits_as_asked = !is_synchronous || self.synchronous_receivers > 0;
        match self.is_standby {
            true => self.is_receiving,
            false => self.receivers + 1 == nodes && waits_as_asked,
        }
    }
}

/// Asks servers, over one connection to each.
#[derive(Default)]
pub(in crate::system) struct Observer {
    idle: Mutex<BTreeMap<SocketAddr, Session>>,
}

impl Observer {
    /// None if the server does not answer in time.
    pub(in crate::system) async fn look(
        &self,
        address: SocketAddr,
        patience: Duration,
    ) -> Option<Look> {
        let asked = async {
            let session = self.session(address).await.ok()?;
            let row = session.query_typed_one(LOOK, &[]).await.ok()?;
            let number = |column: usize| u64::try_from(row.try_get::<_, i64>(column).ok()?).ok();
            let look = Look {
                is_standby: row.try_get(0).ok()?,
                timeline: number(1)?,
                position: number(2)?,
                is_receiving: row.try_get(3).ok()?,
                receivers: usize::try_from(number(4)?).ok()?,
                synchronous_receivers: usize::try_from(number(5)?).ok()?,
                upstream: row.try_get(6).ok()?,
            };
            self.keep(address, session);
            Some(look)
        };
        tokio::time::timeout(patience, asked).await.ok()?
    }

    /// Carries out a command.
    pub(in crate::system) async fn command(
        &self,
        address: SocketAddr,
        command: &str,
        patience: Duration,
    ) -> Result<(), String> {
        let asked = async {
            let session = self.session(address).await?;
            session.batch_execute(command).await?;
            self.keep(address, session);
            Ok::<(), tokio_postgres::Error>(())
        };
        match tokio::time::timeout(patience, asked).await {
            Ok(done) => done.map_err(|error| crate::output::chain(&error)),
            Err(_) => Err(format!("no answer in {patience:?}")),
        }
    }

    /// An idle connection, or a new one.
    pub(in crate::system) async fn session(
        &self,
        address: SocketAddr,
    ) -> Result<Session, tokio_postgres::Error> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).remove(&address);
        match idle.filter(|session| !session.is_closed()) {
            Some(session) => Ok(session),
            None => Session::open(address).await,
        }
    }

    fn keep(&self, address: SocketAddr, session: Session) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).insert(address, session);
    }
}

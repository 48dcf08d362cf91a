//! A worker's connection to one server, whatever its role is.
//!
//! Every operation is one transaction, and one statement where keys are written once, so that a
//! snapshot is as short as it can be. A standby takes no writes, and is read only where reads may be
//! of what the asked node has; there at repeatable read, the highest level that a standby knows.
//! A server is asked for its role when a connection is new, and while it is a standby before each write.

use std::net::SocketAddr;
use std::time::Duration;

use tokio_postgres::IsolationLevel;
use workloads::generator::Invocation;
use workloads::history::EventKind;
use workloads::workload::Interface;

use super::errors::commit_failure;
use super::operations;
use super::session::Session;
use crate::system::outcome::{Failure, completion, is_read};
use crate::system::{BoxFuture, Client, Completion, ReadMode, Setting, Settings};

/// The level of transactions on the primary.
pub(in crate::system) const ISOLATION: Setting = Setting {
    name: "isolation",
    about: "The level of transactions on the primary. Repeatable read is snapshot isolation here, which \
            PostgreSQL documents.",
    values: &["serializable", "repeatable-read", "read-committed"],
};

/// The level that was chosen.
pub(in crate::system) fn isolation(settings: &Settings) -> IsolationLevel {
    match settings.get(ISOLATION.name) {
        "repeatable-read" => IsolationLevel::RepeatableRead,
        "read-committed" => IsolationLevel::ReadCommitted,
        _ => IsolationLevel::Serializable,
    }
}

/// Gives the level to statements without a transaction around them.
fn set_default(level: IsolationLevel) -> &'static str {
    match level {
        IsolationLevel::Serializable => "SET default_transaction_isolation TO 'serializable'",
        IsolationLevel::RepeatableRead => "SET default_transaction_isolation TO 'repeatable read'",
        _ => "SET default_transaction_isolation TO 'read committed'",
    }
}

/// How a worker asks.
#[derive(Debug, Clone, Copy)]
pub(in crate::system) struct ClientOptions {
    pub(in crate::system) interface: Interface,
    pub(in crate::system) isolation: IsolationLevel,
    pub(in crate::system) read_mode: ReadMode,
}

pub(in crate::system) struct PostgresClient {
    open: Option<Open>,
    address: SocketAddr,
    options: ClientOptions,
    /// Was the end of the transaction asked for?
    committing: bool,
}

struct Open {
    session: Session,
    /// None if it was not asked yet. A primary stays one until it ends, and its connections with it.
    is_primary: Option<bool>,
}

impl PostgresClient {
    pub(in crate::system) fn new(address: SocketAddr, options: ClientOptions) -> Self {
        PostgresClient { open: None, address, options, committing: false }
    }

    async fn apply(&mut self, invocation: &Invocation) -> Result<Completion, Failure> {
        self.committing = false;
        let mut open = match self.open.take().filter(|open| !open.session.is_closed()) {
            Some(open) => open,
            None => Open { session: Session::open(self.address).await?, is_primary: None },
        };
        let result = self.transact(&mut open, invocation).await;
        if !open.session.is_closed() {
            self.open = Some(open);
        }
        result
    }

    async fn transact(
        &mut self,
        open: &mut Open,
        invocation: &Invocation,
    ) -> Result<Completion, Failure> {
        let ClientOptions { interface, isolation, read_mode } = self.options;
        let reads = is_read(invocation);
        let may_read = reads && read_mode == ReadMode::Local;
        let is_primary = match open.is_primary {
            Some(true) => true,
            Some(false) if may_read => false,
            _ => {
                let row = open.session.query_typed_one("SELECT pg_is_in_recovery()", &[]).await?;
                let is_primary = !row.try_get::<_, bool>(0)?;
                if interface == Interface::WriteOnce {
                    let level = if is_primary { isolation } else { IsolationLevel::RepeatableRead };
                    open.session.batch_execute(set_default(level)).await?;
                }
                *open.is_primary.insert(is_primary)
            }
        };
        let isolation = match (is_primary, reads, read_mode) {
            (true, ..) => isolation,
            (false, false, _) => return Err(Failure::Refused("the server is a read-only standby")),
            (false, true, ReadMode::Linearizable) => {
                return Err(Failure::Refused("the server is a standby, which may be behind"));
            }
            (false, true, ReadMode::Local) => IsolationLevel::RepeatableRead,
        };
        let value = match interface {
            Interface::WriteOnce if reads => {
                operations::read_at_once(&open.session, invocation).await?
            }
            Interface::WriteOnce => {
                self.committing = true;
                operations::write_at_once(&open.session, invocation).await?
            }
            _ => {
                let begin = open.session.build_transaction();
                let begin = begin.isolation_level(isolation).read_only(reads);
                let transaction = begin.start().await?;
                let value = operations::apply(&transaction, interface, invocation).await?;
                self.committing = true;
                transaction.commit().await.map_err(|error| commit_failure(&error))?;
                value
            }
        };
        Ok(Completion { kind: EventKind::Ok, value, error: None })
    }
}

impl Client for PostgresClient {
    fn invoke<'a>(
        &'a mut self,
        invocation: &'a Invocation,
        timeout: Duration,
    ) -> BoxFuture<'a, Completion> {
        Box::pin(async move {
            match tokio::time::timeout(timeout, self.apply(invocation)).await {
                Ok(Ok(completion)) => completion,
                Ok(Err(failure)) => completion(invocation, &failure),
                Err(_) => completion(invocation, &late(self.committing)),
            }
        })
    }
}

/// Without an answer in time. A transaction whose end was not asked for is rolled back.
fn late(committing: bool) -> Failure {
    match committing {
        true => Failure::in_doubt("no answer to the commit in time"),
        false => Failure::without_effect("no answer in time, and no commit was asked for"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_sent_commit_leaves_a_doubt() {
        assert!(late(true).is_in_doubt());
        assert!(!late(false).is_in_doubt());
    }
}

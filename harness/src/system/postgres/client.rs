//! A worker's connection to one server, whatever its role is.
//!
//! Every operation is one transaction. A standby takes no writes, and is read only where reads may be
//! of what the asked node has; there at repeatable read, the highest level that a standby knows.
//! A server is asked for its role when a connection is new, and while it is a standby before each write.

use std::net::SocketAddr;
use std::time::Duration;

use tokio_postgres::IsolationLevel;
use tokio_postgres::error::SqlState;
use workloads::generator::Invocation;
use workloads::history::EventKind;
use workloads::workload::Interface;

use super::operations;
use super::session::Session;
use crate::output;
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
                *open.is_primary.insert(!row.try_get::<_, bool>(0)?)
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
        let begin = open.session.build_transaction().isolation_level(isolation).read_only(reads);
        let transaction = begin.start().await?;
        let value = operations::apply(&transaction, interface, invocation).await?;
        self.committing = true;
        transaction.commit().await.map_err(|error| commit_failure(&error))?;
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
        true => Failure::in_doubt("no answer to COMMIT in time"),
        false => Failure::without_effect("no answer in time, and COMMIT was not sent"),
    }
}

/// Before COMMIT nothing has an effect.
impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Failure {
        Failure::without_effect(text(&error))
    }
}

/// Only a server that says why it rolled back has certainly done so.
fn commit_failure(error: &tokio_postgres::Error) -> Failure {
    match error.code().is_some_and(is_rollback) {
        true => Failure::without_effect(text(error)),
        false => Failure::in_doubt(text(error)),
    }
}

/// Codes with which COMMIT is refused (PostgreSQL, appendix A, classes 23 and 40). Others, such as those
/// of a shutdown, come after what they speak of is on disk, too.
fn is_rollback(code: &SqlState) -> bool {
    let is_unknown = *code == SqlState::T_R_STATEMENT_COMPLETION_UNKNOWN;
    !is_unknown && matches!(code.code().get(..2), Some("23" | "40"))
}

fn text(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(answer) => format!("{}: {}", answer.code().code(), answer.message()),
        None => output::chain(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_rollback_makes_a_failed_commit_definite() {
        let definite = ["40001", "40P01", "23505"];
        assert!(definite.iter().all(|code| is_rollback(&SqlState::from_code(code))));
        // Unknown completion, shutdown by an operator, lost connection, disk full.
        let doubtful = ["40003", "57P01", "57P02", "08006", "53100", "00000"];
        assert!(!doubtful.iter().any(|code| is_rollback(&SqlState::from_code(code))));
    }

    #[test]
    fn only_a_sent_commit_leaves_a_doubt() {
        assert!(late(true).is_in_doubt());
        assert!(!late(false).is_in_doubt());
    }
}

//! What each interface of a workload means on this store.
//!
//! Keys of different interfaces never meet: each has a prefix of its own, but for registers, whose
//! keys are those of the history.

mod bank;
mod counter;
mod elements;
mod registers;
mod transactions;
mod unique_ids;

use bytes::Bytes;
use proto::client::{Client as KvClient, ClientError, Comparison, KeyValue, Relation, Step, Txn};
use workloads::generator::Invocation;
use workloads::history::Value;
use workloads::workload::Interface;

use crate::system::ReadMode;

/// All that the store can do.
pub(super) const INTERFACES: &[Interface] = &[
    Interface::Register,
    Interface::KeyValue,
    Interface::Set,
    Interface::ListAppend,
    Interface::ReadWrite,
    Interface::Bank,
    Interface::Counter,
    Interface::Queue,
    Interface::UniqueIds,
];

/// A change of several keys that met another change is tried again so often.
const CONFLICTS_MAX: usize = 8;

/// A client, and how it reads.
pub(super) struct Connection<'a> {
    pub(super) kv: &'a mut KvClient,
    pub(super) read_mode: ReadMode,
}

/// Why an operation did not take effect, or may not have.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// A request failed.
    #[error("{reason}")]
    Request {
        /// May it have taken effect?
        doubt: bool,
        reason: String,
    },
    /// The state did not allow it.
    #[error("{0}")]
    Refused(&'static str),
    /// The workload asks for what there is not.
    #[error("the store has no operation {f} with the value {value}")]
    Unknown { f: &'static str, value: Value },
}

impl Failure {
    /// A request that changes nothing of what the operation is about.
    pub(super) fn before_any_effect(error: ClientError) -> Failure {
        Failure::Request { doubt: false, reason: error.to_string() }
    }

    pub(super) fn is_in_doubt(&self) -> bool {
        matches!(self, Failure::Request { doubt: true, .. })
    }

    fn unknown(invocation: &Invocation) -> Failure {
        Failure::Unknown { f: invocation.f, value: invocation.value.clone() }
    }
}

/// Can it have an effect?
pub(super) fn is_read(invocation: &Invocation) -> bool {
    match invocation.f {
        "read" => true,
        "txn" => steps(&invocation.value).all(|step| step[0].as_str() == Some("r")),
        _ => false,
    }
}

fn steps(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_list().unwrap_or_default().iter()
}

/// Applies one operation; returns the value of its completion.
pub(super) async fn apply(
    connection: &mut Connection<'_>,
    interface: Interface,
    invocation: &Invocation,
) -> Result<Value, Failure> {
    match interface {
        Interface::Register | Interface::KeyValue => registers::apply(connection, invocation).await,
        Interface::Set | Interface::Queue => elements::apply(connection, invocation).await,
        Interface::ListAppend | Interface::ReadWrite => {
            transactions::apply(connection, invocation).await
        }
        Interface::Bank => bank::apply(connection, invocation).await,
        Interface::Counter => counter::apply(connection, invocation).await,
        Interface::UniqueIds => unique_ids::apply(connection, invocation).await,
    }
}

impl Connection<'_> {
    fn mode(&self) -> proto::client::ReadMode {
        match self.read_mode {
            ReadMode::Linearizable => proto::client::ReadMode::Linearizable,
            ReadMode::Local => proto::client::ReadMode::Local,
        }
    }

    /// What some keys hold at the same moment.
    async fn get_all(&mut self, keys: &[String]) -> Result<Vec<Option<KeyValue>>, ClientError> {
        let txn = keys.iter().fold(Txn::new(), |txn, key| txn.then(Step::get(key.clone())));
        Ok(self.kv.txn(txn).await?.results)
    }

    /// Sets keys if nobody has changed them since they were read. False if somebody has.
    async fn put_all(
        &mut self,
        changes: Vec<(String, Option<KeyValue>, String)>,
    ) -> Result<bool, ClientError> {
        let txn = changes.into_iter().fold(Txn::new(), |txn, (key, was, value)| {
            let revision = was.map_or(0, |was| was.revision);
            txn.when(Comparison::revision(key.clone(), Relation::Equal, revision))
                .then(Step::put(key, value))
        });
        Ok(self.kv.txn(txn).await?.held)
    }
}

/// The key of the object that an operation is on.
fn key(invocation: &Invocation) -> String {
    invocation.key.as_ref().map_or_else(|| "\"\"".to_owned(), Value::to_string)
}

/// A number that was stored as text.
fn number(value: &Bytes) -> i64 {
    std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).unwrap_or_default()
}

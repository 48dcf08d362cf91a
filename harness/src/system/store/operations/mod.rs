//! What each interface of a workload means on this store.
//!
//! Keys of different interfaces never meet: each has a prefix of its own, but for registers, whose
//! keys are those of the history.

mod bank;
mod counter;
mod elements;
mod lease;
mod lock;
mod lock_set;
mod log;
mod monotonic;
mod registers;
mod sequential;
mod set_value;
mod texts;
mod transactions;
mod unique_ids;
mod watch;

use std::collections::BTreeMap;

use bytes::Bytes;
use proto::client::{
    Client as KvClient, ClientError, Comparison, Header, KeyValue, Keys, Relation, Step, Txn,
};
use workloads::generator::Invocation;
use workloads::history::Value;
use workloads::workload::Interface;

use crate::system::ReadMode;
use crate::system::outcome::Failure;

/// All that the store can do.
pub(super) const INTERFACES: &[Interface] = Interface::ALL;

/// A change of several keys that met another change is tried again so often.
const CONFLICTS_MAX: usize = 8;
/// More than any set, queue or range of keys ever has, and within what the store puts into a page: a
/// page is read at one revision.
const PAGE_KEYS: u32 = 1_000;

/// A client, and how it reads.
pub(super) struct Connection<'a> {
    pub(super) kv: &'a mut KvClient,
    pub(super) read_mode: ReadMode,
    pub(super) memory: &'a mut Memory,
}

/// What a process remembers from one operation to the next.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// The last revision of each group as of which its node answered a local read.
    revisions: BTreeMap<u32, u64>,
    /// How many messages of each log it has polled.
    positions: BTreeMap<String, usize>,
}

/// Applies one operation; returns the value of its completion.
pub(super) async fn apply(
    connection: &mut Connection<'_>,
    interface: Interface,
    invocation: &Invocation,
) -> Result<Value, Failure> {
    match interface {
        Interface::Register | Interface::KeyValue => {
            registers::apply(connection, invocation, registers::Padding::None).await
        }
        Interface::SizedRegister => {
            registers::apply(connection, invocation, registers::Padding::Mixed).await
        }
        Interface::Text => texts::apply(connection, invocation).await,
        Interface::Set | Interface::Queue => elements::apply(connection, invocation).await,
        Interface::SetValue => set_value::apply(connection, invocation).await,
        Interface::LockSet => lock_set::apply(connection, invocation).await,
        Interface::ListAppend => {
            transactions::apply(connection, invocation, transactions::Holds::List).await
        }
        Interface::MultiRegister | Interface::ReadWrite | Interface::WriteOnce => {
            transactions::apply(connection, invocation, transactions::Holds::Value).await
        }
        Interface::Bank => bank::apply(connection, invocation).await,
        Interface::Counter => counter::apply(connection, invocation).await,
        Interface::Log => log::apply(connection, invocation).await,
        Interface::Lock => lock::apply(connection, invocation).await,
        Interface::Lease => lease::apply(connection, invocation).await,
        Interface::UniqueIds => unique_ids::apply(connection, invocation).await,
        Interface::Watch => watch::apply(connection, invocation).await,
        Interface::Monotonic => monotonic::apply(connection, invocation).await,
        Interface::Sequential => sequential::apply(connection, invocation).await,
    }
}

impl Connection<'_> {
    fn mode(&self) -> proto::client::ReadMode {
        match self.read_mode {
            ReadMode::Linearizable => proto::client::ReadMode::Linearizable,
            ReadMode::Local => proto::client::ReadMode::Local,
        }
    }

    /// What a key holds, read as the run reads.
    async fn get(&mut self, key: impl Into<Bytes>) -> Result<Option<KeyValue>, Failure> {
        let mode = self.mode();
        let read = self.kv.get_with(key, mode).await?;
        self.note(read.header)?;
        Ok(read.found)
    }

    /// All keys of a range at one revision, read as the run reads.
    async fn scan(&mut self, keys: Keys) -> Result<Vec<(Bytes, KeyValue)>, Failure> {
        let mode = self.mode();
        let page = self.kv.scan_page(keys, PAGE_KEYS, mode).await?;
        self.note(page.header)?;
        match page.more {
            true => Err(Failure::Refused("there are more keys than can be read at one revision")),
            false => Ok(page.found),
        }
    }

    /// Notes as of when a read was answered.
    fn note(&mut self, header: Header) -> Result<(), Failure> {
        if self.read_mode == ReadMode::Linearizable {
            return Ok(());
        }
        let last = self.memory.revisions.entry(header.group).or_default();
        if header.revision < *last {
            return Err(Failure::WentBack { before: *last, now: header.revision });
        }
        *last = header.revision;
        Ok(())
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

/// A map with text as its keys.
fn map<const ENTRIES: usize>(entries: [(&str, Value); ENTRIES]) -> Value {
    Value::Map(entries.into_iter().map(|(name, value)| (Value::from(name), value)).collect())
}

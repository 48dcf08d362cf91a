//! Several operations on several keys as one.

use bytes::Bytes;

use super::attempts::Repeat;
use super::error::ClientError;
use super::kv::Client;
use super::types::{Header, KeyValue, header, key_value};
use crate::kv::{
    self, Relation, TxnAppend, TxnDelete, TxnGet, TxnOperation, TxnPut, TxnRequest, comparison,
    txn_operation,
};

/// If all comparisons hold, one list of steps is performed, else the other.
///
/// ```
/// use proto::client::{Comparison, Relation, Step, Txn};
///
/// let create_once = Txn::new()
///     .when(Comparison::version("lamp", Relation::Equal, 0))
///     .then(Step::put("lamp", "on"))
///     .otherwise(Step::get("lamp"));
/// assert!(!create_once.is_empty());
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Txn {
    compare: Vec<kv::Comparison>,
    then: Vec<TxnOperation>,
    otherwise: Vec<TxnOperation>,
}

/// A condition on one key. A key that does not exist has an empty value, revision 0 and version 0.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison(kv::Comparison);

/// One step of a transaction. It sees the steps before it.
#[derive(Debug, Clone, PartialEq)]
pub struct Step(TxnOperation);

/// A transaction was performed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TxnDone {
    /// Where and when.
    pub header: Header,
    /// Did all comparisons hold?
    pub held: bool,
    /// For each step that was performed: what its key held before it.
    pub results: Vec<Option<KeyValue>>,
}

impl Comparison {
    /// Compares the value, in the order of bytes.
    pub fn value(key: impl Into<Bytes>, relation: Relation, value: impl Into<Bytes>) -> Self {
        Comparison::new(key, relation, comparison::Right::Value(value.into()))
    }

    /// Compares the log index of the last write.
    pub fn revision(key: impl Into<Bytes>, relation: Relation, revision: u64) -> Self {
        Comparison::new(key, relation, comparison::Right::Revision(revision))
    }

    /// Compares the number of writes since the key was created; 0: it does not exist.
    pub fn version(key: impl Into<Bytes>, relation: Relation, version: u64) -> Self {
        Comparison::new(key, relation, comparison::Right::Version(version))
    }

    fn new(key: impl Into<Bytes>, relation: Relation, right: comparison::Right) -> Self {
        let (key, relation) = (key.into(), relation.into());
        Comparison(kv::Comparison { key, relation, right: Some(right) })
    }
}

impl Step {
    /// Reads a key.
    pub fn get(key: impl Into<Bytes>) -> Step {
        Step::new(txn_operation::Operation::Get(TxnGet { key: key.into() }))
    }

    /// Sets a key.
    pub fn put(key: impl Into<Bytes>, value: impl Into<Bytes>) -> Step {
        Step::put_with_lease(key, value, 0)
    }

    /// Sets a key that is deleted when this lease ends; 0 for none.
    pub fn put_with_lease(key: impl Into<Bytes>, value: impl Into<Bytes>, lease: u64) -> Step {
        let put = TxnPut { key: key.into(), value: value.into(), lease };
        Step::new(txn_operation::Operation::Put(put))
    }

    /// Removes a key.
    pub fn delete(key: impl Into<Bytes>) -> Step {
        Step::new(txn_operation::Operation::Delete(TxnDelete { key: key.into() }))
    }

    /// Adds bytes at the end of a value.
    pub fn append(key: impl Into<Bytes>, suffix: impl Into<Bytes>) -> Step {
        let append = TxnAppend { key: key.into(), suffix: suffix.into() };
        Step::new(txn_operation::Operation::Append(append))
    }

    fn new(operation: txn_operation::Operation) -> Step {
        Step(TxnOperation { operation: Some(operation) })
    }

    fn is_read(operation: &TxnOperation) -> bool {
        matches!(operation.operation, Some(txn_operation::Operation::Get(_)))
    }
}

impl Txn {
    /// A transaction that does nothing yet.
    pub fn new() -> Txn {
        Txn::default()
    }

    /// One more condition; all must hold.
    #[must_use]
    pub fn when(mut self, comparison: Comparison) -> Txn {
        self.compare.push(comparison.0);
        self
    }

    /// One more step for the case that all conditions hold.
    #[must_use]
    pub fn then(mut self, step: Step) -> Txn {
        self.then.push(step.0);
        self
    }

    /// One more step for the case that a condition does not hold.
    #[must_use]
    pub fn otherwise(mut self, step: Step) -> Txn {
        self.otherwise.push(step.0);
        self
    }

    /// Does it do nothing at all?
    pub fn is_empty(&self) -> bool {
        self.compare.is_empty() && self.then.is_empty() && self.otherwise.is_empty()
    }

    fn only_reads(&self) -> bool {
        self.then.iter().chain(&self.otherwise).all(Step::is_read)
    }
}

impl Client {
    /// Performs a transaction. All its keys must belong to one group.
    pub async fn txn(&mut self, txn: Txn) -> Result<TxnDone, ClientError> {
        let (repeat, context) = if txn.only_reads() {
            (Repeat::Read, self.read_context())
        } else {
            self.write_context()
        };
        let Txn { compare, then, otherwise } = txn;
        let response = self.ask(repeat, TxnRequest { context, compare, then, otherwise }).await?;
        Ok(TxnDone {
            header: header(response.header),
            held: response.held,
            results: response.results.into_iter().map(|it| key_value(it.found)).collect(),
        })
    }
}

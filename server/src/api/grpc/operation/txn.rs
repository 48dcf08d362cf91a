//! Transactions.

use bytes::Bytes;
use prost::Message as _;
use proto::kv::{
    self, TxnAppend, TxnDelete, TxnGet, TxnPut, TxnRequest, TxnResponse, TxnResult, comparison,
    txn_operation,
};

use crate::command::{
    Append, Command, Comparison, Delete, Operand, Put, Relation, Txn, TxnOperation, TxnStep,
};
use crate::config::Limits;
use crate::driver::{Answered, Ask};
use crate::shard::Shards;
use crate::types::GroupId;

use super::{ApiConfig, Operation, Place, Refusal, Speaker, check, to_wire, write};

impl Operation for TxnRequest {
    fn bind(&mut self) {
        check::bind(&mut self.context);
    }

    fn check(&self, limits: &Limits) -> Result<(), Refusal> {
        check::context(self.context.as_ref())?;
        let operations = self.compare.len() + self.then.len() + self.otherwise.len();
        check::at_most("txn-operations", operations, limits.txn_operations_max)?;
        let mut bytes = 0;
        for comparison in &self.compare {
            bytes += check_comparison(comparison, limits)?;
        }
        for operation in self.then.iter().chain(&self.otherwise) {
            bytes += check_operation(operation, limits)?;
        }
        check::at_most("txn-bytes", bytes, limits.txn_bytes_max)
    }

    fn place(&self) -> Place {
        check::place(self.context.as_ref())
    }

    fn group(&self, shards: &Shards) -> Result<GroupId, Refusal> {
        let operations = || self.then.iter().chain(&self.otherwise);
        let compared = self.compare.iter().map(|comparison| &comparison.key);
        let keys = compared.chain(operations().filter_map(key));
        let group = shards.group_of_all(keys.map(|key| &key[..]))?;
        let lease = operations().map(lease).max().unwrap_or(0);
        check::group_with_lease(group, lease, shards)
    }

    fn ask(&self, config: &ApiConfig) -> Result<Ask, Refusal> {
        let value_bytes_max = config.limits.value_bytes_max as u64;
        let steps = |operations: &[kv::TxnOperation]| -> Result<Vec<TxnOperation>, Refusal> {
            operations.iter().map(|operation| step(operation, value_bytes_max)).collect()
        };
        let compare = self.compare.iter().map(condition).collect::<Result<_, _>>()?;
        let txn = Txn { compare, then: steps(&self.then)?, otherwise: steps(&self.otherwise)? };
        Ok(write::ask(self.context, Command::Txn(txn)))
    }

    fn reply(&self, answered: Answered, speaker: Speaker) -> Result<TxnResponse, Refusal> {
        let applied = write::applied(self.context, answered, speaker)?;
        let performed = if applied.held { &self.then } else { &self.otherwise };
        let results = performed.iter().zip(applied.outcome.results).map(|(operation, result)| {
            let found = key(operation).and_then(|key| to_wire(key, result.found));
            TxnResult { found }
        });
        let response =
            TxnResponse { header: applied.header, held: applied.held, results: results.collect() };
        let (bytes, max) = (response.encoded_len(), speaker.config.limits.reply_bytes_max);
        if bytes > max {
            // The transaction was performed; only what it found is too much for a reply.
            let refusal = Refusal::over_limit("reply-bytes", max as u64, bytes as u64);
            return Err(Refusal { indefinite: true, ..refusal });
        }
        Ok(response)
    }
}

fn incomplete(what: &str) -> Refusal {
    check::invalid(format!("{what} of the transaction is not complete"))
}

fn check_comparison(comparison: &kv::Comparison, limits: &Limits) -> Result<usize, Refusal> {
    check::key(&comparison.key, limits)?;
    if kv::Relation::try_from(comparison.relation).is_err() {
        let relation = comparison.relation;
        return Err(check::invalid(format!("relation {relation} does not exist")));
    }
    let value = match &comparison.right {
        None => return Err(incomplete("a comparison")),
        Some(comparison::Right::Value(value)) => value.len(),
        Some(comparison::Right::Revision(_) | comparison::Right::Version(_)) => 0,
    };
    Ok(comparison.key.len() + value)
}

fn check_operation(operation: &kv::TxnOperation, limits: &Limits) -> Result<usize, Refusal> {
    use txn_operation::Operation;
    let key = key(operation).ok_or_else(|| incomplete("an operation"))?;
    check::key(key, limits)?;
    let empty = Bytes::new();
    let value = match &operation.operation {
        Some(Operation::Put(put)) => &put.value,
        Some(Operation::Append(append)) => &append.suffix,
        Some(Operation::Get(_) | Operation::Delete(_)) | None => &empty,
    };
    check::value(value, limits)?;
    Ok(key.len() + value.len())
}

fn key(operation: &kv::TxnOperation) -> Option<&Bytes> {
    use txn_operation::Operation;
    match operation.operation.as_ref()? {
        Operation::Get(get) => Some(&get.key),
        Operation::Put(put) => Some(&put.key),
        Operation::Delete(delete) => Some(&delete.key),
        Operation::Append(append) => Some(&append.key),
    }
}

/// The lease that it names, or 0.
fn lease(operation: &kv::TxnOperation) -> u64 {
    match &operation.operation {
        Some(txn_operation::Operation::Put(put)) => put.lease,
        _ => 0,
    }
}

fn condition(comparison: &kv::Comparison) -> Result<Comparison, Refusal> {
    let relation = match comparison.relation() {
        kv::Relation::Equal => Relation::Equal,
        kv::Relation::NotEqual => Relation::NotEqual,
        kv::Relation::Less => Relation::Less,
        kv::Relation::Greater => Relation::Greater,
    };
    let right = match comparison.right.as_ref().ok_or_else(|| incomplete("a comparison"))? {
        comparison::Right::Value(value) => Operand::Value(value.clone()),
        comparison::Right::Revision(revision) => Operand::Revision(*revision),
        comparison::Right::Version(version) => Operand::Version(*version),
    };
    let key = comparison.key.clone();
    Ok(Comparison { key, relation: relation.into(), right: Some(right) })
}

fn step(operation: &kv::TxnOperation, value_bytes_max: u64) -> Result<TxnOperation, Refusal> {
    use txn_operation::Operation;
    let operation = operation.operation.clone().ok_or_else(|| incomplete("an operation"))?;
    let step = match operation {
        Operation::Get(TxnGet { key }) => TxnStep::Get(key),
        Operation::Put(TxnPut { key, value, lease }) => TxnStep::Put(Put { key, value, lease }),
        Operation::Delete(TxnDelete { key }) => TxnStep::Delete(Delete { key }),
        Operation::Append(TxnAppend { key, suffix }) => {
            TxnStep::Append(Append { key, suffix, value_bytes_max })
        }
    };
    Ok(TxnOperation { step: Some(step) })
}

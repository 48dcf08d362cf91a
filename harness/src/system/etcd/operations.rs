//! What each interface of a workload means on etcd. Values are stored as JSON.

use std::collections::BTreeMap;

use bytes::Bytes;
use tonic::transport::Channel;
use workloads::generator::Invocation;
use workloads::history::Value;
use workloads::workload::Interface;

use super::wire::compare::{CompareResult, CompareTarget, TargetUnion};
use super::wire::kv_client::KvClient;
use super::wire::request_op::Request;
use super::wire::response_op::Response;
use super::wire::{
    Compare, KeyValue, PutRequest, RangeRequest, RequestOp, TxnRequest, TxnResponse,
};
use crate::system::ReadMode;
use crate::system::outcome::{Failure, is_read, steps};

/// What it can be asked.
pub(super) const INTERFACES: &[Interface] = &[
    Interface::Register,
    Interface::SizedRegister,
    Interface::Set,
    Interface::LockSet,
    Interface::ListAppend,
    Interface::ReadWrite,
];

/// A transaction that met another one is tried again so often.
const CONFLICTS_MAX: usize = 4;

/// A client, and how it reads.
pub(super) struct Connection {
    pub(super) kv: KvClient<Channel>,
    pub(super) read_mode: ReadMode,
}

/// Applies one operation; returns the value of its completion.
pub(super) async fn apply(
    connection: &mut Connection,
    interface: Interface,
    invocation: &Invocation,
) -> Result<Value, Failure> {
    match (interface, invocation.f) {
        (Interface::Register | Interface::SizedRegister, _) => {
            register(connection, invocation).await
        }
        (Interface::Set, "add") => {
            let prefix = elements(invocation);
            let key = format!("{prefix}{:0>12}", invocation.value.to_string());
            connection.put(key, &invocation.value).await?;
            Ok(invocation.value.clone())
        }
        (Interface::Set, "read") => {
            let prefix = elements(invocation);
            // `0` is the character behind `/`.
            let end = format!("{}0", prefix.trim_end_matches('/'));
            let found = connection.range(prefix, end).await?;
            Ok(Value::list(found.iter().map(value)))
        }
        (Interface::ListAppend | Interface::ReadWrite, "txn") => txn(connection, invocation).await,
        _ => Err(Failure::unknown(invocation)),
    }
}

async fn register(connection: &mut Connection, invocation: &Invocation) -> Result<Value, Failure> {
    let key = format!("register/{}", name(invocation));
    match (invocation.f, &invocation.value) {
        ("read", _) => {
            let found = connection.range(key, String::new()).await?;
            return Ok(found.first().map_or(Value::Null, value));
        }
        ("write", value) => connection.put(key, value).await?,
        ("cas", Value::List(pair)) if pair.len() == 2 => {
            let (target, union) = match &pair[0] {
                Value::Null => (CompareTarget::Mod, TargetUnion::ModRevision(0)),
                expected => (CompareTarget::Value, TargetUnion::Value(json(expected))),
            };
            let request = TxnRequest {
                compare: vec![equal(key.clone().into(), target, union)],
                success: vec![put(key.into(), json(&pair[1]))],
                failure: Vec::new(),
            };
            if !connection.kv.txn(request).await?.into_inner().succeeded {
                return Err(Failure::Refused("the register holds another value"));
            }
        }
        _ => return Err(Failure::unknown(invocation)),
    }
    Ok(invocation.value.clone())
}

/// Reads everything at one revision; then writes, if nothing of that was changed meanwhile.
async fn txn(connection: &mut Connection, invocation: &Invocation) -> Result<Value, Failure> {
    let keys: Vec<Bytes> = steps(&invocation.value)
        .map(|step| match &invocation.key {
            None => format!("txn/{}", step[1]).into(),
            Some(key) => format!("txn/{key}/{}", step[1]).into(),
        })
        .collect();
    let changes = !is_read(invocation);
    for _ in 0..CONFLICTS_MAX {
        let seen = connection.snapshot(&keys, changes).await?;
        let mut state: BTreeMap<&Bytes, Value> =
            seen.iter().map(|(key, found)| (key, value(found))).collect();
        let mut written: BTreeMap<&Bytes, Value> = BTreeMap::new();
        let mut results = Vec::with_capacity(keys.len());
        for (step, key) in steps(&invocation.value).zip(&keys) {
            let before = state.get(key).cloned().unwrap_or(Value::Null);
            let after = match step[0].as_str() {
                Some("r") => {
                    results.push(Value::from(vec![step[0].clone(), step[1].clone(), before]));
                    continue;
                }
                Some("w") => step[2].clone(),
                Some("append") => {
                    let list = before.as_list().unwrap_or_default();
                    Value::list(list.iter().cloned().chain([step[2].clone()]))
                }
                _ => return Err(Failure::unknown(invocation)),
            };
            results.push(step.clone());
            written.insert(key, after.clone());
            state.insert(key, after);
        }
        if written.is_empty() || connection.commit(&keys, &seen, &written).await? {
            return Ok(Value::from(results));
        }
    }
    Err(Failure::Refused("others changed what it read"))
}

impl Connection {
    fn is_local(&self) -> bool {
        self.read_mode == ReadMode::Local
    }

    pub(super) async fn put(&mut self, key: String, value: &Value) -> Result<(), Failure> {
        let request = PutRequest { key: key.into(), value: json(value) };
        self.kv.put(request).await?;
        Ok(())
    }

    pub(super) async fn range(
        &mut self,
        key: String,
        end: String,
    ) -> Result<Vec<KeyValue>, Failure> {
        let serializable = self.is_local();
        let request = RangeRequest { key: key.into(), range_end: end.into(), serializable };
        let found = self.kv.range(request).await.map_err(Failure::without_effect)?;
        Ok(found.into_inner().kvs)
    }

    /// What keys hold at one revision. What is read to be changed is never read locally.
    async fn snapshot(
        &mut self,
        keys: &[Bytes],
        changes: bool,
    ) -> Result<BTreeMap<Bytes, KeyValue>, Failure> {
        let serializable = self.is_local() && !changes;
        let read = |key: &Bytes| RequestOp {
            request: Some(Request::RequestRange(RangeRequest {
                key: key.clone(),
                range_end: Bytes::new(),
                serializable,
            })),
        };
        let success = keys.iter().map(read).collect();
        let request = TxnRequest { compare: Vec::new(), success, failure: Vec::new() };
        let response = self.kv.txn(request).await.map_err(Failure::without_effect)?.into_inner();
        Ok(found(response).map(|found| (found.key.clone(), found)).collect())
    }

    /// Writes if all keys are as they were seen.
    async fn commit(
        &mut self,
        keys: &[Bytes],
        seen: &BTreeMap<Bytes, KeyValue>,
        written: &BTreeMap<&Bytes, Value>,
    ) -> Result<bool, Failure> {
        let compare = keys
            .iter()
            .map(|key| {
                let revision = seen.get(key).map_or(0, |found| found.mod_revision);
                equal(key.clone(), CompareTarget::Mod, TargetUnion::ModRevision(revision))
            })
            .collect();
        let success = written.iter().map(|(&key, value)| put(key.clone(), json(value))).collect();
        let request = TxnRequest { compare, success, failure: Vec::new() };
        Ok(self.kv.txn(request).await?.into_inner().succeeded)
    }
}

fn found(response: TxnResponse) -> impl Iterator<Item = KeyValue> {
    response.responses.into_iter().flat_map(|response| match response.response {
        Some(Response::ResponseRange(range)) => range.kvs,
        _ => Vec::new(),
    })
}

pub(super) fn put(key: Bytes, value: Bytes) -> RequestOp {
    RequestOp { request: Some(Request::RequestPut(PutRequest { key, value })) }
}

fn equal(key: Bytes, target: CompareTarget, union: TargetUnion) -> Compare {
    Compare {
        result: CompareResult::Equal.into(),
        target: target.into(),
        key,
        target_union: Some(union),
    }
}

/// Elements of a set are keys of their own.
fn elements(invocation: &Invocation) -> String {
    format!("set/{}/", name(invocation))
}

pub(super) fn name(invocation: &Invocation) -> String {
    invocation.key.as_ref().map_or_else(|| "\"\"".to_owned(), Value::to_string)
}

pub(super) fn json(value: &Value) -> Bytes {
    value.to_string().into()
}

pub(super) fn value(found: &KeyValue) -> Value {
    let text = String::from_utf8_lossy(&found.value);
    text.parse().unwrap_or_else(|_| Value::from(&*text))
}

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use proto::kv::{
    Bound, Comparison, GetRequest, GrantLeaseRequest, KeepAliveRequest, KeyRange, LockRequest,
    OpenSessionRequest, PutRequest, RequestContext, ScanRequest, TxnGet, TxnOperation, TxnPut,
    TxnRequest, comparison, txn_operation,
};

use super::*;
use crate::bug::Bugs;
use crate::config::Mode;
use crate::resharding::ShardsView;
use crate::shard::ShardMap;
use crate::transport::Directory;
use crate::types::NodeId;

const CONTEXT: Option<RequestContext> =
    Some(RequestContext { session: 0, sequence: 0, no_forward: false });

fn config() -> ApiConfig {
    ApiConfig {
        node: NodeId(1),
        cluster: "test".to_owned(),
        storage: "memory",
        mode: Mode::Replicated,
        directory: Directory::new(BTreeMap::new()),
        shards: ShardsView::new(ShardMap::first(&[NodeId(1)].into(), 1)).unwrap(),
        limits: Limits::STANDARD,
        tick: Duration::from_millis(50),
        metrics: Default::default(),
        test_hooks: false,
        bugs: Bugs::NONE,
    }
}

#[track_caller]
fn refused(request: impl Into<Request>, kind: ErrorKind, words: &str) {
    let request = request.into();
    let refusal = check(&request, &Limits::STANDARD).unwrap_err();
    assert_eq!((refusal.kind, refusal.indefinite), (kind, false), "{refusal:?}");
    assert!(refusal.message.contains(words), "{refusal:?}");
    // Whoever forgets to check meets no panic either.
    let _ = ask(&request, &config());
}

#[track_caller]
fn invalid(request: impl Into<Request>, words: &str) {
    refused(request, ErrorKind::InvalidRequest, words);
}

#[test]
fn what_lacks_a_field_is_invalid() {
    invalid(GetRequest::default(), "no context");
    invalid(PutRequest::default(), "no context");
    let context = Some(RequestContext { session: 7, sequence: 0, no_forward: false });
    invalid(PutRequest { context, ..PutRequest::default() }, "begin with 1");
    invalid(GetRequest { context: CONTEXT, mode: 9, ..GetRequest::default() }, "read mode 9");
    invalid(ScanRequest { context: CONTEXT, mode: -1, ..ScanRequest::default() }, "read mode -1");
    invalid(KeepAliveRequest { context: CONTEXT, lease: 0 }, "no lease");
    invalid(LockRequest { context: CONTEXT, ..LockRequest::default() }, "no lease");
    let compare = |comparison| TxnRequest {
        context: CONTEXT,
        compare: vec![comparison],
        ..TxnRequest::default()
    };
    invalid(compare(Comparison::default()), "a comparison");
    let right = Some(comparison::Right::Version(0));
    invalid(compare(Comparison { relation: 17, right, ..Comparison::default() }), "relation 17");
    let then = vec![TxnOperation::default()];
    invalid(TxnRequest { context: CONTEXT, then, ..TxnRequest::default() }, "an operation");
}

#[test]
fn a_scan_has_one_range() {
    let bound = |key: &'static str| Some(Bound { key: key.into(), exclusive: false });
    let range = Some(KeyRange { start: bound("b"), end: bound("a") });
    let scan = ScanRequest { context: CONTEXT, range, ..ScanRequest::default() };
    invalid(scan.clone(), "ends before it begins");
    invalid(ScanRequest { prefix: Some("p".into()), ..scan }, "not both");
}

#[track_caller]
fn over(request: impl Into<Request>, limit: &str, max: usize, asked: usize) {
    let refusal = check(&request.into(), &Limits::STANDARD).unwrap_err();
    assert_eq!(refusal.kind, ErrorKind::LimitExceeded);
    let excess = refusal.excess.unwrap();
    assert_eq!(
        (excess.limit.as_str(), excess.max, excess.asked),
        (limit, max as u64, asked as u64)
    );
}

#[test]
fn limits_say_which_how_much_and_what_was_asked() {
    let limits = Limits::STANDARD;
    let bytes = |length| vec![7; length].into();
    let key_max = limits.key_bytes_max;
    let get = GetRequest { context: CONTEXT, key: bytes(key_max + 1), mode: 0 };
    over(get, "key-bytes", key_max, key_max + 1);
    let value_max = limits.value_bytes_max;
    let value = bytes(value_max + 1);
    let put = PutRequest { context: CONTEXT, value, ..PutRequest::default() };
    over(put, "value-bytes", value_max, value_max + 1);
    let limit = u32::try_from(limits.scan_keys_max).unwrap() + 1;
    let scan = ScanRequest { context: CONTEXT, limit, ..ScanRequest::default() };
    over(scan, "scan-keys", limits.scan_keys_max, limits.scan_keys_max + 1);
    let lease = |ttl_ms| GrantLeaseRequest { context: CONTEXT, ttl_ms };
    over(lease(0), "lease-ttl-ms-min", 100, 0);
    over(lease(u64::MAX >> 1), "lease-ttl-ms", 86_400_000, (u64::MAX >> 1) as usize);
}

#[test]
fn a_transaction_is_limited_in_number_and_size() {
    let limits = Limits::STANDARD;
    let txn = |operation: txn_operation::Operation, count| TxnRequest {
        context: CONTEXT,
        otherwise: vec![TxnOperation { operation: Some(operation) }; count],
        ..TxnRequest::default()
    };
    let get = txn_operation::Operation::Get(TxnGet { key: "k".into() });
    let max = limits.txn_operations_max;
    check(&txn(get.clone(), max).into(), &limits).unwrap();
    over(txn(get, max + 1), "txn-operations", max, max + 1);
    let half = vec![7; limits.txn_bytes_max / 2].into();
    let put = txn_operation::Operation::Put(TxnPut { key: "k".into(), value: half, lease: 0 });
    over(txn(put, 2), "txn-bytes", limits.txn_bytes_max, limits.txn_bytes_max + 2);
}

#[test]
fn what_is_sent_on_is_not_sent_on_again() {
    let put = PutRequest { context: CONTEXT, ..PutRequest::default() };
    assert_eq!(place(&put.clone().into()), Place::Leader);
    assert_eq!(place(&bound(put.into())), Place::LeaderHere);
    let open = OpenSessionRequest::default();
    assert_eq!(place(&bound(open.into())), Place::LeaderHere);
}

#[test]
fn what_belongs_to_several_groups_is_refused() {
    let nodes = (1..=3).map(NodeId).collect();
    let shards = |count| Shards::new(ShardMap::first(&nodes, count)).unwrap();
    let (one, many) = (shards(1), shards(8));
    let keys: Vec<Bytes> = (0..200).map(|index| Bytes::from(format!("{index}"))).collect();
    let in_group = |id| -> Vec<&Bytes> {
        keys.iter().filter(|key| many.group_of(key) == GroupId(id)).collect()
    };
    let (first, other) = (in_group(0), in_group(5));
    let txn = |keys: &[&Bytes], lease| TxnRequest {
        context: CONTEXT,
        then: keys
            .iter()
            .map(|key| {
                let put = TxnPut { key: Bytes::clone(key), value: Bytes::new(), lease };
                TxnOperation { operation: Some(txn_operation::Operation::Put(put)) }
            })
            .collect(),
        ..TxnRequest::default()
    };
    let kind = |request: Request| match group(&request, &many) {
        Ok(group) => Ok(group.0),
        Err(refusal) => Err((refusal.kind, refusal.indefinite)),
    };
    let spans = Err((ErrorKind::SpansGroups, false));
    assert_eq!(kind(txn(&other[..2], 0).into()), Ok(5));
    assert_eq!(kind(txn(&[first[0], other[0]], 0).into()), spans);
    assert_eq!(group(&txn(&[first[0], other[0]], 0).into(), &one).unwrap(), GroupId(0));
    assert_eq!(kind(ScanRequest::default().into()), spans);
    assert_eq!(group(&ScanRequest::default().into(), &one).unwrap(), GroupId(0));
    // Leases live in the first group.
    let put = |key: &Bytes| PutRequest { key: key.clone(), lease: 9, ..PutRequest::default() };
    assert_eq!(kind(put(first[0]).into()), Ok(0));
    assert_eq!(kind(put(other[0]).into()), spans);
    assert_eq!(kind(txn(&first[..2], 9).into()), Ok(0));
    assert_eq!(kind(txn(&other[..2], 9).into()), spans);
    assert_eq!(
        kind(LockRequest { name: other[0].clone(), ..LockRequest::default() }.into()),
        Ok(0)
    );
    let open = |session, group| OpenSessionRequest { session, group, ..Default::default() };
    assert_eq!(kind(open(7, 5).into()), Ok(5));
    assert_eq!(kind(open(7, 8).into()), Err((ErrorKind::InvalidRequest, false)));
}

//! The handlers of keys: each makes a request of the gRPC API and tells its answer.

use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use bytes::Bytes;
use proto::admin::admin_server::Admin;
use proto::kv::comparison::Right as ComparedWith;
use proto::kv::kv_server::Kv;
use proto::kv::txn_operation::Operation as TxnOperationKind;
use proto::kv::{
    Bound, CompareAndSetRequest, Comparison, DeleteRequest, GetRequest, KeyRange, KeyValue,
    PutRequest, Relation, ResponseHeader, ScanRequest, TxnDelete, TxnOperation, TxnPut, TxnRequest,
};
use serde_json::{Value, json};

use crate::metrics::Operation;
use crate::security::{Caller, Right};

use super::gateway::{Gateway, Shared, key};
use super::query::{Query, after_prefix};
use super::reply::{Failure, etag, header_json, key_value_json, raw};

/// What a key must hold before it is written.
#[derive(Debug, PartialEq, Eq)]
enum Condition {
    None,
    /// This value; or none, if it must not exist.
    Value(Option<Bytes>),
    /// What was written at this revision.
    Revision(u64),
}

pub(super) async fn get<K: Kv, A: Admin>(
    State(gateway): Shared<K, A>,
    request: Request,
) -> Response {
    // Without its body, which cannot be shared between threads and says nothing here.
    let Parts { uri, headers, .. } = request.into_parts().0;
    let work = async {
        let caller = gateway.admit(Right::Read, &headers)?;
        let query = Query::parse(uri.query().unwrap_or(""))?;
        let context = gateway.context(&query);
        let message = GetRequest { context, key: key(&uri)?, mode: query.consistency.into() };
        let answer = gateway.kv.get(gateway.request(message, caller, &query)).await;
        let answer = answer.map_err(|status| Failure::from_status(&status))?.into_inner();
        let Some(found) = answer.found else { return Err(no_such_key()) };
        if query.raw || accepts_bytes(&headers) {
            return Ok(raw(found));
        }
        let mut body = key_value_json(&found);
        body["header"] = header_json(answer.header);
        Ok((etag(found.revision), Json(body)).into_response())
    };
    gateway.operate(Operation::Get, &uri, work).await
}

pub(super) async fn put<K: Kv, A: Admin>(
    State(gateway): Shared<K, A>,
    request: Request,
) -> Response {
    let (Parts { uri, headers, .. }, body) = request.into_parts();
    // It decides only under which name the request is counted; what is wrong with it comes later.
    let operation = match condition(&headers, uri.query().unwrap_or("")) {
        Ok((_, Condition::Value(_))) => Operation::CompareAndSet,
        Ok((_, Condition::Revision(_))) => Operation::Txn,
        Ok((_, Condition::None)) | Err(_) => Operation::Put,
    };
    let work = async {
        let caller = gateway.admit(Right::Write, &headers)?;
        let (query, condition) = condition(&headers, uri.query().unwrap_or(""))?;
        let (key, value) = (key(&uri)?, gateway.body(body).await?);
        match condition {
            Condition::None => {
                let (context, lease) = (gateway.context(&query), query.lease);
                let message = PutRequest { context, key, value, lease };
                let answer = gateway.kv.put(gateway.request(message, caller, &query)).await;
                let answer = answer.map_err(|status| Failure::from_status(&status))?.into_inner();
                Ok(written(answer.header, answer.previous, Written::Put))
            }
            Condition::Value(expected) => {
                if query.lease != 0 {
                    return Err(Failure::invalid("a compare-and-set takes no lease"));
                }
                let context = gateway.context(&query);
                let message = CompareAndSetRequest { context, key, expected, value };
                let request = gateway.request(message, caller, &query);
                let answer = gateway.kv.compare_and_set(request).await;
                let answer = answer.map_err(|status| Failure::from_status(&status))?.into_inner();
                if !answer.swapped {
                    return Err(precondition_failed());
                }
                Ok(written(answer.header, answer.previous, Written::Put))
            }
            Condition::Revision(revision) => {
                let put = TxnPut { key: key.clone(), value, lease: query.lease };
                let operation = TxnOperationKind::Put(put);
                transact(&gateway, caller, &query, key, revision, operation).await
            }
        }
    };
    gateway.operate(operation, &uri, work).await
}

pub(super) async fn delete<K: Kv, A: Admin>(
    State(gateway): Shared<K, A>,
    request: Request,
) -> Response {
    // Without its body, which cannot be shared between threads and says nothing here.
    let Parts { uri, headers, .. } = request.into_parts().0;
    let work = async {
        let caller = gateway.admit(Right::Write, &headers)?;
        let (query, condition) = condition(&headers, uri.query().unwrap_or(""))?;
        let key = key(&uri)?;
        match condition {
            Condition::None => {
                let message = DeleteRequest { context: gateway.context(&query), key };
                let answer = gateway.kv.delete(gateway.request(message, caller, &query)).await;
                let answer = answer.map_err(|status| Failure::from_status(&status))?.into_inner();
                Ok(written(answer.header, answer.previous, Written::Deleted))
            }
            Condition::Revision(revision) => {
                let operation = TxnOperationKind::Delete(TxnDelete { key: key.clone() });
                transact(&gateway, caller, &query, key, revision, operation).await
            }
            Condition::Value(_) => Err(Failure::invalid(
                "a delete takes If-Match, and neither expected nor If-None-Match",
            )),
        }
    };
    gateway.operate(Operation::Delete, &uri, work).await
}

pub(super) async fn list<K: Kv, A: Admin>(
    State(gateway): Shared<K, A>,
    request: Request,
) -> Response {
    // Without its body, which cannot be shared between threads and says nothing here.
    let Parts { uri, headers, .. } = request.into_parts().0;
    let work = async {
        let caller = gateway.admit(Right::Read, &headers)?;
        let query = Query::parse(uri.query().unwrap_or(""))?;
        let message = ScanRequest {
            context: gateway.context(&query),
            range: Some(range(&query)),
            prefix: None,
            limit: query.limit,
            mode: query.consistency.into(),
        };
        let answer = gateway.kv.scan(gateway.request(message, caller, &query)).await;
        let answer = answer.map_err(|status| Failure::from_status(&status))?.into_inner();
        let found: Vec<Value> = answer.found.iter().map(key_value_json).collect();
        let body =
            json!({ "found": found, "more": answer.more, "header": header_json(answer.header) });
        Ok(Json(body).into_response())
    };
    gateway.operate(Operation::Scan, &uri, work).await
}

/// The keys with the query's prefix, and of those only the ones after its `after`.
fn range(query: &Query) -> KeyRange {
    let prefix = query.prefix.clone().unwrap_or_default();
    let end = after_prefix(&prefix).map(|key| Bound { key, exclusive: true });
    let start = match query.after.clone().filter(|after| *after >= prefix) {
        Some(key) => Bound { key, exclusive: true },
        None => Bound { key: prefix, exclusive: false },
    };
    KeyRange { start: Some(start), end }
}

/// One operation on a key, provided that it was last written at this revision.
async fn transact<K: Kv, A: Admin>(
    gateway: &Gateway<K, A>,
    caller: Caller,
    query: &Query,
    key: Bytes,
    revision: u64,
    operation: TxnOperationKind,
) -> Result<Response, Failure> {
    let written_as = match operation {
        TxnOperationKind::Delete(_) => Written::Deleted,
        TxnOperationKind::Get(_) | TxnOperationKind::Put(_) | TxnOperationKind::Append(_) => {
            Written::Put
        }
    };
    let right = Some(ComparedWith::Revision(revision));
    let message = TxnRequest {
        context: gateway.context(query),
        compare: vec![Comparison { key, relation: Relation::Equal.into(), right }],
        then: vec![TxnOperation { operation: Some(operation) }],
        otherwise: Vec::new(),
    };
    let answer = gateway.kv.txn(gateway.request(message, caller, query)).await;
    let answer = answer.map_err(|status| Failure::from_status(&status))?.into_inner();
    if !answer.held {
        return Err(precondition_failed());
    }
    let previous = answer.results.into_iter().next().and_then(|result| result.found);
    Ok(written(answer.header, previous, written_as))
}

/// The query, and the condition that it or the headers name.
fn condition(headers: &HeaderMap, query: &str) -> Result<(Query, Condition), Failure> {
    let query = Query::parse(query)?;
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("").trim());
    let condition = match (text(header::IF_MATCH), text(header::IF_NONE_MATCH), &query.expected) {
        (None, None, None) => Condition::None,
        (None, None, Some(expected)) => Condition::Value(Some(expected.clone())),
        (None, Some("*"), None) => Condition::Value(None),
        (None, Some(_), None) => return Err(Failure::invalid("If-None-Match must be *")),
        (Some(revision), None, None) => {
            let revision = revision.trim_matches('"').parse();
            let wrong = |_| Failure::invalid("If-Match must be a revision, such as \"17\"");
            Condition::Revision(revision.map_err(wrong)?)
        }
        (Some(_), Some(_), _) | (Some(_), _, Some(_)) | (_, Some(_), Some(_)) => {
            return Err(Failure::invalid(
                "only one of If-Match, If-None-Match and expected can be given",
            ));
        }
    };
    Ok((query, condition))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Written {
    Put,
    Deleted,
}

fn written(header: Option<ResponseHeader>, previous: Option<KeyValue>, what: Written) -> Response {
    let body = json!({
        "header": header_json(header),
        "previous": previous.as_ref().map(key_value_json),
    });
    match what {
        Written::Put => (etag(header.unwrap_or_default().revision), Json(body)).into_response(),
        Written::Deleted => Json(body).into_response(),
    }
}

fn accepts_bytes(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.starts_with("application/octet-stream"))
}

fn no_such_key() -> Failure {
    Failure::of_http(StatusCode::NOT_FOUND, "KEY_NOT_FOUND", "the key does not exist")
}

fn precondition_failed() -> Failure {
    let message = "the key does not hold what it must";
    Failure::of_http(StatusCode::PRECONDITION_FAILED, "PRECONDITION_FAILED", message)
}

#[cfg(test)]
mod unit_tests {
    use axum::http::HeaderValue;

    use super::*;

    #[track_caller]
    fn ranges(query: &str, expected: &str) {
        let range = range(&Query::parse(query).unwrap());
        let side = |bound: Option<Bound>, closed: &str, open: &str| match bound {
            None => "-".to_owned(),
            Some(Bound { key, exclusive }) => {
                let key = String::from_utf8_lossy(&key).into_owned();
                if exclusive { format!("{open}{key}") } else { format!("{closed}{key}") }
            }
        };
        assert_eq!(
            format!("{} {}", side(range.start, ">=", ">"), side(range.end, "<=", "<")),
            expected
        );
    }

    #[test]
    fn a_page_begins_after_the_last_key_of_the_one_before() {
        ranges("", ">= -");
        ranges("prefix=a/", ">=a/ <a0");
        ranges("prefix=a/&after=a/7", ">a/7 <a0");
        ranges("prefix=b&after=a", ">=b <c");
        ranges("after=a", ">a -");
    }

    #[test]
    fn conditions_are_read_from_headers_and_query() {
        let read = |name: header::HeaderName, value: &'static str, query: &str| {
            let headers = [(name, HeaderValue::from_static(value))].into_iter().collect();
            condition(&headers, query).map(|(_, condition)| condition)
        };
        let if_match = header::IF_MATCH;
        let none = header::IF_NONE_MATCH;
        assert_eq!(read(if_match.clone(), "\"17\"", "").unwrap(), Condition::Revision(17));
        assert_eq!(read(if_match.clone(), "17", "").unwrap(), Condition::Revision(17));
        assert_eq!(read(none.clone(), "*", "").unwrap(), Condition::Value(None));
        let expected = Condition::Value(Some(Bytes::from_static(b"a b")));
        assert_eq!(read(header::ACCEPT, "*/*", "expected=a%20b").unwrap(), expected);
        read(if_match.clone(), "W/\"x\"", "").unwrap_err();
        read(if_match, "17", "expected=a").unwrap_err();
        read(none, "\"17\"", "").unwrap_err();
    }
}

//! Answers and errors in JSON.

use axum::Json;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use prost::Message;
use proto::kv::{ErrorDetail, ErrorKind, KeyValue, ResponseHeader};
use serde_json::{Value, json};
use tonic::{Code, Status};

use super::query::encode;

/// A request that was refused or given up.
#[derive(Debug)]
pub(super) struct Failure {
    status: StatusCode,
    kind: &'static str,
    message: String,
    /// In a box, so that a `Result` of it is small.
    detail: Box<ErrorDetail>,
}

impl Failure {
    /// The request makes no sense.
    pub(super) fn invalid(message: impl Into<String>) -> Failure {
        let kind = ErrorKind::InvalidRequest;
        Failure::of_kind(kind, message.into())
    }

    /// Of one of the kinds of the gRPC API, and surely without effect.
    pub(super) fn of_kind(kind: ErrorKind, message: String) -> Failure {
        let detail = Box::new(ErrorDetail { kind: kind.into(), ..ErrorDetail::default() });
        Failure { status: http_status(kind), kind: kind.as_str_name(), message, detail }
    }

    /// A kind that only HTTP has.
    pub(super) fn of_http(status: StatusCode, kind: &'static str, message: &str) -> Failure {
        let message = message.to_owned();
        Failure { status, kind, message, detail: Box::default() }
    }

    /// The body is larger than a value may be on its way.
    pub(super) fn body_too_large(limit_max: usize) -> Failure {
        let kind = ErrorKind::LimitExceeded;
        let message = format!("the body is too large; the limit is {limit_max} bytes");
        let mut failure = Failure::of_kind(kind, message);
        failure.detail.limit = "message-bytes".to_owned();
        failure.detail.limit_max = limit_max as u64;
        failure
    }

    /// An error of the gRPC API.
    pub(super) fn from_status(status: &Status) -> Failure {
        let detail = Some(status.details()).filter(|details| !details.is_empty());
        let message = status.message().to_owned();
        match detail.and_then(|details| ErrorDetail::decode(details).ok()) {
            Some(detail) => {
                let kind = detail.kind();
                let (status, detail) = (http_status(kind), Box::new(detail));
                Failure { status, kind: kind.as_str_name(), message, detail }
            }
            None if status.code() == Code::Unimplemented => {
                Failure::of_http(StatusCode::NOT_IMPLEMENTED, "UNIMPLEMENTED", &message)
            }
            None => {
                // The store's own code always says more; whether this had an effect is unknown.
                let mut failure = Failure::of_kind(ErrorKind::Unspecified, message);
                failure.detail.indefinite = true;
                failure
            }
        }
    }

    /// The node that leads, if this is why the request was refused.
    pub(super) fn leader(&self) -> Option<u64> {
        let is_elsewhere = self.detail.kind() == ErrorKind::NotLeader;
        Some(self.detail.leader_node).filter(|leader| is_elsewhere && *leader != 0)
    }

    /// The limit that was exceeded, if one was.
    pub(super) fn limit(&self) -> Option<&str> {
        Some(self.detail.limit.as_str()).filter(|limit| !limit.is_empty())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let detail = &self.detail;
        let mut body = json!({
            "error": self.message,
            "kind": self.kind,
            "indefinite": detail.indefinite,
            "leader": match detail.leader_node {
                0 => Value::Null,
                node => json!({ "node": node, "address": detail.leader_address }),
            },
        });
        if !detail.limit.is_empty() {
            body["limit"] = json!({
                "name": detail.limit, "max": detail.limit_max, "asked": detail.limit_asked,
            });
        }
        let mut response = (self.status, Json(body)).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}

fn http_status(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::Unspecified | ErrorKind::Uncertain => StatusCode::INTERNAL_SERVER_ERROR,
        ErrorKind::NotLeader
        | ErrorKind::Overwritten
        | ErrorKind::Stopping
        | ErrorKind::WrongGroup => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::Busy => StatusCode::TOO_MANY_REQUESTS,
        ErrorKind::InvalidRequest | ErrorKind::SpansGroups => StatusCode::BAD_REQUEST,
        ErrorKind::SessionExpired => StatusCode::CONFLICT,
        ErrorKind::Timeout => StatusCode::GATEWAY_TIMEOUT,
        ErrorKind::LimitExceeded => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorKind::LeaseNotFound => StatusCode::NOT_FOUND,
        ErrorKind::Compacted => StatusCode::GONE,
        ErrorKind::Unauthenticated => StatusCode::UNAUTHORIZED,
        ErrorKind::PermissionDenied => StatusCode::FORBIDDEN,
    }
}

/// `{"revision": 7, "term": 2, "node": 1, "group": 0}`
pub(super) fn header_json(header: Option<ResponseHeader>) -> Value {
    let header = header.unwrap_or_default();
    json!({
        "revision": header.revision, "term": header.term, "node": header.node,
        "group": header.group,
    })
}

/// `{"key": "a/b", "value": "text", "revision": 7, "version": 1, "lease": 0}`
pub(super) fn key_value_json(found: &KeyValue) -> Value {
    let mut object = json!({ "key": encode(&found.key) });
    match std::str::from_utf8(&found.value) {
        Ok(text) => object["value"] = text.into(),
        Err(_) => object["value_base64"] = base64(&found.value).into(),
    }
    object["revision"] = found.revision.into();
    object["version"] = found.version.into();
    object["lease"] = found.lease.into();
    object
}

/// A key's revision as its `ETag`.
pub(super) fn etag(revision: u64) -> HeaderMap {
    let value = HeaderValue::from_str(&format!("\"{revision}\""));
    value.ok().map(|value| (header::ETAG, value)).into_iter().collect()
}

/// A value as the whole body, and what else is known of it in headers.
pub(super) fn raw(found: KeyValue) -> Response {
    let number = |name: &'static str, number: u64| {
        (HeaderName::from_static(name), HeaderValue::from(number))
    };
    let headers: HeaderMap = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream")),
        number("x-breakwater-revision", found.revision),
        number("x-breakwater-version", found.version),
    ]
    .into_iter()
    .collect();
    let value: Bytes = found.value;
    (etag(found.revision), headers, value).into_response()
}

/// RFC 4648 §4, with padding.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |position: usize| u32::from(chunk.get(position).copied().unwrap_or(0));
        let group = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            if digit > chunk.len() {
                text.push('=');
            } else {
                let index = (group >> (18 - 6 * digit)) & 63;
                text.push(char::from(DIGITS[index as usize]));
            }
        }
    }
    text
}

#[cfg(test)]
mod unit_tests {
    use super::*;

    /// The test vectors of RFC 4648 §10.
    #[test]
    fn base64_is_that_of_the_rfc() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
        assert_eq!(base64(&[0xff, 0xfe, 0xfd]), "//79");
    }
}

//! The routes, and what is common to all requests.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use bytes::Bytes;
use proto::admin::admin_server::Admin;
use proto::admin::{StatusRequest, StatusResponse};
use proto::kv::kv_server::Kv;
use proto::kv::{ErrorKind, RequestContext};
use serde_json::{Value, json};

use crate::api::readiness::Readiness;
use crate::metrics::{Metrics, Operation, exposition};
use crate::security::{Caller, Guard, Port, Right};
use crate::transport::Directory;
use crate::types::NodeId;

use super::kv;
use super::query::{Query, decode};
use super::reply::Failure;

/// Beyond the time of the request itself, for its body to arrive.
const BODY_PATIENCE: Duration = Duration::from_secs(1);

/// What the gateway knows of the server around it.
#[derive(Debug)]
pub struct GatewayConfig {
    /// This node.
    pub node: NodeId,
    /// Bytes of a body.
    pub body_bytes_max: usize,
    /// How long a request may take.
    pub request_timeout: Duration,
    /// Redirect to the leader instead of forwarding, unless the request says otherwise.
    pub redirect: bool,
    /// Is it `https`?
    pub has_tls: bool,
    /// Who may ask for what.
    pub guard: Arc<Guard>,
    /// Where requests are counted.
    pub metrics: Arc<Metrics>,
    /// Whether the node can serve.
    pub readiness: Readiness,
    /// Where the other nodes are.
    pub directory: Directory,
}

/// The store's services behind HTTP.
#[derive(Debug)]
pub struct Gateway<K, A> {
    pub(super) kv: K,
    admin: A,
    pub(super) config: GatewayConfig,
}

impl<K: Kv, A: Admin> Gateway<K, A> {
    /// A gateway to these services.
    pub fn new(kv: K, admin: A, config: GatewayConfig) -> Gateway<K, A> {
        Gateway { kv, admin, config }
    }

    /// The routes.
    pub fn into_router(self) -> Router {
        let key = get(kv::get::<K, A>).put(kv::put::<K, A>).delete(kv::delete::<K, A>);
        Router::new()
            .route("/v1/kv", get(kv::list::<K, A>))
            .route("/v1/kv/", key.clone())
            .route("/v1/kv/{*key}", key)
            .route("/v1/status", get(status::<K, A>))
            .route("/healthz", get(async || "ok\n"))
            .route("/readyz", get(ready::<K, A>))
            .route("/metrics", get(metrics::<K, A>))
            .fallback(async || {
                Failure::of_http(StatusCode::NOT_FOUND, "NO_SUCH_PATH", "no such path")
            })
            .method_not_allowed_fallback(async || {
                let status = StatusCode::METHOD_NOT_ALLOWED;
                Failure::of_http(status, "NO_SUCH_METHOD", "the path has no such method")
            })
            .with_state(Arc::new(self))
    }

    pub(super) fn admit(&self, right: Right, headers: &HeaderMap) -> Result<Caller, Failure> {
        let authorization = headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
        self.config
            .guard
            .admit_right(Port::Clients, right, authorization)
            .map_err(|denial| Failure::of_kind(denial.kind, denial.message))
    }

    /// Performs an operation of a client, and counts and measures it.
    pub(super) async fn operate(
        &self,
        operation: Operation,
        uri: &Uri,
        work: impl Future<Output = Result<Response, Failure>>,
    ) -> Response {
        let started = Instant::now();
        let patience = self.config.request_timeout + BODY_PATIENCE;
        let result = match tokio::time::timeout(patience, work).await {
            Ok(result) => result,
            // The store's own timeout comes first, so the body was slow.
            Err(_) => Err(Failure::of_kind(
                ErrorKind::Timeout,
                "the request did not arrive in time".to_owned(),
            )),
        };
        let measured = self.config.metrics.group(0);
        measured.operation(operation, started.elapsed());
        result.unwrap_or_else(|failure| {
            measured.failure(operation);
            if let Some(limit) = failure.limit() {
                self.config.metrics.limit_hit(limit);
            }
            self.redirect(&failure, uri).unwrap_or_else(|| failure.into_response())
        })
    }

    /// To the leader, if it is elsewhere and its HTTP address is known. A request that was
    /// forwarded never fails so.
    fn redirect(&self, failure: &Failure, uri: &Uri) -> Option<Response> {
        let query = Query::parse(uri.query().unwrap_or("")).ok()?;
        if !self.wants_redirect(&query) {
            return None;
        }
        let address = self.config.directory.http(NodeId(failure.leader()?))?;
        let scheme = if self.config.has_tls { "https" } else { "http" };
        let location = HeaderValue::from_str(&format!("{scheme}://{address}{uri}")).ok()?;
        let headers = [(header::LOCATION, location)];
        Some((StatusCode::TEMPORARY_REDIRECT, headers).into_response())
    }

    fn wants_redirect(&self, query: &Query) -> bool {
        query.redirect.unwrap_or(self.config.redirect)
    }

    /// As a request of the gRPC API.
    pub(super) fn request<T>(
        &self,
        message: T,
        caller: Caller,
        query: &Query,
    ) -> tonic::Request<T> {
        let mut request = tonic::Request::new(message);
        request.extensions_mut().insert(caller);
        // More than the store allows changes nothing, and gRPC has no words for a million years.
        if let Some(timeout) = query.timeout.filter(|it| *it < self.config.request_timeout) {
            request.set_timeout(timeout);
        }
        request
    }

    pub(super) fn context(&self, query: &Query) -> Option<RequestContext> {
        Some(RequestContext {
            session: query.session,
            sequence: query.sequence,
            no_forward: self.wants_redirect(query),
        })
    }

    async fn status(&self, caller: Caller, group: u32) -> Result<StatusResponse, Failure> {
        let mut request = tonic::Request::new(StatusRequest { group });
        request.extensions_mut().insert(caller);
        let status = self.admin.status(request).await;
        status.map(tonic::Response::into_inner).map_err(|status| Failure::from_status(&status))
    }

    /// The body, up to the limit.
    pub(super) async fn body(&self, body: Body) -> Result<Bytes, Failure> {
        let limit = self.config.body_bytes_max;
        axum::body::to_bytes(body, limit).await.map_err(|_| Failure::body_too_large(limit))
    }
}

/// The state of the handlers.
pub(super) type Shared<K, A> = State<Arc<Gateway<K, A>>>;

/// The key in a path.
pub(super) fn key(uri: &Uri) -> Result<Bytes, Failure> {
    decode(uri.path().strip_prefix("/v1/kv/").unwrap_or(""))
}

async fn status<K: Kv, A: Admin>(
    State(gateway): Shared<K, A>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let caller = gateway.admit(Right::Read, &headers)?;
    // Of a group that has no replica here there is what is said of the node.
    let node = gateway.status(caller, 0).await?;
    let mut groups = Vec::new();
    for group in &node.groups {
        groups.push(group_json(&gateway.status(caller, *group).await?));
    }
    let body = json!({
        "node": node.node,
        "cluster": node.cluster,
        "version": node.version,
        "storage": node.storage,
        "mode": node.mode,
        "groups": groups,
    });
    Ok(Json(body).into_response())
}

fn group_json(status: &StatusResponse) -> Value {
    json!({
        "group": status.group,
        "role": status.role,
        "term": status.term,
        "leader": status.leader,
        "committed": status.committed,
        "applied": status.applied,
        "persisted": status.persisted,
        "first_index": status.first_index,
        "last_index": status.last_index,
        "snapshot_index": status.snapshot_index,
        "voters": status.voters,
        "learners": status.learners,
    })
}

async fn ready<K: Kv, A: Admin>(State(gateway): Shared<K, A>) -> Response {
    if gateway.config.readiness.is_ready() {
        "ready\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready\n").into_response()
    }
}

async fn metrics<K: Kv, A: Admin>(
    State(gateway): Shared<K, A>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    gateway.admit(Right::Read, &headers)?;
    let config = &gateway.config;
    match exposition(config.node, &config.metrics, config.readiness.groups()) {
        Ok(text) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
        }
        Err(error) => Err(Failure::of_kind(ErrorKind::Unspecified, error.to_string())),
    }
}

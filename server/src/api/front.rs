//! Stands in front of all gRPC services of a port: asks the guard, takes the time, counts.
//!
//! It sees requests before anything of them is decoded, so that a stranger's bytes reach no service.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use prost::Message;
use proto::kv::{ErrorDetail, ErrorKind};
use tonic::body::Body;
use tonic::codegen::{Service, http};
use tonic::service::Routes;
use tonic::{Code, Status};

use crate::metrics::{Metrics, Operation};
use crate::security::{Denial, Guard, Port};
use crate::types::GroupId;

/// The services of one port, and what stands in front of them.
#[derive(Debug, Clone)]
pub struct Front {
    routes: Routes,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    port: Port,
    guard: Arc<Guard>,
    metrics: Arc<Metrics>,
    message_bytes_max: usize,
}

impl Front {
    /// Stands in front of these services, whose messages have at most so many bytes.
    pub fn new(
        routes: Routes,
        port: Port,
        guard: Arc<Guard>,
        metrics: Arc<Metrics>,
        message_bytes_max: usize,
    ) -> Front {
        let shared = Shared { port, guard, metrics, message_bytes_max };
        Front { routes: routes.prepare(), shared: Arc::new(shared) }
    }
}

type Answer = Result<http::Response<Body>, Infallible>;

impl Service<http::Request<Body>> for Front {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Answer> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<http::Request<Body>>::poll_ready(&mut self.routes, context)
    }

    fn call(&mut self, mut request: http::Request<Body>) -> Self::Future {
        let shared = &self.shared;
        let authorization = request.headers().get(http::header::AUTHORIZATION);
        let authorization = authorization.map(http::HeaderValue::as_bytes);
        match shared.guard.admit(shared.port, request.uri().path(), authorization) {
            Ok(caller) => request.extensions_mut().insert(caller),
            Err(denial) => {
                let status = denial_status(denial);
                return Box::pin(std::future::ready(Ok(status.into_http())));
            }
        };
        let operation = operation(request.uri().path());
        let shared = Arc::clone(shared);
        let started = Instant::now();
        let answer = self.routes.call(request);
        Box::pin(async move {
            let answer = answer.await?;
            Ok(shared.answered(operation, started, answer))
        })
    }
}

impl Shared {
    /// Counts an answer; and says as the store's own error which limit a message broke that was too
    /// large to be decoded.
    fn answered(
        &self,
        operation: Option<Operation>,
        started: Instant,
        answer: http::Response<Body>,
    ) -> http::Response<Body> {
        // Only an answer without a message has its status in front.
        let failure = Status::from_header_map(answer.headers()).filter(|it| it.code() != Code::Ok);
        let group = answer.extensions().get::<GroupId>().map_or(0, |group| group.0);
        if let Some(operation) = operation {
            let group = self.metrics.group(group);
            group.operation(operation, started.elapsed());
            if failure.is_some() {
                group.failure(operation);
            }
        }
        let Some(failure) = failure else { return answer };
        if failure.code() == Code::OutOfRange && failure.details().is_empty() {
            self.metrics.limit_hit("message-bytes");
            return self.message_too_large(&failure).into_http();
        }
        if let Ok(detail) = ErrorDetail::decode(failure.details())
            && !detail.limit.is_empty()
        {
            self.metrics.limit_hit(&detail.limit);
        }
        answer
    }

    /// tonic says this in words only: "... found 5 bytes, the limit is: 4 bytes".
    fn message_too_large(&self, failure: &Status) -> Status {
        let digits = |text: &str| {
            let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
            digits.parse().ok()
        };
        let asked: Option<u64> =
            failure.message().split_once("found ").and_then(|(_, rest)| digits(rest));
        let limit_max = self.message_bytes_max as u64;
        let message = match asked {
            Some(asked) => format!("a message of {asked} bytes; the limit is {limit_max} bytes"),
            None => format!("the message is too large; the limit is {limit_max} bytes"),
        };
        let detail = ErrorDetail {
            kind: ErrorKind::LimitExceeded.into(),
            limit: "message-bytes".to_owned(),
            limit_max,
            limit_asked: asked.unwrap_or(0),
            ..ErrorDetail::default()
        };
        let detail = detail.encode_to_vec().into();
        Status::with_details(Code::ResourceExhausted, message, detail)
    }
}

/// A denial as a gRPC status.
fn denial_status(denial: Denial) -> Status {
    let code = match denial.kind {
        ErrorKind::Unauthenticated => Code::Unauthenticated,
        _ => Code::PermissionDenied,
    };
    let detail = ErrorDetail { kind: denial.kind.into(), ..ErrorDetail::default() };
    Status::with_details(code, denial.message, detail.encode_to_vec().into())
}

/// Which operation a method is; none for those whose answer is a stream.
fn operation(path: &str) -> Option<Operation> {
    Some(match path.strip_prefix("/breakwater.kv.v1.Kv/")? {
        "OpenSession" => Operation::OpenSession,
        "Get" => Operation::Get,
        "Put" => Operation::Put,
        "Delete" => Operation::Delete,
        "CompareAndSet" => Operation::CompareAndSet,
        "Append" => Operation::Append,
        "Txn" => Operation::Txn,
        "Scan" => Operation::Scan,
        "GrantLease" => Operation::GrantLease,
        "KeepAlive" => Operation::KeepAlive,
        "RevokeLease" => Operation::RevokeLease,
        "Lock" => Operation::Lock,
        "Unlock" => Operation::Unlock,
        _ => return None,
    })
}

//! What became of an operation, in words that all systems share.

use std::future::Future;
use std::time::Duration;

use workloads::generator::Invocation;
use workloads::history::{EventKind, Value};

use super::Completion;

/// Why an operation did not take effect, or may not have.
#[derive(Debug, thiserror::Error)]
pub(in crate::system) enum Failure {
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
    /// A local read was answered from an older state than the one before.
    #[error("the node went back from revision {before} to {now}, so it was restarted")]
    WentBack { before: u64, now: u64 },
    /// The workload asks for what there is not.
    #[error("the system has no operation {f} with the value {value}")]
    Unknown { f: &'static str, value: Value },
}

impl Failure {
    /// It had no effect and never will.
    pub(in crate::system) fn without_effect(reason: impl ToString) -> Failure {
        Failure::Request { doubt: false, reason: reason.to_string() }
    }

    /// It may have had its effect, or may have it later.
    pub(in crate::system) fn in_doubt(reason: impl ToString) -> Failure {
        Failure::Request { doubt: true, reason: reason.to_string() }
    }

    pub(in crate::system) fn is_in_doubt(&self) -> bool {
        matches!(self, Failure::Request { doubt: true, .. })
    }

    /// Does the process end with it? A node that was restarted may have to catch up with what it had
    /// shown, so that what is read there next is read by another process.
    fn ends_process(&self) -> bool {
        matches!(self, Failure::WentBack { .. })
    }

    pub(in crate::system) fn unknown(invocation: &Invocation) -> Failure {
        Failure::Unknown { f: invocation.f, value: invocation.value.clone() }
    }
}

/// Can it have an effect?
pub(in crate::system) fn is_read(invocation: &Invocation) -> bool {
    match invocation.f {
        "read" | "scan" | "poll" | "watch" => true,
        "txn" => steps(&invocation.value).all(|step| step[0].as_str() == Some("r")),
        _ => false,
    }
}

/// The steps of a transaction.
pub(in crate::system) fn steps(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_list().unwrap_or_default().iter()
}

/// What became of an operation that has so long for its answer.
pub(in crate::system) async fn answered(
    invocation: &Invocation,
    timeout: Duration,
    operation: impl Future<Output = Result<Completion, Failure>>,
) -> Completion {
    match tokio::time::timeout(timeout, operation).await {
        Ok(Ok(completion)) => completion,
        Ok(Err(failure)) => completion(invocation, &failure),
        Err(_) => completion(invocation, &Failure::in_doubt("no answer in time")),
    }
}

/// The completion of an operation that failed. A read has no effect, so that a failed one is `fail`; a
/// write in doubt is `info`, and so is whatever ends the process.
pub(in crate::system) fn completion(invocation: &Invocation, failure: &Failure) -> Completion {
    let doubt = failure.is_in_doubt() && !is_read(invocation);
    let kind = match doubt || failure.ends_process() {
        true => EventKind::Info,
        false => EventKind::Fail,
    };
    Completion { kind, value: invocation.value.clone(), error: Some(failure.to_string()) }
}

//! How an operation fails.

use std::fmt;

use prost::Message;
use tonic::{Code, Status};

use super::connections::was_not_sent;
use super::pipeline::PipelineCut;
use crate::kv::{ErrorDetail, ErrorKind};

/// An operation failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ClientError {
    /// It had no effect and never will.
    #[error("{0}")]
    Definite(Failure),
    /// It may have had its effect, or may have it later.
    #[error("{0} (it may have taken effect)")]
    Indefinite(Failure),
}

impl ClientError {
    /// May the operation have had an effect, now or later?
    pub fn is_indefinite(&self) -> bool {
        matches!(self, ClientError::Indefinite(_))
    }

    /// What went wrong in the attempt that decided.
    pub fn failure(&self) -> &Failure {
        match self {
            ClientError::Definite(failure) | ClientError::Indefinite(failure) => failure,
        }
    }
}

/// What went wrong in one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The server's classification; none if no server answered.
    pub kind: Option<ErrorKind>,
    /// In words.
    pub message: String,
    /// The address that was asked.
    pub address: String,
    /// Where the leader is believed to be.
    pub leader: Option<String>,
    /// May this attempt have had an effect?
    pub(super) indefinite: bool,
    /// Can another attempt fare better?
    pub(super) transient: bool,
    /// Is the connection worth keeping?
    pub(super) connected: bool,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.address, self.message)
    }
}

impl Failure {
    /// No connection: nothing was sent.
    pub(super) fn unreachable(address: &str, message: String) -> Failure {
        Failure {
            kind: None,
            message,
            address: address.to_owned(),
            leader: None,
            indefinite: false,
            transient: true,
            connected: false,
        }
    }

    /// What the client was given to work with is no good: nothing was sent.
    pub(super) fn unusable(message: String) -> Failure {
        Failure { transient: false, connected: true, ..Failure::unreachable("client", message) }
    }

    /// The request exceeds a limit: nothing was sent.
    pub(super) fn too_large(address: &str, bytes: usize) -> Failure {
        Failure {
            kind: Some(ErrorKind::LimitExceeded),
            transient: false,
            connected: true,
            ..Failure::unreachable(address, format!("a request of {bytes} bytes is too large"))
        }
    }

    /// No answer in time.
    pub(super) fn silent(address: &str) -> Failure {
        Failure {
            indefinite: true,
            ..Failure::unreachable(address, "no answer in time".to_owned())
        }
    }

    /// An error of gRPC: the server's own, or the connection's.
    pub(super) fn from_status(address: &str, status: &Status) -> Failure {
        if let Some(detail) = error_detail(status) {
            return Failure::from_detail(address, &detail, status.message().to_owned());
        }
        // Without a detail the server's own code did not answer. A request that was never sent, or
        // was refused before it was looked at, had no effect; anything else may have.
        let refused = refused_kind(status);
        Failure {
            kind: refused,
            indefinite: refused.is_none() && !was_not_sent(status),
            transient: refused.is_none(),
            connected: refused.is_some(),
            ..Failure::unreachable(address, describe(status))
        }
    }

    /// The server's own error.
    pub(super) fn from_detail(address: &str, detail: &ErrorDetail, message: String) -> Failure {
        let leader = detail.leader_address.clone();
        Failure {
            kind: Some(detail.kind()),
            message,
            address: address.to_owned(),
            leader: Some(leader).filter(|address| !address.is_empty()),
            indefinite: detail.indefinite,
            transient: is_transient(detail.kind()),
            connected: true,
        }
    }

    /// A pipeline brought no reply.
    pub(super) fn from_cut(address: &str, cut: &PipelineCut) -> Failure {
        let failure = Failure::unreachable(address, cut.to_string());
        match cut {
            PipelineCut::Busy => {
                Failure { kind: Some(ErrorKind::Busy), connected: true, ..failure }
            }
            PipelineCut::NotSent(_) => failure,
            PipelineCut::Refused { kind, .. } => {
                Failure { kind: Some(*kind), transient: is_transient(*kind), ..failure }
            }
            PipelineCut::Lost(_) => Failure { indefinite: true, ..failure },
        }
    }
}

/// Was the request refused before anybody looked at what it asks? Then it had no effect.
pub(super) fn refused_kind(status: &Status) -> Option<ErrorKind> {
    if let Some(detail) = error_detail(status) {
        return Some(detail.kind()).filter(|_| !detail.indefinite);
    }
    match status.code() {
        Code::Unimplemented => Some(ErrorKind::Unspecified),
        Code::Unauthenticated => Some(ErrorKind::Unauthenticated),
        Code::PermissionDenied => Some(ErrorKind::PermissionDenied),
        _ => None,
    }
}

/// Why the store refused a request, if it was the store.
fn error_detail(status: &Status) -> Option<ErrorDetail> {
    if status.details().is_empty() {
        return None;
    }
    ErrorDetail::decode(status.details()).ok()
}

fn is_transient(kind: ErrorKind) -> bool {
    match kind {
        ErrorKind::NotLeader
        | ErrorKind::Busy
        | ErrorKind::Timeout
        | ErrorKind::Uncertain
        | ErrorKind::Overwritten
        | ErrorKind::WrongGroup
        | ErrorKind::Stopping => true,
        ErrorKind::Unspecified
        | ErrorKind::InvalidRequest
        | ErrorKind::SessionExpired
        | ErrorKind::LimitExceeded
        | ErrorKind::LeaseNotFound
        | ErrorKind::Compacted
        | ErrorKind::SpansGroups
        | ErrorKind::Unauthenticated
        | ErrorKind::PermissionDenied => false,
    }
}

/// The message with its causes, because gRPC's own often says "transport error" only.
pub(super) fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

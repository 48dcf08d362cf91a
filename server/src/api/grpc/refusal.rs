//! Why a request has no answer, and what that means for its effect.

use prost::Message;
use proto::client::was_not_sent;
use proto::kv::{ErrorDetail, ErrorKind};
use tonic::{Code, Status};

use crate::driver::NodeError;
use crate::replica::Rejection;
use crate::types::NodeId;

/// Is the request one that can have an effect?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
}

/// A request that was refused or given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) kind: ErrorKind,
    /// May the request have had an effect, now or later?
    pub(super) indefinite: bool,
    pub(super) message: String,
    pub(super) leader: Option<NodeId>,
}

impl Refusal {
    /// Surely without an effect.
    pub(super) fn definite(kind: ErrorKind, message: impl Into<String>) -> Refusal {
        Refusal { kind, indefinite: false, message: message.into(), leader: None }
    }

    pub(super) fn not_leader(leader: Option<NodeId>) -> Refusal {
        let message = match leader {
            Some(leader) => format!("not the leader; node {leader} is"),
            None => "not the leader, and none is known".to_owned(),
        };
        Refusal { leader, ..Refusal::definite(ErrorKind::NotLeader, message) }
    }

    /// No connection to the leader: nothing was sent.
    pub(super) fn leader_unreachable(leader: NodeId) -> Refusal {
        let message = format!("not the leader; node {leader} is, but there is no way to it");
        Refusal { leader: Some(leader), ..Refusal::definite(ErrorKind::NotLeader, message) }
    }

    /// It was under way when its time was up.
    pub(super) fn timeout(access: Access) -> Refusal {
        Refusal {
            indefinite: access == Access::Write,
            ..Refusal::definite(ErrorKind::Timeout, "no answer in time")
        }
    }

    pub(super) fn from_node(access: Access, error: NodeError) -> Refusal {
        let kind = match error {
            NodeError::Rejected(Rejection::NotLeader { leader }) => {
                return Refusal::not_leader(leader);
            }
            NodeError::Rejected(Rejection::Busy) | NodeError::Busy => ErrorKind::Busy,
            NodeError::Rejected(Rejection::Overwritten) => ErrorKind::Overwritten,
            NodeError::Rejected(Rejection::Uncertain) => ErrorKind::Uncertain,
            NodeError::Rejected(Rejection::Timeout) => ErrorKind::Timeout,
            NodeError::Lost => ErrorKind::Uncertain,
            NodeError::Stopping => ErrorKind::Stopping,
        };
        Refusal {
            indefinite: access == Access::Write && error.is_indefinite(),
            ..Refusal::definite(kind, error.to_string())
        }
    }

    /// The leader's answer to a request that was forwarded, or the failure on the way.
    pub(super) fn from_leader(access: Access, leader: NodeId, status: &Status) -> Refusal {
        let detail = Some(status.details()).filter(|details| !details.is_empty());
        if let Some(detail) = detail.and_then(|details| ErrorDetail::decode(details).ok()) {
            return Refusal {
                kind: detail.kind(),
                indefinite: detail.indefinite,
                message: status.message().to_owned(),
                leader: Some(NodeId(detail.leader_node)).filter(|leader| leader.0 != 0),
            };
        }
        if was_not_sent(status) {
            return Refusal::leader_unreachable(leader);
        }
        let message = format!("the request was lost on the way to node {leader}: {status}");
        Refusal {
            indefinite: access == Access::Write,
            leader: Some(leader),
            ..Refusal::definite(ErrorKind::Uncertain, message)
        }
    }

    /// Can another attempt fare better, without a second effect?
    pub(super) fn is_worth_another_attempt(&self) -> bool {
        let transient = match self.kind {
            ErrorKind::NotLeader
            | ErrorKind::Overwritten
            | ErrorKind::Uncertain
            | ErrorKind::Timeout => true,
            ErrorKind::Unspecified
            | ErrorKind::Busy
            | ErrorKind::InvalidRequest
            | ErrorKind::SessionExpired
            | ErrorKind::Stopping
            | ErrorKind::LimitExceeded
            | ErrorKind::LeaseNotFound
            | ErrorKind::Compacted
            | ErrorKind::WrongGroup
            | ErrorKind::SpansGroups
            | ErrorKind::Unauthenticated
            | ErrorKind::PermissionDenied => false,
        };
        transient && !self.indefinite
    }

    /// As a gRPC status. `address` is the leader's.
    pub(super) fn into_status(self, address: Option<&String>) -> Status {
        let detail = ErrorDetail {
            kind: self.kind.into(),
            indefinite: self.indefinite,
            leader_node: self.leader.map_or(0, |leader| leader.0),
            leader_address: address.cloned().unwrap_or_default(),
            ..ErrorDetail::default()
        };
        Status::with_details(code(self.kind), self.message, detail.encode_to_vec().into())
    }
}

fn code(kind: ErrorKind) -> Code {
    match kind {
        ErrorKind::Unspecified => Code::Internal,
        ErrorKind::NotLeader | ErrorKind::SessionExpired => Code::FailedPrecondition,
        ErrorKind::Busy => Code::ResourceExhausted,
        ErrorKind::InvalidRequest => Code::InvalidArgument,
        ErrorKind::Timeout => Code::DeadlineExceeded,
        ErrorKind::Uncertain => Code::Unknown,
        ErrorKind::Overwritten => Code::Aborted,
        ErrorKind::Stopping => Code::Unavailable,
        ErrorKind::LimitExceeded => Code::ResourceExhausted,
        ErrorKind::LeaseNotFound => Code::NotFound,
        ErrorKind::Compacted => Code::OutOfRange,
        ErrorKind::WrongGroup | ErrorKind::SpansGroups => Code::FailedPrecondition,
        ErrorKind::Unauthenticated => Code::Unauthenticated,
        ErrorKind::PermissionDenied => Code::PermissionDenied,
    }
}

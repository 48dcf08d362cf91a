//! Why a request has no answer, and what that means for its effect.

use prost::Message;
use proto::client::PipelineCut;
use proto::kv::{ErrorDetail, ErrorKind, PipelineError};
use tonic::{Code, Status};

use crate::driver::NodeError;
use crate::replica::Rejection;
use crate::shard::SpansGroups;
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
    /// For a limit that was exceeded.
    pub(super) excess: Option<Box<Excess>>,
    /// For a watch that comes too late: the first revision that is still remembered.
    pub(super) first_revision: u64,
}

/// A limit was exceeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Excess {
    /// Its name, such as `value-bytes`.
    pub(super) limit: String,
    /// What is allowed.
    pub(super) max: u64,
    /// What was asked for; 0 if that is not known.
    pub(super) asked: u64,
}

impl Refusal {
    /// Surely without an effect.
    pub(super) fn definite(kind: ErrorKind, message: impl Into<String>) -> Refusal {
        Refusal {
            kind,
            indefinite: false,
            message: message.into(),
            leader: None,
            excess: None,
            first_revision: 0,
        }
    }

    /// More than is allowed.
    pub(super) fn over_limit(limit: &str, max: u64, asked: u64) -> Refusal {
        let message = format!("{asked} exceeds the limit {limit} of {max}");
        let excess = Some(Box::new(Excess { limit: limit.to_owned(), max, asked }));
        Refusal { excess, ..Refusal::definite(ErrorKind::LimitExceeded, message) }
    }

    /// Changes of that revision are not remembered any more.
    pub(super) fn compacted(first_revision: u64) -> Refusal {
        let message = format!(
            "changes before revision {first_revision} are not remembered\n\
             hint: read the keys, and watch from the revision of that reply on"
        );
        Refusal { first_revision, ..Refusal::definite(ErrorKind::Compacted, message) }
    }

    /// The keys of a watch are in several groups since that revision.
    pub(super) fn scattered(revision: u64, message: String) -> Refusal {
        let first_revision = revision + 1;
        Refusal { first_revision, ..Refusal::definite(ErrorKind::SpansGroups, message) }
    }

    /// Keys are just moving to another group, or have moved.
    pub(super) fn wrong_group() -> Refusal {
        let message = "the key belongs to another group, or is just moving there\n\
             hint: try again in a moment";
        Refusal::definite(ErrorKind::WrongGroup, message)
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
            NodeError::NotHosted => return Refusal::not_leader(None),
            NodeError::Rejected(Rejection::AtLimit { limit, max }) => {
                let refusal = Refusal::over_limit(limit, max, max + 1);
                return Refusal { kind: ErrorKind::Busy, ..refusal };
            }
            NodeError::Rejected(Rejection::Busy) | NodeError::Busy => ErrorKind::Busy,
            NodeError::Rejected(Rejection::Overwritten) => ErrorKind::Overwritten,
            NodeError::Rejected(Rejection::Uncertain) => ErrorKind::Uncertain,
            NodeError::Rejected(Rejection::Timeout) => ErrorKind::Timeout,
            NodeError::Rejected(Rejection::LeaseNotFound) => ErrorKind::LeaseNotFound,
            NodeError::Rejected(
                Rejection::Members(_) | Rejection::Transfer(_) | Rejection::SnapshotFailed,
            ) => ErrorKind::InvalidRequest,
            NodeError::Lost => ErrorKind::Uncertain,
            NodeError::Stopping => ErrorKind::Stopping,
        };
        Refusal {
            indefinite: access == Access::Write && error.is_indefinite(),
            ..Refusal::definite(kind, error.to_string())
        }
    }

    /// The leader's answer to a request that was forwarded.
    pub(super) fn from_leader(error: PipelineError) -> Refusal {
        let PipelineError { message, detail } = error;
        let detail = detail.unwrap_or_default();
        let excess = Some(&detail).filter(|detail| !detail.limit.is_empty()).map(|detail| {
            let limit = detail.limit.clone();
            Box::new(Excess { limit, max: detail.limit_max, asked: detail.limit_asked })
        });
        Refusal {
            kind: detail.kind(),
            indefinite: detail.indefinite,
            message,
            leader: Some(NodeId(detail.leader_node)).filter(|leader| leader.0 != 0),
            excess,
            first_revision: detail.first_revision,
        }
    }

    /// The failure of a request on the way to the leader.
    pub(super) fn from_cut(access: Access, leader: NodeId, cut: &PipelineCut) -> Refusal {
        let definite = |kind| {
            let message = format!("not the leader; node {leader} is, but {cut}");
            Refusal { leader: Some(leader), ..Refusal::definite(kind, message) }
        };
        match cut {
            PipelineCut::Busy => definite(ErrorKind::Busy),
            PipelineCut::NotSent(_) | PipelineCut::Refused { .. } => definite(ErrorKind::NotLeader),
            PipelineCut::Lost(reason) => {
                let message = format!("the request was lost on the way to node {leader}: {reason}");
                Refusal {
                    indefinite: access == Access::Write,
                    leader: Some(leader),
                    ..Refusal::definite(ErrorKind::Uncertain, message)
                }
            }
        }
    }

    /// Can another attempt fare better, without a second effect?
    pub(super) fn is_worth_another_attempt(&self) -> bool {
        let transient = match self.kind {
            ErrorKind::NotLeader
            | ErrorKind::Overwritten
            | ErrorKind::Uncertain
            | ErrorKind::WrongGroup
            | ErrorKind::Timeout => true,
            ErrorKind::Unspecified
            | ErrorKind::Busy
            | ErrorKind::InvalidRequest
            | ErrorKind::SessionExpired
            | ErrorKind::Stopping
            | ErrorKind::LimitExceeded
            | ErrorKind::LeaseNotFound
            | ErrorKind::Compacted
            | ErrorKind::SpansGroups
            | ErrorKind::Unauthenticated
            | ErrorKind::PermissionDenied => false,
        };
        transient && !self.indefinite
    }

    /// As a gRPC status. `address` is the leader's.
    pub(super) fn into_status(self, address: Option<&String>) -> Status {
        let code = code(self.kind);
        let PipelineError { message, detail } = self.into_error(address);
        let detail = detail.unwrap_or_default();
        Status::with_details(code, message, detail.encode_to_vec().into())
    }

    /// As an error on a pipeline. `address` is the leader's.
    pub(super) fn into_error(self, address: Option<&String>) -> PipelineError {
        let mut detail = ErrorDetail {
            kind: self.kind.into(),
            indefinite: self.indefinite,
            leader_node: self.leader.map_or(0, |leader| leader.0),
            leader_address: address.cloned().unwrap_or_default(),
            first_revision: self.first_revision,
            ..ErrorDetail::default()
        };
        if let Some(excess) = self.excess {
            detail.limit = excess.limit;
            detail.limit_max = excess.max;
            detail.limit_asked = excess.asked;
        }
        PipelineError { message: self.message, detail: Some(detail) }
    }
}

impl From<SpansGroups> for Refusal {
    fn from(error: SpansGroups) -> Refusal {
        Refusal::definite(ErrorKind::SpansGroups, error.to_string())
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

//! The operations of the key-value API: what is checked, what the node is asked, what is replied.
//!
//! Each is a file of its own, or shares one with its kin, and has a line in the table below. How a
//! request travels, alone or on a pipeline, makes no difference here.

mod check;
mod keys;
mod lease;
mod lock;
mod scan;
mod session;
mod txn;
mod write;

pub(super) use scan::{key_range, whole_range};
pub(super) use write::to_wire;

use proto::KvRequest;
use proto::kv::pipelined_request::Request;
use proto::kv::pipelined_response::Response;
use proto::kv::{ErrorKind, ResponseHeader};

use crate::config::Limits;
use crate::driver::{Answered, Ask};
use crate::metrics::Operation as Label;
use crate::security::Right;
use crate::shard::Shards;
use crate::types::{GroupId, LogIndex, Term};

use super::refusal::{Access, Refusal};
use super::router::ApiConfig;

/// The table of operations: runs an expression on whichever one a request is.
macro_rules! on_any {
    ($request:expr, $operation:ident => $then:expr) => {
        match $request {
            Request::OpenSession($operation) => $then,
            Request::Get($operation) => $then,
            Request::Put($operation) => $then,
            Request::Delete($operation) => $then,
            Request::CompareAndSet($operation) => $then,
            Request::Append($operation) => $then,
            Request::Txn($operation) => $then,
            Request::Scan($operation) => $then,
            Request::GrantLease($operation) => $then,
            Request::KeepAlive($operation) => $then,
            Request::RevokeLease($operation) => $then,
            Request::Lock($operation) => $then,
            Request::Unlock($operation) => $then,
        }
    };
}

/// Who may perform an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The leader; this node brings it there.
    Leader,
    /// This node, provided that it leads.
    LeaderHere,
    /// Any node with a replica: this one if it has one.
    Member,
    /// This node, provided that it has a replica.
    Here,
}

impl Place {
    /// Is it this node's to answer, come what may?
    pub(super) fn is_bound(self) -> bool {
        match self {
            Place::Leader | Place::Member => false,
            Place::LeaderHere | Place::Here => true,
        }
    }

    fn of_leader(no_forward: bool) -> Place {
        if no_forward { Place::LeaderHere } else { Place::Leader }
    }
}

/// The one who replies.
#[derive(Debug, Clone, Copy)]
pub(super) struct Speaker<'a> {
    pub(super) config: &'a ApiConfig,
    /// The group that answered.
    pub(super) group: GroupId,
    /// The term of this node; a write has its own.
    pub(super) term: Term,
}

impl Speaker<'_> {
    fn header(self, revision: LogIndex, term: Term) -> Option<ResponseHeader> {
        let (revision, term, node) = (revision.0, term.0, self.config.node.0);
        Some(ResponseHeader { revision, term, node, group: self.group.0 })
    }
}

/// A request of the key-value API.
trait Operation: KvRequest {
    /// Can it have an effect?
    const ACCESS: Access = Access::Write;

    /// Refuses what breaks a limit, lacks a field or makes no sense.
    fn check(&self, limits: &Limits) -> Result<(), Refusal>;

    fn place(&self) -> Place;

    /// The group that it belongs to. Refuses what belongs to several.
    fn group(&self, shards: &Shards) -> Result<GroupId, Refusal>;

    /// Is it to be performed in every group?
    fn is_for_all_groups(&self) -> bool {
        false
    }

    /// What the node is asked for it.
    fn ask(&self, config: &ApiConfig) -> Result<Ask, Refusal>;

    /// What the node's answer means to the client.
    fn reply(&self, answered: Answered, speaker: Speaker) -> Result<Self::Reply, Refusal>;

    /// Marks it as being at its last node.
    fn bind(&mut self);
}

/// Can a request have an effect?
pub(super) fn access(request: &Request) -> Access {
    fn of<O: Operation>(_: &O) -> Access {
        O::ACCESS
    }
    on_any!(request, operation => of(operation))
}

/// Its label in the metrics.
pub(super) fn label(request: &Request) -> Label {
    match request {
        Request::OpenSession(_) => Label::OpenSession,
        Request::Get(_) => Label::Get,
        Request::Put(_) => Label::Put,
        Request::Delete(_) => Label::Delete,
        Request::CompareAndSet(_) => Label::CompareAndSet,
        Request::Append(_) => Label::Append,
        Request::Txn(_) => Label::Txn,
        Request::Scan(_) => Label::Scan,
        Request::GrantLease(_) => Label::GrantLease,
        Request::KeepAlive(_) => Label::KeepAlive,
        Request::RevokeLease(_) => Label::RevokeLease,
        Request::Lock(_) => Label::Lock,
        Request::Unlock(_) => Label::Unlock,
    }
}

/// The right that a client needs for it.
pub(super) fn right(request: &Request) -> Right {
    match access(request) {
        Access::Read => Right::Read,
        Access::Write => Right::Write,
    }
}

/// Refuses what breaks a limit, lacks a field or makes no sense.
pub(super) fn check(request: &Request, limits: &Limits) -> Result<(), Refusal> {
    on_any!(request, operation => operation.check(limits))
}

/// Who may perform it.
pub(super) fn place(request: &Request) -> Place {
    on_any!(request, operation => operation.place())
}

/// The group that it belongs to. Refuses what belongs to several.
pub(super) fn group(request: &Request, shards: &Shards) -> Result<GroupId, Refusal> {
    on_any!(request, operation => operation.group(shards))
}

/// Is it to be performed in every group?
pub(super) fn is_for_all_groups(request: &Request) -> bool {
    on_any!(request, operation => operation.is_for_all_groups())
}

/// Is it a part of a request that is performed in every group?
pub(super) fn is_part(request: &Request) -> bool {
    matches!(request, Request::OpenSession(open) if open.session != 0)
}

/// What the node is asked for it.
pub(super) fn ask(request: &Request, config: &ApiConfig) -> Result<Ask, Refusal> {
    on_any!(request, operation => operation.ask(config))
}

/// What the node's answer means to the client.
pub(super) fn reply(
    request: &Request,
    answered: Answered,
    speaker: Speaker,
) -> Result<Response, Refusal> {
    on_any!(request, operation => operation.reply(answered, speaker).map(Response::from))
}

/// The request as it is sent on: the next node must not send it on again.
pub(super) fn bound(mut request: Request) -> Request {
    on_any!(&mut request, operation => operation.bind());
    request
}

/// A write as one that is of no session, so that nothing tells a repetition of it; for planted bugs.
pub(super) fn without_session(mut request: Request) -> Request {
    let context = match &mut request {
        Request::Put(put) => &mut put.context,
        Request::CompareAndSet(cas) => &mut cas.context,
        Request::Append(append) => &mut append.context,
        _ => return request,
    };
    if let Some(context) = context {
        (context.session, context.sequence) = (0, 0);
    }
    request
}

/// The node answered another question: a mistake of ours.
fn mismatched() -> Refusal {
    let message = "the node's answer does not fit the request";
    Refusal { indefinite: true, ..Refusal::definite(ErrorKind::Unspecified, message) }
}

#[cfg(test)]
mod tests;

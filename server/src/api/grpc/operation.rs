//! The operations of the key-value API: what is checked, what is done, what is sent on.

use std::future::Future;

use bytes::Bytes;
use proto::kv::kv_client::KvClient;
use proto::kv::{
    CompareAndSetRequest, CompareAndSetResponse, DeleteRequest, DeleteResponse, ErrorKind,
    GetRequest, GetResponse, KeyValue, OpenSessionRequest, OpenSessionResponse, PutRequest,
    PutResponse, ReadMode, RequestContext,
};
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

use crate::command::{
    Command, CompareAndSet, Delete, LogCommand, OpenSession, OutcomeKind, Put, Versioned,
};
use crate::config::Limits;
use crate::state_machine::Query;
use crate::types::{LogIndex, Term};

use super::refusal::{Access, Refusal};
use super::router::Api;

/// Who may perform an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The leader; this node brings it there.
    Leader,
    /// This node, provided that it leads.
    LeaderHere,
    /// This node, whatever it is.
    Here,
}

impl Place {
    /// Is it this node's to answer, come what may?
    pub(super) fn is_bound(self) -> bool {
        match self {
            Place::Leader => false,
            Place::LeaderHere | Place::Here => true,
        }
    }

    fn of_leader(no_forward: bool) -> Place {
        if no_forward { Place::LeaderHere } else { Place::Leader }
    }
}

/// A request of the key-value API.
pub(super) trait Operation: Clone + Send + Sync + Sized + 'static {
    /// The reply to it.
    type Response: Send;

    /// Can it have an effect?
    const ACCESS: Access;
    const IS_READ: bool = matches!(Self::ACCESS, Access::Read);

    /// Refuses what breaks a limit or lacks a field.
    fn check(&self, limits: &Limits) -> Result<(), Refusal>;

    fn place(&self) -> Place;

    /// Performs it at this node.
    fn perform(&self, api: &Api) -> impl Future<Output = Result<Self::Response, Refusal>> + Send;

    /// The request as it is sent on.
    fn without_forwarding(&self) -> Self;

    fn send(
        client: KvClient<Channel>,
        request: Request<Self>,
    ) -> impl Future<Output = Result<Response<Self::Response>, Status>> + Send;
}

impl Operation for GetRequest {
    type Response = GetResponse;

    const ACCESS: Access = Access::Read;

    fn check(&self, limits: &Limits) -> Result<(), Refusal> {
        check_context(self.context.as_ref())?;
        if ReadMode::try_from(self.mode).is_err() {
            return Err(invalid(format!("read mode {} does not exist", self.mode)));
        }
        check_key(&self.key, limits)
    }

    fn place(&self) -> Place {
        match self.mode() {
            ReadMode::Linearizable => place(self.context.as_ref()),
            ReadMode::Local => Place::Here,
        }
    }

    async fn perform(&self, api: &Api) -> Result<GetResponse, Refusal> {
        let query = Query::Get { key: self.key.clone() };
        let result = match self.mode() {
            ReadMode::Linearizable => api.node.read(query).await,
            ReadMode::Local => api.node.read_local(query).await,
        };
        let reply = result.map_err(|error| Refusal::from_node(Access::Read, error))?;
        let header = api.header(reply.applied, api.node.status().term);
        Ok(GetResponse { header, found: key_value(&self.key, reply.reply.into_key()) })
    }

    fn without_forwarding(&self) -> GetRequest {
        GetRequest { context: bound(self.context), ..self.clone() }
    }

    async fn send(
        mut client: KvClient<Channel>,
        request: Request<Self>,
    ) -> Result<Response<GetResponse>, Status> {
        client.get(request).await
    }
}

impl Operation for OpenSessionRequest {
    type Response = OpenSessionResponse;

    /// A session that nobody knows of has no effect that anyone sees, but it takes the place of
    /// another one.
    const ACCESS: Access = Access::Write;

    fn check(&self, _limits: &Limits) -> Result<(), Refusal> {
        Ok(())
    }

    fn place(&self) -> Place {
        Place::of_leader(self.no_forward)
    }

    async fn perform(&self, api: &Api) -> Result<OpenSessionResponse, Refusal> {
        let command = LogCommand::new(0, 0, Command::OpenSession(OpenSession::default()));
        let applied = write(api, command).await?;
        let header = api.header(applied.revision, applied.term);
        Ok(OpenSessionResponse { header, session: applied.revision.0 })
    }

    fn without_forwarding(&self) -> OpenSessionRequest {
        OpenSessionRequest { no_forward: true }
    }

    async fn send(
        mut client: KvClient<Channel>,
        request: Request<Self>,
    ) -> Result<Response<OpenSessionResponse>, Status> {
        client.open_session(request).await
    }
}

impl Operation for PutRequest {
    type Response = PutResponse;

    const ACCESS: Access = Access::Write;

    fn check(&self, limits: &Limits) -> Result<(), Refusal> {
        check_context(self.context.as_ref())?;
        check_key(&self.key, limits)?;
        check_value(&self.value, limits)
    }

    fn place(&self) -> Place {
        place(self.context.as_ref())
    }

    async fn perform(&self, api: &Api) -> Result<PutResponse, Refusal> {
        let put = Put { key: self.key.clone(), value: self.value.clone(), lease: self.lease };
        let applied = write(api, in_session(self.context, Command::Put(put))).await?;
        let header = api.header(applied.revision, applied.term);
        Ok(PutResponse { header, previous: key_value(&self.key, applied.previous) })
    }

    fn without_forwarding(&self) -> PutRequest {
        PutRequest { context: bound(self.context), ..self.clone() }
    }

    async fn send(
        mut client: KvClient<Channel>,
        request: Request<Self>,
    ) -> Result<Response<PutResponse>, Status> {
        client.put(request).await
    }
}

impl Operation for DeleteRequest {
    type Response = DeleteResponse;

    const ACCESS: Access = Access::Write;

    fn check(&self, limits: &Limits) -> Result<(), Refusal> {
        check_context(self.context.as_ref())?;
        check_key(&self.key, limits)
    }

    fn place(&self) -> Place {
        place(self.context.as_ref())
    }

    async fn perform(&self, api: &Api) -> Result<DeleteResponse, Refusal> {
        let delete = Delete { key: self.key.clone() };
        let applied = write(api, in_session(self.context, Command::Delete(delete))).await?;
        let header = api.header(applied.revision, applied.term);
        Ok(DeleteResponse { header, previous: key_value(&self.key, applied.previous) })
    }

    fn without_forwarding(&self) -> DeleteRequest {
        DeleteRequest { context: bound(self.context), ..self.clone() }
    }

    async fn send(
        mut client: KvClient<Channel>,
        request: Request<Self>,
    ) -> Result<Response<DeleteResponse>, Status> {
        client.delete(request).await
    }
}

impl Operation for CompareAndSetRequest {
    type Response = CompareAndSetResponse;

    const ACCESS: Access = Access::Write;

    fn check(&self, limits: &Limits) -> Result<(), Refusal> {
        check_context(self.context.as_ref())?;
        check_key(&self.key, limits)?;
        self.expected.as_ref().map_or(Ok(()), |expected| check_value(expected, limits))?;
        check_value(&self.value, limits)
    }

    fn place(&self) -> Place {
        place(self.context.as_ref())
    }

    async fn perform(&self, api: &Api) -> Result<CompareAndSetResponse, Refusal> {
        let compare_and_set = CompareAndSet {
            key: self.key.clone(),
            expected: self.expected.clone(),
            value: self.value.clone(),
        };
        let command = in_session(self.context, Command::CompareAndSet(compare_and_set));
        let applied = write(api, command).await?;
        Ok(CompareAndSetResponse {
            header: api.header(applied.revision, applied.term),
            swapped: applied.kind == OutcomeKind::Done,
            previous: key_value(&self.key, applied.previous),
        })
    }

    fn without_forwarding(&self) -> CompareAndSetRequest {
        CompareAndSetRequest { context: bound(self.context), ..self.clone() }
    }

    async fn send(
        mut client: KvClient<Channel>,
        request: Request<Self>,
    ) -> Result<Response<CompareAndSetResponse>, Status> {
        client.compare_and_set(request).await
    }
}

/// A command that took effect, or found that it must not.
struct Applied {
    kind: OutcomeKind,
    revision: LogIndex,
    term: Term,
    previous: Option<Versioned>,
}

async fn write(api: &Api, command: LogCommand) -> Result<Applied, Refusal> {
    let (session, sequence) = (command.session, command.sequence);
    let result = api.node.write(command).await;
    let reply = result.map_err(|error| Refusal::from_node(Access::Write, error))?;
    match reply.outcome.kind() {
        kind @ (OutcomeKind::Done | OutcomeKind::Mismatch) => Ok(Applied {
            kind,
            revision: LogIndex(reply.outcome.revision),
            term: reply.term,
            previous: reply.outcome.previous,
        }),
        OutcomeKind::SessionExpired => {
            let message = format!("session {session} does not exist, or was expired");
            Err(Refusal::definite(ErrorKind::SessionExpired, message))
        }
        OutcomeKind::StaleSequence => {
            Err(invalid(format!("session {session} is already past sequence number {sequence}")))
        }
        OutcomeKind::LeaseNotFound => {
            Err(Refusal::definite(ErrorKind::LeaseNotFound, "the lease does not exist"))
        }
        OutcomeKind::ValueTooLong => {
            Err(Refusal::definite(ErrorKind::LimitExceeded, "the value would be too long"))
        }
        OutcomeKind::WrongGroup => {
            Err(Refusal::definite(ErrorKind::WrongGroup, "the key belongs to another group"))
        }
    }
}

fn in_session(context: Option<RequestContext>, command: Command) -> LogCommand {
    let RequestContext { session, sequence, no_forward: _ } = context.unwrap_or_default();
    LogCommand::new(session, sequence, command)
}

fn place(context: Option<&RequestContext>) -> Place {
    Place::of_leader(context.is_some_and(|context| context.no_forward))
}

fn bound(context: Option<RequestContext>) -> Option<RequestContext> {
    context.map(|context| RequestContext { no_forward: true, ..context })
}

fn key_value(key: &Bytes, found: Option<Versioned>) -> Option<KeyValue> {
    let Versioned { value, revision, version, lease } = found?;
    Some(KeyValue { key: key.clone(), value, revision, version, lease })
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::definite(ErrorKind::InvalidRequest, message)
}

fn check_context(context: Option<&RequestContext>) -> Result<(), Refusal> {
    let Some(context) = context else { return Err(invalid("the request has no context")) };
    if context.session != 0 && context.sequence == 0 {
        return Err(invalid("sequence numbers of a session begin with 1"));
    }
    Ok(())
}

fn check_key(key: &[u8], limits: &Limits) -> Result<(), Refusal> {
    check_size("key", key.len(), limits.key_bytes_max)
}

fn check_value(value: &[u8], limits: &Limits) -> Result<(), Refusal> {
    check_size("value", value.len(), limits.value_bytes_max)
}

fn check_size(what: &str, bytes: usize, bytes_max: usize) -> Result<(), Refusal> {
    if bytes > bytes_max {
        return Err(invalid(format!(
            "a {what} of {bytes} bytes is too long; the limit is {bytes_max} bytes"
        )));
    }
    Ok(())
}

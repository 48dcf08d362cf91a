//! A worker's connection to one member.

use std::net::SocketAddr;
use std::time::Duration;

use tonic::Code;
use tonic::transport::{Channel, Endpoint};
use workloads::generator::Invocation;
use workloads::history::EventKind;
use workloads::workload::Interface;

use super::locks::{self, Locking};
use super::operations::{self, Connection};
use super::wire::kv_client::KvClient;
use crate::system::outcome::{Failure, answered};
use crate::system::{BoxFuture, Client, Completion, ReadMode};

/// A set of a long run is one reply.
const REPLY_BYTES_MAX: usize = 64 << 20;

pub(super) struct EtcdClient {
    channel: Option<Channel>,
    address: SocketAddr,
    interface: Interface,
    read_mode: ReadMode,
    locking: Locking,
}

impl EtcdClient {
    pub(super) fn new(
        address: SocketAddr,
        interface: Interface,
        read_mode: ReadMode,
        locking: Locking,
    ) -> Self {
        EtcdClient { channel: None, address, interface, read_mode, locking }
    }

    async fn connect(&mut self) -> Result<Channel, Failure> {
        if let Some(channel) = &self.channel {
            return Ok(channel.clone());
        }
        let failed =
            |error: tonic::transport::Error| Failure::without_effect(crate::output::chain(&error));
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address)).map_err(failed)?;
        let channel = endpoint.tcp_nodelay(true).connect().await.map_err(failed)?;
        self.channel = Some(channel.clone());
        Ok(channel)
    }

    async fn apply(&mut self, invocation: &Invocation) -> Result<Completion, Failure> {
        let channel = self.connect().await?;
        let kv = KvClient::new(channel.clone()).max_decoding_message_size(REPLY_BYTES_MAX);
        let mut connection = Connection { kv, read_mode: self.read_mode };
        let value = match self.interface {
            Interface::LockSet => {
                locks::apply(&mut connection, &channel, self.locking, invocation).await?
            }
            interface => operations::apply(&mut connection, interface, invocation).await?,
        };
        Ok(Completion { kind: EventKind::Ok, value, error: None })
    }
}

impl Client for EtcdClient {
    fn invoke<'a>(
        &'a mut self,
        invocation: &'a Invocation,
        timeout: Duration,
    ) -> BoxFuture<'a, Completion> {
        Box::pin(answered(invocation, timeout, self.apply(invocation)))
    }
}

/// What a member answers before it looks at a request had no effect; anything else may have.
impl From<tonic::Status> for Failure {
    fn from(status: tonic::Status) -> Failure {
        let reason = format!("{:?}: {}", status.code(), status.message());
        match status.code() {
            Code::InvalidArgument
            | Code::FailedPrecondition
            | Code::NotFound
            | Code::OutOfRange
            | Code::Unimplemented
            | Code::PermissionDenied
            | Code::Unauthenticated
            | Code::ResourceExhausted => Failure::without_effect(reason),
            _ => Failure::in_doubt(reason),
        }
    }
}

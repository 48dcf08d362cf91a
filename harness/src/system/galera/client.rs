//! A worker's connection to one node.

use std::net::SocketAddr;
use std::time::Duration;

use workloads::generator::Invocation;
use workloads::history::EventKind;
use workloads::workload::Interface;

use super::USER;
use super::mysql::Connection;
use super::operations;
use crate::system::outcome::{Failure, answered};
use crate::system::{BoxFuture, Client, Completion};

pub(super) struct GaleraClient {
    connection: Option<Connection>,
    address: SocketAddr,
    interface: Interface,
}

impl GaleraClient {
    pub(super) fn new(address: SocketAddr, interface: Interface) -> Self {
        GaleraClient { connection: None, address, interface }
    }

    async fn apply(&mut self, invocation: &Invocation) -> Result<Completion, Failure> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::open(self.address, USER).await.map_err(|error| {
                Failure::without_effect(format!("connect to {}: {error}", self.address))
            })?,
        };
        let value = operations::apply(&mut connection, self.interface, invocation).await?;
        // After a failure it may have a transaction open, which ends with it.
        self.connection = Some(connection);
        Ok(Completion { kind: EventKind::Ok, value, error: None })
    }
}

impl Client for GaleraClient {
    fn invoke<'a>(
        &'a mut self,
        invocation: &'a Invocation,
        timeout: Duration,
    ) -> BoxFuture<'a, Completion> {
        Box::pin(answered(invocation, timeout, self.apply(invocation)))
    }
}

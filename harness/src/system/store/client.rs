//! A worker's connection. All its writes are of one session, so that a retry is applied once.

use std::net::SocketAddr;
use std::time::Duration;

use proto::client::{Client as KvClient, ClientError, ClientOptions};
use workloads::generator::Invocation;
use workloads::history::EventKind;
use workloads::workload::Interface;

use super::operations::{self, Connection, Memory};
use crate::system::outcome::{Failure, completion, is_read};
use crate::system::{BoxFuture, Client, Completion, ReadMode};

/// Budget of one attempt; an operation makes as many as its own budget allows.
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(800);

pub(super) struct StoreClient {
    kv: Option<(Duration, KvClient)>,
    address: SocketAddr,
    interface: Interface,
    read_mode: ReadMode,
    has_session: bool,
    memory: Memory,
}

impl StoreClient {
    pub(super) fn new(address: SocketAddr, interface: Interface, read_mode: ReadMode) -> Self {
        let memory = Memory::default();
        StoreClient { kv: None, address, interface, read_mode, has_session: false, memory }
    }

    /// The connection to the node, and what the process remembers.
    fn connection(&mut self, timeout: Duration) -> Connection<'_> {
        let (address, read_mode) = (self.address, self.read_mode);
        let stale = self.kv.as_ref().is_some_and(|(current, _)| *current != timeout);
        if stale {
            self.kv = None;
            self.has_session = false;
        }
        let (_, kv) = self.kv.get_or_insert_with(|| {
            let options = ClientOptions {
                timeout,
                attempt_timeout: ATTEMPT_TIMEOUT.min(timeout),
                ..ClientOptions::new()
            };
            (timeout, KvClient::new(vec![address.to_string()], options))
        });
        Connection { kv, read_mode, memory: &mut self.memory }
    }

    async fn apply(
        &mut self,
        invocation: &Invocation,
        timeout: Duration,
    ) -> Result<Completion, Failure> {
        if !self.has_session && !is_read(invocation) {
            // Nothing of the operation itself was sent yet, so that a failure here is definite.
            let opened = self.connection(timeout).kv.open_session().await;
            opened.map_err(Failure::without_effect)?;
            self.has_session = true;
        }
        let interface = self.interface;
        let mut connection = self.connection(timeout);
        let value = operations::apply(&mut connection, interface, invocation).await?;
        Ok(Completion { kind: EventKind::Ok, value, error: None })
    }
}

impl Client for StoreClient {
    fn invoke<'a>(
        &'a mut self,
        invocation: &'a Invocation,
        timeout: Duration,
    ) -> BoxFuture<'a, Completion> {
        Box::pin(async move {
            // An operation of several requests has no more time than one.
            let result = tokio::time::timeout(timeout, self.apply(invocation, timeout)).await;
            match result {
                Ok(Ok(completion)) => completion,
                Ok(Err(failure)) => {
                    if failure.is_in_doubt() {
                        // Whatever became of the session's last write, the next one must not be
                        // taken for it.
                        self.has_session = false;
                    }
                    completion(invocation, &failure)
                }
                Err(_) => {
                    self.has_session = false;
                    completion(invocation, &Failure::in_doubt("no answer in time"))
                }
            }
        })
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Failure {
        Failure::Request { doubt: error.is_indefinite(), reason: error.to_string() }
    }
}

//! A worker's connection to one node, and what a queue of a workload means here.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use workloads::generator::Invocation;
use workloads::history::{EventKind, Value};
use workloads::workload::Interface;

use super::connection::{AmqpError, Confirmation, Connection, Declaration};
use crate::system::outcome::{Failure, answered};
use crate::system::{BoxFuture, Client, Completion};

/// What it can be asked.
pub(super) const INTERFACES: &[Interface] = &[Interface::Queue];

/// What the queues of a run are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum QueueKind {
    /// Replicated by Raft.
    Quorum,
    /// Classic, and mirrored on all nodes by a policy.
    Mirrored,
}

impl QueueKind {
    /// With what a queue is declared.
    pub(super) fn arguments(self) -> &'static [(&'static str, &'static str)] {
        match self {
            QueueKind::Quorum => &[("x-queue-type", "quorum")],
            QueueKind::Mirrored => &[("x-queue-type", "classic")],
        }
    }
}

pub(super) struct RabbitClient {
    connection: Option<Connection>,
    address: SocketAddr,
    kind: QueueKind,
    /// Queues that were declared over the connection.
    declared: BTreeSet<String>,
}

impl RabbitClient {
    pub(super) fn new(address: SocketAddr, kind: QueueKind) -> Self {
        RabbitClient { connection: None, address, kind, declared: BTreeSet::new() }
    }

    /// After an error the server closes the channel, so that a new connection is made for the next
    /// operation.
    async fn apply(&mut self, invocation: &Invocation) -> Result<Completion, Failure> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                self.declared.clear();
                Connection::open(self.address).await.map_err(Failure::without_effect)?
            }
        };
        let value = self.run(&mut connection, invocation).await?;
        self.connection = Some(connection);
        Ok(Completion { kind: EventKind::Ok, value, error: None })
    }

    async fn run(
        &mut self,
        connection: &mut Connection,
        invocation: &Invocation,
    ) -> Result<Value, Failure> {
        let queue = format!("queue-{}", invocation.key.clone().unwrap_or_default());
        if !self.declared.contains(&queue) {
            let declared =
                connection.declare(&queue, self.kind.arguments(), Declaration::Durable).await;
            declared.map_err(Failure::without_effect)?;
            self.declared.insert(queue.clone());
        }
        match invocation.f {
            "enqueue" => {
                let message = invocation.value.to_string();
                match connection.publish(&queue, message.as_bytes()).await? {
                    Confirmation::Confirmed => Ok(invocation.value.clone()),
                    Confirmation::Refused => Err(Failure::in_doubt("the server refused it")),
                    Confirmation::Unroutable => Err(Failure::without_effect("there is no queue")),
                }
            }
            "dequeue" => match connection.take(&queue).await? {
                None => Ok(Value::Null),
                Some(message) => {
                    let text = String::from_utf8_lossy(&message);
                    Ok(text.parse().unwrap_or_else(|_| Value::from(&*text)))
                }
            },
            _ => Err(Failure::unknown(invocation)),
        }
    }
}

/// A server that closes a channel may have done before what it was asked for.
impl From<AmqpError> for Failure {
    fn from(error: AmqpError) -> Failure {
        Failure::in_doubt(error)
    }
}

impl Client for RabbitClient {
    fn invoke<'a>(
        &'a mut self,
        invocation: &'a Invocation,
        timeout: Duration,
    ) -> BoxFuture<'a, Completion> {
        Box::pin(answered(invocation, timeout, self.apply(invocation)))
    }
}

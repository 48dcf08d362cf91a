//! A worker's connection to one server, and what each interface of a workload means here.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use workloads::generator::Invocation;
use workloads::history::{EventKind, Value};
use workloads::workload::Interface;

use super::jetstream;
use super::protocol::Connection;
use crate::system::outcome::{Failure, answered};
use crate::system::{BoxFuture, Client, Completion, ReadMode};

/// What it can be asked.
pub(super) const INTERFACES: &[Interface] = &[Interface::Set, Interface::Log];

pub(super) struct NatsClient {
    connection: Option<Connection>,
    address: SocketAddr,
    interface: Interface,
    read_mode: ReadMode,
    /// Of the stream.
    replicas: usize,
    /// For each log, the place from which the next poll reads.
    positions: BTreeMap<String, u64>,
}

impl NatsClient {
    pub(super) fn new(
        address: SocketAddr,
        interface: Interface,
        read_mode: ReadMode,
        replicas: usize,
    ) -> Self {
        let positions = BTreeMap::new();
        NatsClient { connection: None, address, interface, read_mode, replicas, positions }
    }

    async fn apply(&mut self, invocation: &Invocation) -> Result<Completion, Failure> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => jetstream::open(self.address, self.replicas).await.map_err(|error| {
                Failure::without_effect(format!("connect to {}: {error}", self.address))
            })?,
        };
        let result = self.run(&mut connection, invocation).await;
        // After a failure of the connection a late reply would come from the dead.
        if !matches!(&result, Err(failure) if failure.is_in_doubt()) {
            self.connection = Some(connection);
        }
        Ok(Completion { kind: EventKind::Ok, value: result?, error: None })
    }

    async fn run(
        &mut self,
        connection: &mut Connection,
        invocation: &Invocation,
    ) -> Result<Value, Failure> {
        match (self.interface, invocation.f) {
            (Interface::Set, "add") => {
                let subject = subject("set", invocation.key.as_ref());
                jetstream::publish(connection, &subject, &invocation.value.to_string()).await?;
                Ok(invocation.value.clone())
            }
            (Interface::Set, "read") => {
                let subject = subject("set", invocation.key.as_ref());
                let found = jetstream::read(connection, self.read_mode, &subject, 1).await?;
                Ok(Value::list(found.iter().map(|it| value(&it.payload))))
            }
            (Interface::Log, _) => self.log(connection, invocation).await,
            _ => Err(Failure::unknown(invocation)),
        }
    }

    /// The offset of a message is its place in the stream.
    async fn log(
        &mut self,
        connection: &mut Connection,
        invocation: &Invocation,
    ) -> Result<Value, Failure> {
        let Some(step) = invocation.value.as_list().and_then(<[Value]>::first) else {
            return Err(Failure::unknown(invocation));
        };
        match (invocation.f, step[1].as_map()) {
            ("send", _) => {
                let (log, message) = (&step[1], &step[2]);
                let subject = subject("log", Some(log));
                let offset = jetstream::publish(connection, &subject, &message.to_string()).await?;
                let place = Value::from(vec![Value::from(offset), message.clone()]);
                Ok(Value::list([Value::from(vec![step[0].clone(), log.clone(), place])]))
            }
            ("poll", Some([(log, _)])) => {
                let subject = subject("log", Some(log));
                let from = self.positions.get(&subject).copied().unwrap_or(1);
                let found = jetstream::read(connection, self.read_mode, &subject, from).await?;
                let polled = found
                    .iter()
                    .map(|it| Value::from(vec![Value::from(it.sequence), value(&it.payload)]));
                let polled = Value::Map([(log.clone(), Value::list(polled))].into());
                if let Some(last) = found.last() {
                    self.positions.insert(subject, last.sequence + 1);
                }
                Ok(Value::list([Value::from(vec![step[0].clone(), polled])]))
            }
            _ => Err(Failure::unknown(invocation)),
        }
    }
}

impl Client for NatsClient {
    fn invoke<'a>(
        &'a mut self,
        invocation: &'a Invocation,
        timeout: Duration,
    ) -> BoxFuture<'a, Completion> {
        Box::pin(answered(invocation, timeout, self.apply(invocation)))
    }
}

/// A key is a number, or a number as text.
fn subject(kind: &str, key: Option<&Value>) -> String {
    match key {
        None => format!("{kind}.0"),
        Some(key) => match key.as_str() {
            Some(text) => format!("{kind}.{text}"),
            None => format!("{kind}.{key}"),
        },
    }
}

/// Values are stored as JSON.
fn value(payload: &str) -> Value {
    payload.parse().unwrap_or_else(|_| Value::from(payload))
}

//! A worker's connection to one server, whatever its role is.

use std::net::SocketAddr;
use std::time::Duration;

use workloads::generator::Invocation;
use workloads::history::{EventKind, Value};
use workloads::workload::Interface;

use super::resp::{Connection, Reply};
use crate::system::outcome::{Failure, answered, is_read};
use crate::system::{BoxFuture, Client, Completion, ReadMode};

/// What it can be asked.
pub(super) const INTERFACES: &[Interface] =
    &[Interface::Register, Interface::SizedRegister, Interface::Set, Interface::Counter];

/// Sets a key if it holds what is expected, in one step.
const CAS: &str = "if redis.call('GET', KEYS[1]) == ARGV[1] then \
                   redis.call('SET', KEYS[1], ARGV[2]) return 1 else return 0 end";

/// What a server is a part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A primary and its replicas: every server has all keys, and reads from a replica are old.
    Primary,
    /// A cluster: a server refuses the keys of others.
    Cluster,
}

pub(super) struct RedisClient {
    connection: Option<Connection>,
    address: SocketAddr,
    interface: Interface,
    read_mode: ReadMode,
    kind: Kind,
}

impl RedisClient {
    pub(super) fn new(
        address: SocketAddr,
        interface: Interface,
        read_mode: ReadMode,
        kind: Kind,
    ) -> Self {
        RedisClient { connection: None, address, interface, read_mode, kind }
    }

    async fn connect(&self) -> Result<Connection, Failure> {
        let failed =
            |error| Failure::without_effect(format!("connect to {}: {error}", self.address));
        let mut connection = Connection::open(self.address).await.map_err(failed)?;
        if (self.kind, self.read_mode) == (Kind::Cluster, ReadMode::Local) {
            // A replica answers reads from now on.
            connection.command(&["READONLY"]).await.map_err(failed)?;
        }
        Ok(connection)
    }

    async fn apply(&mut self, invocation: &Invocation) -> Result<Completion, Failure> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        let result = self.run(&mut connection, invocation).await;
        // After a failure of the connection a late reply would be taken for another one.
        if !matches!(&result, Err(failure) if failure.is_in_doubt()) {
            self.connection = Some(connection);
        }
        let value = result?;
        Ok(Completion { kind: EventKind::Ok, value, error: None })
    }

    async fn run(
        &self,
        connection: &mut Connection,
        invocation: &Invocation,
    ) -> Result<Value, Failure> {
        let must_lead = (self.kind, self.read_mode) == (Kind::Primary, ReadMode::Linearizable);
        if must_lead && is_read(invocation) {
            let role = ask(connection, &["ROLE"]).await?;
            if role.elements().first().and_then(Reply::text).as_deref() != Some("master") {
                return Err(Failure::Refused("the server is no primary"));
            }
        }
        let name = invocation.key.as_ref().map_or_else(|| "\"\"".to_owned(), Value::to_string);
        let argument = invocation.value.to_string();
        match (self.interface, invocation.f, &invocation.value) {
            (Interface::Set, "add", _) => {
                ask(connection, &["SADD", &name, &argument]).await?;
            }
            (Interface::Set, "read", _) => {
                let found = ask(connection, &["SMEMBERS", &name]).await?;
                return Ok(Value::list(found.elements().iter().map(value)));
            }
            (Interface::Counter, "add", _) => {
                ask(connection, &["INCRBY", &name, &argument]).await?;
            }
            (Interface::Counter, "read", _) => {
                return match value(&ask(connection, &["GET", &name]).await?) {
                    Value::Null => Ok(Value::from(0_u64)),
                    sum => Ok(sum),
                };
            }
            (_, "read", _) => return Ok(value(&ask(connection, &["GET", &name]).await?)),
            (_, "write", _) => {
                ask(connection, &["SET", &name, &argument]).await?;
            }
            (_, "cas", Value::List(pair)) if pair.len() == 2 => {
                let (expected, new) = (pair[0].to_string(), pair[1].to_string());
                let words = match &pair[0] {
                    Value::Null => vec!["SET", &name, &new, "NX"],
                    _ => vec!["EVAL", CAS, "1", &name, &expected, &new],
                };
                match ask(connection, &words).await? {
                    Reply::Integer(0) | Reply::String(None) => {
                        return Err(Failure::Refused("the register holds another value"));
                    }
                    _ => {}
                }
            }
            _ => return Err(Failure::unknown(invocation)),
        }
        Ok(invocation.value.clone())
    }
}

impl Client for RedisClient {
    fn invoke<'a>(
        &'a mut self,
        invocation: &'a Invocation,
        timeout: Duration,
    ) -> BoxFuture<'a, Completion> {
        Box::pin(answered(invocation, timeout, self.apply(invocation)))
    }
}

/// A command. What the server answers with an error was not carried out.
async fn ask(connection: &mut Connection, words: &[&str]) -> Result<Reply, Failure> {
    match connection.command(words).await {
        Ok(Reply::Error(error)) => Err(Failure::without_effect(error)),
        Ok(reply) => Ok(reply),
        Err(error) => Err(Failure::in_doubt(error)),
    }
}

/// Values are stored as JSON.
fn value(reply: &Reply) -> Value {
    match reply.text() {
        Some(text) => text.parse().unwrap_or_else(|_| Value::from(text.as_str())),
        None => Value::Null,
    }
}

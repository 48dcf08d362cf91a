//! A worker's connection to one node, and what each interface of a workload means there. Values are
//! stored as JSON: a register is a path, and so is each element of a set.

use std::net::SocketAddr;
use std::time::Duration;

use workloads::generator::Invocation;
use workloads::history::{EventKind, Value};
use workloads::workload::Interface;

use super::session::{Refusal, Session};
use crate::system::outcome::{Failure, answered};
use crate::system::{BoxFuture, Client, Completion};

/// What it can be asked.
pub(super) const INTERFACES: &[Interface] = &[Interface::Register, Interface::Set];

/// A write of any version.
const ANY_VERSION: i32 = -1;

/// How reads are done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reads {
    /// The node answers from what it has.
    AsTheNodeHas,
    /// It first waits for what the leader has.
    Synced,
}

pub(super) struct ZooKeeperClient {
    session: Option<Session>,
    /// The newest state that was seen, which the next session must have.
    seen: i64,
    address: SocketAddr,
    interface: Interface,
    reads: Reads,
}

impl ZooKeeperClient {
    pub(super) fn new(address: SocketAddr, interface: Interface, reads: Reads) -> Self {
        ZooKeeperClient { session: None, seen: 0, address, interface, reads }
    }

    async fn apply(&mut self, invocation: &Invocation) -> Result<Completion, Failure> {
        let mut session = match self.session.take() {
            Some(session) if session.is_fresh() => session,
            _ => Session::open(self.address, self.seen).await.map_err(|error| {
                Failure::without_effect(format!("connect to {}: {error}", self.address))
            })?,
        };
        let result = self.run(&mut session, invocation).await;
        self.seen = session.seen();
        // After a failure of the connection a late reply would be taken for another one.
        if !matches!(&result, Err(failure) if failure.is_in_doubt()) {
            self.session = Some(session);
        }
        Ok(Completion { kind: EventKind::Ok, value: result?, error: None })
    }

    async fn run(&self, session: &mut Session, invocation: &Invocation) -> Result<Value, Failure> {
        let name = invocation.key.as_ref().map_or_else(|| "\"\"".to_owned(), Value::to_string);
        if self.reads == Reads::Synced && invocation.f == "read" {
            session.sync("/").await?;
        }
        match (self.interface, invocation.f, &invocation.value) {
            (Interface::Set, "add", element) => {
                add(session, &format!("/set-{name}"), &element.to_string()).await?;
            }
            (Interface::Set, "read", _) => {
                return match session.children(&format!("/set-{name}")).await {
                    Ok(names) => Ok(Value::list(names.iter().map(|name| value(name.as_bytes())))),
                    Err(Refusal::NoNode) => Ok(Value::list([])),
                    Err(refusal) => Err(refusal.into()),
                };
            }
            (Interface::Register, "read", _) => {
                return match session.get(&format!("/register-{name}")).await {
                    Ok((data, _)) => Ok(value(&data)),
                    Err(Refusal::NoNode) => Ok(Value::Null),
                    Err(refusal) => Err(refusal.into()),
                };
            }
            (Interface::Register, "write", value) => {
                write(session, &format!("/register-{name}"), &value.to_string()).await?;
            }
            (Interface::Register, "cas", Value::List(pair)) if pair.len() == 2 => {
                cas(session, &format!("/register-{name}"), &pair[0], &pair[1]).await?;
            }
            _ => return Err(Failure::unknown(invocation)),
        }
        Ok(invocation.value.clone())
    }
}

impl Client for ZooKeeperClient {
    fn invoke<'a>(
        &'a mut self,
        invocation: &'a Invocation,
        timeout: Duration,
    ) -> BoxFuture<'a, Completion> {
        Box::pin(answered(invocation, timeout, self.apply(invocation)))
    }
}

/// Nothing is ever removed, so that a path which is there when it is to be made stays.
async fn write(session: &mut Session, path: &str, text: &str) -> Result<(), Refusal> {
    let result = session.set(path, text.as_bytes(), ANY_VERSION).await;
    let Err(Refusal::NoNode) = result else { return result };
    match session.create(path, text.as_bytes()).await {
        Err(Refusal::NodeExists) => session.set(path, text.as_bytes(), ANY_VERSION).await,
        result => result,
    }
}

/// The version that was read is the one that is overwritten, or nothing is.
async fn cas(
    session: &mut Session,
    path: &str,
    expected: &Value,
    new: &Value,
) -> Result<(), Failure> {
    let new = new.to_string();
    let refused = Failure::Refused("the register holds another value");
    let result = match session.get(path).await {
        Ok((data, version)) if value(&data) == *expected => {
            session.set(path, new.as_bytes(), version).await
        }
        Ok(_) => return Err(refused),
        Err(Refusal::NoNode) if *expected == Value::Null => {
            session.create(path, new.as_bytes()).await
        }
        Err(Refusal::NoNode) => return Err(refused),
        Err(refusal) => return Err(refusal.into()),
    };
    match result {
        Err(Refusal::BadVersion | Refusal::NodeExists) => Err(refused),
        result => Ok(result?),
    }
}

async fn add(session: &mut Session, set: &str, element: &str) -> Result<(), Refusal> {
    let path = format!("{set}/{element}");
    let result = session.create(&path, b"").await;
    let Err(Refusal::NoNode) = result else { return result };
    match session.create(set, b"").await {
        Ok(()) | Err(Refusal::NodeExists) => session.create(&path, b"").await,
        refusal => refusal,
    }
}

/// Values are stored as JSON.
fn value(bytes: &[u8]) -> Value {
    let text = String::from_utf8_lossy(bytes);
    text.parse().unwrap_or_else(|_| Value::from(&*text))
}

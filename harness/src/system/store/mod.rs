//! The Breakwater store: real processes of this very binary, spoken to over gRPC.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::time::Duration;

use proto::client::{Client as KvClient, ClientError, ClientOptions};
use workloads::generator::Invocation;
use workloads::history::{EventKind, Value};

use super::{
    BoxFuture, Client, Completion, FsyncMode, NodeContext, NodeStatus, Nodes, ReadMode,
    StorageMode, System, SystemEntry, SystemOptions,
};
use crate::node_id::NodeId;
use crate::platform::NodeCommand;

pub(super) const ENTRY: SystemEntry = SystemEntry {
    name: "store",
    about: "The Breakwater store: raft-rs and RocksDB, built into this binary.",
    build: |options| Box::new(Store { options }),
};

/// Budget of one attempt; an operation makes as many as its own budget allows.
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(800);

struct Store {
    options: SystemOptions,
}

impl Nodes for Store {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn node_command(&self, context: &NodeContext) -> NodeCommand {
        let peers: Vec<String> =
            context.peers.iter().map(|(node, address)| format!("{}={address}", node.0)).collect();
        let mut argv: Vec<OsString> = Vec::new();
        argv.push(crate::node_process::own_binary().into());
        let mut push = |argument: &str| argv.push(argument.into());
        push("node");
        push("--node");
        push(&context.node.0.to_string());
        // The platform's network has no way in but the harness's.
        push("--insecure-bind");
        push("--cluster");
        push(&self.options.cluster);
        push("--listen");
        push(&context.listen.to_string());
        push("--peers");
        push(&peers.join(","));
        push("--storage");
        push(match self.options.storage {
            StorageMode::Rocksdb => "rocksdb",
            StorageMode::Memory => "memory",
        });
        push("--fsync");
        push(match self.options.fsync {
            FsyncMode::Always => "always",
            FsyncMode::Off => "off",
        });
        push("--seed");
        push(&(self.options.seed.wrapping_add(u64::from(context.node.0))).to_string());
        push("--shards");
        push(&self.options.shards.to_string());
        push("--set");
        push(&format!("snapshot.entries={}", self.options.snapshot_entries));
        if let Some(bug) = &self.options.bug {
            push("--bug");
            push(bug);
        }
        argv.push("--data".into());
        argv.push(context.data.clone().into());
        NodeCommand { argv, log: context.log.clone() }
    }

    fn status(&self, address: SocketAddr, patience: Duration) -> BoxFuture<'_, Option<NodeStatus>> {
        Box::pin(async move {
            let options = ClientOptions::single_attempt(patience);
            let mut client = KvClient::new(vec![address.to_string()], options);
            let status = client.status().await.ok()?;
            Some(NodeStatus { leads: status.role == "leader", term: status.term })
        })
    }
}

impl System for Store {
    fn client(&self, _node: NodeId, address: SocketAddr) -> Box<dyn Client> {
        Box::new(StoreClient {
            kv: None,
            address,
            read_mode: self.options.read_mode,
            has_session: false,
        })
    }
}

/// A worker's connection. All its writes are of one session, so that a retry is applied once.
struct StoreClient {
    kv: Option<(Duration, KvClient)>,
    address: SocketAddr,
    read_mode: ReadMode,
    has_session: bool,
}

impl StoreClient {
    fn kv(&mut self, timeout: Duration) -> &mut KvClient {
        let address = self.address;
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
        kv
    }

    async fn apply(
        &mut self,
        invocation: &Invocation,
        timeout: Duration,
    ) -> Result<Completion, ClientError> {
        let read_mode = match self.read_mode {
            ReadMode::Linearizable => proto::client::ReadMode::Linearizable,
            ReadMode::Local => proto::client::ReadMode::Local,
        };
        let key = invocation.key.as_ref().map_or_else(|| "\"\"".to_owned(), Value::to_string);
        let has_session = self.has_session;
        let kv = self.kv(timeout);
        if invocation.f == "read" {
            let read = kv.get_with(key, read_mode).await?;
            let value = match read.found {
                None => Value::Null,
                Some(found) => serde_json::from_slice(&found.value)
                    .unwrap_or_else(|_| Value::from(&*String::from_utf8_lossy(&found.value))),
            };
            return Ok(Completion { kind: EventKind::Ok, value, error: None });
        }
        if !has_session {
            // Nothing of the operation itself was sent yet, so that a failure here is definite.
            if let Err(error) = kv.open_session().await {
                return Ok(fail(invocation, &format!("open session: {error}")));
            }
            self.has_session = true;
        }
        let kv = self.kv(timeout);
        match (invocation.f, &invocation.value) {
            ("write", value) => {
                kv.put(key, value.to_string()).await?;
            }
            ("cas", Value::List(pair)) if pair.len() == 2 => {
                let expected = match &pair[0] {
                    Value::Null => None,
                    value => Some(value.to_string().into()),
                };
                let swapped = kv.compare_and_set(key, expected, pair[1].to_string()).await?;
                if !swapped.swapped {
                    return Ok(fail(invocation, "the register holds another value"));
                }
            }
            (f, value) => {
                let error = format!("the store has no operation {f} with the value {value}");
                return Ok(fail(invocation, &error));
            }
        }
        Ok(Completion { kind: EventKind::Ok, value: invocation.value.clone(), error: None })
    }
}

impl Client for StoreClient {
    fn invoke<'a>(
        &'a mut self,
        invocation: &'a Invocation,
        timeout: Duration,
    ) -> BoxFuture<'a, Completion> {
        Box::pin(async move {
            match self.apply(invocation, timeout).await {
                Ok(completion) => completion,
                Err(error) => {
                    // Whatever became of the session's last write, the next one must not be taken for it.
                    self.has_session = false;
                    classify(invocation, &error)
                }
            }
        })
    }
}

/// A read has no effect, so that a failed one is `fail`; a write in doubt is `info`.
fn classify(invocation: &Invocation, error: &ClientError) -> Completion {
    let indefinite = invocation.f != "read" && error.is_indefinite();
    Completion {
        kind: if indefinite { EventKind::Info } else { EventKind::Fail },
        value: invocation.value.clone(),
        error: Some(error.to_string()),
    }
}

fn fail(invocation: &Invocation, error: &str) -> Completion {
    Completion {
        kind: EventKind::Fail,
        value: invocation.value.clone(),
        error: Some(error.to_owned()),
    }
}

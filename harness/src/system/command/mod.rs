//! Any system, by an adapter: a file that says how its nodes are started, and a program in any
//! language that speaks to one of them. `ADAPTERS.md` is the manual.
//!
//! ```text
//! adapter.rs   the file
//! program.rs   the program: one JSON object a line, a request and its reply
//! messages.rs  what programs write to stderr
//! ```

mod adapter;
mod messages;
mod program;

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use workloads::generator::Invocation;
use workloads::workload::Interface;

pub use self::adapter::{Adapter, AdapterError, FaultCommand};
use self::messages::Messages;
use self::program::{Program, Purpose, ReplyKind, Request};
use super::outcome::{Failure, answered, completion};
use super::{BoxFuture, Client, Completion, NodeContext, NodeStatus, Nodes, System, SystemEntry};
use crate::node_id::NodeId;
use crate::platform::NodeCommand;

pub(super) const ENTRY: SystemEntry = SystemEntry {
    name: "command",
    about: "Any system, by --adapter FILE: how nodes are started, and a client program in any language. \
            ADAPTERS.md has the manual.",
    interfaces: Interface::ALL,
    has_own_ports: true,
    version: || Ok("by an adapter".to_owned()),
    install: "nothing",
    settings: &[],
    build: |options| {
        Box::new(AdaptedSystem::new(
            options.adapter.unwrap_or_default(),
            options.workload,
            options.cluster,
            options.folder,
        ))
    },
};

pub(super) struct AdaptedSystem {
    adapter: Arc<Adapter>,
    purpose: Purpose,
    /// Programs that are asked for the status of a node, one for each address; none while it starts.
    watchers: Arc<Mutex<HashMap<SocketAddr, Option<Program>>>>,
    /// What the last status that was not to be had failed by.
    silence: Silence,
}

/// Shared by the watchers.
type Silence = Arc<std::sync::Mutex<Option<String>>>;

/// A program has connected by then, or is started again. An interpreter may take seconds on a busy machine.
const START_LIMIT: Duration = Duration::from_secs(30);

impl AdaptedSystem {
    /// What programs write to stderr is kept in the folder, if there is one.
    pub(super) fn new(
        adapter: Arc<Adapter>,
        workload: &'static str,
        run: String,
        folder: Option<PathBuf>,
    ) -> AdaptedSystem {
        let messages = Messages::new(folder.map(|folder| folder.join(messages::FILE)));
        let purpose = Purpose { workload, run, messages };
        AdaptedSystem { adapter, purpose, watchers: Arc::default(), silence: Arc::default() }
    }

    /// Nothing if the node does not answer. An interpreter may take longer to start than anybody waits
    /// for a status, so that programs start on the side.
    async fn ask_status(&self, address: SocketAddr) -> Option<NodeStatus> {
        let mut watchers = self.watchers.lock().await;
        let Some(watcher) = watchers.remove(&address) else {
            watchers.insert(address, None);
            tokio::spawn(start_watcher(
                self.watchers.clone(),
                self.silence.clone(),
                start(
                    self.adapter.clone(),
                    self.purpose.clone(),
                    format!("status of {address}"),
                    address,
                ),
                address,
            ));
            return None;
        };
        let Some(mut program) = watcher else {
            watchers.insert(address, None);
            return None;
        };
        drop(watchers);
        let reply = match program.ask(&Request::Status).await {
            Ok(reply) => reply,
            Err(error) => {
                note(&self.silence, address, &error.to_string());
                return None;
            }
        };
        self.watchers.lock().await.insert(address, Some(program));
        if reply.kind == ReplyKind::Ok {
            return Some(NodeStatus::leading(reply.leads, reply.term));
        }
        let reason = reply.error.as_deref().unwrap_or("gave no error");
        note(&self.silence, address, &format!("its status is not `ok`: {reason}"));
        None
    }
}

fn note(silence: &Silence, address: SocketAddr, reason: &str) {
    let mut silence = silence.lock().unwrap_or_else(PoisonError::into_inner);
    *silence = Some(format!("asked for the status of {address}, {reason}"));
}

/// A program that has connected to its node.
async fn start(
    adapter: Arc<Adapter>,
    purpose: Purpose,
    name: String,
    address: SocketAddr,
) -> io::Result<Program> {
    let start = Program::start(&adapter, &purpose, &name, address);
    tokio::time::timeout(START_LIMIT, start).await.unwrap_or_else(|_| {
        let reason = format!("the client program did not answer `open` within {START_LIMIT:?}");
        Err(io::Error::new(io::ErrorKind::TimedOut, reason))
    })
}

async fn start_watcher(
    watchers: Arc<Mutex<HashMap<SocketAddr, Option<Program>>>>,
    silence: Silence,
    start: impl Future<Output = io::Result<Program>>,
    address: SocketAddr,
) {
    let started = start.await;
    let mut watchers = watchers.lock().await;
    match started {
        Ok(program) => {
            watchers.insert(address, Some(program));
        }
        Err(error) => {
            note(&silence, address, &error.to_string());
            watchers.remove(&address);
        }
    }
}

impl Nodes for AdaptedSystem {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn prepare(&self, context: &NodeContext) -> std::io::Result<()> {
        std::fs::create_dir_all(&context.data)?;
        for (path, text) in self.adapter.files(context) {
            if !Path::new(&path).exists() {
                std::fs::write(path, text)?;
            }
        }
        Ok(())
    }

    fn node_command(&self, context: &NodeContext) -> NodeCommand {
        let argv = self.adapter.node_argv(context).into_iter().map(Into::into).collect();
        NodeCommand { argv, log: context.log.clone() }
    }

    fn status(&self, address: SocketAddr, patience: Duration) -> BoxFuture<'_, Option<NodeStatus>> {
        Box::pin(async move {
            tokio::time::timeout(patience, self.ask_status(address)).await.ok().flatten()
        })
    }

    fn why_silent(&self) -> Option<String> {
        self.silence.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn fault_commands(&self) -> &[FaultCommand] {
        self.adapter.fault_commands()
    }
}

impl System for AdaptedSystem {
    fn client(&self, node: NodeId, address: SocketAddr, _interface: Interface) -> Box<dyn Client> {
        let (adapter, purpose) = (self.adapter.clone(), self.purpose.clone());
        Box::new(AdaptedClient { adapter, purpose, node, address, state: ClientState::Idle })
    }

    fn serves(&self, _node: NodeId, address: SocketAddr) -> BoxFuture<'_, bool> {
        Box::pin(async move { self.ask_status(address).await.is_some() })
    }
}

struct AdaptedClient {
    adapter: Arc<Adapter>,
    purpose: Purpose,
    node: NodeId,
    address: SocketAddr,
    state: ClientState,
}

enum ClientState {
    /// The next operation starts a program.
    Idle,
    /// It goes on although an operation did not wait for it.
    Starts(JoinHandle<io::Result<Program>>),
    Runs(Program),
}

impl AdaptedClient {
    /// Has a program that runs, or is `Idle` or `Starts`.
    async fn ready(&mut self) -> Result<(), Failure> {
        if let ClientState::Idle = self.state {
            let name = format!("client of {}", self.node);
            let start = start(self.adapter.clone(), self.purpose.clone(), name, self.address);
            self.state = ClientState::Starts(tokio::spawn(start));
        }
        let ClientState::Starts(start) = &mut self.state else {
            return Ok(());
        };
        let started = start.await.unwrap_or_else(|error| Err(io::Error::other(error)));
        self.state = ClientState::Idle;
        self.state = ClientState::Runs(started.map_err(Failure::without_effect)?);
        Ok(())
    }

    /// A program that fails, or does not answer in time, is ended, so that its late reply is not taken for
    /// another.
    async fn apply(&mut self, invocation: &Invocation) -> Result<Completion, Failure> {
        let ClientState::Runs(mut program) = std::mem::replace(&mut self.state, ClientState::Idle)
        else {
            return Err(Failure::without_effect("the client program does not run"));
        };
        let request = Request::Invoke {
            f: invocation.f,
            key: invocation.key.as_ref(),
            value: &invocation.value,
        };
        let reply = program.ask(&request).await.map_err(Failure::in_doubt)?;
        let value = match (reply.kind, reply.value) {
            (ReplyKind::Ok, Some(value)) => value,
            (ReplyKind::Ok, None) => {
                return Err(Failure::in_doubt(format!(
                    "the client program answered {} by `ok` without `value`",
                    invocation.f
                )));
            }
            (ReplyKind::Fail | ReplyKind::Info, _) => invocation.value.clone(),
        };
        self.state = ClientState::Runs(program);
        Ok(Completion { kind: reply.kind.into(), value, error: reply.error })
    }
}

impl Client for AdaptedClient {
    /// An operation for which no program was there in time had no effect.
    fn invoke<'a>(
        &'a mut self,
        invocation: &'a Invocation,
        timeout: Duration,
    ) -> BoxFuture<'a, Completion> {
        Box::pin(async move {
            let until = Instant::now() + timeout;
            match tokio::time::timeout_at(until, self.ready()).await {
                Ok(Ok(())) => {}
                Ok(Err(failure)) => return completion(invocation, &failure),
                Err(_) => {
                    let failure = Failure::without_effect("the client program still starts");
                    return completion(invocation, &failure);
                }
            }
            let left = until.saturating_duration_since(Instant::now());
            answered(invocation, left, self.apply(invocation)).await
        })
    }
}

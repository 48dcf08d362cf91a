//! Any system, by an adapter: a file that says how its nodes are started, and a program in any
//! language that speaks to one of them. `ADAPTERS.md` is the manual.
//!
//! ```text
//! adapter.rs  the file
//! program.rs  the program: one JSON object a line, a request and its reply
//! ```

mod adapter;
mod program;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use workloads::generator::Invocation;
use workloads::history::{EventKind, Value};
use workloads::workload::Interface;

pub use self::adapter::{Adapter, AdapterError, FaultCommand};
use self::program::{Program, Purpose, Request};
use super::outcome::{Failure, answered};
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
        ))
    },
};

pub(super) struct AdaptedSystem {
    adapter: Arc<Adapter>,
    purpose: Purpose,
    /// Programs that are asked for the status of a node, one for each address; none while it starts.
    watchers: Arc<Mutex<HashMap<SocketAddr, Option<Program>>>>,
}

/// A program has connected by then, or is started again.
const START_LIMIT: Duration = Duration::from_secs(10);

impl AdaptedSystem {
    pub(super) fn new(adapter: Arc<Adapter>, workload: &'static str, run: String) -> AdaptedSystem {
        let purpose = Purpose { workload, run };
        AdaptedSystem { adapter, purpose, watchers: Arc::default() }
    }

    /// Nothing if the node does not answer. An interpreter may take longer to start than anybody waits
    /// for a status, so that programs start on the side.
    async fn ask_status(&self, address: SocketAddr) -> Option<NodeStatus> {
        let mut watchers = self.watchers.lock().await;
        let Some(watcher) = watchers.remove(&address) else {
            watchers.insert(address, None);
            tokio::spawn(start_watcher(
                self.watchers.clone(),
                self.adapter.clone(),
                self.purpose.clone(),
                address,
            ));
            return None;
        };
        let Some(mut program) = watcher else {
            watchers.insert(address, None);
            return None;
        };
        drop(watchers);
        let reply = program.ask(&Request::Status).await.ok()?;
        self.watchers.lock().await.insert(address, Some(program));
        let serves = reply.kind == EventKind::Ok;
        serves.then_some(NodeStatus::leading(reply.leads, reply.term))
    }
}

async fn start_watcher(
    watchers: Arc<Mutex<HashMap<SocketAddr, Option<Program>>>>,
    adapter: Arc<Adapter>,
    purpose: Purpose,
    address: SocketAddr,
) {
    let start = Program::start(&adapter, &purpose, address);
    let started = tokio::time::timeout(START_LIMIT, start).await;
    let mut watchers = watchers.lock().await;
    match started {
        Ok(Ok(program)) => watchers.insert(address, Some(program)),
        Ok(Err(_)) | Err(_) => watchers.remove(&address),
    };
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

    fn fault_commands(&self) -> &[FaultCommand] {
        self.adapter.fault_commands()
    }
}

impl System for AdaptedSystem {
    fn client(&self, _node: NodeId, address: SocketAddr, _interface: Interface) -> Box<dyn Client> {
        let (adapter, purpose) = (self.adapter.clone(), self.purpose.clone());
        Box::new(AdaptedClient { adapter, purpose, address, program: None })
    }

    fn serves(&self, _node: NodeId, address: SocketAddr) -> BoxFuture<'_, bool> {
        Box::pin(async move { self.ask_status(address).await.is_some() })
    }
}

struct AdaptedClient {
    adapter: Arc<Adapter>,
    purpose: Purpose,
    address: SocketAddr,
    program: Option<Program>,
}

impl AdaptedClient {
    async fn apply(&mut self, invocation: &Invocation) -> Result<Completion, Failure> {
        let mut program = match self.program.take() {
            Some(program) => program,
            None => Program::start(&self.adapter, &self.purpose, self.address)
                .await
                .map_err(Failure::without_effect)?,
        };
        let request = Request::Invoke {
            f: invocation.f,
            key: invocation.key.as_ref(),
            value: &invocation.value,
        };
        let reply = program.ask(&request).await.map_err(Failure::in_doubt)?;
        self.program = Some(program);
        let value = match reply.kind {
            EventKind::Ok => reply.value.unwrap_or(Value::Null),
            _ => invocation.value.clone(),
        };
        Ok(Completion { kind: reply.kind, value, error: reply.error })
    }
}

impl Client for AdaptedClient {
    /// A program that did not answer in time is ended, so that its late reply is not taken for another.
    fn invoke<'a>(
        &'a mut self,
        invocation: &'a Invocation,
        timeout: Duration,
    ) -> BoxFuture<'a, Completion> {
        Box::pin(answered(invocation, timeout, self.apply(invocation)))
    }
}

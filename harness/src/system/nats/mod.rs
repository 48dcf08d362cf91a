//! NATS JetStream: one stream on disk, with a replica on each of up to five nodes.
//!
//! A publish is acknowledged once a majority of the replicas has it. Reads are of the stream's leader,
//! or with `--read-mode local` of the replica on the asked node, as `allow_direct` has it.
//!
//! ```text
//! configuration.rs  the settings of a server, and its ports
//! protocol.rs       the client protocol: requests and replies
//! jetstream.rs      the API of streams, in such requests
//! monitoring.rs     what a server tells about itself
//! client.rs         a worker's connection, and what each interface of a workload means here
//! ```
//!
//! Whoever connects creates the stream if it is not there, as programs do when they start: so reads see
//! that what was in a stream that is gone is lost.

mod client;
mod configuration;
mod jetstream;
mod monitoring;
mod protocol;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use workloads::workload::Interface;

use self::client::{INTERFACES, NatsClient};
use self::configuration::{monitor, server_name};
use self::jetstream::REPLICAS_MAX;
use self::protocol::Connection;
use super::installed::{NotInstalled, version_line};
use super::{BoxFuture, Client, NodeContext, NodeStatus, Nodes, ReadMode, System, SystemEntry};
use crate::node_id::NodeId;
use crate::platform::NodeCommand;

pub(super) const ENTRY: SystemEntry = SystemEntry {
    name: "nats",
    about: "NATS JetStream 2.9 or newer, a stream with a replica on each node. It documents that it \
            syncs to disk every two minutes only, and that reads of --read-mode local may be stale.",
    interfaces: INTERFACES,
    has_own_ports: true,
    version,
    install: "apt-get install nats-server",
    settings: &[],
    build: |options| {
        Box::new(Nats {
            cluster: options.cluster,
            read_mode: options.read_mode,
            replicas: AtomicUsize::new(1),
        })
    },
};

/// The program, on the PATH.
const PROGRAM: &str = "nats-server";
/// A node that serves answers by then.
const SERVES_PATIENCE: Duration = Duration::from_secs(2);
/// Pause between attempts to create the stream.
const CREATE_INTERVAL: Duration = Duration::from_millis(200);

struct Nats {
    cluster: String,
    read_mode: ReadMode,
    /// Of the stream: one on each node.
    replicas: AtomicUsize,
}

/// Such as `2.9.10`.
fn version() -> Result<String, NotInstalled> {
    let line = version_line(PROGRAM, &["--version"])?;
    Ok(line.trim_start_matches("nats-server:").trim().trim_start_matches('v').to_owned())
}

impl Nodes for Nats {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn prepare(&self, context: &NodeContext) -> std::io::Result<()> {
        std::fs::create_dir_all(&context.data)?;
        let text = configuration::text(context, &self.cluster);
        std::fs::write(configuration::file(&context.data), text)
    }

    fn node_command(&self, context: &NodeContext) -> NodeCommand {
        let argv = vec![PROGRAM.into(), "-c".into(), configuration::file(&context.data).into()];
        NodeCommand { argv, log: context.log.clone() }
    }

    /// Whether it leads the stream; before there is one, whether it leads the cluster.
    fn status(&self, address: SocketAddr, patience: Duration) -> BoxFuture<'_, Option<NodeStatus>> {
        Box::pin(async move {
            let view = monitoring::view(monitor(address));
            let view = tokio::time::timeout(patience, view).await.ok()??;
            let (leader, reached) = match view.stream {
                Some(stream) => (stream.leader, stream.last_sequence),
                None => (view.meta_leader, 0),
            };
            // How far it is tells two that believe to lead apart.
            Some(NodeStatus::leading(leader == Some(server_name(address)), reached))
        })
    }

    /// Creates the stream, as soon as the nodes have a leader.
    fn form(&self, nodes: &BTreeMap<NodeId, SocketAddr>) -> BoxFuture<'_, Result<(), String>> {
        self.replicas.store(nodes.len(), Ordering::Relaxed);
        let address = nodes.values().next().copied();
        let count = nodes.len();
        Box::pin(async move {
            if count > REPLICAS_MAX {
                return Err(format!(
                    "a stream has at most {REPLICAS_MAX} replicas, one for each node\n\
                     hint: --nodes {REPLICAS_MAX}"
                ));
            }
            let address = address.ok_or("there is no node")?;
            // The caller ends it.
            while !has_stream(address, count).await {
                tokio::time::sleep(CREATE_INTERVAL).await;
            }
            Ok(())
        })
    }

    fn is_ready(&self, address: SocketAddr, _nodes: usize) -> BoxFuture<'_, bool> {
        Box::pin(async move {
            let view = monitoring::view(monitor(address)).await;
            let stream = view.and_then(|view| view.stream);
            stream.is_some_and(|stream| stream.leader.is_some()) && has_caught_up(address).await
        })
    }
}

impl System for Nats {
    fn client(&self, _node: NodeId, address: SocketAddr, interface: Interface) -> Box<dyn Client> {
        Box::new(NatsClient::new(address, interface, self.read_mode, self.replicas()))
    }

    /// It takes a message, and says that it has caught up.
    fn serves(&self, node: NodeId, address: SocketAddr) -> BoxFuture<'_, bool> {
        let replicas = self.replicas();
        Box::pin(async move {
            let published = async {
                let mut connection = jetstream::open(address, replicas).await.ok()?;
                jetstream::publish(&mut connection, &format!("probe.{node}"), "0").await.ok()
            };
            let published = tokio::time::timeout(SERVES_PATIENCE, published).await;
            matches!(published, Ok(Some(_))) && has_caught_up(address).await
        })
    }
}

/// Creates the stream.
async fn has_stream(address: SocketAddr, replicas: usize) -> bool {
    let created = async {
        let mut connection = Connection::open(address).await.ok()?;
        jetstream::create_stream(&mut connection, replicas).await.ok()
    };
    matches!(tokio::time::timeout(SERVES_PATIENCE, created).await, Ok(Some(())))
}

/// It says so, and its replica answers reads.
async fn has_caught_up(address: SocketAddr) -> bool {
    let monitor = monitor(address);
    monitoring::is_healthy(monitor).await && monitoring::answers_reads(monitor).await
}

impl Nats {
    fn replicas(&self) -> usize {
        self.replicas.load(Ordering::Relaxed)
    }
}

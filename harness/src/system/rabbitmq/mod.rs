//! RabbitMQ: quorum queues, or classic queues that are mirrored on all nodes.
//!
//! An enqueue is a publish that the server confirmed; a dequeue takes a message for good (`basic.get`
//! without an acknowledgement), so that nothing is delivered twice on purpose.
//!
//! ```text
//! wire.rs           frames and methods of AMQP 0-9-1
//! connection.rs     a connection with one channel
//! configuration.rs  the files of a node, and how it is started
//! client.rs         a worker's connection, and what a queue of a workload means here
//! ```
//!
//! Each queue has a leader of its own. The node that leads here is the one that began the cluster.

mod client;
mod configuration;
mod connection;
mod wire;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::Duration;

use workloads::workload::Interface;

use self::client::{INTERFACES, QueueKind, RabbitClient};
use self::connection::{Confirmation, Connection, Declaration};
use super::installed::NotInstalled;
use super::{
    BoxFuture, Client, NodeContext, NodeStatus, Nodes, Setting, Settings, System, SystemEntry,
};
use crate::node_id::NodeId;
use crate::platform::NodeCommand;

pub(super) const ENTRY: SystemEntry = SystemEntry {
    name: "rabbitmq",
    about: "RabbitMQ 3.8 to 3.13. It documents that mirrored queues can lose confirmed messages when a \
            partition is healed by autoheal, and that quorum queues do not.",
    interfaces: INTERFACES,
    has_own_ports: true,
    version,
    install: "apt-get install rabbitmq-server",
    settings: &[
        Setting {
            name: "queues",
            about: "What queues are: replicated by Raft, or classic with mirrors on all nodes.",
            values: &["quorum", "mirrored"],
        },
        Setting {
            name: "partition-handling",
            about: "What nodes do when they cannot hear each other, and when they can again.",
            values: &["ignore", "autoheal", "pause_minority"],
        },
    ],
    build: |options| Box::new(RabbitMq { settings: options.settings, first: OnceLock::new() }),
};

/// Erlang nodes start slowly, and one after the other.
const START_LIMIT: Duration = Duration::from_secs(180);
/// A node that serves answers by then.
const SERVES_PATIENCE: Duration = Duration::from_secs(2);
/// Pause between looks at nodes that get to know each other.
const POLL_INTERVAL: Duration = Duration::from_millis(200);
/// A queue by which nodes of one cluster are known.
const MARK: &str = "cluster-mark";

struct RabbitMq {
    settings: Settings,
    /// The node that began the cluster.
    first: OnceLock<SocketAddr>,
}

fn version() -> Result<String, NotInstalled> {
    configuration::version().map_err(|source| NotInstalled::new("run rabbitmq-server", source))
}

impl RabbitMq {
    fn queues(&self) -> QueueKind {
        match self.settings.get("queues") {
            "mirrored" => QueueKind::Mirrored,
            _ => QueueKind::Quorum,
        }
    }
}

impl Nodes for RabbitMq {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn prepare(&self, context: &NodeContext) -> std::io::Result<()> {
        configuration::write(context, self.settings.get("partition-handling"))
    }

    fn node_command(&self, context: &NodeContext) -> NodeCommand {
        NodeCommand { argv: configuration::command(context), log: context.log.clone() }
    }

    fn start_limit(&self) -> Duration {
        START_LIMIT
    }

    fn status(&self, address: SocketAddr, patience: Duration) -> BoxFuture<'_, Option<NodeStatus>> {
        Box::pin(async move {
            let start = Connection::start(address);
            tokio::time::timeout(patience, start).await.ok()?.ok()?;
            Some(NodeStatus::leading(self.first.get() == Some(&address), 0))
        })
    }

    /// Nodes find each other by their settings; this waits until every one knows what the first has.
    fn form(&self, nodes: &BTreeMap<NodeId, SocketAddr>) -> BoxFuture<'_, Result<(), String>> {
        let addresses: Vec<SocketAddr> = nodes.values().copied().collect();
        Box::pin(async move {
            let first = *addresses.first().ok_or("there is no node")?;
            self.first.get_or_init(|| first);
            let mark = async {
                let mut connection = Connection::open(first).await?;
                connection.declare(MARK, &[], Declaration::Durable).await
            };
            mark.await.map_err(|error| format!("declare a queue: {error}"))?;
            for address in addresses {
                // The caller ends it.
                while !knows_mark(address).await {
                    tokio::time::sleep(POLL_INTERVAL).await;
                }
            }
            Ok(())
        })
    }
}

async fn knows_mark(address: SocketAddr) -> bool {
    match Connection::open(address).await {
        Ok(mut connection) => connection.declare(MARK, &[], Declaration::IfThere).await.is_ok(),
        Err(_) => false,
    }
}

impl System for RabbitMq {
    fn client(&self, _node: NodeId, address: SocketAddr, _interface: Interface) -> Box<dyn Client> {
        Box::new(RabbitClient::new(address, self.queues()))
    }

    /// A message goes through a queue of the node.
    fn serves(&self, node: NodeId, address: SocketAddr) -> BoxFuture<'_, bool> {
        let queue = format!("queue-probe-{node}");
        Box::pin(async move {
            let probe = async {
                let mut connection = Connection::open(address).await?;
                connection.declare(&queue, self.queues().arguments(), Declaration::Durable).await?;
                let confirmation = connection.publish(&queue, b"0").await?;
                let taken = connection.take(&queue).await?;
                Ok::<_, connection::AmqpError>(
                    confirmation == Confirmation::Confirmed && taken.is_some(),
                )
            };
            matches!(tokio::time::timeout(SERVES_PATIENCE, probe).await, Ok(Ok(true)))
        })
    }
}

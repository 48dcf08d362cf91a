//! PostgreSQL: a primary with streaming standbys.
//!
//! `n1` begins as the primary, the others as copies of it. Every client speaks to the server of one
//! node and to no other; on a standby it only reads, and only where reads may be old.
//!
//! ```text
//! server.rs      how a server starts
//! look.rs        what a server says about itself
//! failover.rs    who is promoted when the primary is gone
//! session.rs     a connection
//! client.rs      a worker's connection
//! errors.rs      what errors of a server mean
//! operations.rs  what each interface of a workload means here
//! ```

mod client;
mod errors;
mod failover;
mod look;
mod operations;
mod server;
mod session;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_postgres::IsolationLevel;
use workloads::workload::Interface;

use self::failover::{Member, Roster, supervise};
use self::server::Durability;
use super::{
    BoxFuture, Client, NodeContext, NodeStatus, Nodes, ReadMode, Setting, System, SystemEntry,
    SystemOptions,
};
use crate::node_id::NodeId;
use crate::platform::NodeCommand;

pub(super) use self::client::{ClientOptions, ISOLATION, PostgresClient, isolation};
pub(super) use self::look::Observer;
pub(super) use self::operations::{INTERFACES, create_tables};
pub(super) use self::server::{ACCESS, SERVER_SETTINGS, program, version};
pub(super) use self::session::USER;

pub(super) const ENTRY: SystemEntry = SystemEntry {
    name: "postgres",
    about: "PostgreSQL, a primary with streaming standbys, which take reads with --read-mode local. It \
            documents that standbys lag behind, and that asynchronous replication loses commits when \
            one is promoted.",
    interfaces: INTERFACES,
    has_own_ports: true,
    version,
    install: "apt-get install postgresql",
    settings: &[ISOLATION, SYNCHRONOUS, FAILOVER],
    build: |options| Box::new(Postgres::new(&options)),
};

/// Does a commit wait for a standby?
const SYNCHRONOUS: Setting = Setting {
    name: "synchronous",
    about: "Whether a commit waits until one standby has it on disk.",
    values: &["off", "on"],
};

const FAILOVER: Setting = Setting {
    name: "failover",
    about: "With automatic, the harness promotes the standby that is furthest when all have lost their \
            primary, which it stops and makes a copy of the new one.",
    values: &["none", "automatic"],
};

/// The primary in the beginning.
const FIRST: NodeId = NodeId(1);
/// Making copies takes its time.
const START_LIMIT: Duration = Duration::from_secs(180);
/// A server that serves answers by then.
const SERVES_PATIENCE: Duration = Duration::from_secs(1);

struct Postgres {
    durability: Durability,
    isolation: IsolationLevel,
    read_mode: ReadMode,
    fails_over: bool,
    roster: Arc<Roster>,
    observer: Arc<Observer>,
    /// Ends with the system.
    supervisor: Mutex<JoinSet<()>>,
}

impl Postgres {
    fn new(options: &SystemOptions) -> Postgres {
        Postgres {
            durability: Durability {
                is_synchronous: options.settings.get(SYNCHRONOUS.name) == "on",
                fsync: options.fsync,
            },
            isolation: isolation(&options.settings),
            read_mode: options.read_mode,
            fails_over: options.settings.get(FAILOVER.name) == "automatic",
            roster: Arc::new(Roster::new(FIRST)),
            observer: Arc::default(),
            supervisor: Mutex::default(),
        }
    }
}

impl Nodes for Postgres {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn prepare(&self, context: &NodeContext) -> std::io::Result<()> {
        let member = Member { address: context.listen, origin: server::origin_file(context) };
        self.roster.add(context.node, member);
        let primary = context.peers.get(&self.roster.primary()).copied();
        server::prepare(context, primary.unwrap_or(context.listen))
    }

    fn node_command(&self, context: &NodeContext) -> NodeCommand {
        NodeCommand { argv: server::command(context, self.durability), log: context.log.clone() }
    }

    fn start_limit(&self) -> Duration {
        START_LIMIT
    }

    fn form(&self, nodes: &BTreeMap<NodeId, SocketAddr>) -> BoxFuture<'_, Result<(), String>> {
        let nodes = nodes.clone();
        Box::pin(async move {
            let primary = nodes.get(&self.roster.primary()).ok_or("there is no first node")?;
            let made = async { create_tables(&self.observer.session(*primary).await?).await };
            made.await.map_err(|error| crate::output::chain(&error))?;
            if self.fails_over {
                let mut running = self.supervisor.lock().unwrap_or_else(PoisonError::into_inner);
                running.spawn(supervise(self.roster.clone(), self.observer.clone(), nodes));
            }
            Ok(())
        })
    }

    fn is_ready(&self, address: SocketAddr, nodes: usize) -> BoxFuture<'_, bool> {
        Box::pin(async move {
            let look = self.observer.look(address, SERVES_PATIENCE).await;
            look.is_some_and(|look| look.is_ready(nodes, self.durability.is_synchronous))
        })
    }

    fn status(&self, address: SocketAddr, patience: Duration) -> BoxFuture<'_, Option<NodeStatus>> {
        Box::pin(async move { Some(self.observer.look(address, patience).await?.status()) })
    }
}

impl System for Postgres {
    fn client(&self, _node: NodeId, address: SocketAddr, interface: Interface) -> Box<dyn Client> {
        let (isolation, read_mode) = (self.isolation, self.read_mode);
        Box::new(PostgresClient::new(address, ClientOptions { interface, isolation, read_mode }))
    }

    /// The primary and no other, and every standby that receives its log.
    fn serves(&self, node: NodeId, address: SocketAddr) -> BoxFuture<'_, bool> {
        Box::pin(async move {
            let look = self.observer.look(address, SERVES_PATIENCE).await;
            look.is_some_and(|look| match node == self.roster.primary() {
                true => !look.is_standby,
                false => look.is_standby && look.is_receiving,
            })
        })
    }
}

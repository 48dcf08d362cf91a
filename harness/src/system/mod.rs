//! Systems under test: how a node is started, when it serves, and how a client talks to it.
//!
//! A system is known by its processes and its wire protocol only. A new one is one file and one
//! line in [`SYSTEMS`].

mod admin;
mod command;
pub(crate) mod etcd;
mod external;
mod galera;
mod http_date;
mod installed;
mod nats;
mod ordinary_user;
mod outcome;
#[cfg(feature = "postgres")]
mod patroni;
#[cfg(feature = "postgres")]
mod postgres;
mod rabbitmq;
mod redis;
mod settings;
#[cfg(feature = "store")]
mod store;
mod zookeeper;

use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use workloads::generator::Invocation;
use workloads::history::{EventKind, Value};
use workloads::workload::Interface;

pub use self::command::{Adapter, AdapterError, FaultCommand};
pub use self::installed::NotInstalled;
pub use self::settings::{Setting, Settings, SettingsError};
use crate::node_id::NodeId;
use crate::platform::{NodeCommand, real_time};

pub use admin::{Admin, AdminAction, AdminError, MemberChange, MemberRole, Members};

/// A future that a trait object returns.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// One line of the table of systems.
pub struct SystemEntry {
    /// The name on the command line.
    pub name: &'static str,
    /// One sentence for `list systems`.
    pub about: &'static str,
    /// What workloads may ask of it.
    pub interfaces: &'static [Interface],
    /// Do its nodes listen on more ports than the one they are given? Then each needs an address of its
    /// own, which the platform `loopback` cannot cut off.
    pub has_own_ports: bool,
    /// Which version is on this machine.
    pub version: fn() -> Result<String, NotInstalled>,
    /// What installs it.
    pub install: &'static str,
    /// What a user may choose about it.
    pub settings: &'static [Setting],
    /// Builds it from the options of a run.
    pub build: fn(SystemOptions) -> Box<dyn System>,
}

/// Options of a run that say something about the store only.
const OPTIONS_OF_THE_STORE: &[&str] = &["storage", "shards", "snapshot_entries", "bug"];

/// Does an option of a run say nothing about this system?
pub fn is_without(system: &str, option: &str) -> bool {
    match system {
        "store" => false,
        "postgres" => OPTIONS_OF_THE_STORE.contains(&option),
        _ => option == "fsync" || OPTIONS_OF_THE_STORE.contains(&option),
    }
}

/// All systems, by name.
pub const SYSTEMS: &[SystemEntry] = &[
    #[cfg(feature = "store")]
    store::ENTRY,
    etcd::ENTRY,
    redis::REDIS_SENTINEL,
    redis::REDIS_CLUSTER,
    nats::ENTRY,
    rabbitmq::ENTRY,
    zookeeper::ENTRY,
    galera::ENTRY,
    #[cfg(feature = "postgres")]
    postgres::ENTRY,
    #[cfg(feature = "postgres")]
    patroni::ENTRY,
    command::ENTRY,
    external::ENTRY,
];

/// Systems that this build lacks, each with the cargo feature that it needs.
pub const LEFT_OUT: &[(&str, &str)] = match cfg!(feature = "postgres") {
    true => &[],
    false => &[("postgres", "postgres"), ("patroni", "postgres")],
};

/// The system of this name, if there is one.
pub fn system(name: &str) -> Option<&'static SystemEntry> {
    SYSTEMS.iter().find(|entry| entry.name == name)
}

/// A node that does not answer a status request by then counts as not answering.
pub const STATUS_PATIENCE: Duration = Duration::from_millis(400);

/// How long a cluster of most systems may take until it serves.
const START_LIMIT: Duration = Duration::from_secs(30);

/// Log entries from one snapshot of a node to the next, unless a run says otherwise.
pub const SNAPSHOT_ENTRIES: u64 = 10_000;

/// What a system is told about the run.
#[derive(Debug, Clone)]
pub struct SystemOptions {
    /// Unique among runs, so that nodes of two runs refuse each other.
    pub cluster: String,
    /// Where state is kept.
    pub storage: StorageMode,
    /// Is the log synced to disk?
    pub fsync: FsyncMode,
    /// How reads are done.
    pub read_mode: ReadMode,
    /// Raft groups that share the keys.
    pub shards: u16,
    /// Log entries from one snapshot of a node to the next.
    pub snapshot_entries: u64,
    /// The planted bug, if any.
    pub bug: Option<String>,
    /// The name of the workload.
    pub workload: &'static str,
    /// What the user chose about the system.
    pub settings: Settings,
    /// What the system `command` is made of.
    pub adapter: Option<Arc<Adapter>>,
    /// Seed of whatever a node or a client draws.
    pub seed: u64,
    /// The folder of the run, if it has one.
    pub folder: Option<PathBuf>,
}

/// Where a node keeps its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StorageMode {
    /// On disk.
    Rocksdb,
    /// In memory: a killed node forgets everything.
    Memory,
}

/// Whether a node syncs its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FsyncMode {
    /// Before anything is acknowledged.
    Always,
    /// Never; a power loss may lose acknowledged writes.
    Off,
}

/// How reads are done.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum ReadMode {
    /// Sees everything acknowledged before.
    Linearizable,
    /// Whatever the asked node has.
    Local,
}

/// What a node needs to know to start.
#[derive(Debug, Clone)]
pub struct NodeContext {
    /// The node.
    pub node: NodeId,
    /// Where it listens.
    pub listen: SocketAddr,
    /// Where it finds every node, itself included.
    pub peers: BTreeMap<NodeId, SocketAddr>,
    /// Its data directory; exists only after the first start.
    pub data: PathBuf,
    /// Where its output goes.
    pub log: PathBuf,
    /// Does it lack its data, so that it waits to be added to the cluster again?
    pub joins: bool,
}

/// How an operation ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Completion {
    /// `ok`, `fail` or `info`.
    pub kind: EventKind,
    /// The result, or the argument again where there is no result.
    pub value: Value,
    /// Why it is not `ok`.
    pub error: Option<String>,
}

/// What a node says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeStatus {
    /// Does it believe that it leads?
    pub leads: bool,
    /// Its logical clock; the leader with the highest one is the leader.
    pub term: u64,
    /// Its role in the system's own words: `leader`, `follower`.
    pub role: String,
    /// The last entry of its log that it knows to be committed, if it says so.
    pub committed: Option<u64>,
    /// What its wall clock shows (nanoseconds since 1970), if it says so.
    pub wall_clock: Option<i64>,
}

impl NodeStatus {
    /// Of a node that says no more than whether it leads.
    pub fn leading(leads: bool, term: u64) -> NodeStatus {
        let role = if leads { "leader" } else { "follower" }.to_owned();
        NodeStatus { leads, term, role, committed: None, wall_clock: None }
    }
}

/// What a node's wall clock showed at some moment between two of the harness's own (nanoseconds since
/// 1970).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WallClock {
    /// What it showed.
    pub shows: i64,
    /// No earlier than this.
    pub asked: i64,
    /// No later than this.
    pub answered: i64,
}

/// How the nodes of a system are started, and asked about themselves.
pub trait Nodes: Send + Sync {
    /// The name of the system.
    fn name(&self) -> &'static str;

    /// Writes what a node needs before each of its starts, such as settings.
    fn prepare(&self, _context: &NodeContext) -> std::io::Result<()> {
        Ok(())
    }

    /// Does a cluster of so many nodes that starts serve here? Its nodes answer, and one leads.
    fn is_ready(&self, _address: SocketAddr, _nodes: usize) -> BoxFuture<'_, bool> {
        Box::pin(async { true })
    }

    /// How long a cluster may take from its start until it serves.
    fn start_limit(&self) -> Duration {
        START_LIMIT
    }

    /// Makes one cluster of nodes that were started and answer, where they do not do so themselves.
    /// Asked once; the error is one sentence.
    fn form(&self, _nodes: &BTreeMap<NodeId, SocketAddr>) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async { Ok(()) })
    }

    /// How to start a node.
    fn node_command(&self, context: &NodeContext) -> NodeCommand;

    /// Asks a node about itself; none if it does not answer in time.
    fn status(&self, address: SocketAddr, patience: Duration) -> BoxFuture<'_, Option<NodeStatus>>;

    /// Asks a node what its wall clock shows; bounded to seconds. By its status, unless it says so
    /// elsewhere; none if it does not say.
    fn wall_clock(&self, address: SocketAddr) -> BoxFuture<'_, Option<WallClock>> {
        Box::pin(async move {
            let asked = real_time();
            let shows = self.status(address, STATUS_PATIENCE).await?.wall_clock?;
            Some(WallClock { shows, asked, answered: real_time() })
        })
    }

    /// Why the last status that was not to be had was not, if the reason may be its own and not the node's.
    fn why_silent(&self) -> Option<String> {
        None
    }

    /// Faults that the author of its adapter wrote.
    fn fault_commands(&self) -> &[FaultCommand] {
        &[]
    }

    /// What operators can do to it, if it has commands for that.
    fn admin(&self) -> Option<&dyn Admin> {
        None
    }
}

/// A system under test.
pub trait System: Nodes {
    /// A client that speaks to one node only. Connects when it is first used.
    fn client(&self, node: NodeId, address: SocketAddr, interface: Interface) -> Box<dyn Client>;

    /// Does a node serve clients again? By a write and a read of a register, unless it has another
    /// notion.
    fn serves(&self, node: NodeId, address: SocketAddr) -> BoxFuture<'_, bool> {
        let mut client = self.client(node, address, Interface::Register);
        Box::pin(async move {
            let key = Some(RECOVERY_KEY.into());
            let write = Invocation { f: "write", key: key.clone(), value: node.to_string().into() };
            let read = Invocation { f: "read", key, value: Value::Null };
            for invocation in [&write, &read] {
                if client.invoke(invocation, SERVES_PATIENCE).await.kind != EventKind::Ok {
                    return false;
                }
            }
            true
        })
    }
}

/// Nodes are asked here whether they serve; no workload uses it.
const RECOVERY_KEY: &str = "recovery-probe";
/// A node that serves answers by then.
const SERVES_PATIENCE: Duration = Duration::from_secs(1);

/// A connection that applies operations of one worker, one at a time.
pub trait Client: Send {
    /// Applies one operation. Ends within `timeout`, with `info` if the outcome is not known by then.
    fn invoke<'a>(
        &'a mut self,
        invocation: &'a Invocation,
        timeout: Duration,
    ) -> BoxFuture<'a, Completion>;
}

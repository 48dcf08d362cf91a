//! `server serve`: one node of a cluster.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::bug::{BUGS, Bug, Bugs};
use crate::config::{Limits, ServerConfig, Storage};
use crate::driver::Fsync;
use crate::server::{Server, ServerError};
use crate::types::NodeId;

use super::{EXIT_FAILURE, EXIT_OK, EXIT_USAGE, fail};

/// Threads for the network. The replica, the log and the state machine have their own.
const NETWORK_THREADS: usize = 2;
/// After a signal, the process ends within two seconds; this much is for closing the stores.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_millis(1_800);

/// Runs one node of a cluster.
#[derive(Debug, Clone, Args)]
pub struct ServeArgs {
    /// Number of this node, from 1.
    #[arg(long, value_name = "NUMBER")]
    pub node: u64,
    /// Name of the cluster; nodes of different clusters refuse each other.
    #[arg(long, value_name = "NAME", default_value = "breakwater")]
    pub cluster: String,
    /// Address to listen on, for clients and peers alike [default: this node's address in --peers].
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// Every node and its address, this one included.
    #[arg(long, value_name = "1=HOST:PORT,...", value_parser = parse_peers)]
    pub peers: Peers,
    /// Data directory [default: data-NUMBER].
    #[arg(long, value_name = "DIRECTORY")]
    pub data: Option<PathBuf>,
    /// Where data lives; a node with storage in memory must not be restarted.
    #[arg(long, value_enum, default_value = "rocksdb")]
    pub storage: StorageKind,
    /// When the log is synced to disk.
    #[arg(long, value_enum, default_value = "always")]
    pub fsync: Fsync,
    /// Time between ticks, such as 50ms.
    #[arg(long, value_name = "DURATION", default_value = "50ms", value_parser = parse_duration)]
    pub tick: Duration,
    /// Ticks without a leader after which an election starts; each is drawn up to twice as long.
    #[arg(long, value_name = "TICKS", default_value_t = 10)]
    pub election_ticks: usize,
    /// Ticks between heartbeats of a leader.
    #[arg(long, value_name = "TICKS", default_value_t = 2)]
    pub heartbeat_ticks: usize,
    /// Seed of the election timeouts [default: the node's number].
    #[arg(long)]
    pub seed: Option<u64>,
    /// Let clients end this process, for tests.
    #[arg(long)]
    pub test_hooks: bool,
    /// Plant a bug, to see that the harness finds it.
    #[arg(long, value_name = "NAME")]
    pub bug: Option<String>,
}

/// The nodes of a cluster and their addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peers(pub BTreeMap<NodeId, String>);

/// Where data lives, without saying where exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StorageKind {
    /// On disk.
    Rocksdb,
    /// In memory.
    Memory,
}

/// A command line makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UsageError {
    /// The bug does not exist.
    #[error("there is no bug {0:?}\nhint: there are {names}", names = bug_names())]
    NoSuchBug(String),
    /// The bug cannot be planted in this build.
    #[error(
        "this build cannot plant bug {0:?}\n\
             hint: build with the feature `planted-bugs`"
    )]
    BugsNotBuilt(String),
    /// There is no address to listen on.
    #[error(
        "no address to listen on\nhint: give --listen, because {0:?} in --peers is no IP address"
    )]
    NoListenAddress(String),
    /// The node is missing in its peers.
    #[error("node {0} is not in --peers\nhint: --peers lists every node, this one included")]
    NotAPeer(NodeId),
}

/// Runs a server until a signal ends it, and returns the exit code. Starts its own tokio runtime.
pub fn run(args: ServeArgs) -> i32 {
    start_logging();
    let config = match args.into_config() {
        Ok(config) => config,
        Err(error) => return fail(&error, EXIT_USAGE),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(NETWORK_THREADS)
        .thread_name("network")
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format_args!("start the runtime: {error}"), EXIT_FAILURE),
    };
    let code = match runtime.block_on(serve(config)) {
        Ok(()) => EXIT_OK,
        Err(ServerError::Config(error)) => fail(&error, EXIT_USAGE),
        Err(error) => fail(&error, EXIT_FAILURE),
    };
    runtime.shutdown_timeout(Duration::from_millis(100));
    code
}

impl ServeArgs {
    /// Everything resolved.
    pub fn into_config(self) -> Result<ServerConfig, UsageError> {
        let bugs = self.bug.map_or(Ok(Bugs::NONE), plant)?;
        let node = NodeId(self.node);
        let peers = self.peers.0;
        let own = peers.get(&node).ok_or(UsageError::NotAPeer(node))?;
        let listen = match self.listen {
            Some(listen) => listen,
            None => own.parse().map_err(|_| UsageError::NoListenAddress(own.clone()))?,
        };
        let storage = match self.storage {
            StorageKind::Memory => Storage::Memory,
            StorageKind::Rocksdb => Storage::Rocksdb {
                data: self.data.unwrap_or_else(|| PathBuf::from(format!("data-{node}"))),
            },
        };
        Ok(ServerConfig {
            node,
            cluster: self.cluster,
            listen,
            peers,
            storage,
            fsync: self.fsync,
            tick: self.tick,
            election_ticks: self.election_ticks,
            heartbeat_ticks: self.heartbeat_ticks,
            seed: self.seed.unwrap_or(node.0),
            limits: Limits::STANDARD,
            test_hooks: self.test_hooks,
            bugs,
        })
    }
}

async fn serve(config: ServerConfig) -> Result<(), ServerError> {
    // The handlers come first, so that a signal during the start is not lost.
    let mut terminate = signal(SignalKind::terminate()).map_err(ServerError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(ServerError::Signals)?;
    let server = Server::start(config).await?;
    tokio::select! {
        _ = terminate.recv() => tracing::info!("SIGTERM: stopping"),
        _ = interrupt.recv() => tracing::info!("SIGINT: stopping"),
        () = server.stop_wanted() => tracing::info!("told to die: stopping"),
    }
    if tokio::time::timeout(SHUTDOWN_TIMEOUT, server.shutdown()).await.is_err() {
        tracing::warn!("closing the stores takes too long; the log will be replayed");
    }
    Ok(())
}

/// To stderr, as RUST_LOG says; a program that has set up logging keeps its own.
fn start_logging() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let color = std::io::IsTerminal::is_terminal(&std::io::stderr())
        && std::env::var_os("NO_COLOR").is_none();
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(color)
        .try_init();
}

fn plant(name: String) -> Result<Bugs, UsageError> {
    let Some(bug) = Bug::from_name(&name) else { return Err(UsageError::NoSuchBug(name)) };
    planted(bug).ok_or(UsageError::BugsNotBuilt(name))
}

#[cfg(feature = "planted-bugs")]
fn planted(bug: Bug) -> Option<Bugs> {
    Some(Bugs::planted(bug))
}

#[cfg(not(feature = "planted-bugs"))]
fn planted(_bug: Bug) -> Option<Bugs> {
    None
}

fn bug_names() -> String {
    BUGS.iter().map(|bug| bug.name()).collect::<Vec<_>>().join(", ")
}

/// Reads `1=10.0.0.1:7001,2=10.0.0.2:7001`.
fn parse_peers(text: &str) -> Result<Peers, String> {
    let mut peers = BTreeMap::new();
    for part in text.split(',') {
        let (node, address) = part
            .split_once('=')
            .ok_or_else(|| format!("{part:?} is not of the form NUMBER=HOST:PORT"))?;
        let node: u64 =
            node.trim().parse().map_err(|_| format!("{node:?} is not the number of a node"))?;
        let address = address.trim();
        let port = address.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
        if node == 0 {
            return Err("nodes are numbered from 1".to_owned());
        }
        if port.is_none() {
            return Err(format!("{address:?} is not of the form HOST:PORT"));
        }
        if peers.insert(NodeId(node), address.to_owned()).is_some() {
            return Err(format!("node {node} occurs twice"));
        }
    }
    Ok(Peers(peers))
}

/// Reads `50ms` and `2s`.
pub(super) fn parse_duration(text: &str) -> Result<Duration, String> {
    let (digits, millis) = match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(digits), _) => (digits, 1),
        (None, Some(digits)) => (digits, 1_000),
        (None, None) => return Err("durations look like 50ms or 2s".to_owned()),
    };
    let amount: u64 = digits.parse().map_err(|_| format!("{digits:?} is not a number"))?;
    let millis = amount.checked_mul(millis).ok_or("that is too long")?;
    Ok(Duration::from_millis(millis))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::super::{Cli, CliCommand};
    use super::*;

    fn config(arguments: &str) -> Result<ServerConfig, String> {
        let arguments = ["server", "serve"].into_iter().chain(arguments.split_whitespace());
        let cli = Cli::try_parse_from(arguments).map_err(|error| error.to_string())?;
        let CliCommand::Serve(args) = cli.command else { panic!("it says `serve`") };
        args.into_config().map_err(|error| error.to_string())
    }

    #[track_caller]
    fn refused(arguments: &str, words: &str) {
        let error = config(arguments).unwrap_err();
        assert!(error.contains(words), "{error}");
    }

    #[test]
    fn defaults_make_a_node() {
        let config = config("--node 2 --peers 1=10.0.0.1:7001,2=10.0.0.2:7002").unwrap();
        assert_eq!(config.listen, "10.0.0.2:7002".parse().unwrap());
        assert_eq!(config.storage, Storage::Rocksdb { data: "data-2".into() });
        assert_eq!((config.tick, config.seed), (Duration::from_millis(50), 2));
        config.check().unwrap();
    }

    #[test]
    fn host_names_need_a_listen_address() {
        let peers = "--node 1 --peers 1=one.example:7001";
        refused(peers, "--listen");
        config(&format!("{peers} --listen 0.0.0.0:7001")).unwrap();
    }

    #[test]
    fn nonsense_is_refused_with_its_reason() {
        refused("--node 1 --peers 1", "NUMBER=HOST:PORT");
        refused("--node 1 --peers 1=a", "HOST:PORT");
        refused("--node 1 --peers x=a:1", "number of a node");
        refused("--node 1 --peers 1=a:1,1=b:1", "twice");
        refused("--node 3 --peers 1=a:1", "not in --peers");
        refused("--node 1 --peers 1=a:1 --tick 5", "50ms");
        refused("--node 1 --peers 1=a:1 --storage tape", "rocksdb");
        refused("--node 1 --peers 1=1.1.1.1:1 --bug nope", "local-reads");
    }

    #[cfg(not(feature = "planted-bugs"))]
    #[test]
    fn bugs_need_their_feature() {
        refused("--node 1 --peers 1=1.1.1.1:1 --bug early-ack", "planted-bugs");
    }
}

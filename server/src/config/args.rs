//! The settings as flags. A flag is laid over the file; what has no flag is set by `--set`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

use crate::bug::{BUGS, Bug, Bugs};
use crate::driver::Fsync;
use crate::types::NodeId;

use super::duration::{self, Span};
use super::server_config::{Mode, ServerConfig};
use super::settings::{Settings, SettingsError, Timing, TlsSettings};

/// Runs one node of a cluster.
#[derive(Debug, Clone, Args)]
pub struct ServeArgs {
    /// Settings file in TOML; flags win over it. `server config` prints one.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Set any key of the settings file, such as limits.value-bytes=65536; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
    /// Print the settings in force, as a settings file, and end.
    #[arg(long)]
    pub print_config: bool,
    /// Number of this node, from 1.
    #[arg(long, value_name = "NUMBER")]
    pub node: Option<u64>,
    /// Name of the cluster; nodes of different clusters refuse each other [default: breakwater].
    #[arg(long, value_name = "NAME")]
    pub cluster: Option<String>,
    /// Address to listen on, for clients and peers alike [default: this node's address in --peers].
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// Address that clients are told to use for this node [default: --listen].
    #[arg(long, value_name = "HOST:PORT")]
    pub advertise: Option<String>,
    /// Address to listen on for peers alone; then --listen is for clients alone.
    #[arg(long, value_name = "ADDRESS")]
    pub peer_listen: Option<SocketAddr>,
    /// Address to listen on for HTTP [default: no HTTP].
    #[arg(long, value_name = "ADDRESS")]
    pub http: Option<SocketAddr>,
    /// Every node and its address, this one included.
    #[arg(long, value_name = "1=HOST:PORT,...", value_parser = parse_peers)]
    pub peers: Option<Peers>,
    /// Start empty, and wait to be added to a cluster.
    #[arg(long)]
    pub join: bool,
    /// One node without peers, or a cluster [default: replicated].
    #[arg(long, value_enum)]
    pub mode: Option<Mode>,
    /// Groups that the keys are spread over, on the first start of a cluster [default: 1].
    #[arg(long, value_name = "NUMBER")]
    pub shards: Option<u32>,
    /// Data directory [default: data-NUMBER].
    #[arg(long, value_name = "DIRECTORY")]
    pub data: Option<PathBuf>,
    /// Where data lives; a node with storage in memory must not be restarted [default: rocksdb].
    #[arg(long, value_enum)]
    pub storage: Option<StorageKind>,
    /// When the log is synced to disk [default: always].
    #[arg(long, value_enum)]
    pub fsync: Option<Fsync>,
    /// Election timeouts of 50 ms, 500 ms or 5 s, with ticks and heartbeats to fit [default:
    /// standard].
    #[arg(long, value_enum)]
    pub timing: Option<Timing>,
    /// Time between ticks, such as 50ms [default: as --timing says].
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    pub tick: Option<Duration>,
    /// Ticks without a leader after which an election starts; each is drawn up to twice as long.
    #[arg(long, value_name = "TICKS")]
    pub election_ticks: Option<usize>,
    /// Ticks between heartbeats of a leader.
    #[arg(long, value_name = "TICKS")]
    pub heartbeat_ticks: Option<usize>,
    /// Entries after which a snapshot is taken [default: 10000].
    #[arg(long, value_name = "NUMBER")]
    pub snapshot_entries: Option<u64>,
    /// TLS for clients: certificate and private key, in PEM.
    #[arg(long, value_name = "CERT,KEY", value_parser = parse_pair)]
    pub client_tls: Option<Pair>,
    /// CA of the clients' certificates, without which they are refused.
    #[arg(long, value_name = "FILE", requires = "client_tls")]
    pub client_ca: Option<PathBuf>,
    /// TLS between peers: certificate and private key, in PEM.
    #[arg(long, value_name = "CERT,KEY", value_parser = parse_pair, requires = "peer_ca")]
    pub peer_tls: Option<Pair>,
    /// CA of the peers' certificates, without which they are refused.
    #[arg(long, value_name = "FILE", requires = "peer_tls")]
    pub peer_ca: Option<PathBuf>,
    /// Tokens of clients: a line `TOKEN ROLE` each, with the roles read, write and admin.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// A secret that the nodes share, by which they know each other without TLS.
    #[arg(long, value_name = "FILE")]
    pub cluster_token_file: Option<PathBuf>,
    /// How often a node looks whether it leads two groups more than another one, to hand one over; 0s:
    /// never [default: 10s].
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    pub balance_leaders: Option<Duration>,
    /// Listen beyond loopback although nothing keeps strangers out.
    #[arg(long)]
    pub insecure_bind: bool,
    /// Let operators end the process by a request, for tests.
    #[arg(long)]
    pub test_hooks: bool,
    /// Seed of the election timeouts [default: the node's number].
    #[arg(long)]
    pub seed: Option<u64>,
    /// Plant a bug, to see that the harness finds it.
    #[arg(long, value_name = "NAME")]
    pub bug: Option<String>,
}

/// The nodes of a cluster and their addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peers(pub BTreeMap<NodeId, String>);

/// A certificate and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair(PathBuf, PathBuf);

/// Where data lives, without saying where exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StorageKind {
    /// On disk.
    Rocksdb,
    /// In memory.
    Memory,
}

/// A command line makes no sense.
#[derive(Debug, thiserror::Error)]
pub enum UsageError {
    /// The settings cannot be read.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The bug does not exist.
    #[error("there is no bug {0:?}\nhint: there are {names}", names = bug_names())]
    NoSuchBug(String),
    /// The bug cannot be planted in this build.
    #[error(
        "this build cannot plant bug {0:?}\n\
             hint: build with the feature `planted-bugs`"
    )]
    BugsNotBuilt(String),
    /// Which node is this?
    #[error("this node has no number\nhint: give --node, or --mode single")]
    NoNode,
    /// The address to listen on cannot be guessed.
    #[error("no address to listen on\nhint: give --listen, or this node's address in --peers")]
    NoListen,
    /// There is no address to listen on.
    #[error(
        "no address to listen on\nhint: give --listen, because {0:?} in --peers is no IP address"
    )]
    NoListenAddress(String),
    /// The node is missing in its peers.
    #[error("node {0} is not in --peers\nhint: --peers lists every node, this one included")]
    NotAPeer(NodeId),
    /// A key of `[peers]` is no number.
    #[error("{0:?} in [peers] is not the number of a node")]
    Peer(String),
}

impl ServeArgs {
    /// Everything resolved.
    pub fn into_config(self) -> Result<ServerConfig, UsageError> {
        let bugs = self.bug.clone().map_or(Ok(Bugs::NONE), plant)?;
        self.into_settings()?.resolve(bugs)
    }

    /// The settings of the file under those of the flags.
    fn into_settings(self) -> Result<Settings, UsageError> {
        let mut settings = Settings::read(self.config.as_deref(), &self.sets)?;
        fn over<T>(below: &mut T, above: Option<T>) {
            if let Some(above) = above {
                *below = above;
            }
        }
        fn over_some<T>(below: &mut Option<T>, above: Option<T>) {
            if above.is_some() {
                *below = above;
            }
        }
        over_some(&mut settings.node, self.node);
        over(&mut settings.cluster, self.cluster);
        over_some(&mut settings.listen, self.listen);
        over_some(&mut settings.advertise, self.advertise);
        over_some(&mut settings.peer_listen, self.peer_listen);
        over_some(&mut settings.http.listen, self.http);
        let peers = self.peers.map(|Peers(peers)| {
            peers.into_iter().map(|(node, address)| (node.to_string(), address)).collect()
        });
        over(&mut settings.peers, peers);
        settings.join |= self.join;
        over(&mut settings.mode, self.mode);
        over(&mut settings.shards, self.shards);
        over_some(&mut settings.data, self.data);
        over(&mut settings.storage, self.storage);
        over(&mut settings.fsync, self.fsync);
        over(&mut settings.timing.preset, self.timing);
        over_some(&mut settings.timing.tick, self.tick.map(Span));
        over_some(&mut settings.timing.election_ticks, self.election_ticks);
        over_some(&mut settings.timing.heartbeat_ticks, self.heartbeat_ticks);
        over(&mut settings.snapshot.entries, self.snapshot_entries);
        let tls = |files: Option<Pair>, ca: Option<PathBuf>| {
            files.map(|Pair(cert, key)| TlsSettings { cert, key, ca })
        };
        over_some(&mut settings.security.client_tls, tls(self.client_tls, self.client_ca));
        over_some(&mut settings.security.peer_tls, tls(self.peer_tls, self.peer_ca));
        over_some(&mut settings.security.token_file, self.token_file);
        over_some(&mut settings.security.cluster_token_file, self.cluster_token_file);
        over(&mut settings.balance_leaders, self.balance_leaders.map(Span));
        settings.insecure_bind |= self.insecure_bind;
        settings.test_hooks |= self.test_hooks;
        over_some(&mut settings.seed, self.seed);
        Ok(settings)
    }
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

/// Reads `node.crt,node.key`.
fn parse_pair(text: &str) -> Result<Pair, String> {
    match text.split_once(',') {
        Some((cert, key)) if !cert.is_empty() && !key.is_empty() => {
            Ok(Pair(cert.into(), key.into()))
        }
        Some(_) | None => Err(format!("{text:?} is not of the form CERT,KEY")),
    }
}

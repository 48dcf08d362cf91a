//! Everything a server must know, resolved once and passed down.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::bug::Bugs;
use crate::driver::Fsync;
use crate::types::NodeId;

/// How a server runs. All values are explicit; [`crate::cli::ServeArgs`] has the defaults.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// This node.
    pub node: NodeId,
    /// The cluster's name. Nodes of different clusters refuse each other.
    pub cluster: String,
    /// Where to listen, for clients and peers alike.
    pub listen: SocketAddr,
    /// The addresses, `host:port`, at which the nodes reach each other; this one included. On the
    /// first start they are the voters of the cluster.
    pub peers: BTreeMap<NodeId, String>,
    /// Where data lives.
    pub storage: Storage,
    /// When the log is synced.
    pub fsync: Fsync,
    /// Time between ticks.
    pub tick: Duration,
    /// Ticks without a leader after which an election starts, drawn from `[n, 2n)`.
    pub election_ticks: usize,
    /// Ticks between a leader's heartbeats.
    pub heartbeat_ticks: usize,
    /// Seed of the election timeouts.
    pub seed: u64,
    /// Limits of the API.
    pub limits: Limits,
    /// May a client end the process? For tests only.
    pub test_hooks: bool,
    /// The defect planted in this server, if any.
    pub bugs: Bugs,
}

/// Where data lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Storage {
    /// In RocksDB, in this directory.
    Rocksdb {
        /// The data directory.
        data: PathBuf,
    },
    /// In memory: a node that stops forgets its vote and its log, and must not come back.
    Memory,
}

impl Storage {
    /// The name on the command line.
    pub fn name(&self) -> &'static str {
        match self {
            Storage::Rocksdb { .. } => "rocksdb",
            Storage::Memory => "memory",
        }
    }
}

/// Limits of the API. Over a limit there is a typed error, and no memory growth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a key.
    pub key_bytes_max: usize,
    /// Bytes of a value.
    pub value_bytes_max: usize,
    /// Bytes of a gRPC message.
    pub message_bytes_max: usize,
    /// Bytes of a reply to a transaction or of a watch. Other replies are smaller.
    pub reply_bytes_max: usize,
    /// Requests that are worked on at once.
    pub concurrent_requests_max: usize,
    /// Requests of one pipeline that are worked on at once; it is not read while there are as many.
    pub pipeline_requests_max: usize,
    /// Watches at once.
    pub watches_max: usize,
    /// Comparisons and operations of a transaction, both lists together.
    pub txn_operations_max: usize,
    /// Bytes of all keys and values in a transaction.
    pub txn_bytes_max: usize,
    /// Keys of a page of a scan.
    pub scan_keys_max: usize,
    /// Bytes of keys and values in a page of a scan; one key always fits.
    pub scan_bytes_max: usize,
    /// The shortest time to live of a lease.
    pub lease_ttl_min: Duration,
    /// The longest time to live of a lease.
    pub lease_ttl_max: Duration,
    /// Sessions that are remembered. Must be the same on all nodes.
    pub sessions_max: usize,
    /// How long a request may take, unless the client allows less.
    pub request_timeout: Duration,
}

impl Limits {
    /// Limits for ordinary use.
    pub const STANDARD: Limits = Limits {
        key_bytes_max: 4 << 10,
        value_bytes_max: 1 << 20,
        message_bytes_max: 4 << 20,
        reply_bytes_max: 32 << 20,
        concurrent_requests_max: 4_096,
        pipeline_requests_max: 1_024,
        watches_max: 1_024,
        txn_operations_max: 128,
        txn_bytes_max: 1 << 20,
        scan_keys_max: 10_000,
        scan_bytes_max: 1 << 20,
        lease_ttl_min: Duration::from_millis(100),
        lease_ttl_max: Duration::from_secs(24 * 3_600),
        sessions_max: 10_000,
        request_timeout: Duration::from_secs(2),
    };
}

/// A configuration makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Node 0 is nobody.
    #[error("node 0 does not exist\nhint: nodes are numbered from 1")]
    NodeZero,
    /// The node itself is missing in its peers.
    #[error("node {0} is not among the peers\nhint: --peers lists every node, this one included")]
    NotAPeer(NodeId),
    /// No name for the cluster.
    #[error("the cluster has no name")]
    NoCluster,
    /// Raft needs several heartbeats in an election timeout.
    #[error(
        "an election timeout of {election_ticks} ticks is too short for heartbeats every \
         {heartbeat_ticks} ticks\nhint: use at least three times the heartbeat"
    )]
    Ticks {
        /// The shortest election timeout.
        election_ticks: usize,
        /// The heartbeat interval.
        heartbeat_ticks: usize,
    },
    /// Ticks that are no time.
    #[error("a tick must be at least a millisecond long")]
    Tick,
}

impl ServerConfig {
    /// Refuses what cannot work.
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.peers.contains_key(&NodeId(0)) || self.node == NodeId(0) {
            return Err(ConfigError::NodeZero);
        }
        if !self.peers.contains_key(&self.node) {
            return Err(ConfigError::NotAPeer(self.node));
        }
        if self.cluster.is_empty() {
            return Err(ConfigError::NoCluster);
        }
        let (election_ticks, heartbeat_ticks) = (self.election_ticks, self.heartbeat_ticks);
        if heartbeat_ticks == 0 || election_ticks < heartbeat_ticks * 3 {
            return Err(ConfigError::Ticks { election_ticks, heartbeat_ticks });
        }
        if self.tick < Duration::from_millis(1) {
            return Err(ConfigError::Tick);
        }
        Ok(())
    }
}

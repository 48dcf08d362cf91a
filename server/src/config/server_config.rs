//! How a server runs, with every value known.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::bug::Bugs;
use crate::driver::Fsync;
use crate::types::NodeId;

/// How a server runs. All values are explicit; [`super::Settings`] has the defaults.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerConfig {
    /// This node.
    pub node: NodeId,
    /// The cluster's name. Nodes of different clusters refuse each other.
    pub cluster: String,
    /// Where to listen for clients, and for peers too unless they have an address of their own.
    pub listen: SocketAddr,
    /// The address, `host:port`, that clients are told to use for this node.
    pub advertise: String,
    /// Where to listen for peers alone.
    pub peer_listen: Option<SocketAddr>,
    /// The addresses, `host:port`, at which the nodes reach each other; this one included. On the
    /// first start they are the voters of the cluster, unless the node is to join one.
    pub peers: BTreeMap<NodeId, String>,
    /// Start as an empty node that waits to be added to a cluster.
    pub join: bool,
    /// One node, or a cluster?
    pub mode: Mode,
    /// Groups that the keys are spread over, on the first start of a cluster.
    pub shards: u32,
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
    /// When snapshots are taken.
    pub snapshot: SnapshotConfig,
    /// How RocksDB is set up, where it is used.
    pub rocksdb: RocksdbConfig,
    /// Limits of the API.
    pub limits: Limits,
    /// The HTTP interface, if there is one.
    pub http: Option<HttpConfig>,
    /// Who may talk to the server.
    pub security: SecurityConfig,
    /// How often a node looks whether it leads too many groups, to hand one over; zero: never.
    pub balance_leaders: Duration,
    /// Listen beyond loopback also where nothing keeps strangers out.
    pub insecure_bind: bool,
    /// Let operators end the process (`Admin.Die`), which tests want.
    pub test_hooks: bool,
    /// The defect planted in this server, if any.
    pub bugs: Bugs,
}

/// One node, or a cluster?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// One node without peers. The same interface, and no copies.
    Single,
    /// A cluster, of which every write reaches a majority.
    Replicated,
}

impl Mode {
    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Single => "single",
            Mode::Replicated => "replicated",
        }
    }
}

/// Where data lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Storage {
    /// In RocksDB, in this directory.
    Rocksdb {
        /// The data directory.
        data: PathBuf,
    },
    /// In memory: a node that stops forgets its vote and its log, and is refused if it comes back as
    /// the member that it was.
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

/// When snapshots are taken, and how many are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnapshotConfig {
    /// Entries since the last snapshot after which the next one is taken.
    pub entries: u64,
    /// Bytes of entries since the last snapshot after which the next one is taken.
    pub bytes: u64,
    /// Snapshots that are kept.
    pub retain: usize,
}

impl SnapshotConfig {
    /// For ordinary use.
    pub const STANDARD: SnapshotConfig =
        SnapshotConfig { entries: 10_000, bytes: 256 << 20, retain: 2 };
}

/// How RocksDB is set up.
#[derive(Debug, Clone, PartialEq)]
pub struct RocksdbConfig {
    /// Blocks of the state that are kept in memory, uncompressed.
    pub block_cache_bytes: usize,
    /// Bits of bloom filter a key of the state; 0 for no filter. 10 bits spare 99 of 100 reads of
    /// keys that a file does not have.
    pub bloom_bits: f64,
    /// Memory for writes to the state before they become a file.
    pub write_buffer_bytes: usize,
}

impl RocksdbConfig {
    /// For ordinary use.
    pub const STANDARD: RocksdbConfig = RocksdbConfig {
        block_cache_bytes: 64 << 20,
        bloom_bits: 10.0,
        write_buffer_bytes: 32 << 20,
    };
}

/// The HTTP interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpConfig {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The address, `host:port`, that other nodes redirect to.
    pub advertise: String,
    /// Redirect to the leader instead of forwarding, unless the request says otherwise.
    pub redirect: bool,
}

/// Who may talk to the server. Everything absent is open.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SecurityConfig {
    /// TLS for clients, over gRPC and HTTP. With `ca` they must have a certificate of it.
    pub client_tls: Option<TlsFiles>,
    /// TLS between peers; both sides must have a certificate of `ca`.
    pub peer_tls: Option<TlsFiles>,
    /// Tokens of clients, `TOKEN ROLE` a line.
    pub tokens: Option<PathBuf>,
    /// A secret that the nodes of the cluster share, by which they know each other.
    pub cluster_token: Option<PathBuf>,
}

/// Files in the PEM format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The server's certificate, and those between it and the CA.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Who signs the certificates of the other side.
    pub ca: Option<PathBuf>,
}

/// Limits of the API. Over a limit there is a typed error, and no memory growth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a key.
    pub key_bytes_max: usize,
    /// Bytes of a value.
    pub value_bytes_max: usize,
    /// Bytes of a gRPC message, and of an HTTP body.
    pub message_bytes_max: usize,
    /// Bytes of a reply to a transaction or of a watch. Other replies are smaller.
    pub reply_bytes_max: usize,
    /// Comparisons and operations of a transaction, both lists together.
    pub txn_operations_max: usize,
    /// Bytes of all keys and values in a transaction.
    pub txn_bytes_max: usize,
    /// Keys of a page of a scan.
    pub scan_keys_max: usize,
    /// Bytes of keys and values in a page of a scan; one key always fits.
    pub scan_bytes_max: usize,
    /// Requests that are worked on at once.
    pub concurrent_requests_max: usize,
    /// Requests of one pipeline that are worked on at once; it is not read while there are as many.
    pub pipeline_requests_max: usize,
    /// Writes that wait for their entry to be committed and applied.
    pub proposals_max: usize,
    /// Open connections of clients, and as many of peers where those have a port of their own.
    pub connections_max: usize,
    /// Requests on one connection. A peer forwards all of its clients' requests on one.
    pub connection_streams_max: u32,
    /// Watches that are open at once.
    pub watches_max: usize,
    /// Sessions that are remembered. Must be the same on all nodes.
    pub sessions_max: usize,
    /// The shortest time to live of a lease.
    pub lease_ttl_min: Duration,
    /// The longest time to live of a lease.
    pub lease_ttl_max: Duration,
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
        txn_operations_max: 128,
        txn_bytes_max: 1 << 20,
        scan_keys_max: 10_000,
        scan_bytes_max: 1 << 20,
        concurrent_requests_max: 4_096,
        pipeline_requests_max: 1_024,
        proposals_max: 4_096,
        connections_max: 4_096,
        connection_streams_max: 16_384,
        watches_max: 1_024,
        sessions_max: 10_000,
        lease_ttl_min: Duration::from_millis(100),
        lease_ttl_max: Duration::from_secs(24 * 3_600),
        request_timeout: Duration::from_secs(2),
    };
}

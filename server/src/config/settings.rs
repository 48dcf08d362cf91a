//! What a person may set, and every default; those of limits, snapshots and RocksDB are the
//! constants `STANDARD` beside their types.
//!
//! In a file these are TOML with keys in kebab-case; see `sample.toml`. What is absent here and has
//! no default depends on something else: the address to listen on is this node's among the peers,
//! the seed is the node's number, the single times are those of the preset.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::bug::Bugs;
use crate::driver::Fsync;
use crate::types::NodeId;

use super::args::{StorageKind, UsageError};
use super::duration::Span;
use super::server_config::{
    HttpConfig, Limits, Mode, RocksdbConfig, SecurityConfig, ServerConfig, SnapshotConfig, Storage,
    TlsFiles,
};

/// A settings file that sets everything to its default, with a comment on each key.
pub const SAMPLE: &str = include_str!("sample.toml");

/// Where a node listens that has no peers and was told nothing.
const LISTEN_ALONE: &str = "127.0.0.1:7001";

/// Election times to choose from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Timing {
    /// Elections after 50 ms without a leader: one rack, nothing else on the machines.
    Fast,
    /// After 500 ms: one region.
    Standard,
    /// After 5 s: the whole world, or machines that pause.
    Slow,
}

impl Timing {
    /// The time between ticks, the ticks of an election timeout, and those between heartbeats.
    fn ticks(self) -> (Duration, usize, usize) {
        match self {
            Timing::Fast => (Duration::from_millis(5), 10, 2),
            Timing::Standard => (Duration::from_millis(50), 10, 2),
            Timing::Slow => (Duration::from_millis(100), 50, 10),
        }
    }
}

/// What a person may set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Settings {
    pub node: Option<u64>,
    pub cluster: String,
    pub listen: Option<SocketAddr>,
    pub advertise: Option<String>,
    pub peer_listen: Option<SocketAddr>,
    pub join: bool,
    pub mode: Mode,
    pub shards: u32,
    pub storage: StorageKind,
    pub data: Option<PathBuf>,
    pub fsync: Fsync,
    pub seed: Option<u64>,
    pub balance_leaders: Span,
    pub insecure_bind: bool,
    pub test_hooks: bool,
    pub peers: BTreeMap<String, String>,
    pub timing: TimingSettings,
    pub snapshot: SnapshotSettings,
    pub rocksdb: RocksdbSettings,
    pub limits: LimitSettings,
    pub http: HttpSettings,
    pub security: SecuritySettings,
}

/// The section `[timing]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct TimingSettings {
    pub preset: Timing,
    pub tick: Option<Span>,
    pub election_ticks: Option<usize>,
    pub heartbeat_ticks: Option<usize>,
}

/// The section `[snapshot]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct SnapshotSettings {
    pub entries: u64,
    pub bytes: u64,
    pub retain: usize,
}

/// The section `[rocksdb]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct RocksdbSettings {
    pub block_cache_bytes: usize,
    pub bloom_bits: f64,
    pub write_buffer_bytes: usize,
}

/// The section `[limits]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct LimitSettings {
    pub key_bytes: usize,
    pub value_bytes: usize,
    pub message_bytes: usize,
    pub reply_bytes: usize,
    pub txn_operations: usize,
    pub txn_bytes: usize,
    pub scan_keys: usize,
    pub scan_bytes: usize,
    pub concurrent_requests: usize,
    pub pipeline_requests: usize,
    pub proposals: usize,
    pub connections: usize,
    pub connection_streams: u32,
    pub watches: usize,
    pub sessions: usize,
    pub lease_ttl_min: Span,
    pub lease_ttl_max: Span,
    pub request_timeout: Span,
}

/// The section `[http]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct HttpSettings {
    pub listen: Option<SocketAddr>,
    pub advertise: Option<String>,
    pub redirect: bool,
}

/// The section `[security]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct SecuritySettings {
    pub token_file: Option<PathBuf>,
    pub cluster_token_file: Option<PathBuf>,
    pub client_tls: Option<TlsSettings>,
    pub peer_tls: Option<TlsSettings>,
}

/// The sections `[security.client-tls]` and `[security.peer-tls]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TlsSettings {
    pub cert: PathBuf,
    pub key: PathBuf,
    pub ca: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            node: None,
            cluster: "breakwater".to_owned(),
            listen: None,
            advertise: None,
            peer_listen: None,
            join: false,
            mode: Mode::Replicated,
            shards: 1,
            storage: StorageKind::Rocksdb,
            data: None,
            fsync: Fsync::Always,
            seed: None,
            balance_leaders: Span(Duration::from_secs(10)),
            insecure_bind: false,
            test_hooks: false,
            peers: BTreeMap::new(),
            timing: TimingSettings::default(),
            snapshot: SnapshotSettings::default(),
            rocksdb: RocksdbSettings::default(),
            limits: LimitSettings::default(),
            http: HttpSettings::default(),
            security: SecuritySettings::default(),
        }
    }
}

impl Default for TimingSettings {
    fn default() -> TimingSettings {
        TimingSettings {
            preset: Timing::Standard,
            tick: None,
            election_ticks: None,
            heartbeat_ticks: None,
        }
    }
}

impl Default for SnapshotSettings {
    fn default() -> SnapshotSettings {
        SnapshotSettings::of(&SnapshotConfig::STANDARD)
    }
}

impl Default for RocksdbSettings {
    fn default() -> RocksdbSettings {
        RocksdbSettings::of(&RocksdbConfig::STANDARD)
    }
}

impl Default for LimitSettings {
    fn default() -> LimitSettings {
        LimitSettings::of(&Limits::STANDARD)
    }
}

impl LimitSettings {
    fn of(limits: &Limits) -> LimitSettings {
        LimitSettings {
            key_bytes: limits.key_bytes_max,
            value_bytes: limits.value_bytes_max,
            message_bytes: limits.message_bytes_max,
            reply_bytes: limits.reply_bytes_max,
            txn_operations: limits.txn_operations_max,
            txn_bytes: limits.txn_bytes_max,
            scan_keys: limits.scan_keys_max,
            scan_bytes: limits.scan_bytes_max,
            concurrent_requests: limits.concurrent_requests_max,
            pipeline_requests: limits.pipeline_requests_max,
            proposals: limits.proposals_max,
            connections: limits.connections_max,
            connection_streams: limits.connection_streams_max,
            watches: limits.watches_max,
            sessions: limits.sessions_max,
            lease_ttl_min: Span(limits.lease_ttl_min),
            lease_ttl_max: Span(limits.lease_ttl_max),
            request_timeout: Span(limits.request_timeout),
        }
    }

    fn resolve(&self) -> Limits {
        Limits {
            key_bytes_max: self.key_bytes,
            value_bytes_max: self.value_bytes,
            message_bytes_max: self.message_bytes,
            reply_bytes_max: self.reply_bytes,
            txn_operations_max: self.txn_operations,
            txn_bytes_max: self.txn_bytes,
            scan_keys_max: self.scan_keys,
            scan_bytes_max: self.scan_bytes,
            concurrent_requests_max: self.concurrent_requests,
            pipeline_requests_max: self.pipeline_requests,
            proposals_max: self.proposals,
            connections_max: self.connections,
            connection_streams_max: self.connection_streams,
            watches_max: self.watches,
            sessions_max: self.sessions,
            lease_ttl_min: self.lease_ttl_min.0,
            lease_ttl_max: self.lease_ttl_max.0,
            request_timeout: self.request_timeout.0,
        }
    }
}

/// Settings cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file system refused.
    #[error("read {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// It is not what this program reads. `source` shows line and column, and the known keys.
    #[error("read {}: {source}\nhint: `server config` prints every key with its default", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        source: Box<toml::de::Error>,
    },
    /// A `--set` makes no sense.
    #[error("read --set {text:?}: {source}\nhint: it looks like --set limits.value-bytes=65536")]
    Set {
        /// The argument.
        text: String,
        /// What is wrong with it.
        source: Box<toml::de::Error>,
    },
}

impl Settings {
    /// The settings of a file, if one is given, under those of each `KEY=VALUE`.
    pub fn read(file: Option<&Path>, sets: &[String]) -> Result<Settings, SettingsError> {
        let (mut table, mut settings) = match file {
            Some(path) => read_file(path)?,
            None => (Table::new(), Settings::default()),
        };
        for text in sets {
            let error =
                |source| SettingsError::Set { text: text.clone(), source: Box::new(source) };
            merge(&mut table, parse_set(text).map_err(error)?);
            // Each on its own, so that the error names the one that is wrong.
            settings = table.clone().try_into().map_err(error)?;
        }
        Ok(settings)
    }

    /// Everything resolved.
    pub fn resolve(self, bugs: Bugs) -> Result<ServerConfig, UsageError> {
        let node = match self.node {
            Some(node) => NodeId(node),
            None if self.mode == Mode::Single => NodeId(1),
            None => return Err(UsageError::NoNode),
        };
        let mut peers = BTreeMap::new();
        for (number, address) in &self.peers {
            let number = number.parse().map_err(|_| UsageError::Peer(number.clone()))?;
            peers.insert(NodeId(number), address.clone());
        }
        if !peers.is_empty() && !self.join && !peers.contains_key(&node) {
            return Err(UsageError::NotAPeer(node));
        }
        let listen = self.resolve_listen(peers.get(&node))?;
        if self.mode == Mode::Single || self.join {
            let own = self.peer_listen.unwrap_or(listen);
            peers.entry(node).or_insert_with(|| own.to_string());
        }
        if !peers.contains_key(&node) {
            return Err(UsageError::NotAPeer(node));
        }
        let (tick, election_ticks, heartbeat_ticks) = self.timing.preset.ticks();
        let http = self.http.listen.map(|listen| HttpConfig {
            listen,
            advertise: self.http.advertise.unwrap_or_else(|| listen.to_string()),
            redirect: self.http.redirect,
        });
        let tls = |files: TlsSettings| TlsFiles { cert: files.cert, key: files.key, ca: files.ca };
        Ok(ServerConfig {
            node,
            cluster: self.cluster,
            listen,
            advertise: self.advertise.unwrap_or_else(|| listen.to_string()),
            peer_listen: self.peer_listen,
            peers,
            join: self.join,
            mode: self.mode,
            shards: self.shards,
            storage: match self.storage {
                StorageKind::Memory => Storage::Memory,
                StorageKind::Rocksdb => Storage::Rocksdb {
                    data: self.data.unwrap_or_else(|| PathBuf::from(format!("data-{node}"))),
                },
            },
            fsync: self.fsync,
            tick: self.timing.tick.map_or(tick, |tick| tick.0),
            election_ticks: self.timing.election_ticks.unwrap_or(election_ticks),
            heartbeat_ticks: self.timing.heartbeat_ticks.unwrap_or(heartbeat_ticks),
            seed: self.seed.unwrap_or(node.0),
            snapshot: SnapshotConfig {
                entries: self.snapshot.entries,
                bytes: self.snapshot.bytes,
                retain: self.snapshot.retain,
            },
            rocksdb: self.rocksdb.resolve(),
            limits: self.limits.resolve(),
            http,
            security: SecurityConfig {
                client_tls: self.security.client_tls.map(tls),
                peer_tls: self.security.peer_tls.map(tls),
                tokens: self.security.token_file,
                cluster_token: self.security.cluster_token_file,
            },
            balance_leaders: self.balance_leaders.0,
            insecure_bind: self.insecure_bind,
            test_hooks: self.test_hooks,
            bugs,
        })
    }

    fn resolve_listen(&self, own: Option<&String>) -> Result<SocketAddr, UsageError> {
        if let Some(listen) = self.listen {
            return Ok(listen);
        }
        // The address among the peers is the one for peers.
        let own = if self.peer_listen.is_some() { None } else { own };
        match own {
            Some(own) => own.parse().map_err(|_| UsageError::NoListenAddress(own.clone())),
            None if self.mode == Mode::Single => {
                Ok(LISTEN_ALONE.parse().expect("the constant is an address"))
            }
            None => Err(UsageError::NoListen),
        }
    }

    /// What a server works with, as settings: resolved again they give the same.
    pub fn of(config: &ServerConfig) -> Settings {
        let tls = |files: &TlsFiles| TlsSettings {
            cert: files.cert.clone(),
            key: files.key.clone(),
            ca: files.ca.clone(),
        };
        let peers = config.peers.iter().map(|(node, address)| (node.to_string(), address.clone()));
        let (storage, data) = match &config.storage {
            Storage::Memory => (StorageKind::Memory, None),
            Storage::Rocksdb { data } => (StorageKind::Rocksdb, Some(data.clone())),
        };
        Settings {
            node: Some(config.node.0),
            cluster: config.cluster.clone(),
            listen: Some(config.listen),
            advertise: Some(config.advertise.clone()),
            peer_listen: config.peer_listen,
            join: config.join,
            mode: config.mode,
            shards: config.shards,
            storage,
            data,
            fsync: config.fsync,
            seed: Some(config.seed),
            balance_leaders: Span(config.balance_leaders),
            insecure_bind: config.insecure_bind,
            test_hooks: config.test_hooks,
            peers: peers.collect(),
            timing: TimingSettings {
                tick: Some(Span(config.tick)),
                election_ticks: Some(config.election_ticks),
                heartbeat_ticks: Some(config.heartbeat_ticks),
                ..TimingSettings::default()
            },
            snapshot: SnapshotSettings::of(&config.snapshot),
            rocksdb: RocksdbSettings::of(&config.rocksdb),
            limits: LimitSettings::of(&config.limits),
            http: HttpSettings {
                listen: config.http.as_ref().map(|http| http.listen),
                advertise: config.http.as_ref().map(|http| http.advertise.clone()),
                redirect: config.http.as_ref().is_some_and(|http| http.redirect),
            },
            security: SecuritySettings {
                token_file: config.security.tokens.clone(),
                cluster_token_file: config.security.cluster_token.clone(),
                client_tls: config.security.client_tls.as_ref().map(tls),
                peer_tls: config.security.peer_tls.as_ref().map(tls),
            },
        }
    }

    /// As a settings file. There are no secrets in it, only the names of their files.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("plain structs, tables last, are valid TOML")
    }
}

impl SnapshotSettings {
    fn of(config: &SnapshotConfig) -> SnapshotSettings {
        SnapshotSettings { entries: config.entries, bytes: config.bytes, retain: config.retain }
    }
}

impl RocksdbSettings {
    fn of(config: &RocksdbConfig) -> RocksdbSettings {
        RocksdbSettings {
            block_cache_bytes: config.block_cache_bytes,
            bloom_bits: config.bloom_bits,
            write_buffer_bytes: config.write_buffer_bytes,
        }
    }

    fn resolve(&self) -> RocksdbConfig {
        RocksdbConfig {
            block_cache_bytes: self.block_cache_bytes,
            bloom_bits: self.bloom_bits,
            write_buffer_bytes: self.write_buffer_bytes,
        }
    }
}

/// A file's table, and the settings in it.
fn read_file(path: &Path) -> Result<(Table, Settings), SettingsError> {
    let io = |source| SettingsError::Io { path: path.to_owned(), source };
    let text = std::fs::read_to_string(path).map_err(io)?;
    let wrong = |source| SettingsError::File { path: path.to_owned(), source: Box::new(source) };
    // From the text and not from the table, so that an error can say at which line.
    let settings = toml::from_str(&text).map_err(wrong)?;
    Ok((toml::from_str(&text).map_err(wrong)?, settings))
}

/// Reads `limits.value-bytes=65536`. Text needs no quotes.
fn parse_set(text: &str) -> Result<Table, toml::de::Error> {
    toml::from_str(text).or_else(|error| match text.split_once('=') {
        Some((key, value)) => {
            let quoted = Value::String(value.trim().to_owned());
            toml::from_str(&format!("{key} = {quoted}")).map_err(|_: toml::de::Error| error)
        }
        None => Err(error),
    })
}

/// Lays one table over another.
fn merge(below: &mut Table, above: Table) {
    for (key, value) in above {
        match (below.get_mut(&key), value) {
            (Some(Value::Table(below)), Value::Table(above)) => merge(below, above),
            (_, value) => {
                below.insert(key, value);
            }
        }
    }
}

//! A whole server: stores, node, peers, API.

use std::hash::{BuildHasher, RandomState};
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinError, JoinHandle};
use tonic::transport::server::TcpIncoming;

use crate::api::{AdminService, Api, ApiConfig, KvService};
use crate::config::{ConfigError, ServerConfig, Storage};
use crate::data_dir::{DataDir, DataDirError};
use crate::driver::{Node, NodeConfig, NodeHandle, PeerSender, StartError};
use crate::log_store::{LogStoreError, MemoryLogStore};
use crate::raft_log_bridge::raft_logger;
use crate::replica::{CompactionConfig, ReplicaConfig};
use crate::state_machine::{MemoryStateStore, StateStoreError};
use crate::transport::{PeerLinks, PeerService, PeersConfig, TransportError};

/// How long running requests may take to end when the server stops.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(500);
/// How long open connections may take to end after that.
const DISCONNECT_TIMEOUT: Duration = Duration::from_millis(200);
/// How long a client or peer may be silent before its connection is closed.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(2);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(4);
/// Requests on one connection. A peer forwards all of its clients' requests on one, and what waits
/// for a stream cannot be told from what was sent.
const STREAMS_MAX: u32 = 16_384;
/// What a client or peer may have on the way unacknowledged.
const STREAM_WINDOW_BYTES: u32 = 4 << 20;

/// Leases that may live at once.
const LEASES_MAX: usize = 100_000;

/// A running server. Dropping it stops it too, but without a farewell to its clients.
pub struct Server {
    address: SocketAddr,
    api: Api,
    /// Ends the listener.
    stop_accepting: watch::Sender<bool>,
    /// Ends the peers' streams, without which no write can end well.
    stop_peers: watch::Sender<bool>,
    serving: JoinHandle<()>,
    // The order of the fields counts: the stores are closed before the directory is given back.
    node: Node,
    data: Option<DataDir>,
}

/// A server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The configuration makes no sense.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The address is taken, or not ours.
    #[error(
        "listen on {address}: {source}\n\
             hint: is another process using that port, and is it an address of this host?"
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// The data directory cannot be used.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The log cannot be opened.
    #[error(transparent)]
    Log(#[from] LogStoreError),
    /// The state cannot be opened.
    #[error(transparent)]
    State(#[from] StateStoreError),
    /// A peer's address makes no sense.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The node cannot start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The operating system does not let us hear its signals.
    #[error("listen for signals: {0}")]
    Signals(#[source] std::io::Error),
    /// This build has no RocksDB.
    #[error(
        "this build has no RocksDB\n\
             hint: use --storage memory, or build with the feature `rocksdb`"
    )]
    NoRocksdb,
    /// The start was interrupted.
    #[error("start the server: {0}")]
    Interrupted(#[from] JoinError),
}

impl Server {
    /// Starts a server on the configured address. Must be called on a tokio runtime.
    pub async fn start(config: ServerConfig) -> Result<Server, ServerError> {
        // Before the port: a configuration that cannot work is bad usage, whoever may use the port.
        config.check()?;
        let address = config.listen;
        let listener =
            TcpListener::bind(address).map_err(|source| ServerError::Listen { address, source })?;
        Server::start_on(config, listener).await
    }

    /// Starts a server on a listener, whose port the operating system may have chosen.
    pub async fn start_on(
        config: ServerConfig,
        listener: TcpListener,
    ) -> Result<Server, ServerError> {
        config.check()?;
        let listen_error = |source| ServerError::Listen { address: config.listen, source };
        listener.set_nonblocking(true).map_err(listen_error)?;
        let listener = tokio::net::TcpListener::from_std(listener).map_err(listen_error)?;
        let address = listener.local_addr().map_err(listen_error)?;

        let (peers, connections) = PeerLinks::start(PeersConfig {
            node: config.node,
            cluster: config.cluster.clone(),
            peers: config.peers.clone(),
        })?;
        let opening = config.clone();
        // Opening the stores may take seconds, which the runtime's threads must not wait.
        let (node, data) =
            tokio::task::spawn_blocking(move || open(&opening, Box::new(peers))).await??;
        let api = Api::new(api_config(&config), node.handle(), connections);
        let (stop_accepting, accepting_stops) = watch::channel(false);
        let (stop_peers, peers_stop) = watch::channel(false);
        let voters = config.peers.keys().copied().collect();
        let cluster = config.cluster.clone();
        let peers = PeerService::new(config.node, cluster, voters, node.handle(), peers_stop);
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        let serving = tokio::spawn(serve(incoming, api.clone(), peers, accepting_stops));
        tracing::info!(
            node = config.node.0,
            cluster = config.cluster,
            %address,
            storage = config.storage.name(),
            "serving"
        );
        Ok(Server { address, api, stop_accepting, stop_peers, serving, node, data })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its node, for requests from within the process.
    pub fn node(&self) -> NodeHandle {
        self.node.handle()
    }

    /// Returns when a client wants this server to stop, which needs
    /// [`ServerConfig::test_hooks`].
    pub async fn stop_wanted(&self) {
        self.api.stop_wanted().await;
    }

    /// Stops accepting, lets running requests end, and closes the stores.
    pub async fn shutdown(mut self) {
        self.stop_accepting.send_replace(true);
        if tokio::time::timeout(DRAIN_TIMEOUT, self.api.drain()).await.is_err() {
            tracing::debug!("some requests are given up");
        }
        self.api.close_streams();
        self.stop_peers.send_replace(true);
        if tokio::time::timeout(DISCONNECT_TIMEOUT, &mut self.serving).await.is_err() {
            self.serving.abort();
        }
        let (node, data) = (self.node, self.data);
        let closed = tokio::task::spawn_blocking(move || {
            drop(node);
            drop(data);
        });
        if let Err(error) = closed.await {
            tracing::error!("close the stores: {error}");
        }
        tracing::info!("stopped");
    }
}

fn open(
    config: &ServerConfig,
    peers: Box<dyn PeerSender>,
) -> Result<(Node, Option<DataDir>), ServerError> {
    let node_config = node_config(config);
    match &config.storage {
        Storage::Memory => {
            let log = Box::new(MemoryLogStore::new());
            let state = MemoryStateStore::default();
            Ok((Node::start(node_config, log, state, peers)?, None))
        }
        #[cfg(feature = "rocksdb")]
        Storage::Rocksdb { data } => {
            let data = DataDir::open(data, &config.cluster, config.node)?;
            let log = Box::new(crate::log_store::RocksdbLogStore::open(&data.log())?);
            let state = crate::state_machine::RocksdbStateStore::open(&data.state().join("0"))?;
            Ok((Node::start(node_config, log, state, peers)?, Some(data)))
        }
        #[cfg(not(feature = "rocksdb"))]
        Storage::Rocksdb { data: _ } => Err(ServerError::NoRocksdb),
    }
}

fn node_config(config: &ServerConfig) -> NodeConfig {
    let timeout = config.limits.request_timeout.as_nanos() / config.tick.as_nanos();
    NodeConfig {
        replica: ReplicaConfig {
            id: config.node,
            election_ticks: config.election_ticks,
            heartbeat_ticks: config.heartbeat_ticks,
            seed: config.seed,
            // The standard library draws the keys of its hashers from the operating system.
            boot: RandomState::new().hash_one(std::process::id()),
            request_timeout_ticks: u64::try_from(timeout).unwrap_or(u64::MAX).max(1),
            pending_writes_max: config.limits.concurrent_requests_max,
            pending_reads_max: config.limits.concurrent_requests_max,
            leases_max: LEASES_MAX,
            compaction: CompactionConfig::NEVER,
            bugs: config.bugs,
            logger: raft_logger(),
        },
        voters: config.peers.keys().copied().collect(),
        tick: config.tick,
        fsync: config.fsync,
        sessions_max: config.limits.sessions_max,
        bugs: config.bugs,
    }
}

fn api_config(config: &ServerConfig) -> ApiConfig {
    ApiConfig {
        node: config.node,
        cluster: config.cluster.clone(),
        storage: config.storage.name(),
        addresses: config.peers.clone(),
        limits: config.limits,
        tick: config.tick,
        test_hooks: config.test_hooks,
        bugs: config.bugs,
    }
}

/// Serves clients and peers on one port until it is told to stop.
async fn serve(
    incoming: TcpIncoming,
    api: Api,
    peers: PeerService,
    mut stops: watch::Receiver<bool>,
) {
    let router = tonic::transport::Server::builder()
        .http2_keepalive_interval(Some(KEEP_ALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEP_ALIVE_TIMEOUT))
        .max_concurrent_streams(Some(STREAMS_MAX))
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(STREAM_WINDOW_BYTES * 2)
        .add_service(KvService::server(api.clone()))
        .add_service(AdminService::server(api))
        .add_service(peers.into_server());
    let stopped = async move {
        // An error means that the server is gone, which is a reason to stop too.
        let _ = stops.wait_for(|stops| *stops).await;
    };
    if let Err(error) = router.serve_with_incoming_shutdown(incoming, stopped).await {
        tracing::error!("serve: {error}");
    }
}

//! A whole server: stores, node, peers, API.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinError, JoinHandle};

use crate::api::{Api, ApiConfig, Readiness, datagrams};
use crate::bug::{Bug, Bugs};
use crate::bug_state;
use crate::config::{ConfigError, ServerConfig};
use crate::data_dir::{DataDir, DataDirError};
use crate::driver::{Node, NodeHandle, StartError};
use crate::log_store::LogStoreError;
use crate::metrics::{GroupView, Metrics};
use crate::open::{open, open_directory};
use crate::resharding::{Resharding, ReshardingConfig, ShardsView};
use crate::rim::{Checkpoint, Listeners, Ports, Served, first_directory};
use crate::security::{TlsError, TokenError};
use crate::shard::NoGroups;
use crate::state_machine::StateStoreError;
use crate::transport::{
    Directory, Introduction, PeerLinks, PeerService, PeerServiceConfig, PeersConfig,
    TransferCounts, TransportError,
};

/// How long running requests may take to end when the server stops.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(500);
/// How long open connections may take to end after that.
const DISCONNECT_TIMEOUT: Duration = Duration::from_millis(200);
/// A running server. Dropping it stops it too, but without a farewell to its clients.
pub struct Server {
    address: SocketAddr,
    http_address: Option<SocketAddr>,
    api: Api,
    readiness: Readiness,
    metrics: Arc<Metrics>,
    /// Ends the listener.
    stop_accepting: watch::Sender<bool>,
    /// Ends the peers' streams, without which no write can end well.
    stop_peers: watch::Sender<bool>,
    serving: Vec<JoinHandle<()>>,
    bugs: Bugs,
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
    /// The node was started with other shards before.
    #[error(
        "start with {asked} shards: the cluster of this data directory began with {found}\n\
             hint: use --shards {found}; `ctl group add` adds groups while the cluster runs"
    )]
    OtherShards {
        /// The configured number.
        asked: u32,
        /// The number of the first start.
        found: usize,
    },
    /// There is no group for any key.
    #[error("read the shard map: {0}")]
    Shards(#[from] NoGroups),
    /// A peer's address makes no sense.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The node cannot start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// Keys or certificates cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Tokens cannot be used.
    #[error(transparent)]
    Tokens(#[from] TokenError),
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
        let listeners = Listeners::bind(&config)?;
        Server::start_with(config, listeners).await
    }

    /// Starts a server on a listener for clients, whose port the operating system may have chosen.
    pub async fn start_on(
        config: ServerConfig,
        listener: TcpListener,
    ) -> Result<Server, ServerError> {
        config.check()?;
        let listeners = Listeners::with_clients(listener, &config)?;
        Server::start_with(config, listeners).await
    }

    /// Starts a server on listeners, whose ports the operating system may have chosen.
    pub async fn start_with(
        config: ServerConfig,
        listeners: Listeners,
    ) -> Result<Server, ServerError> {
        config.check()?;
        let checkpoint = Checkpoint::load(&config)?;
        let ports = Ports::open(listeners, &config, &checkpoint)?;
        let advertised = ports.advertised(&config);
        let directory = first_directory(&config, &advertised);
        let metrics = Arc::clone(&checkpoint.metrics);

        let transfers = Arc::new(TransferCounts::default());
        let opening = config.clone();
        let opened = tokio::task::spawn_blocking(move || open_directory(&opening)).await;
        let (data, founders) = opened??;
        let introduction = Introduction {
            node: config.node,
            cluster: config.cluster.clone(),
            mode: config.mode,
            storage: config.storage.name(),
            shards: config.shards,
            advertised,
            founders: Arc::new(founders),
        };
        let peers = PeersConfig {
            introduction: introduction.clone(),
            peers: config.peers.clone(),
            credentials: checkpoint.credentials.clone(),
            metrics: Arc::clone(&metrics),
        };
        let (peers, connections) = PeerLinks::start(peers, Arc::clone(&transfers))?;
        let (opening, measured) = (config.clone(), Arc::clone(&metrics));
        // Opening the stores may take seconds, which the runtime's threads must not wait.
        let opened = tokio::task::spawn_blocking(move || {
            let (node, map) = open(&opening, data.as_ref(), measured, Box::new(peers))?;
            Ok::<_, ServerError>((node, data, map))
        });
        let (node, data, map) = opened.await??;
        let view = ShardsView::new(map)?;
        let (stop_accepting, accepting_stops) = watch::channel(false);
        let resharding = Resharding::new(
            resharding_config(&config),
            node.handle(),
            connections.clone(),
            view.clone(),
        );
        resharding.start(&accepting_stops);
        let groups = resharding.service();
        let readiness = Readiness::new(node.handle(), view.clone());
        let api_config = api_config(&config, &directory, view, &metrics);
        let api = Api::new(api_config, node.handle(), connections.clone(), resharding);
        let (stop_peers, peers_stop) = watch::channel(false);
        let peers = PeerServiceConfig {
            introduction,
            peers: connections.clone(),
            directory: directory.clone(),
            metrics: Arc::clone(&metrics),
            refusals: Arc::clone(&checkpoint.refusals),
        };
        if config.bugs.has(Bug::KnockReads) {
            let others = config.peers.iter().filter(|(node, _)| **node != config.node);
            bug_state::knock(others.map(|(node, address)| (*node, address.clone())));
        }
        datagrams::open(&api, &config.peers);
        let (address, http_address) = (ports.client_address, ports.http_address);
        tracing::info!(
            node = config.node.0,
            cluster = config.cluster,
            %address,
            peers = ports.peer_address.map(tracing::field::display),
            http = http_address.map(tracing::field::display),
            storage = config.storage.name(),
            groups = node.handle().groups().len(),
            "serving"
        );
        let serving = ports.serve(
            &config,
            &checkpoint,
            Served {
                api: api.clone(),
                peers: PeerService::new(peers, node.handle(), peers_stop)
                    .with_snapshots(Arc::new(node.handle()), transfers),
                groups,
                readiness: readiness.clone(),
                directory,
                stops: accepting_stops,
            },
        );
        Ok(Server {
            address,
            http_address,
            api,
            readiness,
            metrics,
            stop_accepting,
            stop_peers,
            serving,
            bugs: config.bugs,
            node,
            data,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens for HTTP, if it does.
    pub fn http_address(&self) -> Option<SocketAddr> {
        self.http_address
    }

    /// What it counts and measures.
    pub fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.metrics)
    }

    /// The replicas on this node, as they are now.
    pub fn groups(&self) -> Vec<GroupView> {
        self.readiness.groups()
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
        if self.bugs.has(Bug::EndingAcks) {
            bug_state::end().await;
        }
        self.readiness.drain();
        self.stop_accepting.send_replace(true);
        if tokio::time::timeout(DRAIN_TIMEOUT, self.api.drain()).await.is_err() {
            tracing::debug!("some requests are given up");
        }
        self.api.close_streams();
        self.stop_peers.send_replace(true);
        let deadline = tokio::time::Instant::now() + DISCONNECT_TIMEOUT;
        for serving in &mut self.serving {
            if tokio::time::timeout_at(deadline, &mut *serving).await.is_err() {
                serving.abort();
            }
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

fn resharding_config(config: &ServerConfig) -> ReshardingConfig {
    ReshardingConfig {
        node: config.node,
        cluster: config.cluster.clone(),
        peers: config.peers.clone(),
        joins: config.join,
        tick: config.tick,
        balance_leaders: config.balance_leaders,
    }
}

fn api_config(
    config: &ServerConfig,
    directory: &Directory,
    shards: ShardsView,
    metrics: &Arc<Metrics>,
) -> ApiConfig {
    ApiConfig {
        node: config.node,
        cluster: config.cluster.clone(),
        storage: config.storage.name(),
        mode: config.mode,
        directory: directory.clone(),
        shards,
        limits: config.limits,
        tick: config.tick,
        metrics: Arc::clone(metrics),
        test_hooks: config.test_hooks,
        bugs: config.bugs,
    }
}

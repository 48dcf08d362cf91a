//! The ports of a server, and everything that stands between them and the node.
//!
//! ```text
//! clients ──Gate──Front──> Kv, Admin, health, reflection ─┐
//! peers ────Gate──Front──> Kv, Admin, Peer ───────────────┼──> Api ──> node
//! HTTP ─────Gate──Gateway──> /v1, /healthz, /metrics ─────┘
//! ```
//!
//! Without a port of their own, peers come to the clients' port.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tonic::service::Routes;

use crate::api::{AdminService, Api, Front, Gateway, GatewayConfig, KvService, Readiness};
use crate::config::{Limits, ServerConfig};
use crate::metrics::Metrics;
use crate::resharding::GroupsService;
use crate::security::{
    Gate, Guard, Incoming, PeerTls, Port, Protocol, RefusalLog, Reload, Secret, ServerTls, Tokens,
    follow_files,
};
use crate::server::ServerError;
use crate::transport::{Advertised, Directory, PeerCredentials, PeerService};
use crate::types::NodeId;

/// How long a client or peer may be silent before its connection is closed.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(2);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(4);
/// What a client or peer may have on the way unacknowledged.
const STREAM_WINDOW_BYTES: u32 = 4 << 20;

/// Sockets that listen, on ports that the operating system may have chosen.
#[derive(Debug)]
pub struct Listeners {
    /// For clients, and for peers too unless they have one of their own.
    pub clients: TcpListener,
    /// For peers alone, if the configuration says so.
    pub peers: Option<TcpListener>,
    /// For HTTP, if the configuration says so.
    pub http: Option<TcpListener>,
}

impl Listeners {
    /// On the configured addresses.
    pub fn bind(config: &ServerConfig) -> Result<Listeners, ServerError> {
        Listeners::with_clients(bind(config.listen)?, config)
    }

    /// On the configured addresses, except for the clients', which is there already.
    pub fn with_clients(
        clients: TcpListener,
        config: &ServerConfig,
    ) -> Result<Listeners, ServerError> {
        let http = config.http.as_ref().map(|http| http.listen);
        Ok(Listeners {
            clients,
            peers: config.peer_listen.map(bind).transpose()?,
            http: http.map(bind).transpose()?,
        })
    }
}

/// Read again when its files change.
fn watched<T: Reload>(files: T) -> Arc<T> {
    let files = Arc::new(files);
    tokio::spawn(follow_files(Arc::downgrade(&files)));
    files
}

fn bind(address: SocketAddr) -> Result<TcpListener, ServerError> {
    TcpListener::bind(address).map_err(|source| ServerError::Listen { address, source })
}

/// Who may come in, and what is counted of them; read from its files.
#[derive(Clone)]
pub(crate) struct Checkpoint {
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) refusals: Arc<RefusalLog>,
    pub(crate) credentials: PeerCredentials,
    guard: Arc<Guard>,
    client_tls: Option<Arc<ServerTls>>,
    http_tls: Option<Arc<ServerTls>>,
    peer_tls: Option<Arc<ServerTls>>,
}

impl Checkpoint {
    /// Reads keys and tokens. Must be called on a tokio runtime, where their files are watched.
    pub(crate) fn load(config: &ServerConfig) -> Result<Checkpoint, ServerError> {
        let security = &config.security;
        let metrics = Arc::new(Metrics::default());
        let refusals = Arc::new(RefusalLog::default());
        let tokens = security.tokens.as_deref().map(Tokens::load).transpose()?.map(watched);
        let token = security.cluster_token.as_deref().map(Secret::load).transpose()?;
        let tls = |files: &Option<_>, protocols| {
            let tls = files.as_ref().map(|files| ServerTls::load(files, protocols)).transpose();
            Ok::<_, ServerError>(tls?.map(watched))
        };
        let peer_tls = security.peer_tls.as_ref().map(PeerTls::load).transpose()?.map(watched);
        Ok(Checkpoint {
            credentials: PeerCredentials::new(peer_tls, token.as_ref()),
            client_tls: tls(&security.client_tls, &[b"h2"])?,
            http_tls: tls(&security.client_tls, &[b"h2", b"http/1.1"])?,
            peer_tls: tls(&security.peer_tls, &[b"h2"])?,
            guard: Arc::new(Guard::new(tokens, token, Arc::clone(&metrics), Arc::clone(&refusals))),
            metrics,
            refusals,
        })
    }

    fn gate(&self, limits: &Limits, protocol: Protocol, tls: Option<&Arc<ServerTls>>) -> Gate {
        Gate {
            connections_max: limits.connections_max,
            protocol,
            tls: tls.cloned(),
            metrics: Arc::clone(&self.metrics),
            log: Arc::clone(&self.refusals),
        }
    }
}

/// The open ports.
pub(crate) struct Ports {
    pub(crate) client_address: SocketAddr,
    pub(crate) peer_address: Option<SocketAddr>,
    pub(crate) http_address: Option<SocketAddr>,
    clients: Incoming,
    peers: Option<Incoming>,
    http: Option<Incoming>,
}

impl Ports {
    /// Begins to take connections, which wait until they are served.
    pub(crate) fn open(
        listeners: Listeners,
        config: &ServerConfig,
        checkpoint: &Checkpoint,
    ) -> Result<Ports, ServerError> {
        let limits = &config.limits;
        let open = |listener: TcpListener, protocol, tls: Option<&Arc<ServerTls>>| {
            let address = listener.local_addr().unwrap_or(config.listen);
            let opened = listener
                .set_nonblocking(true)
                .and_then(|()| tokio::net::TcpListener::from_std(listener))
                .and_then(|listener| checkpoint.gate(limits, protocol, tls).open(listener));
            let opened = opened.map_err(|source| ServerError::Listen { address, source })?;
            Ok::<_, ServerError>((address, opened))
        };
        let (client_address, clients) =
            open(listeners.clients, Protocol::Grpc, checkpoint.client_tls.as_ref())?;
        let peers =
            listeners.peers.map(|it| open(it, Protocol::Grpc, checkpoint.peer_tls.as_ref()));
        let peers = peers.transpose()?;
        let http = listeners.http.map(|it| open(it, Protocol::Http, checkpoint.http_tls.as_ref()));
        let http = http.transpose()?;
        let (peer_address, peers) = peers.unzip();
        let (http_address, http) = http.unzip();
        Ok(Ports { client_address, peer_address, http_address, clients, peers, http })
    }

    /// Where clients are told to find this node. A port that the operating system chose replaces
    /// the configured one.
    pub(crate) fn advertised(&self, config: &ServerConfig) -> Advertised {
        let chosen = |text: &str, configured: SocketAddr, actual: SocketAddr| {
            let is_chosen = configured.port() == 0 && text == configured.to_string();
            if is_chosen { actual.to_string() } else { text.to_owned() }
        };
        let http = config.http.as_ref().zip(self.http_address);
        Advertised {
            client: chosen(&config.advertise, config.listen, self.client_address),
            http: http.map_or_else(String::new, |(http, actual)| {
                chosen(&http.advertise, http.listen, actual)
            }),
        }
    }

    /// Serves until it is told to stop. There is one task for each port.
    pub(crate) fn serve(
        self,
        config: &ServerConfig,
        checkpoint: &Checkpoint,
        served: Served,
    ) -> Vec<JoinHandle<()>> {
        let Served { api, peers, groups, readiness, directory, stops } = served;
        let front = |routes: Routes, port: Port| {
            let (guard, metrics) = (Arc::clone(&checkpoint.guard), Arc::clone(&checkpoint.metrics));
            Front::new(routes, port, guard, metrics, config.limits.message_bytes_max)
        };
        let shared = |api: &Api| {
            let mut routes = Routes::builder();
            routes.add_service(KvService::server(api.clone()));
            routes.add_service(AdminService::server(api.clone()));
            routes
        };
        let mut clients = shared(&api);
        clients.add_service(readiness.health_service(stopped(stops.clone())));
        if let Some(reflection) = reflection() {
            clients.add_service(reflection);
        }
        let mut serving = Vec::new();
        let client_port = match self.peers {
            None => {
                clients.add_service(peers.into_server());
                clients.add_service(groups.into_server());
                Port::Shared
            }
            Some(incoming) => {
                let mut routes = shared(&api);
                routes.add_service(peers.into_server());
                routes.add_service(groups.into_server());
                let front = front(routes.routes(), Port::Peers);
                serving.push(tokio::spawn(serve_grpc(
                    incoming,
                    front,
                    config.limits,
                    stops.clone(),
                )));
                Port::Clients
            }
        };
        let front = front(clients.routes(), client_port);
        serving.push(tokio::spawn(serve_grpc(self.clients, front, config.limits, stops.clone())));
        if let (Some(http), Some(incoming)) = (&config.http, self.http) {
            let gateway = GatewayConfig {
                node: config.node,
                body_bytes_max: config.limits.message_bytes_max,
                request_timeout: config.limits.request_timeout,
                redirect: http.redirect,
                has_tls: checkpoint.http_tls.is_some(),
                guard: Arc::clone(&checkpoint.guard),
                metrics: Arc::clone(&checkpoint.metrics),
                readiness,
                directory,
            };
            let (kv, admin) = (KvService::new(api.clone()), AdminService::new(api));
            let router = Gateway::new(kv, admin, gateway).into_router();
            serving.push(tokio::spawn(serve_http(incoming, router, stops)));
        }
        serving
    }
}

/// What the ports serve.
pub(crate) struct Served {
    pub(crate) api: Api,
    pub(crate) peers: PeerService,
    pub(crate) groups: GroupsService,
    pub(crate) readiness: Readiness,
    pub(crate) directory: Directory,
    /// Ends the listeners.
    pub(crate) stops: watch::Receiver<bool>,
}

/// Where clients find the nodes, before any of them has said so. Where peers have ports of their own
/// their addresses are of no use to clients.
pub(crate) fn first_directory(config: &ServerConfig, own: &Advertised) -> Directory {
    let mut nodes = BTreeMap::new();
    if config.peer_listen.is_none() {
        nodes = config
            .peers
            .iter()
            .map(|(node, address)| {
                (*node, Advertised { client: address.clone(), http: String::new() })
            })
            .collect::<BTreeMap<NodeId, Advertised>>();
    }
    let directory = Directory::new(nodes);
    directory.learn(config.node, own.clone());
    directory
}

/// Lets people ask which services there are. None if the descriptions cannot be read, which a test
/// rules out.
fn reflection() -> Option<
    tonic_reflection::server::v1::ServerReflectionServer<
        impl tonic_reflection::server::v1::ServerReflection,
    >,
> {
    tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(proto::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()
        .ok()
}

async fn stopped(mut stops: watch::Receiver<bool>) {
    // An error means that the server is gone, which is a reason to stop too.
    let _ = stops.wait_for(|stops| *stops).await;
}

async fn serve_grpc(
    incoming: Incoming,
    front: Front,
    limits: Limits,
    stops: watch::Receiver<bool>,
) {
    let served = tonic::transport::Server::builder()
        .http2_keepalive_interval(Some(KEEP_ALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEP_ALIVE_TIMEOUT))
        .max_concurrent_streams(Some(limits.connection_streams_max))
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(STREAM_WINDOW_BYTES * 2)
        .serve_with_incoming_shutdown(front, incoming, stopped(stops))
        .await;
    if let Err(error) = served {
        tracing::error!("serve: {error}");
    }
}

async fn serve_http(incoming: Incoming, router: axum::Router, stops: watch::Receiver<bool>) {
    let served = axum::serve(incoming, router).with_graceful_shutdown(stopped(stops)).await;
    if let Err(error) = served {
        tracing::error!("serve HTTP: {error}");
    }
}

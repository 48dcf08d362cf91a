//! Who is let in, who is not, and that the latter are counted.

use std::collections::BTreeMap;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use prost::Message;
use proto::kv::kv_client::KvClient;
use proto::kv::{ErrorDetail, ErrorKind, GetRequest, PutRequest, RequestContext};
use proto::raft::peer_client::PeerClient;
use proto::raft::{Frame, Handshake, frame};
use server::bug::Bugs;
use server::config::{SecurityConfig, StorageKind};
use server::metrics::Refused;
use server::types::GroupId;
use server::{Listeners, Server, ServerConfig, Settings};
use tempfile::TempDir;
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Request, Status};

use crate::certificates::Authority;
use crate::eventually::eventually;
use crate::failures::handshake;

/// Nodes with ports of their own for peers.
struct Secured {
    servers: BTreeMap<u64, Server>,
    peer_addresses: BTreeMap<u64, SocketAddr>,
}

impl Secured {
    async fn start(nodes: u64, security: &SecurityConfig) -> Secured {
        let bind = || TcpListener::bind("127.0.0.1:0").unwrap();
        let listeners: BTreeMap<u64, (TcpListener, TcpListener)> =
            (1..=nodes).map(|node| (node, (bind(), bind()))).collect();
        let peer_addresses: BTreeMap<u64, SocketAddr> = listeners
            .iter()
            .map(|(node, (_, peers))| (*node, peers.local_addr().unwrap()))
            .collect();
        let mut servers = BTreeMap::new();
        for (node, (clients, peers)) in listeners {
            let settings = Settings {
                node: Some(node),
                listen: Some(clients.local_addr().unwrap()),
                peer_listen: Some(peer_addresses[&node]),
                peers: peer_addresses
                    .iter()
                    .map(|(node, address)| (node.to_string(), address.to_string()))
                    .collect(),
                storage: StorageKind::Memory,
                ..Settings::default()
            };
            let config = ServerConfig {
                security: security.clone(),
                tick: Duration::from_millis(20),
                ..settings.resolve(Bugs::NONE).unwrap()
            };
            let listeners = Listeners { clients, peers: Some(peers), http: None };
            servers.insert(node, Server::start_with(config, listeners).await.unwrap());
        }
        Secured { servers, peer_addresses }
    }

    async fn leader(&self) -> u64 {
        eventually("there is a leader that all follow", async || {
            let mut leaders = self
                .servers
                .values()
                .map(|server| server.node().leadership(GroupId(0))?.leader.map(|it| it.0));
            let first = leaders.next()??;
            leaders.all(|leader| leader == Some(first)).then_some(first)
        })
        .await
    }

    fn refusals(&self, node: u64, what: Refused) -> u64 {
        self.servers[&node].metrics().refusals(what)
    }

    async fn refused(&self, node: u64, what: Refused, before: u64) {
        eventually("the refusal is counted", async || {
            (self.refusals(node, what) > before).then_some(())
        })
        .await;
    }
}

async fn connect(address: SocketAddr, tls: Option<ClientTlsConfig>) -> Option<Channel> {
    let endpoint = match tls {
        None => Endpoint::from_shared(format!("http://{address}")).unwrap(),
        Some(tls) => {
            let endpoint = Endpoint::from_shared(format!("https://{address}")).unwrap();
            endpoint.tls_config(tls).unwrap()
        }
    };
    endpoint.connect_timeout(Duration::from_secs(5)).connect().await.ok()
}

fn with_token<T>(message: T, token: Option<&str>) -> Request<T> {
    let mut request = Request::new(message);
    if let Some(token) = token {
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    }
    request.set_timeout(Duration::from_secs(5));
    request
}

async fn put(channel: &Channel, token: Option<&str>) -> Result<(), Status> {
    let context = Some(RequestContext::default());
    let put = PutRequest { context, key: "k".into(), value: "v".into(), lease: 0 };
    KvClient::new(channel.clone()).put(with_token(put, token)).await.map(drop)
}

async fn get(channel: &Channel, token: Option<&str>) -> Result<(), Status> {
    let context = Some(RequestContext::default());
    let get = GetRequest { context, key: "k".into(), ..GetRequest::default() };
    KvClient::new(channel.clone()).get(with_token(get, token)).await.map(drop)
}

/// Tries to be node 2 that speaks to node 1.
async fn speak_as_peer(channel: &Channel, cluster: &str, token: Option<&str>) -> Status {
    let first = Handshake { cluster: cluster.to_owned(), ..handshake(2, 1) };
    let odd = Frame { frame: None };
    let frames = [Frame { frame: Some(frame::Frame::Handshake(first)) }, odd];
    let request = with_token(tokio_stream::iter(frames), token);
    PeerClient::new(channel.clone()).stream(request).await.unwrap_err()
}

#[track_caller]
fn denied(result: Result<(), Status>, code: Code, kind: ErrorKind) {
    let status = result.unwrap_err();
    let detail = ErrorDetail::decode(status.details()).unwrap();
    assert_eq!((status.code(), detail.kind()), (code, kind), "{status}");
    assert!(!detail.indefinite);
}

/// A connection whose other side does not want it is closed during the handshake or, with TLS 1.3,
/// by the time of its first request.
async fn cannot_be_used(address: SocketAddr, tls: Option<ClientTlsConfig>) {
    if let Some(channel) = connect(address, tls).await {
        let status = get(&channel, None).await.unwrap_err();
        assert!(status.details().is_empty(), "the store answered: {status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_keep_strangers_out_and_let_members_in() {
    let directory = tempfile::tempdir().unwrap();
    let new = |name| Authority::new(directory.path(), name);
    let (clients, peers, strangers) = (new("clients"), new("peers"), new("strangers"));
    let security = SecurityConfig {
        client_tls: Some(clients.files(Some(&clients))),
        peer_tls: Some(peers.files(Some(&peers))),
        ..SecurityConfig::default()
    };
    let cluster = Secured::start(3, &security).await;
    let leader = cluster.leader().await;

    // Every node answers a client that belongs, and the followers forward.
    for server in cluster.servers.values() {
        let tls = clients.client(Some(&clients));
        let channel = connect(server.address(), Some(tls)).await.unwrap();
        put(&channel, None).await.unwrap();
        get(&channel, None).await.unwrap();
    }

    let (node, address) = (leader, cluster.servers[&leader].address());
    let handshake = Refused::Handshake;
    for (who, tls) in [
        ("no certificate", Some(clients.client(None))),
        ("a certificate of another CA", Some(clients.client(Some(&strangers)))),
        ("a peer's certificate", Some(clients.client(Some(&peers)))),
        ("no TLS", None),
    ] {
        let before = cluster.refusals(node, handshake);
        cannot_be_used(address, tls).await;
        assert!(!who.is_empty());
        cluster.refused(node, handshake, before).await;
    }

    // The peers' port takes certificates of the peers' CA only.
    let port = cluster.peer_addresses[&node];
    for tls in [
        Some(peers.client(None)),
        Some(peers.client(Some(&clients))),
        Some(peers.client(Some(&strangers))),
        None,
    ] {
        let before = cluster.refusals(node, handshake);
        cannot_be_used(port, tls).await;
        cluster.refused(node, handshake, before).await;
    }

    // A client that believes in the wrong CA does not talk to us either.
    assert!(connect(address, Some(strangers.client(Some(&clients)))).await.is_none());

    // A client's certificate opens the clients' port, where nobody can speak as a peer.
    let tls = clients.client(Some(&clients));
    let channel = connect(address, Some(tls)).await.unwrap();
    let before = cluster.refusals(node, Refused::Peer);
    let status = speak_as_peer(&channel, "breakwater", None).await;
    denied(Err(status), Code::PermissionDenied, ErrorKind::PermissionDenied);
    cluster.refused(node, Refused::Peer, before).await;

    // With a peer's certificate, but of another cluster.
    let channel = connect(cluster.peer_addresses[&1], Some(peers.client(Some(&peers)))).await;
    let before = cluster.refusals(1, Refused::Peer);
    let status = speak_as_peer(&channel.unwrap(), "another", None).await;
    assert!(status.message().contains("another"), "{status}");
    cluster.refused(1, Refused::Peer, before).await;
}

fn tokens(directory: &TempDir) -> SecurityConfig {
    let (tokens, cluster) = (directory.path().join("tokens"), directory.path().join("cluster"));
    fs::write(&tokens, "reader-token read\nwriter-token write\n").unwrap();
    fs::write(&cluster, "cluster-token\n").unwrap();
    let (tokens, cluster_token) = (Some(tokens), Some(cluster));
    SecurityConfig { tokens, cluster_token, ..SecurityConfig::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_say_who_may_do_what() {
    let directory = tempfile::tempdir().unwrap();
    let cluster = Secured::start(3, &tokens(&directory)).await;
    let leader = cluster.leader().await;
    for (node, server) in &cluster.servers {
        let channel = connect(server.address(), None).await.unwrap();
        put(&channel, Some("writer-token")).await.unwrap();
        get(&channel, Some("writer-token")).await.unwrap();
        get(&channel, Some("reader-token")).await.unwrap();
        let (unknown, forbidden) = (ErrorKind::Unauthenticated, ErrorKind::PermissionDenied);
        denied(put(&channel, None).await, Code::Unauthenticated, unknown);
        denied(get(&channel, Some("wrong-token")).await, Code::Unauthenticated, unknown);
        let reader = put(&channel, Some("reader-token")).await;
        denied(reader, Code::PermissionDenied, forbidden);
        // The peers' secret is none of the clients' business.
        let secret = put(&channel, Some("cluster-token")).await;
        denied(secret, Code::Unauthenticated, unknown);
        assert_eq!(cluster.refusals(*node, Refused::Token), 3);
        assert_eq!(cluster.refusals(*node, Refused::Permission), 1);
    }

    // The peers' port knows the cluster's token, and no client's.
    let channel = connect(cluster.peer_addresses[&1], None).await.unwrap();
    for token in [None, Some("writer-token")] {
        let forbidden = ErrorKind::PermissionDenied;
        denied(put(&channel, token).await, Code::PermissionDenied, forbidden);
        let status = speak_as_peer(&channel, "breakwater", token).await;
        denied(Err(status), Code::PermissionDenied, forbidden);
    }
    assert_eq!(cluster.refusals(1, Refused::Peer), 4);
    let status = speak_as_peer(&channel, "breakwater", Some("cluster-token")).await;
    assert!(status.message().contains("odd frame"), "{status}");
    assert!(cluster.servers.contains_key(&leader));
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_read_again_when_they_change() {
    let directory = tempfile::tempdir().unwrap();
    let security = tokens(&directory);
    let cluster = Secured::start(1, &security).await;
    cluster.leader().await;
    let channel = connect(cluster.servers[&1].address(), None).await.unwrap();
    put(&channel, Some("writer-token")).await.unwrap();
    fs::write(security.tokens.unwrap(), "the-new-writers-token write\n").unwrap();
    eventually("the new token is known", async || {
        put(&channel, Some("the-new-writers-token")).await.ok()
    })
    .await;
    let old = put(&channel, Some("writer-token")).await;
    denied(old, Code::Unauthenticated, ErrorKind::Unauthenticated);
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_read_again_when_they_change() {
    let directory = tempfile::tempdir().unwrap();
    let (old, new) = (directory.path().join("old"), directory.path().join("new"));
    std::fs::create_dir(&old).unwrap();
    std::fs::create_dir(&new).unwrap();
    let (first, second) = (Authority::new(&old, "clients"), Authority::new(&new, "clients"));
    let files = first.files(Some(&first));
    let security = SecurityConfig { client_tls: Some(files), ..SecurityConfig::default() };
    let cluster = Secured::start(1, &security).await;
    cluster.leader().await;
    let address = cluster.servers[&1].address();
    let open = connect(address, Some(first.client(Some(&first)))).await.unwrap();
    put(&open, None).await.unwrap();
    assert!(connect(address, Some(second.client(Some(&second)))).await.is_none());
    // The new files take the place of the old ones, one after the other.
    second.files(Some(&second));
    for name in ["clients.crt", "clients.key", "clients.ca"] {
        fs::rename(new.join(name), old.join(name)).unwrap();
    }
    eventually("the new certificate is shown, and wanted", async || {
        let channel = connect(address, Some(second.client(Some(&second)))).await?;
        put(&channel, None).await.ok()
    })
    .await;
    cannot_be_used(address, Some(second.client(Some(&first)))).await;
    // Who is there stays.
    put(&open, None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_cannot_be_used_are_an_error_that_names_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let mut security = tokens(&directory);
    security.tokens = Some(directory.path().join("missing"));
    let settings = Settings { mode: server::config::Mode::Single, ..Settings::default() };
    let settings = Settings { storage: StorageKind::Memory, ..settings };
    let config = ServerConfig { security, ..settings.resolve(Bugs::NONE).unwrap() };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let error = Server::start_on(config, listener).await.err().unwrap().to_string();
    assert!(error.contains("missing"), "{error}");
}

//! What arrives at a port need not be what it is for.

use std::net::SocketAddr;
use std::time::Duration;

use prost::Message as _;
use proto::admin::AddMember;
use proto::admin::change_members_request::Change;
use proto::client::{Client, ClientOptions, Keys};
use proto::kv::kv_client::KvClient;
use proto::kv::{ErrorDetail, ErrorKind, PutRequest, RequestContext};
use proto::raft::peer_client::PeerClient;
use proto::raft::{Batch, Envelope, Frame, frame};
use protobuf::Message as _;
use raft::eraftpb;
use server::bug::Bugs;
use server::config::StorageKind;
use server::metrics::Refused;
use server::types::GroupId;
use server::{Limits, Listeners, Server, ServerConfig, Settings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tonic::Code;

use crate::certificates::Authority;
use crate::cluster::{Cluster, Kind};
use crate::eventually::eventually;
use crate::failures::handshake;
use crate::http::with_http;

const PATIENCE: Duration = Duration::from_secs(10);

/// What no port of ours understands, and what only another port does.
fn hostile() -> Vec<(&'static str, Vec<u8>)> {
    let mut noise: Vec<u8> = Vec::new();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..8_192 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        noise.push((state >> 56) as u8);
    }
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    vec![
        ("noise", noise.clone()),
        ("zeros", vec![0; 8_192]),
        ("a TLS hello that ends too early", vec![0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]),
        ("a TLS record of the greatest length", [&[0x16, 3, 1, 0xff, 0xff], &noise[..]].concat()),
        ("HTTP/1 without an end", b"GET / HTTP/1.1\r\nX: ".repeat(500)),
        (
            "HTTP/1 with an absurd length",
            b"PUT /v1/kv/a HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n".to_vec(),
        ),
        ("HTTP/2, then noise", [&preface[..], &noise[..]].concat()),
        (
            "HTTP/2, then a frame of 16 MiB",
            [&preface[..], &[0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1]].concat(),
        ),
    ]
}

/// Sends the bytes, ends its own side, and waits until the other side has ended too.
async fn throw(address: SocketAddr, bytes: &[u8]) {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // The other side may have hung up before it has everything.
        let _ = stream.write_all(bytes).await;
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
    };
    tokio::time::timeout(PATIENCE, exchange).await.expect("the connection is closed");
}

async fn survives(config: ServerConfig, is_tls: bool) {
    let config = ServerConfig {
        http: Some(server::config::HttpConfig {
            listen: "127.0.0.1:0".parse().unwrap(),
            advertise: "127.0.0.1:0".to_owned(),
            redirect: false,
        }),
        ..config
    };
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let server = Server::start_on(config, listener).await.unwrap();
    for (what, bytes) in hostile() {
        for address in [server.address(), server.http_address().unwrap()] {
            let before = server.metrics().refusals(Refused::Handshake);
            throw(address, &bytes).await;
            if is_tls {
                eventually(what, async || {
                    let now = server.metrics().refusals(Refused::Handshake);
                    (now > before).then_some(())
                })
                .await;
            }
        }
    }
    eventually("no connection is left", async || {
        (server.metrics().connections.get() == 0).then_some(())
    })
    .await;
    eventually("the node leads", async || server.node().leadership(GroupId(0))?.leader).await;
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_bytes_are_refused_on_every_port() {
    let cluster = Cluster::start(1, Kind::Memory).await;
    let plain = cluster.config(1);
    survives(plain.clone(), false).await;
    let directory = tempfile::tempdir().unwrap();
    let authority = Authority::new(directory.path(), "ca");
    let mut secured = plain;
    secured.security.client_tls = Some(authority.files(Some(&authority)));
    survives(secured, true).await;
}

/// What a client of each port says, recorded on its way.
struct Conversations {
    clients: Vec<u8>,
    peers: Vec<u8>,
    http: Vec<u8>,
}

/// Speaks to a port through a listener that writes down what is said.
async fn recorded<F: Future<Output = ()>>(
    target: SocketAddr,
    speak: impl FnOnce(String) -> F,
) -> Vec<u8> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let recording = tokio::spawn(async move {
        let (near, _) = listener.accept().await.unwrap();
        let far = TcpStream::connect(target).await.unwrap();
        let (mut from_near, mut to_near) = near.into_split();
        let (mut from_far, mut to_far) = far.into_split();
        tokio::spawn(async move { tokio::io::copy(&mut from_far, &mut to_near).await });
        let (mut said, mut buffer) = (Vec::new(), [0; 4_096]);
        while let Ok(count @ 1..) = from_near.read(&mut buffer).await {
            said.extend_from_slice(&buffer[..count]);
            to_far.write_all(&buffer[..count]).await.unwrap();
        }
        said
    });
    speak(address).await;
    tokio::time::timeout(PATIENCE, recording).await.expect("the speaker hangs up").unwrap()
}

async fn conversations(clients: SocketAddr, peers: SocketAddr, http: SocketAddr) -> Conversations {
    let as_client = async |address: String| {
        let mut client = Client::new(vec![address], ClientOptions::new());
        client.open_session().await.unwrap();
        client.put("recorded", "1").await.unwrap();
        client.append("recorded", "2").await.unwrap();
        client.scan(Keys::all()).collect().await.unwrap();
    };
    let as_peer = async |address: String| {
        let mut message = eraftpb::Message { from: 2, to: 1, term: 1, ..Default::default() };
        message.set_msg_type(eraftpb::MessageType::MsgHeartbeat);
        // Of a group that the node does not have: bytes are hostile here, peers are not.
        let message = message.write_to_bytes().unwrap().into();
        let batch = Batch { envelopes: vec![Envelope { group: 77, message }] };
        let frames = [frame::Frame::Handshake(handshake(2, 1)), frame::Frame::Batch(batch)];
        let frames = frames.map(|frame| Frame { frame: Some(frame) });
        let endpoint = tonic::transport::Endpoint::from_shared(format!("http://{address}"));
        let mut peer = PeerClient::new(endpoint.unwrap().connect().await.unwrap());
        peer.stream(tokio_stream::iter(frames)).await.unwrap();
    };
    let as_browser = async |address: String| {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = "PUT /v1/kv/a%2Fb HTTP/1.1\r\nHost: n\r\nContent-Length: 5\r\n\r\nhello\
                       GET /v1/kv/a%2Fb HTTP/1.1\r\nHost: n\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.read_to_end(&mut Vec::new()).await.unwrap();
    };
    Conversations {
        clients: recorded(clients, as_client).await,
        peers: recorded(peers, as_peer).await,
        http: recorded(http, as_browser).await,
    }
}

/// Cut at many places, and with single bits flipped.
fn mutilated(said: &[u8], count: usize) -> Vec<Vec<u8>> {
    let mut state = 0x5eed_u64;
    let mut below = |limit: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as usize % limit
    };
    let cut = (0..count).map(|_| (below(said.len()), None)).collect::<Vec<_>>();
    let flipped = (0..count).map(|_| (said.len(), Some((below(said.len()), below(8)))));
    cut.into_iter()
        .chain(flipped)
        .map(|(length, flip)| {
            let mut bytes = said[..length].to_vec();
            if let Some((place, bit)) = flip {
                bytes[place] ^= 1 << bit;
            }
            bytes
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn mutilated_conversations_harm_nobody() {
    let address = || std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (clients, peers, http) = (address(), address(), address());
    let at = |listener: &std::net::TcpListener| listener.local_addr().unwrap();
    let (client_port, peer_port, http_port) = (at(&clients), at(&peers), at(&http));
    let settings = Settings {
        node: Some(1),
        cluster: "test".to_owned(),
        listen: Some(client_port),
        peer_listen: Some(peer_port),
        storage: StorageKind::Memory,
        peers: [("1".to_owned(), peer_port.to_string())].into(),
        ..Settings::default()
    };
    let config = ServerConfig {
        http: Some(server::config::HttpConfig {
            listen: http_port,
            advertise: http_port.to_string(),
            redirect: false,
        }),
        tick: Duration::from_millis(20),
        ..settings.resolve(Bugs::NONE).unwrap()
    };
    let listeners = Listeners { clients, peers: Some(peers), http: Some(http) };
    let server = Server::start_with(config, listeners).await.unwrap();
    let mut client = Client::new(vec![client_port.to_string()], ClientOptions::new());
    client.put("before", "1").await.unwrap();
    // A learner that never comes, so that somebody may speak as a peer.
    let add = AddMember { node: 2, address: "127.0.0.1:1".to_owned(), stay_learner: true };
    client.change_members(0, Change::Add(add)).await.unwrap();

    let said = conversations(client_port, peer_port, http_port).await;
    let mut throws = JoinSet::new();
    for (port, said) in
        [(client_port, said.clients), (peer_port, said.peers), (http_port, said.http)]
    {
        for bytes in mutilated(&said, 100) {
            if throws.len() >= 16 {
                throws.join_next().await.unwrap().unwrap();
            }
            throws.spawn(async move { throw(port, &bytes).await });
        }
    }
    throws.join_all().await;
    assert_eq!(client.get("before").await.unwrap().found.unwrap().version, 1);
    client.put("after", "1").await.unwrap();
    let refused = server.metrics().refusals(Refused::Peer);
    assert!(refused > 0, "no broken handshake was refused");
    // Whole conversations are still understood.
    conversations(client_port, peer_port, http_port).await;
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_over_the_limit_are_closed_and_counted() {
    let cluster = Cluster::start(1, Kind::Memory).await;
    let config = cluster.config(1);
    let limits = Limits { connections_max: 2, ..config.limits };
    let config = with_http(config);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let server = Server::start_on(ServerConfig { limits, ..config }, listener).await.unwrap();
    let address = server.address();
    let channel = || async move {
        let endpoint = tonic::transport::Endpoint::from_shared(format!("http://{address}"));
        endpoint.unwrap().connect().await.unwrap()
    };
    let (_first, second) = (channel().await, channel().await);
    eventually("both are counted", async || {
        (server.metrics().connections.get() == 2).then_some(())
    })
    .await;
    let mut third = TcpStream::connect(address).await.unwrap();
    let mut words = Vec::new();
    tokio::time::timeout(PATIENCE, third.read_to_end(&mut words)).await.unwrap().unwrap();
    assert!(words.ends_with(b"too many connections"), "{words:?}");
    assert_eq!(server.metrics().refusals(Refused::Connection), 1);
    eventually("a client of gRPC hears it too, if it asks before it hears the end", async || {
        let mut client = KvClient::new(channel().await);
        let status = client.put(PutRequest::default()).await.unwrap_err();
        format!("{status:?}").contains("too many connections").then_some(())
    })
    .await;
    // As does one of the gateway, whose port has places of its own.
    let gateway = server.http_address().unwrap();
    let held =
        (TcpStream::connect(gateway).await.unwrap(), TcpStream::connect(gateway).await.unwrap());
    eventually("the gateway has no place left", async || {
        let mut stream = TcpStream::connect(gateway).await.unwrap();
        let mut words = String::new();
        let told = stream.read_to_string(&mut words);
        let told = tokio::time::timeout(Duration::from_millis(200), told).await;
        told.is_ok().then(|| assert!(words.starts_with("HTTP/1.1 503 "), "{words}"))
    })
    .await;
    drop(held);
    // One that goes makes room.
    drop(second);
    eventually("one has gone", async || (server.metrics().connections.get() == 1).then_some(()))
        .await;
    eventually("there is room again", async || {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let open = tokio::time::timeout(Duration::from_millis(200), stream.read(&mut [0; 1])).await;
        open.is_err().then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_over_the_limit_gets_a_typed_error() {
    let cluster = Cluster::start(1, Kind::Memory).await;
    let context = Some(RequestContext::default());
    let put = PutRequest { context, key: "k".into(), value: vec![7; 5 << 20].into(), lease: 0 };
    let mut client = KvClient::new(cluster.channel(1).await);
    let status = client.put(put).await.unwrap_err();
    let detail = ErrorDetail::decode(status.details()).unwrap();
    assert_eq!((status.code(), detail.kind()), (Code::ResourceExhausted, ErrorKind::LimitExceeded));
    assert_eq!((detail.limit.as_str(), detail.limit_max), ("message-bytes", 4 << 20));
    assert!(detail.limit_asked > 5 << 20 && !detail.indefinite);
    assert_eq!(cluster.server(1).metrics().limit_hits("message-bytes"), 1);
}

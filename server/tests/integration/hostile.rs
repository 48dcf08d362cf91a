//! What arrives at a port need not be what it is for.

use std::net::SocketAddr;
use std::time::Duration;

use prost::Message;
use proto::kv::kv_client::KvClient;
use proto::kv::{ErrorDetail, ErrorKind, PutRequest, RequestContext};
use server::metrics::Refused;
use server::types::GroupId;
use server::{Limits, Server, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::Code;

use crate::certificates::Authority;
use crate::cluster::{Cluster, Kind};
use crate::eventually::eventually;
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

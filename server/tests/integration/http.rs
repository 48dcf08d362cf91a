//! The store over HTTP.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde_json::Value;
use server::config::{HttpConfig, SecurityConfig};
use server::{Limits, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::cluster::{Cluster, Kind};
use crate::eventually::eventually;

pub(crate) fn with_http(config: ServerConfig) -> ServerConfig {
    let http = HttpConfig {
        listen: "127.0.0.1:0".parse().unwrap(),
        advertise: "127.0.0.1:0".to_owned(),
        redirect: false,
    };
    ServerConfig { http: Some(http), ..config }
}

async fn start(nodes: u64) -> Cluster {
    Cluster::start_with(nodes, Kind::Memory, with_http).await
}

#[derive(Debug)]
struct Answer {
    status: u16,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    #[track_caller]
    fn fails(&self, status: u16, kind: &str) {
        let body = self.json();
        assert_eq!((self.status, body["kind"].as_str()), (status, Some(kind)), "{body}");
        assert!(body["error"].is_string(), "{body}");
        assert_eq!(body["indefinite"], false);
    }
}

/// One request on a connection of its own. `head` is such as `PUT /v1/kv/a`, and more lines.
async fn ask(address: SocketAddr, head: &str, body: &[u8]) -> Answer {
    let mut lines = head.lines();
    let first = lines.next().unwrap();
    let more: String = lines.map(|line| format!("{line}\r\n")).collect();
    let length = body.len();
    let head = format!(
        "{first} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: {length}\r\n\
         {more}\r\n"
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    // A server that refuses a large body may hang up before it has all of it.
    let _ = stream.write_all(body).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let (head, body) = (String::from_utf8(answer[..end].to_vec()).unwrap(), &answer[end + 4..]);
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines.map(|line| line.split_once(": ").unwrap());
    let headers = headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
    Answer { status, headers, body: body.to_vec() }
}

fn http(cluster: &Cluster, node: u64) -> SocketAddr {
    cluster.server(node).http_address().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_node_answers_and_a_key_is_the_whole_path() {
    let cluster = start(3).await;
    cluster.leader().await;
    for node in cluster.nodes() {
        let address = http(&cluster, node);
        let (short, long) = (format!("b{node}"), format!("a/b{node}"));
        for key in [&short, &long] {
            let put = ask(address, &format!("PUT /v1/kv/{key}"), key.as_bytes()).await;
            assert_eq!((put.status, &put.json()["previous"]), (200, &Value::Null));
        }
        let read = ask(address, &format!("GET /v1/kv/{long}"), b"").await;
        assert_eq!((read.status, read.json()["value"].as_str()), (200, Some(long.as_str())));
        assert_eq!(read.json()["version"], 1);

        // Deleting `a/b` leaves `b` alone, and `a%2Fb` is the same key as `a/b`.
        let deleted = ask(address, &format!("DELETE /v1/kv/a%2Fb{node}"), b"").await;
        assert_eq!(deleted.json()["previous"]["value"], long.as_str());
        ask(address, &format!("GET /v1/kv/{long}"), b"").await.fails(404, "KEY_NOT_FOUND");
        assert_eq!(ask(address, &format!("GET /v1/kv/{short}"), b"").await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_byte_can_be_in_a_key_and_in_a_value() {
    let cluster = start(1).await;
    let address = http(&cluster, 1);
    let value: Vec<u8> = (0..=u8::MAX).collect();
    for path in ["/v1/kv/%00%ff%2f%25", "/v1/kv//", "/v1/kv/", "/v1/kv/a+b%20c", "/v1/kv/../x"] {
        assert_eq!(ask(address, &format!("PUT {path}"), &value).await.status, 200, "{path}");
        let raw = ask(address, &format!("GET {path}?raw=true"), b"").await;
        assert_eq!(raw.body, value, "{path}");
        let accept = format!("GET {path}\nAccept: application/octet-stream");
        assert_eq!(ask(address, &accept, b"").await.body, value);
        let json = ask(address, &format!("GET {path}"), b"").await.json();
        assert!(json["value_base64"].is_string() && json["value"].is_null(), "{json}");
        // The key in the answer leads to the same key again.
        let again = format!("GET /v1/kv/{}", json["key"].as_str().unwrap());
        assert_eq!(ask(address, &again, b"").await.json()["revision"], json["revision"]);
    }
    let mut client = cluster.client(1);
    let key = vec![0, 0xff, b'/', b'%'];
    assert_eq!(client.get(key).await.unwrap().found.unwrap().value, value);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_put_can_depend_on_what_is_there() {
    let cluster = start(1).await;
    let address = http(&cluster, 1);
    let create = "PUT /v1/kv/k\nIf-None-Match: *";
    assert_eq!(ask(address, create, b"one").await.status, 200);
    ask(address, create, b"two").await.fails(412, "PRECONDITION_FAILED");
    ask(address, "PUT /v1/kv/k?expected=two", b"three").await.fails(412, "PRECONDITION_FAILED");
    let swapped = ask(address, "PUT /v1/kv/k?expected=one", b"two").await;
    assert_eq!((swapped.status, &swapped.json()["previous"]["value"]), (200, &"one".into()));
    let read = ask(address, "GET /v1/kv/k?consistency=local", b"").await;
    assert_eq!(read.headers["etag"], swapped.headers["etag"]);
    assert_eq!(read.json()["version"], 2);
}

/// The list of keys, from page to page, at a node that does not lead.
#[tokio::test(flavor = "multi_thread")]
async fn keys_are_listed_in_order_by_prefix_and_from_page_to_page() {
    let cluster = start(3).await;
    let address = http(&cluster, cluster.follower().await);
    for key in ["a", "b/1", "b/2", "b/3", "b%00", "b0", "c"] {
        assert_eq!(ask(address, &format!("PUT /v1/kv/{key}"), b"v").await.status, 200);
    }
    let list = async |query: &str| {
        let answer = ask(address, &format!("GET /v1/kv?{query}"), b"").await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let body = answer.json();
        let found = body["found"].as_array().unwrap().iter();
        let keys: Vec<String> = found.map(|it| it["key"].as_str().unwrap().to_owned()).collect();
        assert!(body["header"]["revision"].as_u64().unwrap() > 0);
        (keys, body["more"].as_bool().unwrap())
    };
    let all = ["a", "b%00", "b/1", "b/2", "b/3", "b0", "c"];
    assert_eq!(list("").await, (all.map(str::to_owned).to_vec(), false));
    let (mut keys, mut query) = (Vec::new(), "prefix=b/&limit=2".to_owned());
    loop {
        let (page, more) = list(&query).await;
        assert!(page.len() <= 2);
        keys.extend(page);
        if !more {
            break;
        }
        // What was answered leads on as it is.
        query = format!("prefix=b/&limit=2&after={}", keys.last().unwrap());
    }
    assert_eq!(keys, ["b/1", "b/2", "b/3"]);
    assert_eq!(list("prefix=%62%00").await, (vec!["b%00".to_owned()], false));
    assert_eq!(list("prefix=nothing").await, (Vec::new(), false));
    ask(address, "GET /v1/kv?limit=4000000000", b"").await.fails(413, "LIMIT_EXCEEDED");
    ask(address, "GET /v1/kv?limit=some", b"").await.fails(400, "INVALID_REQUEST");
}

/// Optimistic changes: what was read is changed only if nobody else has changed it meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_can_depend_on_the_revision_that_was_read() {
    let cluster = start(3).await;
    let address = http(&cluster, cluster.follower().await);
    let first = ask(address, "PUT /v1/kv/k", b"one").await;
    let read = ask(address, "GET /v1/kv/k", b"").await;
    assert_eq!(read.headers["etag"], first.headers["etag"]);
    let with = |method: &str, tag: &str| format!("{method} /v1/kv/k\nIf-Match: {tag}");
    let second = ask(address, &with("PUT", &read.headers["etag"]), b"two").await;
    assert_eq!((second.status, &second.json()["previous"]["value"]), (200, &"one".into()));
    assert_ne!(second.headers["etag"], first.headers["etag"]);

    // Who read before that comes too late, and changes nothing.
    let stale = &first.headers["etag"];
    ask(address, &with("PUT", stale), b"three").await.fails(412, "PRECONDITION_FAILED");
    ask(address, &with("DELETE", stale), b"").await.fails(412, "PRECONDITION_FAILED");
    let now = ask(address, "GET /v1/kv/k", b"").await;
    assert_eq!((&now.json()["value"], &now.json()["version"]), (&"two".into(), &2.into()));
    assert_eq!(now.headers["etag"], second.headers["etag"]);

    // A put of the same value is a change too; a revision may stand there without quotes.
    let third = ask(address, &with("PUT", second.headers["etag"].trim_matches('"')), b"two").await;
    assert_eq!(third.status, 200);
    ask(address, &with("DELETE", &second.headers["etag"]), b"")
        .await
        .fails(412, "PRECONDITION_FAILED");
    let deleted = ask(address, &with("DELETE", &third.headers["etag"]), b"").await;
    assert_eq!((deleted.status, &deleted.json()["previous"]["value"]), (200, &"two".into()));
    ask(address, "GET /v1/kv/k", b"").await.fails(404, "KEY_NOT_FOUND");
    ask(address, &with("PUT", &third.headers["etag"]), b"x")
        .await
        .fails(412, "PRECONDITION_FAILED");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_tells_of_all_groups() {
    let cluster = Cluster::start_with(1, Kind::Memory, |config| {
        with_http(ServerConfig { shards: 3, ..config })
    })
    .await;
    let status = ask(http(&cluster, 1), "GET /v1/status", b"").await.json();
    let groups = status["groups"].as_array().unwrap();
    assert_eq!(
        groups.iter().map(|it| it["group"].as_u64().unwrap()).collect::<Vec<_>>(),
        [0, 1, 2]
    );
    assert!(groups.iter().all(|it| it["voters"] == serde_json::json!([1])), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_is_refused_in_json() {
    let cluster = start(1).await;
    let address = http(&cluster, 1);
    ask(address, "GET /v1/kv/%zz", b"").await.fails(400, "INVALID_REQUEST");
    ask(address, "GET /v1/kv/a?consistancy=local", b"").await.fails(400, "INVALID_REQUEST");
    ask(address, "GET /v1/kv/a?timeout=soon", b"").await.fails(400, "INVALID_REQUEST");
    ask(address, "GET /v2/nothing", b"").await.fails(404, "NO_SUCH_PATH");
    ask(address, "POST /v1/kv/a", b"x").await.fails(405, "NO_SUCH_METHOD");
    ask(address, "PUT /v1/kv/a\nIf-Match: \"x\"", b"x").await.fails(400, "INVALID_REQUEST");
    let large = vec![0; (4 << 20) + 1];
    ask(address, "PUT /v1/kv/a", &large).await.fails(413, "LIMIT_EXCEEDED");
    ask(address, "PUT /v1/kv/a?lease=99", b"x").await.fails(404, "LEASE_NOT_FOUND");
    // More patience than gRPC has words for is as good as the store's own.
    let patient = ask(address, "PUT /v1/kv/a?timeout=999999999999h", b"x").await;
    assert_eq!(patient.status, 200, "{patient:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_redirects_when_it_is_asked_to() {
    let cluster = start(3).await;
    let (leader, follower) = (cluster.leader().await, cluster.follower().await);
    let path = "/v1/kv/a%2Fb?redirect=true";
    let expected = format!("http://{}{path}", http(&cluster, leader));
    // A node knows where the leader's HTTP is once the leader has greeted it.
    eventually("the follower knows the way", async || {
        let answer = ask(http(&cluster, follower), &format!("PUT {path}"), b"v").await;
        (answer.status == 307).then(|| assert_eq!(answer.headers["location"], expected))
    })
    .await;
    let put = ask(http(&cluster, leader), &format!("PUT {path}"), b"v").await;
    assert_eq!((put.status, &put.json()["header"]["node"]), (200, &leader.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn health_readiness_and_status_tell_the_truth() {
    let mut cluster = start(3).await;
    let (leader, follower) = (cluster.leader().await, cluster.follower().await);
    let address = http(&cluster, follower);
    let status = ask(address, "GET /v1/status", b"").await.json();
    assert_eq!((&status["node"], &status["storage"]), (&follower.into(), &"memory".into()));
    let group = &status["groups"][0];
    assert_eq!((&group["leader"], &group["role"]), (&leader.into(), &"follower".into()));
    assert_eq!(ask(address, "GET /healthz", b"").await.text(), "ok\n");
    assert_eq!(ask(address, "GET /readyz", b"").await.status, 200);
    let others: Vec<u64> = cluster.nodes().filter(|node| *node != follower).collect();
    for node in others {
        cluster.stop(node).await;
    }
    // Alone it is alive, and serves nothing.
    eventually("a node without a leader is not ready", async || {
        (ask(address, "GET /readyz", b"").await.status == 503).then_some(())
    })
    .await;
    assert_eq!(ask(address, "GET /healthz", b"").await.status, 200);
    ask(address, "PUT /v1/kv/k?timeout=300ms", b"v").await.fails(503, "NOT_LEADER");
    let text = ask(address, "GET /metrics", b"").await.text();
    let unhealthy = format!("raft_node_health{{node=\"{follower}\",group=\"0\"}} 0");
    assert!(text.lines().any(|line| line == unhealthy), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_count_over_http_too() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens");
    std::fs::write(&path, "reader-token read\nwriter-token write\n").unwrap();
    let security = SecurityConfig { tokens: Some(path), ..SecurityConfig::default() };
    let cluster = Cluster::start_with(1, Kind::Memory, |config| {
        let limits = Limits { key_bytes_max: 8, ..config.limits };
        with_http(ServerConfig { security: security.clone(), limits, ..config })
    })
    .await;
    let address = http(&cluster, 1);
    let with = |request: &str, token: &str| format!("{request}\nAuthorization: Bearer {token}");
    let put = "PUT /v1/kv/k";
    ask(address, put, b"v").await.fails(401, "UNAUTHENTICATED");
    ask(address, &with(put, "wrong-token"), b"v").await.fails(401, "UNAUTHENTICATED");
    ask(address, &with(put, "reader-token"), b"v").await.fails(403, "PERMISSION_DENIED");
    assert_eq!(ask(address, &with(put, "writer-token"), b"v").await.status, 200);
    assert_eq!(ask(address, &with("GET /v1/kv/k", "reader-token"), b"").await.status, 200);
    for path in ["/v1/status", "/metrics", "/v1/kv"] {
        let request = format!("GET {path}");
        ask(address, &request, b"").await.fails(401, "UNAUTHENTICATED");
    }
    for path in ["/healthz", "/readyz"] {
        assert_eq!(ask(address, &format!("GET {path}"), b"").await.status, 200);
    }
    let long = ask(address, &with("PUT /v1/kv/123456789", "writer-token"), b"v").await;
    assert!((400..500).contains(&long.status) && !long.json()["indefinite"].as_bool().unwrap());
}

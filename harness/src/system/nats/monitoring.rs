//! What a server tells about itself over HTTP (<https://docs.nats.io/running-a-nats-service/nats_admin/monitoring>).

use std::io;
use std::net::SocketAddr;

use serde_json::Value as Json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::jetstream::{GET_FROM_REPLICA, STREAM};

/// Longest answer.
const ANSWER_BYTES_MAX: u64 = 4 << 20;

/// How a server sees the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct View {
    /// The name of the server that leads all streams' configuration, if it knows one.
    pub(super) meta_leader: Option<String>,
    /// The stream, if it has been created.
    pub(super) stream: Option<StreamView>,
}

/// How a server sees the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StreamView {
    /// The name of the server that leads it, if it knows one.
    pub(super) leader: Option<String>,
    /// The place of the last message that this server has.
    pub(super) last_sequence: u64,
}

/// How the server sees the cluster; none if it does not say.
pub(super) async fn view(monitor: SocketAddr) -> Option<View> {
    let (status, body) = get(monitor, "/jsz?streams=true").await.ok()?;
    (status == 200).then(|| parse(&body)).flatten()
}

/// Does the server say that it has caught up with its streams?
pub(super) async fn is_healthy(monitor: SocketAddr) -> bool {
    get(monitor, "/healthz").await.is_ok_and(|(status, _)| status == 200)
}

/// Does the server's own replica answer reads? Until it has caught up others answer in its place.
pub(super) async fn answers_reads(monitor: SocketAddr) -> bool {
    let page = format!("/subsz?subs=true&test={GET_FROM_REPLICA}");
    match get(monitor, &page).await {
        Ok((200, body)) => listens_to(&body, GET_FROM_REPLICA),
        _ => false,
    }
}

/// Is this subject among the subscriptions that are listed?
fn listens_to(body: &str, subject: &str) -> bool {
    let body: Json = serde_json::from_str(body).unwrap_or_default();
    let all = body["subscriptions_list"].as_array().map_or(&[][..], Vec::as_slice);
    all.iter().any(|subscription| subscription["subject"] == subject)
}

fn parse(body: &str) -> Option<View> {
    let body: Json = serde_json::from_str(body).ok()?;
    let leader = |cluster: &Json| {
        let name = cluster["leader"].as_str().filter(|name| !name.is_empty());
        name.map(str::to_owned)
    };
    let accounts = body["account_details"].as_array().map_or(&[][..], Vec::as_slice);
    let streams = accounts.iter().filter_map(|account| account["stream_detail"].as_array());
    let stream = streams.flatten().find(|stream| stream["name"] == STREAM);
    Some(View {
        meta_leader: leader(&body["meta_cluster"]),
        stream: stream.map(|stream| StreamView {
            leader: leader(&stream["cluster"]),
            last_sequence: stream["state"]["last_seq"].as_u64().unwrap_or(0),
        }),
    })
}

/// The status and the body of a page.
async fn get(address: SocketAddr, path: &str) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(address).await?;
    // In version 1.0 the body ends with the connection.
    stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    let status = head.split_ascii_whitespace().nth(1).and_then(|word| word.parse().ok());
    Ok((status.ok_or(io::ErrorKind::InvalidData)?, body.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_names_the_leaders_that_are_known() {
        let body = r#"{"meta_cluster":{"leader":"10.0.0.2"},"account_details":[{"name":"$G",
            "stream_detail":[{"name":"breakwater","cluster":{"name":"c"},"state":{"last_seq":7}}]}]}"#;
        let stream = Some(StreamView { leader: None, last_sequence: 7 });
        let expected = View { meta_leader: Some("10.0.0.2".to_owned()), stream };
        assert_eq!(parse(body), Some(expected));
        assert_eq!(parse("{}"), Some(View { meta_leader: None, stream: None }));
        assert_eq!(parse("not found"), None);
    }

    #[test]
    fn a_replica_that_answers_reads_listens_to_them() {
        let listens = |body| listens_to(body, "a.b");
        assert!(listens(r#"{"subscriptions_list":[{"subject":"a.>"},{"subject":"a.b"}]}"#));
        assert!(!listens(r#"{"subscriptions_list":[{"subject":"a.>"}]}"#));
        assert!(!listens(r#"{"num_subscriptions":0}"#));
    }
}

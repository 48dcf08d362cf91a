//! Exactly-once.

use prost::Message as _;
use proto::client::ErrorKind;
use proto::kv::kv_client::KvClient;
use proto::kv::{PutRequest, RequestContext};

use crate::cluster::{Cluster, Kind};

fn put(session: u64, sequence: u64, value: &'static str) -> PutRequest {
    let context = RequestContext { session, sequence, no_forward: false };
    PutRequest { context: Some(context), key: "k".into(), value: value.into(), lease: 0 }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_gets_the_first_answer_and_has_no_effect() {
    let cluster = Cluster::start(3, Kind::Memory).await;
    let session = cluster.client(1).open_session().await.unwrap();
    let mut answers = Vec::new();
    for node in cluster.nodes() {
        let mut client = KvClient::new(cluster.channel(node).await);
        let answer = client.put(put(session, 1, "once")).await.unwrap().into_inner();
        answers.push((answer.previous, answer.header.unwrap().revision));
    }
    assert_eq!(answers[0].0, None);
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!(cluster.client(2).get("k").await.unwrap().found.unwrap().version, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_counts_its_writes() {
    let cluster = Cluster::start(1, Kind::Memory).await;
    let mut client = cluster.client(1);
    client.open_session().await.unwrap();
    for version in 1..=3 {
        client.put("k", "v").await.unwrap();
        assert_eq!(client.get("k").await.unwrap().found.unwrap().version, version);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_session_is_refused_without_effect() {
    let cluster = Cluster::start(1, Kind::Memory).await;
    let mut client = KvClient::new(cluster.channel(1).await);
    let status = client.put(put(77, 1, "v")).await.unwrap_err();
    let detail = proto::kv::ErrorDetail::decode(status.details()).unwrap();
    assert_eq!((detail.kind(), detail.indefinite), (ErrorKind::SessionExpired, false));
    assert_eq!(cluster.client(1).get("k").await.unwrap().found, None);
}

//! Many requests on one stream.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proto::client::{Client, ClientOptions, ErrorKind, Travel};
use proto::kv::kv_client::KvClient;
use proto::kv::pipelined_request::Request;
use proto::kv::pipelined_response::Response;
use proto::kv::{GetRequest, PipelineRequest, PipelinedRequest, PutRequest, RequestContext};
use server::Limits;
use tokio::task::JoinSet;
use tokio_stream::StreamExt as _;

use crate::cluster::{Cluster, Kind};
use crate::eventually::eventually;
use crate::proxy::Proxy;

const CONTEXT: RequestContext = RequestContext { session: 0, sequence: 0, no_forward: false };

fn put(id: u64, key: &'static str, value: String) -> PipelinedRequest {
    let put = PutRequest {
        context: Some(CONTEXT),
        key: key.into(),
        value: value.into(),
        ..PutRequest::default()
    };
    PipelinedRequest { id, timeout_ms: 0, request: Some(Request::Put(put)) }
}

/// Sends frames to a node on a stream of its own, and waits for so many replies.
async fn pipelined(
    cluster: &Cluster,
    node: u64,
    frames: Vec<Vec<PipelinedRequest>>,
    replies: usize,
) -> Vec<(u64, Response)> {
    let mut client = KvClient::new(cluster.channel(node).await);
    let frames = frames.into_iter().map(|requests| PipelineRequest { requests });
    let stream = tokio_stream::iter(frames).chain(tokio_stream::pending());
    let mut stream = client.pipeline(stream).await.unwrap().into_inner();
    let mut answers = Vec::new();
    while answers.len() < replies {
        let frame = stream.message().await.unwrap().unwrap();
        answers.extend(frame.responses.into_iter().map(|it| (it.id, it.response.unwrap())));
    }
    assert_eq!(answers.len(), replies);
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_of_one_stream_are_applied_in_their_order() {
    let cluster = Cluster::start(3, Kind::Memory).await;
    for node in [cluster.leader().await, cluster.follower().await] {
        let frame = |from: u64| (from..from + 100).map(|id| put(id, "k", id.to_string())).collect();
        let answers = pipelined(&cluster, node, vec![frame(1), frame(101)], 200).await;
        let revisions: BTreeMap<u64, u64> = answers
            .into_iter()
            .map(|(id, response)| match response {
                Response::Put(put) => (id, put.header.unwrap().revision),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(revisions.len(), 200);
        assert!(revisions.values().is_sorted(), "{revisions:?}");
        assert_eq!(cluster.client(node).get("k").await.unwrap().found.unwrap().value, "200");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_in_flight_from_many_clients_all_end_well() {
    let cluster = Cluster::start(3, Kind::Memory).await;
    let mut tasks = JoinSet::new();
    for node in cluster.nodes() {
        for travel in [Travel::Pipelined, Travel::Unary] {
            let options = ClientOptions { travel, ..ClientOptions::new() };
            let first = Client::new(vec![cluster.address(node)], options);
            for writer in 0..64 {
                let mut client = first.sibling();
                tasks.spawn(async move {
                    let key = format!("{node} {travel:?} {writer}");
                    for version in 1..=8 {
                        client.put(key.clone(), "v").await.unwrap();
                        let found = client.get(key.clone()).await.unwrap().found.unwrap();
                        assert_eq!(found.version, version);
                    }
                });
            }
        }
    }
    let count = tasks.len();
    let mut done = 0;
    while let Some(result) = tasks.join_next().await {
        result.unwrap();
        done += 1;
    }
    assert_eq!((count, done), (384, 384));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_request_spoils_no_other() {
    let cluster = Cluster::start(1, Kind::Memory).await;
    let no_context = Request::Get(GetRequest::default());
    let bad = |id, request| PipelinedRequest { id, timeout_ms: 0, request };
    let frame = vec![
        put(7, "a", "1".to_owned()),
        bad(8, None),
        bad(9, Some(no_context)),
        put(7, "b", "2".to_owned()),
        put(u64::MAX, "c", "x".repeat((1 << 20) + 1)),
    ];
    let answers = pipelined(&cluster, 1, vec![Vec::new(), frame], 5).await;
    let kind = |id: u64| match &answers.iter().find(|(it, _)| *it == id).unwrap().1 {
        Response::Error(error) => {
            let detail = error.detail.as_ref().unwrap();
            assert!(!detail.indefinite);
            detail.kind()
        }
        other => panic!("{other:?}"),
    };
    assert_eq!((kind(8), kind(9)), (ErrorKind::InvalidRequest, ErrorKind::InvalidRequest));
    assert_eq!(kind(u64::MAX), ErrorKind::LimitExceeded);
    // An id that is used twice is the client's business: both are performed and answered.
    assert_eq!(answers.iter().filter(|(id, _)| *id == 7).count(), 2);
    assert_eq!(cluster.client(1).get("b").await.unwrap().found.unwrap().value, "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_with_too_much_in_flight_is_held_up_and_not_refused() {
    let limits = Limits { pipeline_requests_max: 4, ..Limits::STANDARD };
    let cluster = Cluster::start_with_limits(1, Kind::Memory, limits).await;
    let frames = (0..300).map(|id| vec![put(id, "k", id.to_string())]).collect();
    let answers = pipelined(&cluster, 1, frames, 300).await;
    let done = answers.iter().filter(|(_, response)| matches!(response, Response::Put(_)));
    assert_eq!(done.count(), 300);
    assert_eq!(cluster.client(1).get("k").await.unwrap().found.unwrap().version, 300);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_requests_than_the_node_allows_are_refused_and_say_so() {
    let limits = Limits { concurrent_requests_max: 8, ..Limits::STANDARD };
    let mut cluster = Cluster::start_with_limits(3, Kind::Memory, limits).await;
    let leader = cluster.leader().await;
    for node in cluster.nodes().filter(|node| *node != leader).collect::<Vec<_>>() {
        cluster.stop(node).await;
    }
    let frame = (0..20).map(|id| put(id, "k", "v".to_owned())).collect();
    let answers = pipelined(&cluster, leader, vec![frame], 20).await;
    let details: Vec<_> = answers
        .into_iter()
        .map(|(_, response)| match response {
            Response::Error(error) => error.detail.unwrap(),
            other => panic!("{other:?}"),
        })
        .collect();
    let busy: Vec<_> = details.iter().filter(|it| it.kind() == ErrorKind::Busy).collect();
    assert_eq!(busy.len(), 12);
    assert!(busy.iter().all(|it| it.limit == "requests-in-flight" && it.limit_max == 8));
    assert!(busy.iter().all(|it| !it.indefinite));
    // The others are in the log of a leader without followers.
    assert!(details.iter().filter(|it| it.kind() != ErrorKind::Busy).all(|it| it.indefinite));
}

#[tokio::test(flavor = "multi_thread")]
async fn more_writes_than_may_wait_are_refused_and_say_so() {
    let limits = Limits { proposals_max: 4, ..Limits::STANDARD };
    let mut cluster = Cluster::start_with_limits(3, Kind::Memory, limits).await;
    let leader = cluster.leader().await;
    for node in cluster.nodes().filter(|node| *node != leader).collect::<Vec<_>>() {
        cluster.stop(node).await;
    }
    let frame = (0..10).map(|id| put(id, "k", "v".to_owned())).collect();
    let answers = pipelined(&cluster, leader, vec![frame], 10).await;
    let errors = answers.into_iter().map(|(_, response)| match response {
        Response::Error(error) => error.detail.unwrap(),
        other => panic!("{other:?}"),
    });
    let busy: Vec<_> = errors.filter(|it| it.kind() == ErrorKind::Busy).collect();
    assert_eq!(busy.len(), 6);
    for detail in busy {
        let said = (detail.limit.as_str(), detail.limit_max, detail.limit_asked);
        assert_eq!((said, detail.indefinite), (("proposals", 4, 5), false));
    }
    assert_eq!(cluster.server(leader).metrics().limit_hits("proposals"), 6);
}

/// Cuts the connection of a write and a read to a leader that cannot answer.
async fn cut_in_the_middle(travel: Travel) {
    let mut cluster = Cluster::start(3, Kind::Memory).await;
    let leader = cluster.leader().await;
    let proxy = Proxy::start(cluster.address(leader)).await;
    let options =
        ClientOptions { travel, ..ClientOptions::single_attempt(Duration::from_secs(10)) };
    let mut writer = Client::new(vec![proxy.address()], options);
    writer.put("k", "before").await.unwrap();
    for node in cluster.nodes().filter(|node| *node != leader).collect::<Vec<_>>() {
        cluster.stop(node).await;
    }
    let mut reader = writer.sibling();
    let mut watcher = cluster.client(leader);
    let last = watcher.status().await.unwrap().last_index;
    let cutting = async {
        // The write has arrived when the leader has it in its log.
        eventually("the write arrives", async || {
            (watcher.status().await.unwrap().last_index > last).then_some(())
        })
        .await;
        proxy.cut();
    };
    let (write, read, ()) = tokio::join!(writer.put("k", "cut"), reader.get("k"), cutting);
    let (write, read) = (write.unwrap_err(), read.unwrap_err());
    assert!(write.is_indefinite() && !read.is_indefinite(), "{write} {read}");
    // It was the connection that ended, and no answer of the leader.
    assert_eq!(write.failure().kind, None, "{write}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_cut_in_the_middle_leaves_writes_in_doubt_and_reads_not() {
    cut_in_the_middle(Travel::Pipelined).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_cut_in_the_middle_leaves_writes_in_doubt_and_reads_not() {
    cut_in_the_middle(Travel::Unary).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_never_left_had_no_effect() {
    let proxy = Proxy::start("127.0.0.1:1".to_owned()).await;
    let address = proxy.address();
    drop(proxy);
    let options = ClientOptions::single_attempt(Duration::from_secs(2));
    let mut client = Client::new(vec![address], options);
    let error = client.put("k", "v").await.unwrap_err();
    assert!(!error.is_indefinite(), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_rides_out_a_cut_and_writes_once() {
    let cluster = Cluster::start(3, Kind::Memory).await;
    let proxy = Proxy::start(cluster.address(cluster.follower().await)).await;
    let mut client = Client::new(vec![proxy.address()], ClientOptions::new());
    client.open_session().await.unwrap();
    let mut versions = BTreeSet::new();
    for round in 0..20 {
        let cutting = async {
            if round % 4 == 0 {
                tokio::task::yield_now().await;
                proxy.cut();
            }
        };
        let (put, ()) = tokio::join!(client.put("k", round.to_string()), cutting);
        put.unwrap();
        versions.insert(client.get("k").await.unwrap().found.unwrap().version);
    }
    assert_eq!(versions, (1..=20).collect());
}

//! What a node tells of itself: metrics, health, and which services it has.

use std::collections::BTreeSet;

use proto::client::Keys;
use serde_json::Value;
use server::metrics::exposition;
use server::types::NodeId;
use server::{ServerConfig, SnapshotConfig};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::{ServerReflectionRequest, ServiceResponse};

use crate::cluster::{Cluster, Kind};
use crate::eventually::eventually;

const DASHBOARD: &str = include_str!("../../../deploy/grafana/breakwater.json");

fn metrics(cluster: &Cluster, node: u64) -> String {
    let server = cluster.server(node);
    exposition(NodeId(node), &server.metrics(), server.groups()).unwrap()
}

/// The value of the first series of this name with these labels.
fn value(text: &str, name: &str, labels: &[&str]) -> Option<f64> {
    let line = text.lines().find(|line| {
        line.strip_prefix(name).is_some_and(|rest| rest.starts_with('{'))
            && labels.iter().all(|label| line.contains(label))
    })?;
    line.rsplit(' ').next()?.parse().ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_count_what_happens() {
    let cluster = Cluster::start(3, Kind::Memory).await;
    let (leader, follower) = (cluster.leader().await, cluster.follower().await);
    let mut client = cluster.client(leader);
    for number in 0..20 {
        client.put(format!("key {number}"), "v").await.unwrap();
    }
    let text = metrics(&cluster, leader);
    let count = "raft_request_latency_seconds_count";
    assert_eq!(value(&text, count, &["operation=\"put\"", "group=\"0\""]), Some(20.0));
    assert_eq!(value(&text, "raft_state", &[]), Some(3.0));
    assert!(value(&text, "raft_committed_index", &[]).unwrap() >= 20.0);
    assert!(value(&text, "raft_log_size", &[]).unwrap() >= 20.0);
    assert_eq!(value(&text, "breakwater_watchers", &[]), Some(0.0));
    assert_eq!(value(&text, "breakwater_sessions", &["group=\"0\""]), Some(0.0));
    assert_eq!(value(&text, "breakwater_compactions_total", &[]), Some(0.0));
    assert!(value(&text, "breakwater_fsync_seconds_count", &[]).unwrap() > 0.0);
    assert!(value(&text, "breakwater_connections", &[]).unwrap() >= 1.0);
    let peer = format!("peer=\"{follower}\"");
    assert_eq!(value(&text, "breakwater_peer_connected", &[&peer]), Some(1.0));
    eventually("the leader sees that the follower has everything", async || {
        let lag = value(&metrics(&cluster, leader), "raft_replication_lag", &[&peer])?;
        (lag == 0.0).then_some(())
    })
    .await;
    assert_eq!(value(&metrics(&cluster, follower), "raft_replication_lag", &[]), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_watches_and_compactions_are_seen() {
    let cluster = Cluster::start_with(1, Kind::Memory, |config| {
        let snapshot = SnapshotConfig { entries: 50, ..SnapshotConfig::STANDARD };
        ServerConfig { snapshot, ..config }
    })
    .await;
    let mut client = cluster.client(1);
    client.open_session().await.unwrap();
    cluster.client(1).open_session().await.unwrap();
    assert_eq!(value(&metrics(&cluster, 1), "breakwater_sessions", &[]), Some(2.0));
    let watch = client.watch(Keys::prefix("k"), 0).await.unwrap();
    assert_eq!(value(&metrics(&cluster, 1), "breakwater_watchers", &[]), Some(1.0));
    drop(watch);
    for number in 0..200 {
        client.put(format!("key {number}"), "v").await.unwrap();
    }
    eventually("the watch has ended, and the log is cut", async || {
        let text = metrics(&cluster, 1);
        let watches = value(&text, "breakwater_watchers", &[])?;
        let compactions = value(&text, "breakwater_compactions_total", &[])?;
        let log = value(&text, "raft_log_size", &[])?;
        (watches == 0.0 && compactions >= 2.0 && log < 150.0).then_some(())
    })
    .await;
}

/// The names of series in an expression of PromQL: words with an underscore that are no functions
/// and no labels.
fn series(expression: &str) -> BTreeSet<String> {
    let words = expression.split(|it: char| !it.is_ascii_alphanumeric() && it != '_');
    let ours = words.filter(|word| word.starts_with("raft_") || word.starts_with("breakwater_"));
    ours.map(str::to_owned).collect()
}

fn expressions(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if name == "expr" => found.push(text.clone()),
                    _ => expressions(value, found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| expressions(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dashboard_shows_every_metric_and_none_that_is_not_there() {
    let cluster = Cluster::start(1, Kind::Memory).await;
    let text = metrics(&cluster, 1);
    let mut all: BTreeSet<String> = BTreeSet::new();
    let mut families: BTreeSet<String> = BTreeSet::new();
    for line in text.lines() {
        let Some(rest) = line.strip_prefix("# TYPE ") else { continue };
        let (name, kind) = rest.split_once(' ').unwrap();
        let endings: &[&str] = match kind {
            "counter" => &["_total"],
            "histogram" => &["_bucket", "_sum", "_count"],
            _ => &[""],
        };
        families.insert(name.to_owned());
        all.extend(endings.iter().map(|ending| format!("{name}{ending}")));
    }
    let mut found = Vec::new();
    expressions(&serde_json::from_str(DASHBOARD).unwrap(), &mut found);
    let shown: BTreeSet<String> = found.iter().flat_map(|it| series(it)).collect();
    let unknown: Vec<_> = shown.difference(&all).collect();
    assert!(unknown.is_empty(), "the dashboard shows what there is not: {unknown:?}");
    let hidden: Vec<_> =
        families.iter().filter(|family| !shown.iter().any(|it| it.starts_with(*family))).collect();
    assert!(hidden.is_empty(), "the dashboard does not show {hidden:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_health_service_follows_readiness() {
    let mut cluster = Cluster::start(3, Kind::Memory).await;
    let follower = cluster.follower().await;
    let mut client = HealthClient::new(cluster.channel(follower).await);
    let mut is = async |service: &str, expected: ServingStatus| {
        eventually("health changes", async || {
            let request = HealthCheckRequest { service: service.to_owned() };
            let status = client.check(request).await.unwrap().into_inner().status();
            (status == expected).then_some(())
        })
        .await;
    };
    is("", ServingStatus::Serving).await;
    is("breakwater.kv.v1.Kv", ServingStatus::Serving).await;
    let others: Vec<u64> = cluster.nodes().filter(|node| *node != follower).collect();
    for node in others {
        cluster.stop(node).await;
    }
    is("", ServingStatus::NotServing).await;
    is("breakwater.kv.v1.Kv", ServingStatus::NotServing).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reflection_lists_the_services() {
    let cluster = Cluster::start(1, Kind::Memory).await;
    let mut client = ServerReflectionClient::new(cluster.channel(1).await);
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut answers =
        client.server_reflection_info(tokio_stream::iter([request])).await.unwrap().into_inner();
    let answer = answers.message().await.unwrap().unwrap().message_response.unwrap();
    let MessageResponse::ListServicesResponse(list) = answer else {
        panic!("another answer: {answer:?}")
    };
    let names: BTreeSet<String> =
        list.service.into_iter().map(|ServiceResponse { name }| name).collect();
    for name in ["breakwater.kv.v1.Kv", "breakwater.admin.v1.Admin", "grpc.health.v1.Health"] {
        assert!(names.contains(name), "{names:?}");
    }
}

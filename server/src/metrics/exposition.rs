//! The text that Prometheus reads.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use crate::replica::ReplicaStatus;
use crate::types::{NodeId, Role};

use super::instruments::Histogram;
use super::registry::{LIMITS, Metrics, OPERATIONS, REFUSALS};

/// One group's replica on this node, as it is when somebody asks.
#[derive(Debug, Clone)]
pub struct GroupView {
    /// The group's number.
    pub group: u32,
    /// What its replica looks like.
    pub status: ReplicaStatus,
    /// Can it serve: is a leader known, and is the node not about to stop?
    pub is_healthy: bool,
    /// Entries that its log holds.
    pub log_entries: u64,
}

/// Everything in the text format of OpenMetrics.
pub fn exposition(
    node: NodeId,
    metrics: &Arc<Metrics>,
    groups: Vec<GroupView>,
) -> Result<String, fmt::Error> {
    let labels = [("node".into(), node.to_string().into())];
    let mut registry = Registry::with_labels(labels.into_iter());
    let metrics = Arc::clone(metrics);
    registry.register_collector(Box::new(Scrape { metrics, groups }));
    let mut text = String::new();
    text::encode(&mut text, &registry)?;
    Ok(text)
}

/// What one scrape sees.
#[derive(Debug)]
struct Scrape {
    metrics: Arc<Metrics>,
    groups: Vec<GroupView>,
}

type Labels = Vec<(&'static str, String)>;

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        self.groups(&mut encoder)?;
        self.operations(&mut encoder)?;
        self.node(&mut encoder)?;
        self.peers(&mut encoder)
    }
}

impl Scrape {
    /// The names of these are those of the store that this one replaces; keep them.
    fn groups(&self, encoder: &mut DescriptorEncoder) -> fmt::Result {
        let each = |number: fn(&GroupView) -> u64| {
            self.groups.iter().map(move |it| (group(it.group), number(it)))
        };
        gauges(encoder, "raft_term", "Term of the replica", each(|group| group.status.term.0))?;
        gauges(
            encoder,
            "raft_state",
            "Role of the replica: 0 follower, 1 pre-candidate, 2 candidate, 3 leader",
            each(|group| role(group.status.role)),
        )?;
        gauges(
            encoder,
            "raft_node_health",
            "1 if the replica can serve: a leader is known and the node does not stop",
            each(|group| u64::from(group.is_healthy)),
        )?;
        gauges(
            encoder,
            "raft_log_size",
            "Entries in the Raft log",
            each(|group| group.log_entries),
        )?;
        gauges(
            encoder,
            "raft_committed_index",
            "Last committed entry",
            each(|group| group.status.committed.0),
        )?;
        gauges(
            encoder,
            "breakwater_applied_index",
            "Last applied entry",
            each(|group| group.status.applied.0),
        )?;
        gauges(
            encoder,
            "breakwater_apply_lag",
            "Entries that are committed and not applied",
            each(|group| group.status.committed.0.saturating_sub(group.status.applied.0)),
        )?;
        let sessions = self
            .groups
            .iter()
            .map(|view| (group(view.group), self.metrics.group(view.group).sessions.get()));
        gauges(encoder, "breakwater_sessions", "Sessions that are remembered", sessions)?;
        let lags = self.groups.iter().flat_map(|view| {
            let lags = self.metrics.group(view.group).lags();
            lags.into_iter().map(|(peer, lag)| {
                let mut labels = group(view.group);
                labels.push(("peer", peer.to_string()));
                (labels, lag)
            })
        });
        let help = "Entries by which a peer is behind; at the leader only";
        gauges(encoder, "raft_replication_lag", help, lags)
    }

    fn operations(&self, encoder: &mut DescriptorEncoder) -> fmt::Result {
        let name = "raft_request_latency_seconds";
        let help = "Time from a client's request to its answer";
        let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Histogram)?;
        for view in &self.groups {
            let measured = self.metrics.group(view.group);
            for (operation, name) in OPERATIONS {
                let labels = operation_labels(view.group, name);
                histogram(metric.encode_family(&labels)?, measured.latency(*operation))?;
            }
        }
        let failures = self.groups.iter().flat_map(|view| {
            let measured = self.metrics.group(view.group);
            OPERATIONS.iter().map(move |(operation, name)| {
                (operation_labels(view.group, name), measured.failures(*operation))
            })
        });
        let help = "Requests that were refused or given up";
        counters(encoder, "breakwater_failed_requests", help, failures)
    }

    fn node(&self, encoder: &mut DescriptorEncoder) -> fmt::Result {
        let metrics = &*self.metrics;
        let help = "Time of a write to the Raft log, with its sync";
        let name = "breakwater_fsync_seconds";
        let metric = encoder.encode_descriptor(name, help, None, MetricType::Histogram)?;
        histogram(metric, &metrics.fsync)?;
        let queues = [
            ("inbox-requests", &metrics.inbox_requests),
            ("inbox-messages", &metrics.inbox_messages),
        ];
        let queues = queues.map(|(name, gauge)| (vec![("queue", name.to_owned())], gauge.get()));
        gauges(encoder, "breakwater_queue_length", "Items that wait in a queue", queues)?;
        let queues = [("log", &metrics.log_queue_bytes), ("apply", &metrics.apply_queue_bytes)];
        let queues = queues.map(|(name, gauge)| (vec![("queue", name.to_owned())], gauge.get()));
        gauges(encoder, "breakwater_queue_bytes", "Bytes that wait in a queue", queues)?;
        for (name, help, gauge) in [
            ("breakwater_connections", "Open connections", &metrics.connections),
            ("breakwater_watchers", "Open watches", &metrics.watchers),
        ] {
            gauges(encoder, name, help, [(Labels::new(), gauge.get())])?;
        }
        let snapshots = [
            ("taken", &metrics.snapshots_taken),
            ("sent", &metrics.snapshots_sent),
            ("installed", &metrics.snapshots_installed),
            ("failed", &metrics.snapshots_failed),
        ];
        let snapshots = snapshots.map(|(name, it)| (vec![("event", name.to_owned())], it.get()));
        counters(encoder, "breakwater_snapshots", "Snapshots, by what became of them", snapshots)?;
        let compactions = [(Labels::new(), metrics.compactions.get())];
        counters(encoder, "breakwater_compactions", "Cuts of the Raft log", compactions)?;
        let refusals = REFUSALS.iter().map(|(refused, name)| {
            (vec![("what", (*name).to_owned())], metrics.refusals(*refused))
        });
        counters(encoder, "breakwater_refused", "What was turned away at the rim", refusals)?;
        let limits = LIMITS
            .iter()
            .map(|name| (vec![("limit", (*name).to_owned())], metrics.limit_hits(name)));
        counters(encoder, "breakwater_limits_hit", "Requests that went over a limit", limits)
    }

    fn peers(&self, encoder: &mut DescriptorEncoder) -> fmt::Result {
        let peers = self.metrics.peers();
        let label = |peer: NodeId| vec![("peer", peer.to_string())];
        let connected = peers.iter().map(|(peer, it)| (label(*peer), it.connected.get()));
        gauges(encoder, "breakwater_peer_connected", "1 while there is a stream", connected)?;
        let bytes = peers.iter().map(|(peer, it)| (label(*peer), it.queue_bytes.get()));
        let help = "Bytes of messages that wait for a peer's stream";
        gauges(encoder, "breakwater_peer_queue_bytes", help, bytes)?;
        let dropped = peers.iter().map(|(peer, it)| (label(*peer), it.dropped.get()));
        let help = "Messages to a peer that were dropped";
        counters(encoder, "breakwater_peer_dropped_messages", help, dropped)
    }
}

fn group(group: u32) -> Labels {
    vec![("group", group.to_string())]
}

fn operation_labels(number: u32, operation: &str) -> Labels {
    let mut labels = group(number);
    labels.push(("operation", operation.to_owned()));
    labels
}

fn role(role: Role) -> u64 {
    match role {
        Role::Follower => 0,
        Role::PreCandidate => 1,
        Role::Candidate => 2,
        Role::Leader => 3,
    }
}

fn gauges(
    encoder: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    series: impl IntoIterator<Item = (Labels, u64)>,
) -> fmt::Result {
    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (labels, value) in series {
        ConstGauge::new(value).encode(metric.encode_family(&labels)?)?;
    }
    Ok(())
}

/// The names that Prometheus sees end in `_total`.
fn counters(
    encoder: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    series: impl IntoIterator<Item = (Labels, u64)>,
) -> fmt::Result {
    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for (labels, value) in series {
        ConstCounter::new(value).encode(metric.encode_family(&labels)?)?;
    }
    Ok(())
}

fn histogram(mut encoder: MetricEncoder, histogram: &Histogram) -> fmt::Result {
    encoder.encode_histogram::<Labels>(
        histogram.sum_seconds(),
        histogram.count(),
        &histogram.buckets(),
        None,
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::metrics::{Operation, Refused};
    use crate::types::{LogIndex, Term};

    fn view() -> GroupView {
        let status = ReplicaStatus {
            id: NodeId(1),
            role: Role::Leader,
            term: Term(3),
            leader: Some(NodeId(1)),
            committed: LogIndex(17),
            applied: LogIndex(15),
            persisted: LogIndex(17),
            first_index: LogIndex(1),
            last_index: LogIndex(20),
            log_bytes: 100,
            snapshot: None,
            voters: vec![NodeId(1), NodeId(2)],
            members: Arc::default(),
            removed: false,
        };
        GroupView { group: 0, status, is_healthy: true, log_entries: 20 }
    }

    /// The seven names that others' dashboards know, as they must stand in the text.
    #[test]
    fn the_seven_names_are_exact() {
        let metrics = Arc::new(Metrics::default());
        metrics.group(0).operation(Operation::Put, Duration::from_millis(3));
        metrics.group(0).set_lags([(NodeId(2), 4)].into());
        let text = exposition(NodeId(1), &metrics, vec![view()]).unwrap();
        for line in [
            r#"raft_replication_lag{node="1",group="0",peer="2"} 4"#,
            r#"raft_request_latency_seconds_count{node="1",group="0",operation="put"} 1"#,
            r#"raft_request_latency_seconds_sum{node="1",group="0",operation="put"} 0.003"#,
            r#"raft_node_health{node="1",group="0"} 1"#,
            r#"raft_term{node="1",group="0"} 3"#,
            r#"raft_state{node="1",group="0"} 3"#,
            r#"raft_log_size{node="1",group="0"} 20"#,
            r#"raft_committed_index{node="1",group="0"} 17"#,
            r#"breakwater_apply_lag{node="1",group="0"} 2"#,
        ] {
            assert!(text.lines().any(|it| it == line), "{line} is not in\n{text}");
        }
        let bucket = r#"raft_request_latency_seconds_bucket{node="1",le="0.005",group="0",operation="put"} 1"#;
        assert!(text.lines().any(|it| it == bucket), "{bucket} is not in\n{text}");
    }

    #[test]
    fn counters_end_in_total_and_the_text_ends_in_eof() {
        let metrics = Arc::new(Metrics::default());
        metrics.refused(Refused::Token);
        metrics.fsync.observe(Duration::from_millis(1));
        let text = exposition(NodeId(1), &metrics, Vec::new()).unwrap();
        let has = |line: &str| text.lines().any(|it| it == line);
        assert!(has(r#"breakwater_refused_total{node="1",what="token"} 1"#), "{text}");
        assert!(has(r#"breakwater_fsync_seconds_count{node="1"} 1"#), "{text}");
        assert!(has(r#"breakwater_connections{node="1"} 0"#), "{text}");
        assert!(text.ends_with("# EOF\n"), "{text}");
    }
}

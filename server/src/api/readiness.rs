//! Whether a node can serve, and telling it to those who ask by gRPC's health protocol.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tonic_health::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::server::HealthReporter;

use crate::driver::NodeHandle;
use crate::metrics::GroupView;
use crate::resharding::ShardsView;
use crate::types::GroupId;

/// How often watchers of the health service hear of a change, at most.
const INTERVAL: Duration = Duration::from_millis(100);
/// What the health service knows besides the server as a whole, which has the empty name.
const SERVICE: &str = "breakwater.kv.v1.Kv";

/// Whether a node can serve: it knows the leaders of its groups, and is not about to stop. Cheap to
/// clone.
#[derive(Debug, Clone)]
pub struct Readiness {
    node: NodeHandle,
    shards: ShardsView,
    draining: Arc<AtomicBool>,
}

impl Readiness {
    /// Of this node.
    pub fn new(node: NodeHandle, shards: ShardsView) -> Readiness {
        Readiness { node, shards, draining: Arc::default() }
    }

    /// Not ready from now on.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Can it serve?
    pub fn is_ready(&self) -> bool {
        // A group that is just being created has no keys to serve yet.
        let new = self.shards.get().creating();
        let groups = self.node.groups().into_iter().filter(|group| Some(*group) != new);
        let (waiting, others): (Vec<_>, Vec<_>) = groups
            .filter_map(|group| self.node.status(group))
            .partition(|replica| replica.voters.is_empty());
        // Replicas that wait to be added to their groups do not count, unless there are no others.
        let is_added = waiting.is_empty() || !others.is_empty();
        let knows_leaders = others.iter().all(|replica| replica.leader.is_some());
        !self.draining.load(Ordering::Relaxed) && is_added && knows_leaders
    }

    /// The replicas on this node, as they are now.
    pub fn groups(&self) -> Vec<GroupView> {
        let draining = self.draining.load(Ordering::Relaxed);
        let view = |group: GroupId| {
            let status = self.node.status(group)?;
            let is_healthy = !draining && status.leader.is_some();
            let log_entries = (status.last_index.0 + 1).saturating_sub(status.first_index.0);
            Some(GroupView { group: group.0, status, is_healthy, log_entries })
        };
        self.node.groups().into_iter().filter_map(view).collect()
    }

    /// gRPC's health service. Its task ends when the service is dropped and `stopped` is done.
    pub fn health_service<F: Future<Output = ()> + Send + 'static>(
        &self,
        stopped: F,
    ) -> HealthServer<impl Health + use<F>> {
        let (reporter, service) = tonic_health::server::health_reporter();
        let readiness = self.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = readiness.report(&reporter) => {}
                () = stopped => set(&reporter, false).await,
            }
        });
        service
    }

    async fn report(&self, reporter: &HealthReporter) {
        let mut told = None;
        let mut interval = tokio::time::interval(INTERVAL);
        loop {
            interval.tick().await;
            let ready = self.is_ready();
            if told != Some(ready) {
                told = Some(ready);
                set(reporter, ready).await;
            }
        }
    }
}

async fn set(reporter: &HealthReporter, ready: bool) {
    let status = if ready { ServingStatus::Serving } else { ServingStatus::NotServing };
    reporter.set_service_status("", status).await;
    reporter.set_service_status(SERVICE, status).await;
}

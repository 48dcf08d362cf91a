//! Who led when: all nodes are asked about themselves now and then while the run goes on.
//!
//! A line of `roles.jsonl` is one look at all nodes; one that did not answer is not in it. What a
//! node believes is not what is true: two may believe that they lead, in different terms.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::cluster::Cluster;
use crate::node_id::NodeId;
use crate::recorder::Recorder;

/// From one look to the next.
const INTERVAL: Duration = Duration::from_millis(250);
/// Looks after which no more are taken: seven hours of them, about 30 MB.
const LOOKS_MAX: usize = 100_000;

/// What all nodes said of themselves at one time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleSample {
    /// When they were asked, ns since the run began.
    pub time: u64,
    /// What each said; nodes that did not answer are missing.
    pub nodes: BTreeMap<NodeId, NodeRole>,
}

/// What a node said of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeRole {
    /// `leader`, `follower`, ...
    pub role: String,
    /// Its term.
    pub term: u64,
    /// The last entry that it knows to be committed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub committed: Option<u64>,
}

/// Looks that are being taken.
pub struct RoleWatch {
    stop: oneshot::Sender<()>,
    task: JoinHandle<io::Result<Vec<RoleSample>>>,
}

impl RoleWatch {
    /// Begins to look; writes each look to `path`. Times count from `began`.
    pub fn start(cluster: Arc<Cluster>, path: &Path, began: Instant) -> io::Result<RoleWatch> {
        let recorder = Recorder::create(path)?;
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(watch(cluster, recorder, began, stopped));
        Ok(RoleWatch { stop, task })
    }

    /// Ends it. What was seen is in the file and here.
    pub async fn stop(self) -> io::Result<Vec<RoleSample>> {
        // Without a receiver it has ended by itself already.
        let _ = self.stop.send(());
        self.task.await.unwrap_or_else(|error| Err(io::Error::other(error)))
    }
}

async fn watch(
    cluster: Arc<Cluster>,
    mut recorder: Recorder,
    began: Instant,
    mut stopped: oneshot::Receiver<()>,
) -> io::Result<Vec<RoleSample>> {
    let mut samples = Vec::new();
    let mut next = tokio::time::interval(INTERVAL);
    next.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    while samples.len() < LOOKS_MAX {
        tokio::select! {
            _ = &mut stopped => return Ok(samples),
            _ = next.tick() => {}
        }
        let time = began.elapsed().as_nanos() as u64;
        let statuses = cluster.statuses().await;
        let nodes = statuses
            .into_iter()
            .map(|(node, status)| {
                let role =
                    NodeRole { role: status.role, term: status.term, committed: status.committed };
                (node, role)
            })
            .collect();
        let sample = RoleSample { time, nodes };
        recorder.append(&sample)?;
        samples.push(sample);
    }
    tracing::warn!("roles are not recorded any more after {LOOKS_MAX} looks");
    Ok(samples)
}

//! What a fault finds around it, and what it says about what it saw.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::disk::Disk;
use crate::node_id::NodeId;
use crate::platform::{Platform, PlatformError, ProcessState};

/// How long probes wait for packets.
pub(super) const PROBE_PATIENCE: Duration = Duration::from_millis(250);

/// What the nemesis needs from the run besides the platform. Calls block, each bounded to seconds.
pub trait NodeControl: Send + Sync {
    /// The node that leads now, if there is one.
    fn leader(&self) -> Option<NodeId>;

    /// Starts a node again after a kill, on its old data.
    fn restart(&self, node: NodeId) -> Result<ProcessState, PlatformError>;

    /// The disk of a node, if it can fail.
    ///
    /// # Errors
    /// Why there is none.
    fn disk(&self, node: NodeId) -> Result<Arc<Disk>, String>;

    /// Errors that the node logs from now on, until it is called with false, are no findings.
    fn excuse_errors(&self, node: NodeId, excused: bool);
}

/// What a fault found when it was put in force or undone.
pub enum Seen {
    /// It acts (or is undone), with evidence and a sentence about it.
    Yes { evidence: serde_json::Value, summary: String },
    /// It was attempted, but the probe does not show it.
    Unclear { reason: String, evidence: serde_json::Value },
    /// It was not attempted.
    Skipped { reason: String },
}

/// The surroundings of a fault.
pub struct Surroundings<'a> {
    pub(super) platform: &'a Arc<dyn Platform>,
    pub(super) control: &'a Arc<dyn NodeControl>,
    pub(super) nodes: &'a [NodeId],
    /// Nodes that another fault holds.
    pub(super) held: BTreeSet<NodeId>,
    /// The start of the run.
    pub(super) began: Instant,
}

impl Surroundings<'_> {
    /// Nanoseconds since the run began. Faults read it right after they acted, before they probe.
    pub(super) fn now(&self) -> u64 {
        self.began.elapsed().as_nanos() as u64
    }
}

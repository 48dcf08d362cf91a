//! What a fault finds around it, and what it says about what it saw.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::node_id::NodeId;
use crate::platform::{Platform, PlatformError, ProcessState};

/// How long probes wait for packets.
pub(super) const PROBE_PATIENCE: Duration = Duration::from_millis(250);

/// What the nemesis needs from the run besides the platform. Calls block, each bounded to seconds.
pub trait NodeControl: Send + Sync {
    /// The node that leads now, if there is one.
    fn leader(&self) -> Option<NodeId>;

    /// What a running node says that its wall clock shows; none if it does not say.
    fn wall_clock(&self, node: NodeId) -> Option<ClockReading>;

    /// Starts a node again after a kill, on its old data.
    fn restart(&self, node: NodeId) -> Result<ProcessState, PlatformError>;
}

/// What a node's wall clock shows, seen from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockReading {
    /// When it was asked: the harness's clock (nanoseconds since 1970), half-way between question
    /// and answer.
    pub at: i64,
    /// Nanoseconds that the node was ahead then ...
    pub ahead: i64,
    /// ... give or take so many.
    pub uncertainty: i64,
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

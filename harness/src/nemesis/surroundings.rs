//! What a fault finds around it, and what it says about what it saw.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::fault::ActiveFault;
use super::network::Network;
use crate::disk::Disk;
use crate::node_id::NodeId;
use crate::pausable::PausableClients;
use crate::platform::{Platform, PlatformError, ProcessState};
use crate::system::{AdminAction, AdminError, FaultCommand, Members};

/// How long probes wait for packets.
pub(super) const PROBE_PATIENCE: Duration = Duration::from_millis(250);

/// What the nemesis needs from the run besides the platform. Calls block, each bounded to seconds.
pub trait NodeControl: Send + Sync {
    /// The node that leads now, if there is one.
    fn leader(&self) -> Option<NodeId>;

    /// What a running node says that its wall clock shows; none if it does not say.
    fn wall_clock(&self, _node: NodeId) -> Option<ClockReading> {
        None
    }

    /// Starts a node again after a kill, on its old data.
    fn restart(&self, node: NodeId) -> Result<ProcessState, PlatformError>;

    /// Starts a node that lost its data, now and from now on as one that waits to be added.
    fn restart_joining(&self, node: NodeId) -> Result<ProcessState, PlatformError>;

    /// Removes the data of a node that is gone. Returns how many bytes they were.
    fn wipe(&self, node: NodeId) -> Result<u64, PlatformError>;

    /// Does the node answer clients?
    fn serves(&self, node: NodeId) -> bool;

    /// The commands of operators, if the system has any.
    fn operator(&self) -> Option<&dyn Operator>;

    /// The disk of a node, if it can fail.
    ///
    /// # Errors
    /// Why there is none.
    fn disk(&self, node: NodeId) -> Result<Arc<Disk>, String> {
        Err(format!("{node} has no disk that can fail"))
    }

    /// The clients of the run, if they can be stopped; otherwise none.
    fn clients(&self) -> PausableClients {
        PausableClients::default()
    }

    /// What the author of the adapter's file can break.
    fn fault_commands(&self) -> &[FaultCommand] {
        &[]
    }

    /// Errors that the node logs from now on, until it is called with false, are no findings.
    fn excuse_errors(&self, _node: NodeId, _excused: bool) {}
}

/// What an operator can do to the system. Calls block, each bounded to seconds.
pub trait Operator: Send + Sync {
    /// Groups, numbered from 0, each with members of its own.
    fn groups(&self) -> u32;

    /// The members of a group, as its leader knows them.
    fn members(&self, group: u32) -> Result<Members, AdminError>;

    /// Asks for this once. Returns what came of it, in words.
    fn perform(&self, group: u32, action: AdminAction) -> Result<String, AdminError>;
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
    /// It cannot be undone as long as other faults are in force; to be tried again.
    Later { reason: String, fault: Box<dyn ActiveFault> },
}

/// A fault that was put in force.
pub struct Installed {
    /// What is owed to the run.
    pub(super) fault: Box<dyn ActiveFault>,
    /// How it was seen to act.
    pub(super) seen: Seen,
}

impl Installed {
    pub(super) fn new(fault: impl ActiveFault + 'static, seen: Seen) -> Self {
        Self { fault: Box::new(fault), seen }
    }
}

/// Why a fault was not attempted; nothing is in force.
pub struct Skipped {
    pub(super) reason: String,
}

impl Skipped {
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}

impl<E: fmt::Display> From<E> for Skipped {
    fn from(error: E) -> Self {
        Self::new(error.to_string())
    }
}

/// The surroundings of a fault.
pub struct Surroundings<'a> {
    pub(super) platform: &'a Arc<dyn Platform>,
    /// Cuts and conditions of links, of all faults together.
    pub(super) network: &'a Arc<Network>,
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

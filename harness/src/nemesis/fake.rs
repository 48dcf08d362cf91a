//! A cluster without processes, for tests of faults: it does what it is told, and remembers it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::plan::PlannedFault;
use super::{Injector, NodeControl, Operator};
use crate::node_id::NodeId;
use crate::pausable::PausableClients;
use crate::platform::{
    Endpoint, Fabric, Link, NodeCommand, Platform, PlatformError, ProbeResult, ProcessControl,
    ProcessState,
};
use crate::system::{AdminAction, AdminError, MemberChange, MemberRole, Members};

/// Nodes that are states only. The first one leads.
#[derive(Default)]
pub(super) struct FakeCluster {
    states: Mutex<BTreeMap<NodeId, ProcessState>>,
    members: Mutex<Members>,
    next_pid: AtomicI32,
    /// Nodes that were wiped, and did not join since.
    pub(super) wiped: Mutex<BTreeSet<NodeId>>,
    /// Does every command of an operator fail?
    pub(super) refuses: AtomicBool,
    /// Clients that nobody runs, unless a test does.
    clients: PausableClients,
    /// Does each node know the others by addresses of its own?
    has_proxies: bool,
}

impl FakeCluster {
    pub(super) fn new(nodes: u16) -> FakeCluster {
        let fake = FakeCluster::default();
        for node in (1..=nodes).map(NodeId) {
            fake.run(node);
            let role = if node == NodeId(1) { MemberRole::Leader } else { MemberRole::Voter };
            fake.members().insert(node, role);
        }
        fake
    }

    /// Each of its nodes knows the others by addresses of its own.
    pub(super) fn with_proxies(nodes: u16) -> FakeCluster {
        FakeCluster { has_proxies: true, ..FakeCluster::new(nodes) }
    }

    /// These clients use it.
    pub(super) fn with_clients(nodes: u16, clients: PausableClients) -> FakeCluster {
        FakeCluster { clients, ..FakeCluster::new(nodes) }
    }

    fn nodes(&self) -> Vec<NodeId> {
        self.states().keys().copied().collect()
    }

    pub(super) fn members(&self) -> MutexGuard<'_, Members> {
        self.members.lock().unwrap()
    }

    pub(super) fn all_run(&self) -> bool {
        self.states().values().all(|state| matches!(state, ProcessState::Running { .. }))
    }

    /// An injector for this plan.
    pub(super) fn injector(self: &Arc<Self>, plan: Vec<PlannedFault>) -> Injector {
        Injector::new(self.clone(), self.clone(), self.nodes(), plan, Instant::now())
    }

    fn states(&self) -> MutexGuard<'_, BTreeMap<NodeId, ProcessState>> {
        self.states.lock().unwrap()
    }

    fn run(&self, node: NodeId) -> ProcessState {
        // No process has such an id.
        let pid = i32::MAX - self.next_pid.fetch_add(1, Ordering::Relaxed);
        self.set(node, ProcessState::Running { pid })
    }

    fn set(&self, node: NodeId, state: ProcessState) -> ProcessState {
        self.states().insert(node, state);
        state
    }

    fn end(&self, node: NodeId, status: i32) -> Result<ProcessState, PlatformError> {
        Ok(self.set(node, ProcessState::Gone { status: Some(status) }))
    }
}

impl ProcessControl for FakeCluster {
    fn start(&self, node: NodeId, _: &NodeCommand) -> Result<ProcessState, PlatformError> {
        Ok(self.run(node))
    }

    fn kill(&self, node: NodeId) -> Result<ProcessState, PlatformError> {
        self.end(node, 137)
    }

    fn pause(&self, node: NodeId) -> Result<ProcessState, PlatformError> {
        Ok(match self.state(node) {
            ProcessState::Running { pid } => self.set(node, ProcessState::Stopped { pid }),
            state => state,
        })
    }

    fn resume(&self, node: NodeId) -> Result<ProcessState, PlatformError> {
        Ok(match self.state(node) {
            ProcessState::Stopped { pid } => self.set(node, ProcessState::Running { pid }),
            state => state,
        })
    }

    fn terminate(&self, node: NodeId, _: Duration) -> Result<ProcessState, PlatformError> {
        self.end(node, 0)
    }

    fn state(&self, node: NodeId) -> ProcessState {
        self.states()[&node]
    }
}

impl NodeControl for FakeCluster {
    fn leader(&self) -> Option<NodeId> {
        let members = self.members();
        members.iter().find(|(_, role)| **role == MemberRole::Leader).map(|(node, _)| *node)
    }

    fn restart(&self, node: NodeId) -> Result<ProcessState, PlatformError> {
        Ok(self.run(node))
    }

    fn restart_joining(&self, node: NodeId) -> Result<ProcessState, PlatformError> {
        self.wiped.lock().unwrap().remove(&node);
        Ok(self.run(node))
    }

    fn wipe(&self, node: NodeId) -> Result<u64, PlatformError> {
        assert!(matches!(self.state(node), ProcessState::Gone { .. }), "{node} uses its data");
        self.wiped.lock().unwrap().insert(node);
        Ok(4_096)
    }

    fn serves(&self, node: NodeId) -> bool {
        matches!(self.state(node), ProcessState::Running { .. })
    }

    fn operator(&self) -> Option<&dyn Operator> {
        Some(self)
    }

    fn clients(&self) -> PausableClients {
        self.clients.clone()
    }
}

impl Operator for FakeCluster {
    fn groups(&self) -> u32 {
        1
    }

    fn members(&self, _: u32) -> Result<Members, AdminError> {
        Ok(self.members().clone())
    }

    fn perform(&self, _: u32, action: AdminAction) -> Result<String, AdminError> {
        if self.refuses.load(Ordering::Relaxed) {
            let (what, reason) = (action.to_string(), "nobody leads".to_owned());
            return Err(AdminError { what, reason });
        }
        let mut members = self.members();
        match action {
            AdminAction::ChangeMembers(change) => {
                match change {
                    MemberChange::Demote { node } => members.insert(node, MemberRole::Learner),
                    MemberChange::Promote { node } | MemberChange::Add { node, .. } => {
                        assert!(!self.wiped.lock().unwrap().contains(&node), "{node} is empty");
                        members.insert(node, MemberRole::Voter)
                    }
                    MemberChange::Remove { node } => members.remove(&node),
                };
                if !members.values().any(|role| *role == MemberRole::Leader)
                    && let Some(role) = members.values_mut().find(|role| role.votes())
                {
                    *role = MemberRole::Leader;
                }
            }
            AdminAction::Transfer { .. } | AdminAction::Snapshot { .. } => {}
        }
        Ok(action.to_string())
    }
}

impl Platform for FakeCluster {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn notes(&self) -> Vec<String> {
        Vec::new()
    }

    fn listen_address(&self, node: NodeId) -> SocketAddr {
        self.address(Endpoint::Client, node)
    }

    fn address(&self, from: Endpoint, to: NodeId) -> SocketAddr {
        let port = match from {
            Endpoint::Node(from) if self.has_proxies => 100 * from.0 + to.0,
            Endpoint::Node(_) | Endpoint::Client => to.0,
        };
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    fn process(&self) -> &dyn ProcessControl {
        self
    }

    fn fabric(&self) -> &dyn Fabric {
        self
    }
}

impl Fabric for FakeCluster {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn cut(&self, _: &BTreeSet<Link>) -> Result<(), PlatformError> {
        Ok(())
    }

    fn probe(&self, _: &[Link], _: Duration) -> Result<Vec<ProbeResult>, PlatformError> {
        Ok(Vec::new())
    }

    fn dropped(&self) -> Option<u64> {
        None
    }
}

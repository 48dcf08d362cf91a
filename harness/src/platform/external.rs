//! Nodes that somebody else runs: they have addresses, and nothing can be done to them.

use std::net::SocketAddr;
use std::time::Duration;

use super::loopback::NoFabric;
use super::{Endpoint, Fabric, NodeCommand, Platform, PlatformError, ProcessControl, ProcessState};
use crate::node_id::NodeId;

/// Nodes at these addresses: `n1` has the first one. There is at least one.
#[derive(Debug)]
pub struct External {
    addresses: Vec<SocketAddr>,
    fabric: NoFabric,
}

impl External {
    /// The nodes at these addresses; at least one.
    pub fn new(addresses: Vec<SocketAddr>) -> External {
        External { addresses, fabric: NoFabric }
    }
}

impl Platform for External {
    fn name(&self) -> &'static str {
        "external"
    }

    fn notes(&self) -> Vec<String> {
        vec!["the nodes are not started, stopped, cut off or watched by the harness".to_owned()]
    }

    fn listen_address(&self, node: NodeId) -> SocketAddr {
        self.addresses[usize::from(node.0.saturating_sub(1)) % self.addresses.len()]
    }

    fn address(&self, _: Endpoint, to: NodeId) -> SocketAddr {
        self.listen_address(to)
    }

    fn process(&self) -> &dyn ProcessControl {
        self
    }

    fn fabric(&self) -> &dyn Fabric {
        &self.fabric
    }
}

/// What a process of somebody else is taken to be.
const RUNS: ProcessState = ProcessState::Running { pid: 0 };

impl ProcessControl for External {
    fn start(&self, _: NodeId, _: &NodeCommand) -> Result<ProcessState, PlatformError> {
        Ok(RUNS)
    }

    fn kill(&self, node: NodeId) -> Result<ProcessState, PlatformError> {
        Err(not_ours(node))
    }

    fn pause(&self, node: NodeId) -> Result<ProcessState, PlatformError> {
        Err(not_ours(node))
    }

    fn resume(&self, node: NodeId) -> Result<ProcessState, PlatformError> {
        Err(not_ours(node))
    }

    fn terminate(&self, _: NodeId, _: Duration) -> Result<ProcessState, PlatformError> {
        Ok(RUNS)
    }

    fn state(&self, _: NodeId) -> ProcessState {
        RUNS
    }
}

fn not_ours(node: NodeId) -> PlatformError {
    PlatformError::Unsupported(format!("{node} is run by somebody else"))
}

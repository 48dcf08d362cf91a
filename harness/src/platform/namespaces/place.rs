//! The platform itself.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::iptables::Iptables;
use super::nftables::Nftables;
use super::topology::Topology;
use crate::node_id::NodeId;
use crate::platform::process::{Containment, NodeProcesses};
use crate::platform::{
    Clocks, Endpoint, Fabric, FabricChoice, Link, Platform, PlatformError, ProcessControl,
};

/// Any port would do: each node has all of them to itself.
const NODE_PORT: u16 = 7000;

/// How long the network may take to carry its first packets.
const READY_TIMEOUT: Duration = Duration::from_secs(10);
const READY_ROUND: Duration = Duration::from_millis(50);

/// Nodes in namespaces of this process.
pub struct Namespaces {
    // Before the rest, so that nodes end before their network does.
    processes: NodeProcesses,
    fabric: Box<dyn Fabric>,
    topology: Arc<Topology>,
}

impl Namespaces {
    /// Builds the network of `nodes` nodes and sees it carry packets. Only after
    /// [`super::enter()`], and once in a process: it changes the network of this process for good.
    pub fn new(nodes: u16, fabric: FabricChoice) -> Result<Namespaces, PlatformError> {
        let topology = Arc::new(Topology::new(nodes)?);
        let fabric: Box<dyn Fabric> = match fabric {
            FabricChoice::Nftables => Box::new(Nftables::new(Arc::clone(&topology))?),
            FabricChoice::Iptables => Box::new(Iptables::new(Arc::clone(&topology))?),
        };
        let networks = topology
            .nodes
            .iter()
            .map(|(&node, network)| Ok((node, network.clone_namespace()?)))
            .collect::<Result<_, PlatformError>>()?;
        let processes = NodeProcesses::new(Containment::Namespaces(networks))?;
        let place = Namespaces { processes, fabric, topology };
        place.await_network()?;
        Ok(place)
    }

    /// Gives every node that is started from now on a clock that can be set.
    ///
    /// # Errors
    /// Not on this processor, or no memory.
    pub fn arrange_clocks(&mut self) -> Result<(), PlatformError> {
        self.processes.arrange_clocks()
    }

    /// Packets flow over every link.
    fn await_network(&self) -> Result<(), PlatformError> {
        let nodes = || self.topology.nodes.keys().copied();
        let links: Vec<Link> = nodes()
            .flat_map(|from| nodes().map(move |to| (from, to)))
            .filter(|(from, to)| from != to)
            .collect();
        let deadline = Instant::now() + READY_TIMEOUT;
        while Instant::now() < deadline {
            let results = self.fabric.probe(&links, READY_ROUND)?;
            if results.iter().all(|result| result.arrived > 0) {
                return Ok(());
            }
        }
        Err(PlatformError::timeout("wait for the network of the nodes", READY_TIMEOUT))
    }
}

impl Platform for Namespaces {
    fn name(&self) -> &'static str {
        "namespaces"
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = vec!["all nodes share one kernel, one disk and one clock".to_owned()];
        if self.fabric.name() == "iptables" {
            notes.push("iptables changes a partition rule by rule, not all at once".to_owned());
        }
        notes
    }

    fn listen_address(&self, node: NodeId) -> SocketAddr {
        let network = self.topology.node(node).expect("callers name nodes of this platform");
        (network.address, NODE_PORT).into()
    }

    fn address(&self, _from: Endpoint, to: NodeId) -> SocketAddr {
        self.listen_address(to)
    }

    fn process(&self) -> &dyn ProcessControl {
        &self.processes
    }

    fn fabric(&self) -> &dyn Fabric {
        self.fabric.as_ref()
    }

    fn clocks(&self) -> Option<&dyn Clocks> {
        self.processes.clocks()
    }
}

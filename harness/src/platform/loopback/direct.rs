//! Nodes on loopback addresses with nothing between them, for measurements.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use super::addresses::Block;
use super::place::NODES_MAX;
use crate::node_id::NodeId;
use crate::platform::process::{Containment, NodeProcesses};
use crate::platform::{
    Endpoint, Fabric, Link, Platform, PlatformError, ProbeResult, ProcessControl,
};

/// Nodes on loopback addresses of this machine, which reach each other without a proxy.
pub struct Direct {
    processes: NodeProcesses,
    fabric: NoFabric,
    nodes: BTreeMap<NodeId, SocketAddr>,
    _block: Block,
}

/// Cuts nothing: the bytes of the nodes never pass through this process.
#[derive(Debug)]
pub(in crate::platform) struct NoFabric;

impl Direct {
    /// Takes addresses. No two places have the same.
    pub fn new(nodes: u16) -> Result<Direct, PlatformError> {
        if nodes == 0 || nodes > NODES_MAX {
            let limits = format!("loopback has between 1 and {NODES_MAX} nodes, not {nodes}");
            return Err(PlatformError::Unsupported(limits));
        }
        let block = Block::take()?;
        let mut addresses = BTreeMap::new();
        let mut reserved = Vec::new();
        for id in 1..=nodes {
            let (listener, address) = block.listen(u8::try_from(id).expect("at most 9"))?;
            reserved.push(listener);
            addresses.insert(NodeId(id), address);
        }
        // The ports are the nodes' from now on.
        drop(reserved);
        let processes = NodeProcesses::new(Containment::Subreaper(nodes))?;
        Ok(Direct { processes, fabric: NoFabric, nodes: addresses, _block: block })
    }
}

impl Platform for Direct {
    fn name(&self) -> &'static str {
        "direct"
    }

    fn notes(&self) -> Vec<String> {
        vec![
            "all nodes and clients share the cores, the disk and the network of this machine"
                .into(),
        ]
    }

    fn listen_address(&self, node: NodeId) -> SocketAddr {
        *self.nodes.get(&node).expect("callers name nodes of this platform")
    }

    fn address(&self, _from: Endpoint, to: NodeId) -> SocketAddr {
        self.listen_address(to)
    }

    fn process(&self) -> &dyn ProcessControl {
        &self.processes
    }

    fn fabric(&self) -> &dyn Fabric {
        &self.fabric
    }
}

impl Fabric for NoFabric {
    fn name(&self) -> &'static str {
        "none"
    }

    fn cut(&self, links: &BTreeSet<Link>) -> Result<(), PlatformError> {
        if links.is_empty() {
            return Ok(());
        }
        Err(PlatformError::Unsupported(
            "nothing can be cut: what nodes send does not pass by the harness".into(),
        ))
    }

    fn probe(&self, links: &[Link], _: Duration) -> Result<Vec<ProbeResult>, PlatformError> {
        if links.is_empty() {
            return Ok(Vec::new());
        }
        Err(PlatformError::Unsupported(
            "nothing can be probed: what nodes send does not pass by the harness".into(),
        ))
    }

    fn dropped(&self) -> Option<u64> {
        None
    }
}

//! A cluster that somebody else runs: clients use it, and nothing is started. The adapter's file has
//! the addresses, and says whether a program or one of the other systems speaks to them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use workloads::workload::Interface;

use super::command::{AdaptedSystem, FaultCommand};
use super::settings::Settings;
use super::{
    BoxFuture, Client, NodeContext, NodeStatus, Nodes, System, SystemEntry, SystemOptions, system,
};
use crate::node_id::NodeId;
use crate::platform::NodeCommand;

pub(super) const ENTRY: SystemEntry = SystemEntry {
    name: "external",
    about: "A cluster that runs already, by --adapter FILE: its addresses, and a client program in any \
            language or the name of another system that speaks to it. ADAPTERS.md has the manual.",
    interfaces: Interface::ALL,
    has_own_ports: false,
    version: || Ok("by an adapter".to_owned()),
    install: "nothing",
    settings: &[],
    build,
};

struct External {
    /// Who speaks to it.
    spoken: Box<dyn System>,
    fault_commands: Vec<FaultCommand>,
}

fn build(options: SystemOptions) -> Box<dyn System> {
    let adapter = options.adapter.clone().unwrap_or_default();
    let fault_commands = adapter.fault_commands().to_vec();
    let spoken: Box<dyn System> = match adapter.protocol().and_then(system) {
        Some(entry) => {
            // What may be chosen about a system is chosen where it is started, but for what clients do.
            let settings = Settings::parse("", entry.settings).unwrap_or_default();
            (entry.build)(SystemOptions { settings, ..options })
        }
        None => Box::new(AdaptedSystem::new(adapter, options.workload)),
    };
    Box::new(External { spoken, fault_commands })
}

impl Nodes for External {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    /// They were prepared by others.
    fn prepare(&self, _: &NodeContext) -> std::io::Result<()> {
        Ok(())
    }

    /// They were formed by others.
    fn form(&self, _: &BTreeMap<NodeId, SocketAddr>) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async { Ok(()) })
    }

    /// Nobody carries it out.
    fn node_command(&self, context: &NodeContext) -> NodeCommand {
        NodeCommand { argv: Vec::new(), log: context.log.clone() }
    }

    fn status(&self, address: SocketAddr, patience: Duration) -> BoxFuture<'_, Option<NodeStatus>> {
        self.spoken.status(address, patience)
    }

    fn fault_commands(&self) -> &[FaultCommand] {
        &self.fault_commands
    }
}

impl System for External {
    fn client(&self, node: NodeId, address: SocketAddr, interface: Interface) -> Box<dyn Client> {
        self.spoken.client(node, address, interface)
    }

    fn serves(&self, node: NodeId, address: SocketAddr) -> BoxFuture<'_, bool> {
        self.spoken.serves(node, address)
    }
}

//! A cluster that somebody else runs: clients use it, and nothing is started. The adapter's file has
//! the addresses, and says whether a program or one of the other systems speaks to them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use workloads::generator::Invocation;
use workloads::workload::Interface;

use super::command::{AdaptedSystem, FaultCommand};
use super::settings::Settings;
use super::{
    BoxFuture, Client, Completion, NodeContext, NodeStatus, Nodes, System, SystemEntry,
    SystemOptions, system,
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
    /// The name of the run, if keys must be kept apart from those of other runs: a program does so itself.
    keys_of: Option<String>,
    fault_commands: Vec<FaultCommand>,
}

fn build(options: SystemOptions) -> Box<dyn System> {
    let adapter = options.adapter.clone().unwrap_or_default();
    let fault_commands = adapter.fault_commands().to_vec();
    let (spoken, keys_of): (Box<dyn System>, _) = match adapter.protocol().and_then(system) {
        Some(entry) => {
            let run = options.cluster.clone();
            let settings = Settings::parse("", entry.settings).unwrap_or_default();
            ((entry.build)(SystemOptions { settings, ..options }), Some(run))
        }
        None => {
            let SystemOptions { workload, cluster, folder, .. } = options;
            (Box::new(AdaptedSystem::new(adapter, workload, cluster, folder)), None)
        }
    };
    Box::new(External { spoken, keys_of, fault_commands })
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

    fn why_silent(&self) -> Option<String> {
        self.spoken.why_silent()
    }

    fn fault_commands(&self) -> &[FaultCommand] {
        &self.fault_commands
    }
}

impl System for External {
    fn client(&self, node: NodeId, address: SocketAddr, interface: Interface) -> Box<dyn Client> {
        let client = self.spoken.client(node, address, interface);
        match &self.keys_of {
            Some(run) => Box::new(ClientOfRun { client, run: run.clone() }),
            None => client,
        }
    }

    fn serves(&self, node: NodeId, address: SocketAddr) -> BoxFuture<'_, bool> {
        self.spoken.serves(node, address)
    }
}

/// A client whose keys are those of one run: what earlier runs left behind is not seen.
struct ClientOfRun {
    client: Box<dyn Client>,
    run: String,
}

impl Client for ClientOfRun {
    fn invoke<'a>(
        &'a mut self,
        invocation: &'a Invocation,
        timeout: Duration,
    ) -> BoxFuture<'a, Completion> {
        let invocation = of_run(&self.run, invocation);
        Box::pin(async move { self.client.invoke(&invocation, timeout).await })
    }
}

fn of_run(run: &str, invocation: &Invocation) -> Invocation {
    let key = match &invocation.key {
        Some(key) => format!("{run}/{key}"),
        None => run.to_owned(),
    };
    Invocation { key: Some(key.into()), ..invocation.clone() }
}

#[cfg(test)]
mod tests {
    use workloads::history::Value;

    use super::*;

    #[test]
    fn keys_of_two_runs_never_meet() {
        let key = |run, key: Option<u64>| {
            let invocation =
                Invocation { f: "read", key: key.map(Value::from), value: Value::Null };
            of_run(run, &invocation).key.unwrap()
        };
        assert_eq!(key("a", Some(7)), Value::from("a/7"));
        assert_ne!(key("a", Some(7)), key("b", Some(7)));
        assert_ne!(key("a", None), key("b", None));
    }
}

//! The Breakwater store: real processes of this very binary, spoken to over gRPC.
//!
//! ```text
//! admin.rs       the commands of operators
//! client.rs      a worker's connection and its session
//! operations/    what each interface of a workload means here: one file each
//! ```

mod admin;
mod client;
mod operations;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::time::Duration;

use proto::client::{Client as KvClient, ClientOptions};
use workloads::workload::Interface;

use self::client::StoreClient;
use super::{
    Admin, BoxFuture, Client, FsyncMode, NodeContext, NodeStatus, Nodes, StorageMode, System,
    SystemEntry, SystemOptions,
};
use crate::node_id::NodeId;
use crate::platform::NodeCommand;

pub(super) const ENTRY: SystemEntry = SystemEntry {
    name: "store",
    about: "The Breakwater store: raft-rs and RocksDB, built into this binary.",
    interfaces: operations::INTERFACES,
    has_own_ports: false,
    version: || Ok(env!("BREAKWATER_COMMIT").to_owned()),
    install: "nothing: it is in this binary",
    settings: &[],
    build: |options| Box::new(Store { options }),
};

struct Store {
    options: SystemOptions,
}

impl Nodes for Store {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn node_command(&self, context: &NodeContext) -> NodeCommand {
        let peers: Vec<String> =
            context.peers.iter().map(|(node, address)| format!("{}={address}", node.0)).collect();
        let mut argv: Vec<OsString> = Vec::new();
        argv.push(crate::node_process::own_binary().into());
        let mut push = |argument: &str| argv.push(argument.into());
        push("node");
        push("--node");
        push(&context.node.0.to_string());
        // The platform's network has no way in but the harness's.
        push("--insecure-bind");
        push("--cluster");
        push(&self.options.cluster);
        push("--listen");
        push(&context.listen.to_string());
        push("--peers");
        push(&peers.join(","));
        if context.joins {
            push("--join");
        }
        push("--storage");
        push(match self.options.storage {
            StorageMode::Rocksdb => "rocksdb",
            StorageMode::Memory => "memory",
        });
        push("--fsync");
        push(match self.options.fsync {
            FsyncMode::Always => "always",
            FsyncMode::Off => "off",
        });
        push("--seed");
        push(&(self.options.seed.wrapping_add(u64::from(context.node.0))).to_string());
        push("--shards");
        push(&self.options.shards.to_string());
        push("--set");
        push(&format!("snapshot.entries={}", self.options.snapshot_entries));
        if let Some(bug) = &self.options.bug {
            push("--bug");
            push(bug);
        }
        argv.push("--data".into());
        argv.push(context.data.clone().into());
        NodeCommand { argv, log: context.log.clone() }
    }

    fn status(&self, address: SocketAddr, patience: Duration) -> BoxFuture<'_, Option<NodeStatus>> {
        Box::pin(async move {
            let options = ClientOptions::single_attempt(patience);
            let mut client = KvClient::new(vec![address.to_string()], options);
            let status = client.status().await.ok()?;
            let wall_clock = (status.wall_clock != 0).then_some(status.wall_clock);
            Some(NodeStatus {
                leads: status.role == "leader",
                term: status.term,
                role: status.role,
                committed: Some(status.committed),
                wall_clock,
            })
        })
    }

    fn admin(&self) -> Option<&dyn Admin> {
        Some(self)
    }
}

impl System for Store {
    fn client(&self, _node: NodeId, address: SocketAddr, interface: Interface) -> Box<dyn Client> {
        Box::new(StoreClient::new(address, interface, self.options.read_mode))
    }
}

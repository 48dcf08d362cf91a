//! etcd, as the distribution packages it, with its default settings.
//!
//! ```text
//! nodes.rs       how a member starts, and who leads; measurements use it too
//! client.rs      a worker's connection, and what its errors mean
//! operations.rs  what each interface of a workload means here
//! locks.rs       sets that are changed under a lock
//! ```

mod client;
mod locks;
mod nodes;
mod operations;

use std::net::SocketAddr;
use std::time::Duration;

use workloads::workload::Interface;

use self::client::EtcdClient;
use self::locks::Locking;
pub(crate) use self::nodes::{EtcdNodes, version};
use super::{
    BoxFuture, Client, NodeContext, NodeStatus, Nodes, ReadMode, System, SystemEntry, WallClock,
    http_date,
};
use crate::node_id::NodeId;
use crate::platform::NodeCommand;

/// Generated from `etcd.proto`.
#[expect(unreachable_pub, reason = "the generator does not know how far its code can be seen")]
pub(crate) mod wire {
    tonic::include_proto!("etcdserverpb");
}

/// Generated from `etcd_lock.proto`.
#[expect(unreachable_pub, reason = "the generator does not know how far its code can be seen")]
pub(crate) mod lock_wire {
    tonic::include_proto!("v3lockpb");
}

pub(super) const ENTRY: SystemEntry = SystemEntry {
    name: "etcd",
    about: "etcd 3.4 or newer. With --read-mode local its reads are serializable, which it documents as \
            possibly stale.",
    interfaces: operations::INTERFACES,
    has_own_ports: true,
    version,
    install: "apt-get install etcd-server",
    settings: locks::SETTINGS,
    build: |options| {
        let locking = Locking::from(&options.settings);
        Box::new(Etcd { read_mode: options.read_mode, locking })
    },
};

struct Etcd {
    read_mode: ReadMode,
    locking: Locking,
}

impl Nodes for Etcd {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn node_command(&self, context: &NodeContext) -> NodeCommand {
        EtcdNodes.node_command(context)
    }

    fn status(&self, address: SocketAddr, patience: Duration) -> BoxFuture<'_, Option<NodeStatus>> {
        EtcdNodes.status(address, patience)
    }

    fn wall_clock(&self, address: SocketAddr) -> BoxFuture<'_, Option<WallClock>> {
        Box::pin(http_date::wall_clock(address, "/version"))
    }
}

impl System for Etcd {
    fn client(&self, _node: NodeId, address: SocketAddr, interface: Interface) -> Box<dyn Client> {
        Box::new(EtcdClient::new(address, interface, self.read_mode, self.locking))
    }
}

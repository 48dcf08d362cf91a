//! The network of the nodes: one namespace and one cable each, joined by a bridge in ours.
//!
//! ```text
//! hub (the harness and its clients)   br0 10.77.0.254 ─┬─ v1 ═══ eth0 10.77.0.1 (n1)
//!                                                      ├─ v2 ═══ eth0 10.77.0.2 (n2)
//! ```
//!
//! Neighbours are pinned and IPv6 is off on the cables: a cut shows as silence, never as an
//! unanswered ARP, and there is no second way around it.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::thread;

use nix::sched::{CloneFlags, setns, unshare};

use super::netlink::{Neighbour, Route, VethPair, interface_index};
use crate::node_id::NodeId;
use crate::platform::PlatformError;

/// The last byte of an address names the node, and 254 the hub; far more nodes than anybody runs.
pub(crate) const NODES_MAX: u16 = 64;
const BRIDGE: &str = "br0";
const HUB: u8 = 254;
const PREFIX: u8 = 24;
/// Chosen, because then nobody has to ask. Small numbers may belong to tunnels of the kernel.
const NODE_INTERFACE: u32 = 77;
/// The node's end of its cable.
pub(crate) const NODE_INTERFACE_NAME: &str = "eth0";
const CABLES: u32 = 1000;

/// One node's part of the network.
#[derive(Debug)]
pub(crate) struct NodeNetwork {
    /// Its network namespace, which lives as long as this descriptor.
    pub(crate) namespace: OwnedFd,
    /// Its address.
    pub(crate) address: Ipv4Addr,
    /// A socket in its namespace, for probes.
    pub(crate) probe_socket: UdpSocket,
    /// The hub's end of its cable.
    pub(crate) cable: String,
}

/// All of it. Gone with the process.
#[derive(Debug)]
pub(crate) struct Topology {
    /// The nodes, in order.
    pub(crate) nodes: BTreeMap<NodeId, NodeNetwork>,
}

impl Topology {
    /// Builds the network around this process, which must be in a network namespace of its own.
    pub(crate) fn new(count: u16) -> Result<Topology, PlatformError> {
        if count == 0 || count > NODES_MAX {
            return Err(PlatformError::Unsupported(format!(
                "between 1 and {NODES_MAX} nodes can be joined, not {count}"
            )));
        }
        let mut hub = Route::open()?;
        hub.add_bridge(BRIDGE, mac(HUB))?;
        hub.link_up(BRIDGE)?;
        let bridge = interface_index(BRIDGE)?;
        hub.add_address(bridge, address(HUB), PREFIX)?;

        let hosts: Vec<u8> = (1..=count).map(|id| u8::try_from(id).expect("below 64")).collect();
        let mut nodes = BTreeMap::new();
        for &host in &hosts {
            nodes.insert(NodeId(u16::from(host)), join(&mut hub, bridge, host, &hosts)?);
        }
        let neighbours: Vec<_> = hosts.iter().map(|&host| neighbour(bridge, host)).collect();
        hub.add_neighbours(&neighbours)?;
        Ok(Topology { nodes })
    }

    /// The part of one node.
    pub(crate) fn node(&self, node: NodeId) -> Result<&NodeNetwork, PlatformError> {
        self.nodes
            .get(&node)
            .ok_or_else(|| PlatformError::Unsupported(format!("there is no {node}")))
    }
}

/// Makes the namespace of one node and plugs it in.
fn join(hub: &mut Route, bridge: u32, host: u8, all: &[u8]) -> Result<NodeNetwork, PlatformError> {
    let fresh = in_thread(fresh_namespace)?;
    let (namespace, mut route, probe_socket) = fresh;
    let cable = format!("v{host}");
    hub.add_veth(&VethPair {
        name: &cable,
        index: CABLES + u32::from(host),
        peer_namespace: namespace.as_fd(),
        peer_name: NODE_INTERFACE_NAME,
        peer_index: NODE_INTERFACE,
        peer_mac: mac(host),
    })?;
    route.add_address(NODE_INTERFACE, address(host), PREFIX)?;
    route.link_up(NODE_INTERFACE_NAME)?;
    hub.link_up(&cable)?;
    // Last, because a bridge forwards at once only to a port that has a carrier.
    hub.set_master(&cable, bridge)?;
    let others = all.iter().filter(|&&other| other != host).chain([&HUB]);
    let neighbours: Vec<_> = others.map(|&other| neighbour(NODE_INTERFACE, other)).collect();
    route.add_neighbours(&neighbours)?;
    Ok(NodeNetwork { namespace, address: address(host), probe_socket, cable })
}

/// Makes a network namespace for this thread, and sockets that stay in it.
fn fresh_namespace() -> Result<(OwnedFd, Route, UdpSocket), PlatformError> {
    unshare(CloneFlags::CLONE_NEWNET)
        .map_err(|errno| PlatformError::os("unshare a node's network", errno.into()))?;
    let path = "/proc/thread-self/ns/net";
    let namespace =
        File::open(path).map_err(|error| PlatformError::os(format!("open {path}"), error))?;
    // Interfaces made later inherit it, the loopback keeps ::1. Absent where IPv6 is.
    let _ = std::fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
    let mut route = Route::open()?;
    route.link_up("lo")?;
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))
        .and_then(|socket| socket.set_nonblocking(true).map(|()| socket))
        .map_err(|error| PlatformError::os("open a node's probe socket", error))?;
    Ok((namespace.into(), route, socket))
}

/// Runs `work` on a thread of its own, because a thread cannot leave a namespace it made.
fn in_thread<T: Send>(
    work: impl FnOnce() -> Result<T, PlatformError> + Send,
) -> Result<T, PlatformError> {
    thread::scope(|scope| scope.spawn(work).join()).expect("set-up of a namespace does not panic")
}

/// Moves this process or thread into a node's network. Async-signal-safe.
pub(crate) fn enter_network(namespace: std::os::fd::BorrowedFd<'_>) -> std::io::Result<()> {
    setns(namespace, CloneFlags::CLONE_NEWNET).map_err(Into::into)
}

fn address(host: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 77, 0, host)
}

fn mac(host: u8) -> [u8; 6] {
    [2, 0, 10, 77, 0, host]
}

fn neighbour(interface: u32, host: u8) -> Neighbour {
    Neighbour { interface, address: address(host), mac: mac(host) }
}

/// Ways into each node's namespace.
impl NodeNetwork {
    /// Reads a file under `/proc/net`, as seen in the namespace.
    pub(crate) fn read_proc_net(&self, name: &str) -> Result<String, PlatformError> {
        let path = format!("/proc/thread-self/net/{name}");
        in_thread(|| {
            enter_network(self.namespace.as_fd())
                .and_then(|()| std::fs::read_to_string(&path))
                .map_err(|error| PlatformError::os(format!("read a node's {path}"), error))
        })
    }

    /// A copy of the descriptor.
    pub(crate) fn clone_namespace(&self) -> Result<OwnedFd, PlatformError> {
        self.namespace.try_clone().map_err(|error| {
            let fd = self.namespace.as_raw_fd();
            PlatformError::os(format!("duplicate the namespace descriptor {fd}"), error)
        })
    }
}

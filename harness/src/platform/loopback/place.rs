//! The platform itself.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use super::addresses::Block;
use super::gates::Gates;
use super::probes::{Arrivals, Probes};
use super::proxy::Proxy;
use crate::node_id::NodeId;
use crate::platform::process::{Containment, NodeProcesses};
use crate::platform::{
    Clocks, Endpoint, Fabric, Link, Platform, PlatformError, ProbeResult, ProcessControl,
};

/// The most nodes: each link takes six descriptors of the usual 1024.
pub const NODES_MAX: u16 = 9;

/// The proxies share two threads; each byte costs them little.
const PROXY_THREADS: usize = 2;

const READY_TIMEOUT: Duration = Duration::from_secs(10);

/// Nodes on loopback addresses of this machine.
pub struct Loopback {
    // Before the rest, so that nodes end before their proxies do.
    processes: NodeProcesses,
    fabric: ProxyFabric,
    nodes: BTreeMap<NodeId, SocketAddr>,
    proxies: BTreeMap<Link, SocketAddr>,
    _threads: ProxyThreads,
    _block: Block,
}

/// Where the proxies run. Taken out when dropped.
struct ProxyThreads(Option<Runtime>);

/// Fabric `proxy`.
struct ProxyFabric {
    gates: Arc<Gates>,
    probes: Probes,
}

impl Loopback {
    /// Takes addresses, starts the proxies and sees bytes flow over every link.
    pub fn new(nodes: u16) -> Result<Loopback, PlatformError> {
        if nodes == 0 || nodes > NODES_MAX {
            return Err(PlatformError::Unsupported(format!(
                "platform loopback has between 1 and {NODES_MAX} nodes, not {nodes}"
            )));
        }
        let threads = ProxyThreads::start()?;
        let block = Block::take()?;
        let hosts = || (1..=nodes).map(|id| (NodeId(id), u8::try_from(id).expect("at most 9")));
        let gates = Arc::new(Gates::new());
        let arrivals = Arc::new(Arrivals::default());

        let mut node_addresses = BTreeMap::new();
        let mut reserved = Vec::new();
        let mut sinks = BTreeMap::new();
        for (node, host) in hosts() {
            let (listener, address) = block.listen(host)?;
            reserved.push(listener);
            node_addresses.insert(node, address);
            let (listener, address) = block.listen(host)?;
            threads.spawn(Arc::clone(&arrivals).serve(listener));
            sinks.insert(node, address);
        }
        let mut proxies = BTreeMap::new();
        let mut probe_proxies = BTreeMap::new();
        for (from, _) in hosts() {
            for (to, host) in hosts().filter(|&(to, _)| to != from) {
                let proxy_to = |upstream| {
                    let (listener, address) = block.listen(host)?;
                    let proxy = Proxy { from, to, upstream, gates: Arc::clone(&gates) };
                    threads.spawn(proxy.serve(listener));
                    Ok::<_, PlatformError>(address)
                };
                proxies.insert((from, to), proxy_to(node_addresses[&to])?);
                probe_proxies.insert((from, to), proxy_to(sinks[&to])?);
            }
        }
        // The ports of the nodes are theirs from now on.
        drop(reserved);
        let probes = Probes::new(&probe_proxies, arrivals)?;
        let place = Loopback {
            processes: NodeProcesses::new(Containment::Subreaper(nodes))?,
            fabric: ProxyFabric { gates, probes },
            nodes: node_addresses,
            proxies,
            _threads: threads,
            _block: block,
        };
        place.await_proxies()?;
        Ok(place)
    }

    /// Gives every node that is started from now on a clock that can be set.
    ///
    /// # Errors
    /// Not on this processor, or no memory.
    pub fn arrange_clocks(&mut self) -> Result<(), PlatformError> {
        self.processes.arrange_clocks()
    }

    fn await_proxies(&self) -> Result<(), PlatformError> {
        let links: Vec<Link> = self.proxies.keys().copied().collect();
        let results = self.fabric.probe(&links, READY_TIMEOUT)?;
        if results.iter().all(|result| result.arrived == result.sent) {
            Ok(())
        } else {
            Err(PlatformError::timeout("wait for the proxies", READY_TIMEOUT))
        }
    }
}

impl ProxyThreads {
    fn start() -> Result<ProxyThreads, PlatformError> {
        Builder::new_multi_thread()
            .worker_threads(PROXY_THREADS)
            .thread_name("proxy")
            .enable_io()
            .build()
            .map(|runtime| ProxyThreads(Some(runtime)))
            .map_err(|error| PlatformError::os("start the threads of the proxies", error))
    }

    fn spawn(&self, task: impl Future<Output = io::Result<()>> + Send + 'static) {
        self.0.as_ref().expect("only a drop takes it out").spawn(async {
            if let Err(error) = task.await {
                tracing::error!("a proxy has stopped listening: {error}");
            }
        });
    }
}

impl Drop for ProxyThreads {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            // The only way that is allowed inside another runtime.
            runtime.shutdown_background();
        }
    }
}

impl Platform for Loopback {
    fn name(&self) -> &'static str {
        "loopback"
    }

    fn notes(&self) -> Vec<String> {
        [
            "a cut holds bytes in a proxy instead of dropping packets: senders see a stall without \
             retransmissions, and a connection made during a cut is accepted, then silent",
            "nodes see the addresses of proxies, not of each other",
            "partition probes travel over connections of their own, through the gates that hold \
             the nodes' connections",
            "partitions act only on nodes that use the addresses they were given for each other",
            "all nodes share the network, the processes, the disk and the clock of this machine",
        ]
        .map(str::to_owned)
        .to_vec()
    }

    fn listen_address(&self, node: NodeId) -> SocketAddr {
        *self.nodes.get(&node).expect("callers name nodes of this platform")
    }

    fn address(&self, from: Endpoint, to: NodeId) -> SocketAddr {
        match from {
            // A node may be told its own address too.
            Endpoint::Node(from) if from != to => {
                *self.proxies.get(&(from, to)).expect("callers name nodes of this platform")
            }
            Endpoint::Node(_) | Endpoint::Client => self.listen_address(to),
        }
    }

    fn process(&self) -> &dyn ProcessControl {
        &self.processes
    }

    fn fabric(&self) -> &dyn Fabric {
        &self.fabric
    }

    fn clocks(&self) -> Option<&dyn Clocks> {
        self.processes.clocks()
    }
}

impl Fabric for ProxyFabric {
    fn name(&self) -> &'static str {
        "proxy"
    }

    fn cut(&self, links: &BTreeSet<Link>) -> Result<(), PlatformError> {
        self.gates.replace(links);
        Ok(())
    }

    fn probe(&self, links: &[Link], patience: Duration) -> Result<Vec<ProbeResult>, PlatformError> {
        self.probes.probe(links, patience)
    }

    /// Bytes are held, not dropped.
    fn dropped(&self) -> Option<u64> {
        None
    }
}

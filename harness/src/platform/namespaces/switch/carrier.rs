//! The switch's thread, and how it is told what to do.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::eventfd::{EfdFlags, EventFd};

use super::offload::{Checksums, set_checksums};
use super::port::{FRAME_MAX, Port};
use super::segment::destination;
use super::shaper::Shaper;
use crate::node_id::NodeId;
use crate::platform::namespaces::topology::Topology;
use crate::platform::{Carried, Link, LinkConditions, PlatformError};

/// Frames that one port gives before the others get their turn.
const BATCH: usize = 64;
/// The longest sleep: only a bound, everything that happens wakes the thread.
const IDLE: Duration = Duration::from_secs(1);

/// The switch. Dropping it ends its thread.
#[derive(Debug)]
pub(in super::super) struct Switch {
    topology: Arc<Topology>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    /// Nodes whose kernel fills in checksums.
    unloaded: BTreeSet<NodeId>,
}

#[derive(Debug)]
struct Shared {
    ports: BTreeMap<NodeId, Port>,
    addresses: BTreeMap<Ipv4Addr, NodeId>,
    shaper: Mutex<Shaper>,
    wake: EventFd,
    stopped: AtomicBool,
    began: Instant,
}

impl Switch {
    /// Opens a port for every node, and starts the thread.
    pub(in super::super) fn start(topology: &Arc<Topology>) -> Result<Switch, PlatformError> {
        let mut ports = BTreeMap::new();
        let mut addresses = BTreeMap::new();
        for (&node, network) in &topology.nodes {
            ports.insert(node, Port::open(&network.cable)?);
            addresses.insert(network.address, node);
        }
        let wake = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)
            .map_err(|errno| PlatformError::os("open the switch's eventfd", errno.into()))?;
        let shared = Arc::new(Shared {
            ports,
            addresses,
            shaper: Mutex::default(),
            wake,
            stopped: AtomicBool::new(false),
            began: Instant::now(),
        });
        let runner = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("switch".to_owned())
            .spawn(move || runner.run())
            .map_err(|error| PlatformError::os("start the switch's thread", error))?;
        let topology = Arc::clone(topology);
        Ok(Switch { topology, shared, thread: Some(thread), unloaded: BTreeSet::new() })
    }

    /// Carries the packets of exactly these links from now on.
    pub(in super::super) fn shape(
        &mut self,
        conditions: &BTreeMap<Link, LinkConditions>,
        seed: u64,
    ) -> Result<(), PlatformError> {
        let senders: BTreeSet<NodeId> = conditions.keys().map(|&(from, _)| from).collect();
        for &node in senders.difference(&self.unloaded.clone()) {
            set_checksums(&self.topology.node(node)?.probe_socket, Checksums::InKernel)?;
            self.unloaded.insert(node);
        }
        self.shared.shaper().replace(conditions, seed);
        for (&node, port) in &self.shared.ports {
            let mut seen = Vec::new();
            for &(_, to) in conditions.keys().filter(|link| link.0 == node) {
                seen.push(self.topology.node(to)?.address);
            }
            port.accept_only(&seen)?;
        }
        for &node in self.unloaded.clone().difference(&senders) {
            set_checksums(&self.topology.node(node)?.probe_socket, Checksums::Offloaded)?;
            self.unloaded.remove(&node);
        }
        self.shared.wake();
        Ok(())
    }

    /// Carries nothing on exactly these links, whatever their conditions.
    pub(in super::super) fn cut(&self, links: &BTreeSet<Link>) {
        self.shared.shaper().cut(links);
    }

    /// What befell packets so far.
    pub(in super::super) fn carried(&self) -> Carried {
        let mut shaper = self.shared.shaper();
        for port in self.shared.ports.values() {
            shaper.count_overflow(port.take_lost());
        }
        shaper.carried()
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        self.shared.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn shaper(&self) -> MutexGuard<'_, Shaper> {
        self.shaper.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self) {
        // Fails only when it is full of wakes that nobody has seen yet.
        let _ = self.wake.write(1);
    }

    fn now(&self) -> u64 {
        self.began.elapsed().as_nanos() as u64
    }

    fn run(&self) {
        // Timers are late by 50 microseconds otherwise; without this they just are.
        let _ = nix::sys::prctl::set_timerslack(1);
        let mut buffer = Box::new([0_u8; FRAME_MAX]);
        while !self.stopped.load(Ordering::SeqCst) {
            let ready = match self.wait() {
                Ok(ready) => ready,
                Err(Errno::EINTR) => continue,
                Err(errno) => {
                    tracing::error!("the switch stops, its links are cut: {errno}");
                    return;
                }
            };
            let mut shaper = self.shaper();
            for node in ready {
                self.take_frames(node, &mut shaper, &mut buffer);
            }
            while let Some(outgoing) = shaper.take_due(self.now()) {
                if let Some(port) = self.ports.get(&outgoing.to)
                    && port.send(&outgoing.frame).is_err()
                {
                    shaper.count_overflow(1);
                }
            }
        }
    }

    /// Waits until a frame has come, one is due, or something has changed. Nodes that have sent.
    fn wait(&self) -> Result<Vec<NodeId>, Errno> {
        let next_due = self.shaper().next_due();
        let left = next_due
            .map_or(IDLE, |due| Duration::from_nanos(due.saturating_sub(self.now())).min(IDLE));
        let mut fds = vec![PollFd::new(self.wake.as_fd(), PollFlags::POLLIN)];
        fds.extend(self.ports.values().map(|port| PollFd::new(port.as_fd(), PollFlags::POLLIN)));
        ppoll(&mut fds, Some(left.into()), None)?;
        if fds[0].any().unwrap_or(false) {
            // Empty only if another thread was quicker, and there is none.
            let _ = self.wake.read();
        }
        let ready = self.ports.keys().zip(&fds[1..]);
        Ok(ready.filter(|(_, fd)| fd.any().unwrap_or(false)).map(|(&node, _)| node).collect())
    }

    fn take_frames(&self, from: NodeId, shaper: &mut Shaper, buffer: &mut [u8; FRAME_MAX]) {
        let Some(port) = self.ports.get(&from) else { return };
        for _ in 0..BATCH {
            // An error, such as that of an interface that is down, is over when it was read.
            let Ok(Some(length)) = port.receive(buffer) else { return };
            let frame = &buffer[..length];
            let to = destination(frame).and_then(|address| self.addresses.get(&address));
            if let Some(&to) = to {
                shaper.offer(self.now(), (from, to), frame);
            }
        }
    }
}

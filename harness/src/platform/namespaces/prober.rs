//! Probes: real packets from socket to socket, each socket in the namespace of its node.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, poll};

use super::topology::Topology;
use crate::node_id::NodeId;
use crate::platform::wait::poll_timeout;
use crate::platform::{Link, PlatformError, ProbeResult};

/// More than one, because a single packet may be lost without any partition.
const PACKETS: u32 = 3;

/// Sends probes; one round at a time.
#[derive(Debug)]
pub(crate) struct Prober {
    topology: Arc<Topology>,
    round: Mutex<u64>,
}

impl Prober {
    /// Uses the probe sockets of this network.
    pub(crate) fn new(topology: Arc<Topology>) -> Prober {
        Prober { topology, round: Mutex::new(0) }
    }

    /// Sends a few packets over every link at once, and returns when all have arrived or
    /// `patience` has passed.
    pub(crate) fn probe(
        &self,
        links: &[Link],
        patience: Duration,
    ) -> Result<Vec<ProbeResult>, PlatformError> {
        let mut round = self.round.lock().unwrap_or_else(PoisonError::into_inner);
        *round += 1;
        let deadline = Instant::now() + patience;
        let mut arrived: BTreeMap<Link, u32> = links.iter().map(|&link| (link, 0)).collect();
        for &link in arrived.keys() {
            for _ in 0..PACKETS {
                self.send(link, *round)?;
            }
        }
        while arrived.values().any(|&count| count < PACKETS) {
            if !self.wait_readable(deadline)? {
                break;
            }
            self.receive(*round, &mut arrived)?;
        }
        let result = |&(from, to): &Link| ProbeResult {
            from,
            to,
            sent: PACKETS,
            arrived: arrived[&(from, to)],
        };
        Ok(links.iter().map(result).collect())
    }

    fn send(&self, (from, to): Link, round: u64) -> Result<(), PlatformError> {
        let receiver = self.topology.node(to)?;
        let failed = |error| PlatformError::os(format!("send a probe from {from} to {to}"), error);
        let port = receiver.probe_socket.local_addr().map_err(failed)?.port();
        let sender = &self.topology.node(from)?.probe_socket;
        match sender.send_to(&encode((from, to), round), (receiver.address, port)) {
            // A full queue loses the packet, as a network may.
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(failed(error)),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Waits until some probe socket has a packet; false at the deadline.
    fn wait_readable(&self, deadline: Instant) -> Result<bool, PlatformError> {
        let sockets = self.topology.nodes.values();
        let mut fds: Vec<_> =
            sockets.map(|node| PollFd::new(node.probe_socket.as_fd(), PollFlags::POLLIN)).collect();
        match poll(&mut fds, poll_timeout(deadline)) {
            Ok(0) if Instant::now() >= deadline => Ok(false),
            Ok(_) | Err(nix::errno::Errno::EINTR) => Ok(true),
            Err(errno) => Err(PlatformError::os("wait for probes", errno.into())),
        }
    }

    fn receive(&self, round: u64, arrived: &mut BTreeMap<Link, u32>) -> Result<(), PlatformError> {
        for (&node, network) in &self.topology.nodes {
            let mut packet = [0_u8; 64];
            loop {
                match network.probe_socket.recv_from(&mut packet) {
                    Ok((length, sender)) => {
                        let link = decode(&packet[..length], round)
                            .filter(|&(from, to)| to == node && self.is_address_of(sender, from));
                        if let Some(count) = link.and_then(|link| arrived.get_mut(&link)) {
                            *count += 1;
                        }
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) => {
                        return Err(PlatformError::os(format!("receive a probe on {node}"), error));
                    }
                }
            }
        }
        Ok(())
    }

    fn is_address_of(&self, sender: SocketAddr, node: NodeId) -> bool {
        let address: Option<Ipv4Addr> = self.topology.nodes.get(&node).map(|n| n.address);
        address.is_some_and(|address| sender.ip() == address)
    }
}

/// A late packet of an earlier round must not count, so each says its round.
fn encode((from, to): Link, round: u64) -> [u8; 12] {
    let mut packet = [0; 12];
    packet[..8].copy_from_slice(&round.to_be_bytes());
    packet[8..10].copy_from_slice(&from.0.to_be_bytes());
    packet[10..].copy_from_slice(&to.0.to_be_bytes());
    packet
}

fn decode(packet: &[u8], round: u64) -> Option<Link> {
    let packet: &[u8; 12] = packet.try_into().ok()?;
    let (sent_round, link) = packet.split_first_chunk::<8>()?;
    let node = |at: usize| NodeId(u16::from_be_bytes([link[at], link[at + 1]]));
    (u64::from_be_bytes(*sent_round) == round).then(|| (node(0), node(2)))
}

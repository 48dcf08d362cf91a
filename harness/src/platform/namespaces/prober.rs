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
use crate::platform::{Link, Measured, PlatformError, ProbeResult, Train};

/// More than one, because a single packet may be lost without any partition.
const PACKETS: u32 = 3;

/// The longest probe packet; an Ethernet frame holds it.
const SIZE_MAX: usize = 1400;
/// Ethernet, IPv4 and UDP headers.
const HEADERS: usize = 42;
const STAMP: usize = 16;

/// Sends probes; one round at a time.
#[derive(Debug)]
pub(crate) struct Prober {
    topology: Arc<Topology>,
    round: Mutex<u64>,
}

/// When to stop waiting for packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Until {
    /// Every packet has arrived, or patience has passed.
    Complete,
    /// Patience has passed: packets may come twice.
    Patience,
}

/// What has arrived on one link.
#[derive(Debug, Default)]
struct Arrivals {
    /// When each packet was sent, and when it first arrived.
    packets: Vec<(Instant, Option<Instant>)>,
    /// The highest number that has arrived.
    highest: Option<u32>,
    duplicates: u32,
    overtaken: u32,
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
        let train = Train { packets: PACKETS, size: STAMP, spacing: Duration::ZERO, patience };
        let measured = self.send_train(links, train, Until::Complete)?;
        let result =
            |Measured { from, to, sent, arrived, .. }| ProbeResult { from, to, sent, arrived };
        Ok(measured.into_iter().map(result).collect())
    }

    /// Sends a train over every link at once, and waits for stragglers as long as it says.
    pub(crate) fn measure(
        &self,
        links: &[Link],
        train: Train,
    ) -> Result<Vec<Measured>, PlatformError> {
        self.send_train(links, train, Until::Patience)
    }

    fn send_train(
        &self,
        links: &[Link],
        train: Train,
        until: Until,
    ) -> Result<Vec<Measured>, PlatformError> {
        let mut round = self.round.lock().unwrap_or_else(PoisonError::into_inner);
        *round += 1;
        let mut arrivals: BTreeMap<Link, Arrivals> =
            links.iter().map(|&link| (link, Arrivals::default())).collect();
        for number in 0..train.packets {
            let wave = Instant::now() + train.spacing;
            for (&link, arrivals) in &mut arrivals {
                arrivals.packets.push((Instant::now(), None));
                self.send(link, *round, number, train.size)?;
            }
            while Instant::now() < wave && self.wait_readable(wave)? {
                self.receive(*round, &mut arrivals)?;
            }
        }
        let deadline = Instant::now() + train.patience;
        let all_complete = |arrivals: &BTreeMap<Link, Arrivals>| {
            until == Until::Complete && arrivals.values().all(Arrivals::are_complete)
        };
        while !all_complete(&arrivals) && self.wait_readable(deadline)? {
            self.receive(*round, &mut arrivals)?;
        }
        let size = packet_size(train.size);
        Ok(links.iter().map(|link| arrivals[link].measured(*link, size)).collect())
    }

    fn send(
        &self,
        (from, to): Link,
        round: u64,
        number: u32,
        size: usize,
    ) -> Result<(), PlatformError> {
        let receiver = self.topology.node(to)?;
        let failed = |error| PlatformError::os(format!("send a probe from {from} to {to}"), error);
        let port = receiver.probe_socket.local_addr().map_err(failed)?.port();
        let sender = &self.topology.node(from)?.probe_socket;
        let mut packet = [0; SIZE_MAX];
        packet[..STAMP].copy_from_slice(&encode((from, to), round, number));
        match sender.send_to(&packet[..packet_size(size)], (receiver.address, port)) {
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
            Ok(_) | Err(nix::errno::Errno::EINTR) => Ok(Instant::now() < deadline),
            Err(errno) => Err(PlatformError::os("wait for probes", errno.into())),
        }
    }

    fn receive(
        &self,
        round: u64,
        arrivals: &mut BTreeMap<Link, Arrivals>,
    ) -> Result<(), PlatformError> {
        for (&node, network) in &self.topology.nodes {
            let mut packet = [0_u8; SIZE_MAX];
            loop {
                match network.probe_socket.recv_from(&mut packet) {
                    Ok((length, sender)) => {
                        let stamp = decode(&packet[..length], round).filter(|&((from, to), _)| {
                            to == node && self.is_address_of(sender, from)
                        });
                        if let Some((link, number)) = stamp
                            && let Some(arrivals) = arrivals.get_mut(&link)
                        {
                            arrivals.note(number);
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

impl Arrivals {
    fn note(&mut self, number: u32) {
        let Some((_, arrived)) = self.packets.get_mut(number as usize) else { return };
        if arrived.is_some() {
            self.duplicates += 1;
            return;
        }
        *arrived = Some(Instant::now());
        self.overtaken += u32::from(self.highest.is_some_and(|highest| number < highest));
        self.highest = self.highest.max(Some(number));
    }

    fn are_complete(&self) -> bool {
        self.packets.iter().all(|(_, arrived)| arrived.is_some())
    }

    fn measured(&self, (from, to): Link, size: usize) -> Measured {
        let mut delays: Vec<Duration> = self
            .packets
            .iter()
            .filter_map(|&(sent, arrived)| Some(arrived?.duration_since(sent)))
            .collect();
        delays.sort_unstable();
        let times = || self.packets.iter().filter_map(|&(_, arrived)| arrived);
        let span = times().max().zip(times().min()).map(|(last, first)| last - first);
        // The first packet only starts the clock.
        let bits = (delays.len().saturating_sub(1) * (size + HEADERS) * 8) as u64;
        let rate = span
            .filter(|span| !span.is_zero())
            .map(|span| (bits as f64 / span.as_secs_f64()) as u64);
        Measured {
            from,
            to,
            sent: self.packets.len() as u32,
            arrived: delays.len() as u32,
            duplicates: self.duplicates,
            overtaken: self.overtaken,
            delay: delays.get(delays.len() / 2).copied(),
            rate,
        }
    }
}

fn packet_size(asked: usize) -> usize {
    asked.clamp(STAMP, SIZE_MAX)
}

/// A late packet of an earlier round must not count, so each says its round.
fn encode((from, to): Link, round: u64, number: u32) -> [u8; STAMP] {
    let mut packet = [0; STAMP];
    packet[..8].copy_from_slice(&round.to_be_bytes());
    packet[8..10].copy_from_slice(&from.0.to_be_bytes());
    packet[10..12].copy_from_slice(&to.0.to_be_bytes());
    packet[12..].copy_from_slice(&number.to_be_bytes());
    packet
}

fn decode(packet: &[u8], round: u64) -> Option<(Link, u32)> {
    let (sent_round, rest) = packet.split_first_chunk::<8>()?;
    let [f0, f1, t0, t1, number @ ..] = *rest.first_chunk::<8>()?;
    let node = |bytes| NodeId(u16::from_be_bytes(bytes));
    (u64::from_be_bytes(*sent_round) == round)
        .then(|| ((node([f0, f1]), node([t0, t1])), u32::from_be_bytes(number)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: Link = (NodeId(1), NodeId(2));

    #[test]
    fn stamps_of_another_round_are_not_taken() {
        let stamp = encode(LINK, 7, 9);
        assert_eq!(decode(&stamp, 7), Some((LINK, 9)));
        assert_eq!(decode(&stamp, 8), None);
        assert_eq!(decode(&stamp[..STAMP - 1], 7), None);
    }

    #[test]
    fn what_comes_twice_or_late_is_counted_apart() {
        let sent = Instant::now();
        let mut arrivals = Arrivals { packets: vec![(sent, None); 4], ..Arrivals::default() };
        for number in [0, 2, 2, 1, 9] {
            arrivals.note(number);
        }
        let measured = arrivals.measured(LINK, 100);
        assert_eq!((measured.sent, measured.arrived), (4, 3));
        assert_eq!((measured.duplicates, measured.overtaken), (1, 1));
        assert!(!arrivals.are_complete());
        assert!(measured.delay.is_some());
    }
}

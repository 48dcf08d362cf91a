//! A port of the switch: a packet socket on the hub's end of a node's cable.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::segment::ETHERNET;
use crate::platform::PlatformError;
use crate::platform::namespaces::netlink::interface_index;

/// Longer than any frame of these cables.
pub(super) const FRAME_MAX: usize = 65_536;

/// From linux/if_packet.h.
const PACKET_STATISTICS: i32 = 6;
const PACKET_QDISC_BYPASS: i32 = 20;
const PACKET_IGNORE_OUTGOING: i32 = 23;

/// Asked for; what the kernel grants is bounded by `net.core.rmem_max`.
const RECEIVE_BUFFER: i32 = 4 << 20;

/// A packet socket. It sees what the node sends, and what it sends goes to the node.
#[derive(Debug)]
pub(super) struct Port {
    fd: OwnedFd,
}

impl Port {
    /// Opens it; it sees nothing before [`Port::accept_only`] says what.
    pub(super) fn open(cable: &str) -> Result<Port, PlatformError> {
        let what = format!("open a packet socket on {cable}");
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        // SAFETY: plain call, no pointers; the result is checked and owned below.
        let fd = unsafe { libc::socket(libc::AF_PACKET, kind, 0) };
        if fd < 0 {
            return Err(PlatformError::last_os(what));
        }
        // SAFETY: `fd` was just opened and nobody else owns it.
        let port = Port { fd: unsafe { OwnedFd::from_raw_fd(fd) } };
        port.set(libc::SOL_PACKET, PACKET_IGNORE_OUTGOING, &1_i32, &what)?;
        port.set(libc::SOL_PACKET, PACKET_QDISC_BYPASS, &1_i32, &what)?;
        port.set(libc::SOL_SOCKET, libc::SO_RCVBUF, &RECEIVE_BUFFER, &what)?;
        port.accept_only(&[])?;
        // All protocols, because the bridge takes a frame before sockets of one protocol see it.
        let address = libc::sockaddr_ll {
            sll_family: libc::AF_PACKET as u16,
            sll_protocol: (libc::ETH_P_ALL as u16).to_be(),
            sll_ifindex: interface_index(cable)?.cast_signed(),
            // SAFETY: the other fields are plain data, and are not used to bind.
            ..unsafe { std::mem::zeroed() }
        };
        // SAFETY: the address is a sockaddr_ll, and its size is passed.
        let bound = unsafe {
            libc::bind(
                port.fd.as_raw_fd(),
                (&raw const address).cast(),
                size_of_val(&address) as libc::socklen_t,
            )
        };
        if bound < 0 { Err(PlatformError::last_os(what)) } else { Ok(port) }
    }

    /// Sees only IPv4 packets for these addresses (at most 64), decided in the kernel.
    pub(super) fn accept_only(&self, destinations: &[Ipv4Addr]) -> Result<(), PlatformError> {
        let filter = filter(destinations);
        let program = libc::sock_fprog {
            len: u16::try_from(filter.len()).expect("a few instructions for each node"),
            filter: filter.as_ptr().cast_mut(),
        };
        let what = "filter what a packet socket sees";
        self.set(libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program, what)
    }

    /// The next frame, and its length; none if there is none yet.
    pub(super) fn receive(&self, buffer: &mut [u8; FRAME_MAX]) -> io::Result<Option<usize>> {
        // SAFETY: pointer and length describe `buffer`, which outlives the call.
        let received =
            unsafe { libc::recv(self.fd.as_raw_fd(), buffer.as_mut_ptr().cast(), FRAME_MAX, 0) };
        if received >= 0 {
            return Ok(Some(received.unsigned_abs()));
        }
        match io::Error::last_os_error() {
            error if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            error => Err(error),
        }
    }

    /// Sends a whole frame to the node.
    pub(super) fn send(&self, frame: &[u8]) -> io::Result<()> {
        // SAFETY: pointer and length describe `frame`, which outlives the call.
        let sent =
            unsafe { libc::send(self.fd.as_raw_fd(), frame.as_ptr().cast(), frame.len(), 0) };
        if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Frames that were lost since the last call, because nobody fetched them in time.
    pub(super) fn take_lost(&self) -> u64 {
        // struct tpacket_stats: seen, and lost.
        let mut counts = [0_u32; 2];
        let mut length = size_of_val(&counts) as libc::socklen_t;
        // SAFETY: the option is two numbers, and their size is passed.
        let read = unsafe {
            libc::getsockopt(
                self.fd.as_raw_fd(),
                libc::SOL_PACKET,
                PACKET_STATISTICS,
                counts.as_mut_ptr().cast(),
                &raw mut length,
            )
        };
        if read < 0 { 0 } else { u64::from(counts[1]) }
    }

    fn set<T>(&self, level: i32, option: i32, value: &T, what: &str) -> Result<(), PlatformError> {
        // SAFETY: the value outlives the call, and its size is passed.
        let set = unsafe {
            libc::setsockopt(
                self.fd.as_raw_fd(),
                level,
                option,
                std::ptr::from_ref(value).cast(),
                size_of::<T>() as libc::socklen_t,
            )
        };
        if set < 0 { Err(PlatformError::last_os(what)) } else { Ok(()) }
    }
}

impl AsFd for Port {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// `ldh type; jne IPv4, drop; ld destination; jeq first, accept; jeq second, accept; ...; drop`.
fn filter(destinations: &[Ipv4Addr]) -> Vec<libc::sock_filter> {
    const LOAD_HALF: u16 = (libc::BPF_LD | libc::BPF_H | libc::BPF_ABS) as u16;
    const LOAD_WORD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    const IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    const IPV4: u32 = 0x0800;
    const TYPE_AT: u32 = 12;
    const DESTINATION_AT: u32 = ETHERNET as u32 + 16;
    let step = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let count = u8::try_from(destinations.len()).expect("at most 64 nodes");
    let mut filter = vec![
        step(LOAD_HALF, 0, 0, TYPE_AT),
        step(IF_EQUAL, 0, count + 1, IPV4),
        step(LOAD_WORD, 0, 0, DESTINATION_AT),
    ];
    for (left, &destination) in (1..=count).rev().zip(destinations) {
        // Over the tests that are left, and over the drop.
        filter.push(step(IF_EQUAL, left, 0, destination.to_bits()));
    }
    filter.push(step(RETURN, 0, 0, 0));
    filter.push(step(RETURN, 0, 0, u32::MAX));
    filter
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the program, as the kernel would.
    fn accepts(filter: &[libc::sock_filter], frame: &[u8]) -> bool {
        let (mut at, mut value) = (0, 0);
        loop {
            let step = filter[at];
            let load = step.k as usize;
            at += 1;
            match u32::from(step.code) & 0x07 {
                libc::BPF_LD if u32::from(step.code) & libc::BPF_H != 0 => {
                    value = u32::from(u16::from_be_bytes([frame[load], frame[load + 1]]));
                }
                libc::BPF_LD => {
                    value = u32::from_be_bytes(*frame[load..].first_chunk().unwrap());
                }
                libc::BPF_JMP if value == step.k => at += usize::from(step.jt),
                libc::BPF_JMP => at += usize::from(step.jf),
                _ => return step.k != 0,
            }
        }
    }

    #[test]
    fn only_packets_for_the_listed_addresses_pass() {
        let node = |host| Ipv4Addr::new(10, 77, 0, host);
        let mut frame = vec![0; 60];
        frame[12..14].copy_from_slice(&[8, 0]);
        for listed in 0..=64_u8 {
            let filter = filter(&(1..=listed).map(node).collect::<Vec<_>>());
            for host in [1, 2, 63, 64, 254] {
                frame[30..34].copy_from_slice(&node(host).octets());
                assert_eq!(accepts(&filter, &frame), host <= listed, "{host} of {listed}");
            }
        }
        frame[12..14].copy_from_slice(&[8, 6]);
        frame[30..34].copy_from_slice(&node(1).octets());
        assert!(!accepts(&filter(&[node(1)]), &frame), "not IPv4");
    }
}

//! Interfaces, addresses and neighbours: the few calls of rtnetlink that a topology needs.

use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::{ACK, CREATE, EXCLUSIVE, Message, Socket, descriptor};
use crate::platform::PlatformError;

const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MASTER: u16 = 10;
const IFLA_LINKINFO: u16 = 18;
const IFLA_NET_NS_FD: u16 = 28;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const VETH_INFO_PEER: u16 = 1;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const NDA_DST: u16 = 1;
const NDA_LLADDR: u16 = 2;

/// A hardware address.
pub(crate) type Mac = [u8; 6];

/// Two ends of a cable: one here, one in another network namespace.
pub(crate) struct VethPair<'a> {
    /// The end in this namespace.
    pub(crate) name: &'a str,
    /// Interface index of this end: the kernel heeds that of the other end only with this one.
    pub(crate) index: u32,
    /// Where the other end goes.
    pub(crate) peer_namespace: BorrowedFd<'a>,
    /// The other end.
    pub(crate) peer_name: &'a str,
    /// Interface index of the other end, chosen so that it need not be asked for.
    pub(crate) peer_index: u32,
    /// Hardware address of the other end.
    pub(crate) peer_mac: Mac,
}

/// Who answers for an address: set for ever, so that ARP is never needed.
pub(crate) struct Neighbour {
    /// The interface behind which it lives.
    pub(crate) interface: u32,
    /// Its address.
    pub(crate) address: Ipv4Addr,
    /// Its hardware address.
    pub(crate) mac: Mac,
}

/// An rtnetlink socket, in the network namespace in which it was opened.
#[derive(Debug)]
pub(crate) struct Route(Socket);

impl Route {
    /// Opens it in this thread's network namespace.
    pub(crate) fn open() -> Result<Route, PlatformError> {
        Socket::open(libc::NETLINK_ROUTE).map(Route)
    }

    /// Sets an interface up.
    pub(crate) fn link_up(&mut self, name: &str) -> Result<(), PlatformError> {
        let message =
            Message::new(libc::RTM_NEWLINK, ACK, &interface(0, Up::Yes)).text(IFLA_IFNAME, name);
        self.0.transact(&format!("set {name} up"), vec![message])
    }

    /// Makes a bridge.
    pub(crate) fn add_bridge(&mut self, name: &str, mac: Mac) -> Result<(), PlatformError> {
        let flags = ACK | CREATE | EXCLUSIVE;
        let message = Message::new(libc::RTM_NEWLINK, flags, &interface(0, Up::Unchanged))
            .text(IFLA_IFNAME, name)
            .bytes(IFLA_ADDRESS, &mac)
            .nested(IFLA_LINKINFO, |m| m.text(IFLA_INFO_KIND, "bridge"));
        self.0.transact(&format!("add bridge {name}"), vec![message])
    }

    /// Lays a cable between two namespaces.
    pub(crate) fn add_veth(&mut self, pair: &VethPair<'_>) -> Result<(), PlatformError> {
        let flags = ACK | CREATE | EXCLUSIVE;
        let message = Message::new(libc::RTM_NEWLINK, flags, &interface(pair.index, Up::Unchanged))
            .text(IFLA_IFNAME, pair.name)
            .nested(IFLA_LINKINFO, |m| {
                m.text(IFLA_INFO_KIND, "veth").nested(IFLA_INFO_DATA, |m| {
                    m.nested(VETH_INFO_PEER, |m| {
                        m.raw(&interface(pair.peer_index, Up::Unchanged))
                            .text(IFLA_IFNAME, pair.peer_name)
                            .bytes(IFLA_ADDRESS, &pair.peer_mac)
                            .u32(IFLA_NET_NS_FD, descriptor(pair.peer_namespace.as_raw_fd()))
                    })
                })
            });
        self.0.transact(&format!("add veth {}", pair.name), vec![message])
    }

    /// Plugs an interface into a bridge.
    pub(crate) fn set_master(&mut self, name: &str, bridge: u32) -> Result<(), PlatformError> {
        let message = Message::new(libc::RTM_NEWLINK, ACK, &interface(0, Up::Unchanged))
            .text(IFLA_IFNAME, name)
            .u32(IFLA_MASTER, bridge);
        self.0.transact(&format!("plug {name} into the bridge"), vec![message])
    }

    /// Gives an interface an address.
    pub(crate) fn add_address(
        &mut self,
        interface: u32,
        address: Ipv4Addr,
        prefix: u8,
    ) -> Result<(), PlatformError> {
        let mut header = vec![libc::AF_INET as u8, prefix, 0, 0];
        header.extend_from_slice(&interface.to_ne_bytes());
        let message = Message::new(libc::RTM_NEWADDR, ACK | CREATE | EXCLUSIVE, &header)
            .bytes(IFA_LOCAL, &address.octets())
            .bytes(IFA_ADDRESS, &address.octets());
        self.0.transact(&format!("add address {address}/{prefix}"), vec![message])
    }

    /// Pins neighbours.
    pub(crate) fn add_neighbours(&mut self, neighbours: &[Neighbour]) -> Result<(), PlatformError> {
        let messages = neighbours.iter().map(|neighbour| {
            let mut header = vec![libc::AF_INET as u8, 0, 0, 0];
            header.extend_from_slice(&neighbour.interface.to_ne_bytes());
            header.extend_from_slice(&libc::NUD_PERMANENT.to_ne_bytes());
            header.extend_from_slice(&[0, 0]);
            Message::new(libc::RTM_NEWNEIGH, ACK | CREATE, &header)
                .bytes(NDA_DST, &neighbour.address.octets())
                .bytes(NDA_LLADDR, &neighbour.mac)
        });
        self.0.transact("pin the neighbours", messages.collect())
    }
}

enum Up {
    Yes,
    Unchanged,
}

/// `struct ifinfomsg`.
fn interface(index: u32, up: Up) -> [u8; 16] {
    let mut header = [0; 16];
    header[4..8].copy_from_slice(&index.to_ne_bytes());
    if let Up::Yes = up {
        let flag = (libc::IFF_UP as u32).to_ne_bytes();
        header[8..12].copy_from_slice(&flag);
        header[12..16].copy_from_slice(&flag);
    }
    header
}

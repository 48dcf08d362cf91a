//! Fabric `nftables`: one rule on the bridge, and a set of directed pairs that it drops.
//!
//! ```text
//! table bridge breakwater {
//!   set cut { type ipv4_addr . ipv4_addr }
//!   chain forward { hook forward; meta protocol ip, ip saddr . ip daddr @cut, counter, drop }
//! }
//! ```
//!
//! A cut replaces the contents of the set in one transaction, so any partition, however many
//! pairs it has, comes into force between two packets. Spoken to the kernel directly: no `nft`.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::netlink::{ACK, APPEND, CREATE, DUMP, Message, Socket, attributes};
use super::prober::Prober;
use super::topology::Topology;
use crate::platform::{Fabric, Link, PlatformError, ProbeResult};

const TABLE: &str = "breakwater";
const SET: &str = "cut";
const CHAIN: &str = "forward";

/// Elements in one message; a nest holds less than 64 KiB and an element takes 20 bytes.
const ELEMENTS_MAX: usize = 1000;

/// From linux/netfilter/nf_tables.h, in the order of their use.
mod nft {
    pub(super) const BATCH_BEGIN: u16 = 16;
    pub(super) const BATCH_END: u16 = 17;
    pub(super) const SUBSYSTEM: u16 = 10;
    pub(super) const FAMILY_BRIDGE: u8 = 7;

    pub(super) const NEWTABLE: u16 = 0;
    pub(super) const NEWCHAIN: u16 = 3;
    pub(super) const NEWRULE: u16 = 6;
    pub(super) const GETRULE: u16 = 7;
    pub(super) const NEWSET: u16 = 9;
    pub(super) const NEWSETELEM: u16 = 12;
    pub(super) const DELSETELEM: u16 = 14;

    pub(super) const TABLE_NAME: u16 = 1;

    pub(super) const SET_TABLE: u16 = 1;
    pub(super) const SET_NAME: u16 = 2;
    pub(super) const SET_FLAGS: u16 = 3;
    pub(super) const SET_KEY_TYPE: u16 = 4;
    pub(super) const SET_KEY_LENGTH: u16 = 5;
    pub(super) const SET_ID: u16 = 10;

    pub(super) const CHAIN_TABLE: u16 = 1;
    pub(super) const CHAIN_NAME: u16 = 3;
    pub(super) const CHAIN_HOOK: u16 = 4;
    pub(super) const CHAIN_POLICY: u16 = 5;
    pub(super) const CHAIN_TYPE: u16 = 7;
    pub(super) const HOOK_NUMBER: u16 = 1;
    pub(super) const HOOK_PRIORITY: u16 = 2;
    pub(super) const HOOK_FORWARD: u32 = 2;

    pub(super) const RULE_TABLE: u16 = 1;
    pub(super) const RULE_CHAIN: u16 = 2;
    pub(super) const RULE_EXPRESSIONS: u16 = 4;
    pub(super) const LIST_ELEMENT: u16 = 1;
    pub(super) const EXPRESSION_NAME: u16 = 1;
    pub(super) const EXPRESSION_DATA: u16 = 2;
    pub(super) const DATA_VALUE: u16 = 1;
    pub(super) const DATA_VERDICT: u16 = 2;
    pub(super) const COUNTER_PACKETS: u16 = 2;

    pub(super) const ELEMENTS_TABLE: u16 = 1;
    pub(super) const ELEMENTS_SET: u16 = 2;
    pub(super) const ELEMENTS: u16 = 3;
    pub(super) const ELEMENT_KEY: u16 = 1;
}

/// The set and its rule.
#[derive(Debug)]
pub(crate) struct Nftables {
    socket: Mutex<Socket>,
    topology: Arc<Topology>,
    prober: Prober,
}

impl Nftables {
    /// Installs the empty set and the rule in this thread's network namespace.
    pub(crate) fn new(topology: Arc<Topology>) -> Result<Nftables, PlatformError> {
        let mut socket = Socket::open(libc::NETLINK_NETFILTER)?;
        install(&mut socket)?;
        let prober = Prober::new(Arc::clone(&topology));
        Ok(Nftables { socket: Mutex::new(socket), topology, prober })
    }

    fn socket(&self) -> MutexGuard<'_, Socket> {
        self.socket.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn element(&self, (from, to): Link) -> Result<[u8; 8], PlatformError> {
        let source = self.topology.node(from)?.address.octets();
        let destination = self.topology.node(to)?.address.octets();
        let mut key = [0; 8];
        key[..4].copy_from_slice(&source);
        key[4..].copy_from_slice(&destination);
        Ok(key)
    }
}

impl Fabric for Nftables {
    fn name(&self) -> &'static str {
        "nftables"
    }

    fn cut(&self, links: &BTreeSet<Link>) -> Result<(), PlatformError> {
        let elements: Vec<_> =
            links.iter().map(|&link| self.element(link)).collect::<Result<_, _>>()?;
        let what = format!("replace the set of {} cut links", elements.len());
        self.socket().transact(&what, replace(&elements))
    }

    fn probe(&self, links: &[Link], patience: Duration) -> Result<Vec<ProbeResult>, PlatformError> {
        self.prober.probe(links, patience)
    }

    fn dropped(&self) -> Option<u64> {
        let request =
            message(nft::GETRULE, DUMP).text(nft::RULE_TABLE, TABLE).text(nft::RULE_CHAIN, CHAIN);
        let rules = self.socket().dump("read the drop counter", request).ok()?;
        rules.iter().find_map(|rule| counted_packets(rule))
    }
}

/// Installs table, set, chain and rule. Also what a capability probe tries.
pub(crate) fn install(socket: &mut Socket) -> Result<(), PlatformError> {
    let table = message(nft::NEWTABLE, ACK | CREATE).text(nft::TABLE_NAME, TABLE);
    let set = message(nft::NEWSET, ACK | CREATE)
        .text(nft::SET_TABLE, TABLE)
        .text(nft::SET_NAME, SET)
        .be32(nft::SET_FLAGS, 0)
        .be32(nft::SET_KEY_TYPE, 0)
        .be32(nft::SET_KEY_LENGTH, 8)
        .be32(nft::SET_ID, 1);
    let chain = message(nft::NEWCHAIN, ACK | CREATE)
        .text(nft::CHAIN_TABLE, TABLE)
        .text(nft::CHAIN_NAME, CHAIN)
        .nested(nft::CHAIN_HOOK, |m| {
            m.be32(nft::HOOK_NUMBER, nft::HOOK_FORWARD).be32(nft::HOOK_PRIORITY, 0)
        })
        .text(nft::CHAIN_TYPE, "filter")
        .be32(nft::CHAIN_POLICY, libc::NF_ACCEPT as u32);
    install_batch(socket, vec![table, set, chain, rule()])
}

fn install_batch(socket: &mut Socket, messages: Vec<Message>) -> Result<(), PlatformError> {
    socket.transact("install the nftables set and its rule", batch(messages))
}

/// `meta protocol ip, ip saddr . ip daddr @cut, counter, drop`.
fn rule() -> Message {
    const REGISTER: u32 = 1;
    const META_PROTOCOL: u32 = 1;
    const NETWORK_HEADER: u32 = 1;
    // Source and destination address are next to each other in an IPv4 header.
    const ADDRESSES: (u32, u32) = (12, 8);
    const IPV4: u16 = 0x0800;
    const EQUAL: u32 = 0;
    const VERDICT_REGISTER: u32 = 0;
    const DROP: u32 = 0;
    message(nft::NEWRULE, ACK | CREATE | APPEND)
        .text(nft::RULE_TABLE, TABLE)
        .text(nft::RULE_CHAIN, CHAIN)
        .nested(nft::RULE_EXPRESSIONS, |m| {
            let m = expression(m, "meta", |m| m.be32(1, REGISTER).be32(2, META_PROTOCOL));
            let m = expression(m, "cmp", |m| {
                m.be32(1, REGISTER)
                    .be32(2, EQUAL)
                    .nested(3, |m| m.bytes(nft::DATA_VALUE, &IPV4.to_be_bytes()))
            });
            let m = expression(m, "payload", |m| {
                m.be32(1, REGISTER)
                    .be32(2, NETWORK_HEADER)
                    .be32(3, ADDRESSES.0)
                    .be32(4, ADDRESSES.1)
            });
            let m = expression(m, "lookup", |m| m.text(1, SET).be32(2, REGISTER).be32(4, 1));
            let m = expression(m, "counter", |m| m);
            expression(m, "immediate", |m| {
                m.be32(1, VERDICT_REGISTER)
                    .nested(2, |m| m.nested(nft::DATA_VERDICT, |m| m.be32(1, DROP)))
            })
        })
}

fn expression(m: Message, name: &str, data: impl FnOnce(Message) -> Message) -> Message {
    m.nested(nft::LIST_ELEMENT, |m| {
        m.text(nft::EXPRESSION_NAME, name).nested(nft::EXPRESSION_DATA, data)
    })
}

/// Empties the set and fills it again, in one transaction.
fn replace(elements: &[[u8; 8]]) -> Vec<Message> {
    let head = |kind, flags| {
        message(kind, flags).text(nft::ELEMENTS_TABLE, TABLE).text(nft::ELEMENTS_SET, SET)
    };
    let mut messages = vec![head(nft::DELSETELEM, ACK)];
    for chunk in elements.chunks(ELEMENTS_MAX) {
        messages.push(head(nft::NEWSETELEM, ACK | CREATE).nested(nft::ELEMENTS, |m| {
            chunk.iter().fold(m, |m, key| {
                m.nested(nft::LIST_ELEMENT, |m| {
                    m.nested(nft::ELEMENT_KEY, |m| m.bytes(nft::DATA_VALUE, key))
                })
            })
        }));
    }
    batch(messages)
}

fn message(kind: u16, flags: u16) -> Message {
    Message::new(nft::SUBSYSTEM << 8 | kind, flags, &[nft::FAMILY_BRIDGE, 0, 0, 0])
}

fn batch(messages: Vec<Message>) -> Vec<Message> {
    let subsystem = nft::SUBSYSTEM.to_be_bytes();
    let mark = |kind| Message::new(kind, 0, &[0, 0, subsystem[0], subsystem[1]]);
    let mut all = vec![mark(nft::BATCH_BEGIN)];
    all.extend(messages);
    all.push(mark(nft::BATCH_END));
    all
}

/// The packets that the counter of a dumped rule has seen.
fn counted_packets(rule: &[u8]) -> Option<u64> {
    let family_header = 4;
    let expressions = attribute(rule.get(family_header..)?, nft::RULE_EXPRESSIONS)?;
    let counter = attributes(expressions)
        .find(|(_, item)| attribute(item, nft::EXPRESSION_NAME) == Some(b"counter\0"))?
        .1;
    let packets = attribute(attribute(counter, nft::EXPRESSION_DATA)?, nft::COUNTER_PACKETS)?;
    Some(u64::from_be_bytes(packets.try_into().ok()?))
}

fn attribute(bytes: &[u8], kind: u16) -> Option<&[u8]> {
    attributes(bytes).find(|&(found, _)| found == kind).map(|(_, value)| value)
}

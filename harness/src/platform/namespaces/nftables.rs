//! Fabric `nftables`: two rules on the bridge, and the sets of directed pairs that they drop.
//!
//! ```text
//! table bridge breakwater {
//!   set cut { type ipv4_addr . ipv4_addr }
//!   set shaped { type ipv4_addr . ipv4_addr }
//!   chain forward {
//!     hook forward
//!     meta protocol ip, ip saddr . ip daddr @cut, counter, drop
//!     meta protocol ip, ip saddr . ip daddr @shaped, drop      (the switch carries these)
//!   }
//! }
//! ```
//!
//! A cut replaces the contents of a set in one transaction, so any partition, however many
//! pairs it has, comes into force between two packets. Spoken to the kernel directly: no `nft`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::netlink::{ACK, APPEND, CREATE, DUMP, Message, Socket, attributes};
use super::prober::Prober;
use super::switch::Switch;
use super::topology::Topology;
use crate::node_id::NodeId;
use crate::platform::{
    Carried, Fabric, Link, LinkConditions, Measured, PlatformError, ProbeResult, TcpCounters, Train,
};

const TABLE: &str = "breakwater";
const CUT: Set = Set { name: "cut", id: 1 };
const SHAPED: Set = Set { name: "shaped", id: 2 };
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

/// A set of directed pairs.
#[derive(Debug, Clone, Copy)]
struct Set {
    name: &'static str,
    /// Tells it from the others of one transaction.
    id: u32,
}

/// What is done to links.
#[derive(Debug, Default)]
struct Links {
    cut: BTreeSet<Link>,
    /// Started by the first link that is shaped.
    switch: Option<Switch>,
}

/// The sets and their rules.
#[derive(Debug)]
pub(crate) struct Nftables {
    socket: Mutex<Socket>,
    /// Locked before `socket`, never after it.
    links: Mutex<Links>,
    topology: Arc<Topology>,
    prober: Prober,
}

impl Nftables {
    /// Installs the empty sets and the rules in this thread's network namespace.
    pub(crate) fn new(topology: Arc<Topology>) -> Result<Nftables, PlatformError> {
        let mut socket = Socket::open(libc::NETLINK_NETFILTER)?;
        install(&mut socket)?;
        let prober = Prober::new(Arc::clone(&topology));
        let (socket, links) = (Mutex::new(socket), Mutex::default());
        Ok(Nftables { socket, links, topology, prober })
    }

    fn socket(&self) -> MutexGuard<'_, Socket> {
        self.socket.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn links(&self) -> MutexGuard<'_, Links> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn replace(
        &self,
        set: Set,
        links: impl ExactSizeIterator<Item = Link>,
    ) -> Result<(), PlatformError> {
        let what = format!("replace the set of {} {} links", links.len(), set.name);
        let elements: Vec<_> = links.map(|link| self.element(link)).collect::<Result<_, _>>()?;
        self.socket().transact(&what, replace(set, &elements))
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
        let mut state = self.links();
        self.replace(CUT, links.iter().copied())?;
        state.cut.clone_from(links);
        if let Some(switch) = &state.switch {
            switch.cut(links);
        }
        Ok(())
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

    fn shape(
        &self,
        conditions: &BTreeMap<Link, LinkConditions>,
        seed: u64,
    ) -> Result<(), PlatformError> {
        let mut state = self.links();
        let Links { cut, switch } = &mut *state;
        let switch = match switch {
            Some(switch) => switch,
            None if conditions.is_empty() => return Ok(()),
            None => {
                let started = switch.insert(Switch::start(&self.topology)?);
                started.cut(cut);
                started
            }
        };
        // In the moment between the two a packet may be carried twice or not at all.
        switch.shape(conditions, seed)?;
        self.replace(SHAPED, conditions.keys().copied())
    }

    fn carried(&self) -> Carried {
        self.links().switch.as_ref().map_or_else(Carried::default, Switch::carried)
    }

    fn measure(&self, links: &[Link], train: Train) -> Result<Vec<Measured>, PlatformError> {
        self.prober.measure(links, train)
    }

    fn tcp_counters(&self, node: NodeId) -> Result<TcpCounters, PlatformError> {
        let text = self.topology.node(node)?.read_proc_net("snmp")?;
        tcp_counters(&text).ok_or_else(|| {
            PlatformError::Unsupported("this kernel does not count what TCP does".to_owned())
        })
    }
}

/// `Tcp:` is there twice: names, and numbers in the same order.
fn tcp_counters(snmp: &str) -> Option<TcpCounters> {
    let mut lines = snmp.lines().filter_map(|line| line.strip_prefix("Tcp:"));
    let (names, numbers) = (lines.next()?.split_whitespace(), lines.next()?.split_whitespace());
    let counters: BTreeMap<&str, &str> = names.zip(numbers).collect();
    let counter = |name: &str| counters.get(name)?.parse().ok();
    Some(TcpCounters { resets: counter("EstabResets")?, checksum_errors: counter("InCsumErrors")? })
}

/// Installs table, sets, chain and rules. Also what a capability probe tries.
pub(crate) fn install(socket: &mut Socket) -> Result<(), PlatformError> {
    let table = message(nft::NEWTABLE, ACK | CREATE).text(nft::TABLE_NAME, TABLE);
    let set = |set: Set| {
        message(nft::NEWSET, ACK | CREATE)
            .text(nft::SET_TABLE, TABLE)
            .text(nft::SET_NAME, set.name)
            .be32(nft::SET_FLAGS, 0)
            .be32(nft::SET_KEY_TYPE, 0)
            .be32(nft::SET_KEY_LENGTH, 8)
            .be32(nft::SET_ID, set.id)
    };
    let chain = message(nft::NEWCHAIN, ACK | CREATE)
        .text(nft::CHAIN_TABLE, TABLE)
        .text(nft::CHAIN_NAME, CHAIN)
        .nested(nft::CHAIN_HOOK, |m| {
            m.be32(nft::HOOK_NUMBER, nft::HOOK_FORWARD).be32(nft::HOOK_PRIORITY, 0)
        })
        .text(nft::CHAIN_TYPE, "filter")
        .be32(nft::CHAIN_POLICY, libc::NF_ACCEPT as u32);
    let rules = [rule(CUT, Counted::Yes), rule(SHAPED, Counted::No)];
    let messages = [table, set(CUT), set(SHAPED), chain].into_iter().chain(rules).collect();
    socket.transact("install the nftables sets and their rules", batch(messages))
}

/// Does a rule count what it drops?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counted {
    Yes,
    No,
}

/// `meta protocol ip, ip saddr . ip daddr @set, counter, drop`.
fn rule(set: Set, counted: Counted) -> Message {
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
            let m =
                expression(m, "lookup", |m| m.text(1, set.name).be32(2, REGISTER).be32(4, set.id));
            let m = match counted {
                Counted::Yes => expression(m, "counter", |m| m),
                Counted::No => m,
            };
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
fn replace(set: Set, elements: &[[u8; 8]]) -> Vec<Message> {
    let head = |kind, flags| {
        message(kind, flags).text(nft::ELEMENTS_TABLE, TABLE).text(nft::ELEMENTS_SET, set.name)
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

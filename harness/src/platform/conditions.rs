//! What befalls packets on a link, and how it is measured from outside.

use std::ops::AddAssign;
use std::time::Duration;

use serde::Serialize;

use crate::node_id::NodeId;

/// What befalls the packets of one directed link. Chances are between 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LinkConditions {
    /// Every packet comes so much later.
    pub delay: Duration,
    /// And at most so much more or less than that, evenly; packets stay in order.
    pub jitter: Duration,
    /// Chance that a packet is lost.
    pub loss: f64,
    /// Chance that a packet arrives twice.
    pub duplication: f64,
    /// Chance that a packet is held back, so that those behind it overtake it.
    pub reordering: f64,
    /// Chance that one bit of a packet is turned round.
    pub corruption: f64,
    /// Chance that a TCP segment is answered by resets to both ends instead of being carried.
    pub resets: f64,
    /// Which TCP connections are carried.
    pub connections: Connections,
    /// Bits per second; more than that waits in a short queue, or is lost. None for no limit.
    pub rate: Option<u64>,
}

/// Which TCP connections a link carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Connections {
    /// All.
    All,
    /// Those that were opened under these conditions: a firewall that forgot the others.
    New,
}

impl LinkConditions {
    /// Nothing befalls them.
    pub const NONE: LinkConditions = LinkConditions {
        delay: Duration::ZERO,
        jitter: Duration::ZERO,
        loss: 0.0,
        duplication: 0.0,
        reordering: 0.0,
        corruption: 0.0,
        resets: 0.0,
        connections: Connections::All,
        rate: None,
    };

    /// Both at once.
    pub fn and(self, other: LinkConditions) -> LinkConditions {
        let either = |a: f64, b: f64| 1.0 - (1.0 - a) * (1.0 - b);
        LinkConditions {
            delay: self.delay + other.delay,
            jitter: self.jitter + other.jitter,
            loss: either(self.loss, other.loss),
            duplication: either(self.duplication, other.duplication),
            reordering: either(self.reordering, other.reordering),
            corruption: either(self.corruption, other.corruption),
            resets: either(self.resets, other.resets),
            connections: self.connections.max(other.connections),
            rate: self.rate.into_iter().chain(other.rate).min(),
        }
    }
}

/// Packets that met a link's conditions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Carried {
    /// That came to the link.
    pub packets: u64,
    /// Lost by chance.
    pub lost: u64,
    /// Sent twice.
    pub duplicated: u64,
    /// Held back.
    pub reordered: u64,
    /// With a bit turned round.
    pub corrupted: u64,
    /// Answered by resets.
    pub reset: u64,
    /// Of connections that are not carried.
    pub forgotten: u64,
    /// Lost because a queue was full.
    pub overflowed: u64,
}

impl Carried {
    /// What came since `earlier`.
    pub fn since(self, earlier: Carried) -> Carried {
        Carried {
            packets: self.packets.saturating_sub(earlier.packets),
            lost: self.lost.saturating_sub(earlier.lost),
            duplicated: self.duplicated.saturating_sub(earlier.duplicated),
            reordered: self.reordered.saturating_sub(earlier.reordered),
            corrupted: self.corrupted.saturating_sub(earlier.corrupted),
            reset: self.reset.saturating_sub(earlier.reset),
            forgotten: self.forgotten.saturating_sub(earlier.forgotten),
            overflowed: self.overflowed.saturating_sub(earlier.overflowed),
        }
    }
}

impl AddAssign for Carried {
    fn add_assign(&mut self, other: Carried) {
        self.packets += other.packets;
        self.lost += other.lost;
        self.duplicated += other.duplicated;
        self.reordered += other.reordered;
        self.corrupted += other.corrupted;
        self.reset += other.reset;
        self.forgotten += other.forgotten;
        self.overflowed += other.overflowed;
    }
}

/// Numbered probe packets, one behind the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Train {
    /// On each link.
    pub packets: u32,
    /// Bytes of each, without headers.
    pub size: usize,
    /// From one to the next.
    pub spacing: Duration,
    /// How long to wait for stragglers after the last.
    pub patience: Duration,
}

/// What became of a train on one link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Measured {
    /// Sender.
    pub from: NodeId,
    /// Receiver.
    pub to: NodeId,
    /// Packets sent.
    pub sent: u32,
    /// Packets that arrived, each counted once.
    pub arrived: u32,
    /// Arrivals of packets that had arrived before.
    pub duplicates: u32,
    /// Packets that arrived behind one that was sent later.
    pub overtaken: u32,
    /// The median time on the way, of those that arrived.
    pub delay: Option<Duration>,
    /// Bits per second, headers included, from the first arrival to the last.
    pub rate: Option<u64>,
}

/// What the TCP of a node has counted since the node's network was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct TcpCounters {
    /// Connections that were ended by a reset.
    pub resets: u64,
    /// Segments that did not match their checksum.
    pub checksum_errors: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_of_two_faults_add_up() {
        let slow = LinkConditions {
            delay: Duration::from_millis(30),
            loss: 0.5,
            rate: Some(1_000),
            ..LinkConditions::NONE
        };
        let lossy = LinkConditions {
            delay: Duration::from_millis(10),
            loss: 0.5,
            connections: Connections::New,
            ..LinkConditions::NONE
        };
        let both = slow.and(lossy);
        assert_eq!(both, lossy.and(slow));
        assert_eq!(both.delay, Duration::from_millis(40));
        assert!((both.loss - 0.75).abs() < 1e-9);
        assert_eq!((both.rate, both.connections), (Some(1_000), Connections::New));
        assert_eq!(slow.and(LinkConditions::NONE), slow);
    }
}

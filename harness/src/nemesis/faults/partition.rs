//! Partitions: cut links, and look whether packets really stop.

use std::collections::BTreeSet;
use std::sync::Arc;

use rand_chacha::ChaCha8Rng;
use serde_json::json;

use super::grudge::{Direction, PartitionShape, grudge};
use crate::nemesis::fault::{ActiveFault, Fault, FaultKind, Situation};
use crate::nemesis::record::FaultRecord;
use crate::nemesis::surroundings::{PROBE_PATIENCE, Seen, Surroundings};
use crate::platform::{Link, ProbeResult};

/// Packets dropped between nodes.
pub const PARTITION: FaultKind = FaultKind {
    name: "partition",
    about: "Drops packets between nodes: one node, halves, a random majority, rings of majorities, \
            a bridge, the leader alone, every node alone; both ways or one way only. Clients keep \
            their links, so the minority side is asked too.",
    help: "\
How: the bridge between the nodes drops packets by their pair of addresses; nftables replaces all pairs in one transaction \
(--fabric iptables: rules in the nodes' namespaces; platform loopback: proxies that stall). Connections are not reset.
Seen to act: probes over every link, cut or not, when it is installed and when it is healed; packets dropped are counted.
Shapes: one, halves, majority, majorities-ring, bridge, leader, shattered; each both ways, or one way only as seen \
from the smaller side (incoming: it cannot hear; outgoing: it is not heard).
Finds: two leaders at once, reads from the minority, writes that the minority acknowledged, a cluster that cannot elect.
With --keep-quorum: only shapes that leave some majority connected.",
    nodes_min: 2,
    forgets: false,
    arrangements: &[],
    variants,
};

/// A planned partition.
#[derive(Debug)]
struct Partition {
    shape: PartitionShape,
    direction: Direction,
}

fn variants(situation: Situation) -> Vec<Arc<dyn Fault>> {
    let Situation { nodes, keep_quorum } = situation;
    PartitionShape::ALL
        .iter()
        .filter(|&&shape| !keep_quorum || leaves_quorum(shape, nodes))
        .flat_map(|&shape| {
            // The two-way cut comes twice: it is what real networks do most.
            [Direction::Both, Direction::Both, Direction::Incoming, Direction::Outgoing]
                .into_iter()
                .filter(move |&direction| shape.nodes_min(direction) <= usize::from(nodes))
                .map(move |direction| Arc::new(Partition { shape, direction }) as Arc<dyn Fault>)
        })
        .collect()
}

/// Does some majority of the nodes stay connected?
fn leaves_quorum(shape: PartitionShape, nodes: u16) -> bool {
    match shape {
        PartitionShape::One | PartitionShape::Leader => nodes > 2,
        PartitionShape::Majority | PartitionShape::Bridge => true,
        // Of three nodes in a one-way ring, no two hear each other.
        PartitionShape::MajoritiesRing => nodes > 3,
        PartitionShape::Halves => nodes % 2 == 1,
        PartitionShape::Shattered => false,
    }
}

impl Fault for Partition {
    fn variant(&self) -> String {
        format!("{}, {}", self.shape, self.direction)
    }

    fn install(
        &self,
        surroundings: &Surroundings<'_>,
        rng: &mut ChaCha8Rng,
        record: &mut FaultRecord,
    ) -> (Option<Box<dyn ActiveFault>>, Seen) {
        let Partition { shape, direction } = *self;
        let leader = match shape {
            PartitionShape::Leader => surroundings.control.leader(),
            _ => None,
        };
        record.description = format!("partition: {shape}");
        let grudge = match grudge(shape, direction, surroundings.nodes, leader, rng) {
            Ok(grudge) => grudge,
            Err(error) => return (None, Seen::Skipped { reason: error.to_string() }),
        };
        record.description = format!("partition: {}", grudge.description);
        record.targets.clone_from(&grudge.targets);
        record.parameters = json!({
            "shape": shape,
            "direction": direction,
            "links": grudge.links.iter().map(|(a, b)| format!("{a}->{b}")).collect::<Vec<_>>(),
        });
        let fabric = surroundings.platform.fabric();
        let dropped_before = fabric.dropped();
        if let Err(error) = fabric.cut(&grudge.links) {
            return (None, Seen::Skipped { reason: error.to_string() });
        }
        record.installed_time = Some(surroundings.now());
        let partition = Cut { links: grudge.links, dropped_before };
        let seen = partition.probe_cut(surroundings);
        (Some(Box::new(partition)), seen)
    }
}

/// Links that are cut.
struct Cut {
    links: BTreeSet<Link>,
    dropped_before: Option<u64>,
}

impl ActiveFault for Cut {
    fn heal(self: Box<Self>, surroundings: &Surroundings<'_>, record: &mut FaultRecord) -> Seen {
        let fabric = surroundings.platform.fabric();
        let dropped = match (fabric.dropped(), self.dropped_before) {
            (Some(after), Some(before)) => Some(after.saturating_sub(before)),
            _ => None,
        };
        let healed = fabric.heal();
        record.healed_time = Some(surroundings.now());
        if let Err(error) = healed {
            let reason = format!("heal the partition: {error}");
            record.heal_failure = Some(reason.clone());
            return Seen::Unclear { reason, evidence: json!({}) };
        }
        let links: Vec<Link> = self.links.iter().copied().collect();
        let probes = match fabric.probe(&links, PROBE_PATIENCE) {
            Ok(probes) => probes,
            Err(error) => {
                let reason = format!("probe the healed links: {error}");
                return Seen::Unclear { reason, evidence: json!({}) };
            }
        };
        let (sent, arrived) = totals(&probes);
        let evidence =
            json!({ "probes_sent": sent, "probes_arrived": arrived, "packets_dropped": dropped });
        let silent: Vec<&ProbeResult> = probes.iter().filter(|probe| probe.arrived == 0).collect();
        if let Some(probe) = silent.first() {
            let reason =
                format!("after the heal nothing arrived from {} at {}", probe.from, probe.to);
            return Seen::Unclear { reason, evidence };
        }
        let packets = match dropped {
            Some(dropped) => format!("{dropped} packets dropped meanwhile, "),
            None => String::new(),
        };
        let summary = format!("{packets}after the heal {arrived} of {sent} probes arrived");
        Seen::Yes { evidence, summary }
    }
}

impl Cut {
    /// Probes all links, cut or not.
    fn probe_cut(&self, surroundings: &Surroundings<'_>) -> Seen {
        let nodes = surroundings.nodes;
        let cut: Vec<Link> = self.links.iter().copied().collect();
        let open: Vec<Link> = nodes
            .iter()
            .flat_map(|&a| nodes.iter().filter(move |&&b| a != b).map(move |&b| (a, b)))
            .filter(|link| !self.links.contains(link))
            .collect();
        // Apart, because probes of cut links wait for all of their patience.
        let fabric = surroundings.platform.fabric();
        let probed = fabric
            .probe(&cut, PROBE_PATIENCE)
            .and_then(|cut_probes| Ok((cut_probes, fabric.probe(&open, PROBE_PATIENCE)?)));
        let (cut_probes, open_probes) = match probed {
            Ok(probes) => probes,
            Err(error) => {
                let reason = format!("probe the cut links: {error}");
                return Seen::Unclear { reason, evidence: json!({}) };
            }
        };
        let (cut_sent, cut_arrived) = totals(&cut_probes);
        let (open_sent, open_arrived) = totals(&open_probes);
        let evidence = json!({
            "cut_links": cut.len(),
            "cut_probes_sent": cut_sent,
            "cut_probes_arrived": cut_arrived,
            "open_links": open.len(),
            "open_probes_sent": open_sent,
            "open_probes_arrived": open_arrived,
        });
        if cut_arrived > 0 {
            let reason = format!("{cut_arrived} of {cut_sent} probes still arrived over cut links");
            return Seen::Unclear { reason, evidence };
        }
        let others = match open.len() {
            0 => String::new(),
            _ => format!(", {open_arrived} of {open_sent} arrived over the other links"),
        };
        let summary = format!(
            "{} cut: {cut_sent} of {cut_sent} probes lost{others}",
            crate::plural::counted(cut.len() as u64, "link"),
        );
        Seen::Yes { evidence, summary }
    }
}

fn totals(probes: &[ProbeResult]) -> (u32, u32) {
    (probes.iter().map(|probe| probe.sent).sum(), probes.iter().map(|probe| probe.arrived).sum())
}

//! Partitions: who must not hear whom, for as long as the fault lasts.

use std::sync::Arc;

use rand_chacha::ChaCha8Rng;
use serde_json::json;

use super::cut::{choose_grudge, install_cut, link_names};
use super::grudge::{Direction, PartitionShape};
use crate::nemesis::fault::{Fault, FaultKind, Situation};
use crate::nemesis::record::FaultRecord;
use crate::nemesis::surroundings::{Installed, Skipped, Surroundings};

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
        .filter(|&&shape| !keep_quorum || leaves_quorum(shape, usize::from(nodes)))
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
fn leaves_quorum(shape: PartitionShape, nodes: usize) -> bool {
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
    ) -> Result<Installed, Skipped> {
        let Partition { shape, direction } = *self;
        let grudge = choose_grudge("partition", shape, direction, surroundings, rng, record)?;
        record.parameters = json!({
            "shape": shape,
            "direction": direction,
            "links": link_names(&grudge.links),
            "quorum_left": leaves_quorum(shape, surroundings.nodes.len()),
        });
        install_cut(grudge.links, surroundings, record)
    }
}

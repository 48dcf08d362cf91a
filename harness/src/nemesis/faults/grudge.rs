//! Grudges: which node must not hear which. Pure; the same seed gives the same grudge.
//!
//! ```text
//! shape, direction, nodes, leader ── grudge() ──> directed links to cut, and words for them
//! halves, both:      n1 n4 | n2 n3 n5
//! bridge, both:      n1 n4 | n2 | n3 n5       (n2 sees both sides)
//! majorities-ring:   every node sees a majority, no two the same
//! shattered, both:   n4 | n1 | n5 | n2 | n3
//! ```
//!
//! Invariants: a link never leads from a node to itself; the links of `Both` are those of
//! `Incoming` and of `Outgoing` together, and are symmetric.

use std::collections::BTreeSet;
use std::fmt;

use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, RngExt};
use serde::Serialize;

use crate::node_id::NodeId;
use crate::platform::Link;

/// Who is cut off from whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum PartitionShape {
    /// One random node from the rest.
    One,
    /// Two random sides as even as possible.
    Halves,
    /// A random minority, of random size, from the majority.
    Majority,
    /// Every node sees a majority, no two the same.
    MajoritiesRing,
    /// Two sides that only one node sees both of.
    Bridge,
    /// The leader from the rest.
    Leader,
    /// Every node from every other: no quorum anywhere.
    Shattered,
}

/// Which packets are cut, seen from the smaller (first) side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Direction {
    /// Both ways.
    Both,
    /// The side cannot hear, but is heard.
    Incoming,
    /// The side is not heard, but hears.
    Outgoing,
}

/// Links to cut, and what to say about them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Grudge {
    /// Directed pairs whose packets are dropped.
    pub(super) links: BTreeSet<Link>,
    /// Such as `halves: n1 n4 | n2 n3 n5`, `one, incoming: n3 | n1 n2`.
    pub(super) description: String,
    /// The side that is cut off; every node of a ring.
    pub(super) targets: Vec<NodeId>,
}

/// There is no such grudge among these nodes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum GrudgeError {
    /// Too few nodes for the shape.
    #[error("a {shape} partition ({direction}) needs {needed} nodes, there are {found}")]
    TooFewNodes {
        /// The shape asked for.
        shape: PartitionShape,
        /// The direction asked for.
        direction: Direction,
        /// The fewest that have one.
        needed: usize,
        /// How many there are.
        found: usize,
    },
    /// A leader partition needs to know the leader.
    #[error("no leader among the nodes is known")]
    NoLeader,
}

impl PartitionShape {
    /// All shapes.
    pub(super) const ALL: [PartitionShape; 7] = [
        PartitionShape::One,
        PartitionShape::Halves,
        PartitionShape::Majority,
        PartitionShape::MajoritiesRing,
        PartitionShape::Bridge,
        PartitionShape::Leader,
        PartitionShape::Shattered,
    ];

    /// The fewest nodes that have this shape.
    pub(super) fn nodes_min(self, direction: Direction) -> usize {
        match (self, direction) {
            (
                PartitionShape::One
                | PartitionShape::Halves
                | PartitionShape::Leader
                | PartitionShape::Shattered,
                _,
            ) => 2,
            (PartitionShape::Majority | PartitionShape::Bridge, _) => 3,
            // Of three nodes, two that see each other see the same majority.
            (PartitionShape::MajoritiesRing, Direction::Both) => 4,
            (PartitionShape::MajoritiesRing, Direction::Incoming | Direction::Outgoing) => 3,
        }
    }
}

impl fmt::Display for PartitionShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PartitionShape::One => "one",
            PartitionShape::Halves => "halves",
            PartitionShape::Majority => "majority",
            PartitionShape::MajoritiesRing => "majorities-ring",
            PartitionShape::Bridge => "bridge",
            PartitionShape::Leader => "leader",
            PartitionShape::Shattered => "shattered",
        })
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Direction::Both => "both",
            Direction::Incoming => "incoming",
            Direction::Outgoing => "outgoing",
        })
    }
}

/// Draws a grudge. The order of `nodes` does not matter.
pub(super) fn grudge(
    shape: PartitionShape,
    direction: Direction,
    nodes: &[NodeId],
    leader: Option<NodeId>,
    rng: &mut impl Rng,
) -> Result<Grudge, GrudgeError> {
    let mut nodes: Vec<NodeId> =
        nodes.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
    let (needed, found) = (shape.nodes_min(direction), nodes.len());
    if found < needed {
        return Err(GrudgeError::TooFewNodes { shape, direction, needed, found });
    }
    let split = |side: &[NodeId], middle: Option<NodeId>| {
        let is_other = |node: &&NodeId| !side.contains(node) && Some(**node) != middle;
        let others: Vec<NodeId> = nodes.iter().filter(is_other).copied().collect();
        sides(shape, direction, side, middle, &others)
    };
    Ok(match shape {
        PartitionShape::One => {
            let one = *nodes.choose(rng).expect("there are two");
            split(&[one], None)
        }
        PartitionShape::Leader => {
            let leader = leader.filter(|leader| nodes.contains(leader));
            split(&[leader.ok_or(GrudgeError::NoLeader)?], None)
        }
        PartitionShape::Majority => {
            let minority = rng.random_range(1..=(found - 1) / 2);
            split(&draw(&nodes, minority, rng), None)
        }
        PartitionShape::Halves => split(&draw(&nodes, found / 2, rng), None),
        PartitionShape::Bridge => {
            let half = found / 2;
            let drawn = draw(&nodes, half + 1, rng);
            split(&drawn[..half], Some(drawn[half]))
        }
        PartitionShape::MajoritiesRing => {
            nodes.shuffle(rng);
            ring(direction, &nodes)
        }
        PartitionShape::Shattered => {
            nodes.shuffle(rng);
            shattered(direction, &nodes)
        }
    })
}

/// That many random nodes, in random order.
fn draw(nodes: &[NodeId], count: usize, rng: &mut impl Rng) -> Vec<NodeId> {
    let mut nodes = nodes.to_vec();
    nodes.shuffle(rng);
    nodes.truncate(count);
    nodes
}

fn sides(
    shape: PartitionShape,
    direction: Direction,
    side: &[NodeId],
    middle: Option<NodeId>,
    others: &[NodeId],
) -> Grudge {
    let mut links = BTreeSet::new();
    for &inner in side {
        for &outer in others {
            add(&mut links, direction, inner, outer);
        }
    }
    let mut targets = side.to_vec();
    targets.sort_unstable();
    let mut groups = vec![list(&targets)];
    groups.extend(middle.map(|node| node.to_string()));
    groups.push(list(others));
    let description = format!("{}: {}", title(shape, direction), groups.join(" | "));
    Grudge { links, description, targets }
}

/// Each node sees as many neighbours to its left as to its right, just enough for a majority with
/// itself. Jepsen does the same for up to five nodes and grows random links for more, which gives
/// majorities, but may give the same twice. One way, a node still hears all but the further half
/// on one side.
fn ring(direction: Direction, ring: &[NodeId]) -> Grudge {
    let count = ring.len();
    let majority = count / 2 + 1;
    let reach = (majority - 1).div_ceil(2);
    let mut links = BTreeSet::new();
    for (position, &node) in ring.iter().enumerate() {
        // Every pair out of reach is met once from each end at the same distance, unless it is
        // half-way round, where it is met at the same distance from both.
        for distance in 1..=count / 2 {
            let is_cut = match direction {
                Direction::Both => distance > reach,
                // Of three nodes, nobody is out of reach; Jepsen lets each not hear the next.
                Direction::Incoming | Direction::Outgoing => distance > reach.min(count / 2 - 1),
            };
            let opposite = 2 * distance == count;
            let ahead = ring[(position + distance) % count];
            // Opposite pairs are cut once, or they would be cut both ways.
            if is_cut && !(opposite && position >= distance) {
                add(&mut links, direction, node, ahead);
            }
        }
    }
    let mut targets = ring.to_vec();
    targets.sort_unstable();
    let title = title(PartitionShape::MajoritiesRing, direction);
    Grudge { links, description: format!("{title}: {}", list(ring)), targets }
}

/// Every pair is cut; one way, each node hears only those before it in a random order, or after it.
fn shattered(direction: Direction, order: &[NodeId]) -> Grudge {
    let mut links = BTreeSet::new();
    for (position, &node) in order.iter().enumerate() {
        for &later in &order[position + 1..] {
            add(&mut links, direction, node, later);
        }
    }
    let mut targets = order.to_vec();
    targets.sort_unstable();
    let title = title(PartitionShape::Shattered, direction);
    Grudge { links, description: format!("{title}: {}", list(order)), targets }
}

fn add(links: &mut BTreeSet<Link>, direction: Direction, inner: NodeId, outer: NodeId) {
    match direction {
        Direction::Both => links.extend([(inner, outer), (outer, inner)]),
        Direction::Incoming => links.extend([(outer, inner)]),
        Direction::Outgoing => links.extend([(inner, outer)]),
    }
}

fn title(shape: PartitionShape, direction: Direction) -> String {
    match direction {
        Direction::Both => shape.to_string(),
        Direction::Incoming | Direction::Outgoing => format!("{shape}, {direction}"),
    }
}

fn list(nodes: &[NodeId]) -> String {
    nodes.iter().map(NodeId::to_string).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;

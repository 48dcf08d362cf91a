use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::*;

const DIRECTIONS: [Direction; 3] = [Direction::Both, Direction::Incoming, Direction::Outgoing];

const SEEDS: u64 = 50;
const NODES_MAX: u16 = 9;

fn nodes(count: u16) -> Vec<NodeId> {
    (1..=count).map(NodeId).collect()
}

fn draw_one(shape: PartitionShape, direction: Direction, count: u16, seed: u64) -> Grudge {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let leader = Some(NodeId(count));
    grudge(shape, direction, &nodes(count), leader, &mut rng).expect("enough nodes")
}

/// Calls `check` for every shape, direction, number of nodes that has it, and some seeds.
fn for_all(check: impl Fn(PartitionShape, Direction, u16, &Grudge)) {
    for shape in PartitionShape::ALL {
        for direction in DIRECTIONS {
            let fewest = u16::try_from(shape.nodes_min(direction)).expect("small");
            for count in fewest..=NODES_MAX {
                for seed in 0..SEEDS {
                    let grudge = draw_one(shape, direction, count, seed);
                    check(shape, direction, count, &grudge);
                }
            }
        }
    }
}

/// The nodes that `node` hears, itself too.
fn hears(grudge: &Grudge, count: u16, node: NodeId) -> BTreeSet<NodeId> {
    nodes(count).into_iter().filter(|&other| !grudge.links.contains(&(other, node))).collect()
}

fn is_symmetric(grudge: &Grudge) -> bool {
    grudge.links.iter().all(|&(from, to)| grudge.links.contains(&(to, from)))
}

#[test]
fn every_grudge_cuts_something_between_different_known_nodes() {
    for_all(|shape, direction, count, grudge| {
        let name = format!("{shape} {direction} {count}: {grudge:?}");
        assert!(!grudge.links.is_empty(), "{name}");
        for (from, to) in &grudge.links {
            assert_ne!(from, to, "{name}");
            assert!((1..=count).contains(&from.0) && (1..=count).contains(&to.0), "{name}");
        }
    });
}

#[test]
fn both_is_symmetric_and_one_way_never_cuts_back() {
    for_all(|shape, direction, count, grudge| {
        let name = format!("{shape} {direction} {count}: {grudge:?}");
        match direction {
            Direction::Both => assert!(is_symmetric(grudge), "{name}"),
            Direction::Incoming | Direction::Outgoing => {
                let cut_back =
                    grudge.links.iter().any(|&(from, to)| grudge.links.contains(&(to, from)));
                assert!(!cut_back, "{name}");
            }
        }
    });
}

#[test]
fn both_is_incoming_and_outgoing_together() {
    for shape in PartitionShape::ALL {
        let fewest = u16::try_from(shape.nodes_min(Direction::Both)).expect("small");
        for (count, seed) in (fewest..=NODES_MAX).flat_map(|c| (0..SEEDS).map(move |s| (c, s))) {
            let [both, incoming, outgoing] =
                DIRECTIONS.map(|direction| draw_one(shape, direction, count, seed).links);
            let union: BTreeSet<Link> = incoming.union(&outgoing).copied().collect();
            assert_eq!(both, union, "{shape} {count} {seed}");
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_grudge_in_any_order_of_nodes() {
    for_all(|shape, direction, count, _| {
        let mut reversed = nodes(count);
        reversed.reverse();
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let again = grudge(shape, direction, &reversed, Some(NodeId(count)), &mut rng);
        assert_eq!(again, Ok(draw_one(shape, direction, count, 7)));
    });
}

#[test]
fn majorities_ring_gives_everybody_another_majority() {
    for direction in DIRECTIONS {
        let fewest = u16::try_from(PartitionShape::MajoritiesRing.nodes_min(direction));
        for count in fewest.expect("small")..=NODES_MAX {
            let grudge = draw_one(PartitionShape::MajoritiesRing, direction, count, 3);
            let views: Vec<_> = nodes(count).iter().map(|&n| hears(&grudge, count, n)).collect();
            for view in &views {
                assert!(view.len() > usize::from(count) / 2, "{direction} {count}: {grudge:?}");
            }
            if direction == Direction::Both || count % 2 == 1 {
                let different: BTreeSet<_> = views.iter().collect();
                assert_eq!(different.len(), views.len(), "{direction} {count}: {grudge:?}");
            }
        }
    }
}

#[test]
fn majorities_ring_of_five_is_the_one_of_jepsen() {
    let grudge = draw_one(PartitionShape::MajoritiesRing, Direction::Both, 5, 1);
    assert_eq!(grudge.links.len(), 10);
    for node in nodes(5) {
        assert_eq!(hears(&grudge, 5, node).len(), 3);
    }
}

#[test]
fn sides_have_the_right_sizes() {
    for count in 3..=NODES_MAX {
        for seed in 0..SEEDS {
            let side = |shape| draw_one(shape, Direction::Both, count, seed).targets.len();
            let count = usize::from(count);
            assert_eq!(side(PartitionShape::One), 1);
            assert_eq!(side(PartitionShape::Leader), 1);
            assert_eq!(side(PartitionShape::Halves), count / 2);
            let minority = side(PartitionShape::Majority);
            assert!(minority >= 1 && 2 * minority < count, "{minority} of {count}");
        }
    }
}

#[test]
fn one_node_of_a_bridge_sees_everybody_and_the_sides_do_not_see_each_other() {
    for count in 3..=NODES_MAX {
        let grudge = draw_one(PartitionShape::Bridge, Direction::Both, count, 5);
        let all = usize::from(count);
        let views: Vec<usize> =
            nodes(count).iter().map(|&node| hears(&grudge, count, node).len()).collect();
        assert_eq!(views.iter().filter(|&&seen| seen == all).count(), 1, "{grudge:?}");
        let first = all / 2 + 1;
        let second = all - all / 2;
        assert!(views.iter().all(|seen| [all, first, second].contains(seen)), "{grudge:?}");
    }
}

#[test]
fn incoming_is_about_what_the_leader_hears() {
    let heard = |direction| draw_one(PartitionShape::Leader, direction, 3, 0).links;
    let (n1, n2, n3) = (NodeId(1), NodeId(2), NodeId(3));
    assert_eq!(heard(Direction::Incoming), BTreeSet::from([(n1, n3), (n2, n3)]));
    assert_eq!(heard(Direction::Outgoing), BTreeSet::from([(n3, n1), (n3, n2)]));
}

#[test]
fn the_description_names_the_sides() {
    let grudge = draw_one(PartitionShape::Leader, Direction::Incoming, 3, 0);
    assert_eq!(grudge.description, "leader, incoming: n3 | n1 n2");
    assert_eq!(grudge.targets, [NodeId(3)]);
}

#[test]
fn too_few_nodes_and_an_unknown_leader_are_errors() {
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let three = nodes(3);
    let ring = grudge(PartitionShape::MajoritiesRing, Direction::Both, &three, None, &mut rng);
    let error = ring.expect_err("three nodes have no symmetric ring");
    assert_eq!(error.to_string(), "a majorities-ring partition (both) needs 4 nodes, there are 3");
    for unknown in [None, Some(NodeId(9))] {
        let leader = grudge(PartitionShape::Leader, Direction::Both, &three, unknown, &mut rng);
        assert_eq!(leader, Err(GrudgeError::NoLeader));
    }
}

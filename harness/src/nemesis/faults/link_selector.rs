//! Which links a fault hits.

use std::collections::BTreeSet;

use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use super::cut::{all_links, links_of};
use crate::nemesis::fault::Situation;
use crate::nemesis::surroundings::Surroundings;
use crate::node_id::NodeId;
use crate::platform::Link;

/// Which links; drawn when the fault is installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum LinkSelector {
    /// All from and to a random node.
    OneNode,
    /// All from and to the leader.
    Leader,
    /// All that lead to the leader.
    ToLeader,
    /// Between two random nodes, both ways.
    OneLink,
    /// From a random node to another.
    OneWay,
    /// Between all nodes.
    All,
}

/// The links that were drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Selection {
    pub(super) links: BTreeSet<Link>,
    pub(super) targets: Vec<NodeId>,
    /// `between n3 and all others`.
    pub(super) words: String,
}

impl LinkSelector {
    /// Those that make sense; the leader and all links come twice.
    pub(super) fn variants(situation: Situation) -> Vec<LinkSelector> {
        let mut selectors = vec![
            LinkSelector::Leader,
            LinkSelector::Leader,
            LinkSelector::ToLeader,
            LinkSelector::OneWay,
            LinkSelector::All,
            LinkSelector::All,
        ];
        // Of two nodes, each has only the one link, and so has the leader.
        if situation.nodes > 2 {
            selectors.extend([LinkSelector::OneNode, LinkSelector::OneLink]);
        }
        selectors
    }

    /// Draws links among at least two nodes.
    pub(super) fn select(self, surroundings: &Surroundings<'_>, rng: &mut ChaCha8Rng) -> Selection {
        let leader = match self {
            LinkSelector::Leader | LinkSelector::ToLeader => surroundings.control.leader(),
            _ => None,
        };
        self.among(surroundings.nodes, leader, rng)
    }

    fn among(self, nodes: &[NodeId], leader: Option<NodeId>, rng: &mut ChaCha8Rng) -> Selection {
        let [a, b] = nodes.sample_array(rng).expect("no kind is drawn for fewer than two nodes");
        // Without a leader any node will do: the fault is about the moment, not the role.
        let one = leader.filter(|leader| nodes.contains(leader)).unwrap_or(a);
        let around = |node: NodeId| links_of(node, nodes).collect();
        let (links, mut targets, words): (BTreeSet<Link>, _, _) = match self {
            LinkSelector::OneNode => (around(a), vec![a], format!("between {a} and all others")),
            LinkSelector::Leader => {
                (around(one), vec![one], format!("between the leader {one} and all others"))
            }
            LinkSelector::ToLeader => {
                let links = all_links(nodes).filter(|&(_, to)| to == one).collect();
                (links, vec![one], format!("towards the leader {one}"))
            }
            LinkSelector::OneLink => {
                ([(a, b), (b, a)].into(), vec![a, b], format!("between {a} and {b}"))
            }
            LinkSelector::OneWay => ([(a, b)].into(), vec![a, b], format!("from {a} to {b}")),
            LinkSelector::All => {
                (all_links(nodes).collect(), nodes.to_vec(), "between all nodes".to_owned())
            }
        };
        targets.sort_unstable();
        Selection { links, targets, words }
    }

    /// The name in scenarios.
    pub(super) fn variant(self) -> &'static str {
        match self {
            LinkSelector::OneNode => "one node",
            LinkSelector::Leader => "leader",
            LinkSelector::ToLeader => "to leader",
            LinkSelector::OneLink => "one link",
            LinkSelector::OneWay => "one way",
            LinkSelector::All => "all",
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn selections_hold_the_links_that_they_name() {
        let nodes: Vec<NodeId> = (1..=5).map(NodeId).collect();
        let leader = NodeId(4);
        for seed in 0..50 {
            let among = |selector: LinkSelector| {
                let mut rng = ChaCha8Rng::seed_from_u64(seed);
                selector.among(&nodes, Some(leader), &mut rng)
            };
            assert_eq!(among(LinkSelector::OneNode).links.len(), 8);
            assert_eq!(among(LinkSelector::Leader).links, links_of(leader, &nodes).collect());
            assert!(among(LinkSelector::ToLeader).links.iter().all(|&(_, to)| to == leader));
            assert_eq!(among(LinkSelector::OneLink).links.len(), 2);
            assert_eq!(among(LinkSelector::OneWay).links.len(), 1);
            assert_eq!(among(LinkSelector::All).links.len(), 20);
            assert!(among(LinkSelector::OneWay).links.iter().all(|(from, to)| from != to));
        }
    }
}

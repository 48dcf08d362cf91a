//! Partial partitions that leave some node connected to everybody it needs, and yet can starve a
//! cluster of a leader: the scenarios of OmniPaxos (Ng, Haridi and Carbone, EuroSys 2023, section 2).
//!
//! ```text
//! quorum-loss            constrained-election      chained
//! n1   n2   n3           L    n2   n3              n1 ─ n2 ─ n3 ─ n4 ─ n5
//!   \  |  /                   |  /                 the leader at one end
//!    hub ── leader            hub (behind L)
//! ```

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rand::seq::{IndexedRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use serde_json::json;

use super::cut::{all_links, install_cut, link_names, links_of};
use crate::nemesis::fault::{Fault, FaultKind, Situation};
use crate::nemesis::network::NetworkClaim;
use crate::nemesis::record::FaultRecord;
use crate::nemesis::surroundings::{Installed, Skipped, Surroundings};
use crate::node_id::NodeId;
use crate::platform::{Link, PlatformError};

/// How long the leader does not reach the hub before the constrained election: its log falls behind.
const FALLS_BEHIND: Duration = Duration::from_millis(700);

/// Some nodes reach each other through a third only.
pub const PARTIAL: FaultKind = FaultKind {
    name: "partial",
    about: "Partial partitions in which nodes reach each other through a third only: one hub that all \
            others still reach, a hub whose log is behind, a chain. Finds elections that never end \
            and leaders that are elected by nodes who cannot follow them.",
    help: "\
How: as partition, with links cut both ways. A node never forwards for another, so a hub does not mend what is cut.
quorum-loss: a hub that does not lead reaches everybody, the others reach only the hub; the leader has lost its quorum, \
and only the hub can have one.
constrained-election: first the leader does not reach the hub, so that the hub's log falls behind; then the leader is \
cut off, and the others reach only the hub, which needs their votes and lacks their entries.
chained: the nodes stand in a row, the leader at its end; each reaches its neighbours. With three nodes there is a quorum, \
around the middle; with more than three there is none.
Seen to act: probes over every link, cut or not, when it is installed and when it is healed.
Finds: votes of a minority that count, a leader that does not step down, terms that rise for ever, and a cluster that does not \
elect anybody after the links are back. Raft stays safe in all of these.
With --keep-quorum: shapes with a hub only, and the chain of three.",
    nodes_min: 3,
    forgets: false,
    arrangements: &[],
    variants,
};

/// Who still reaches whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Shape {
    QuorumLoss,
    ConstrainedElection,
    Chained,
}

impl fmt::Display for Shape {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Shape::QuorumLoss => "quorum-loss",
            Shape::ConstrainedElection => "constrained-election",
            Shape::Chained => "chained",
        })
    }
}

#[derive(Debug)]
struct Partial(Shape);

fn variants(situation: Situation) -> Vec<Arc<dyn Fault>> {
    let leaves_quorum = |shape| match shape {
        Shape::QuorumLoss => true,
        // Without the leader, and a hub that needs all others.
        Shape::ConstrainedElection => true,
        // The ends of three see the middle, which is a majority with each.
        Shape::Chained => situation.nodes == 3,
    };
    [Shape::QuorumLoss, Shape::ConstrainedElection, Shape::Chained]
        .into_iter()
        .filter(|&shape| !situation.keep_quorum || leaves_quorum(shape))
        .map(|shape| Arc::new(Partial(shape)) as Arc<dyn Fault>)
        .collect()
}

/// Links that are cut, who stands where, and which link is cut some time before.
#[derive(Debug, PartialEq, Eq)]
struct Drawn {
    links: BTreeSet<Link>,
    first: BTreeSet<Link>,
    targets: Vec<NodeId>,
    words: String,
}

/// Needs three nodes, one of which leads.
fn draw(shape: Shape, leader: NodeId, nodes: &[NodeId], rng: &mut ChaCha8Rng) -> Drawn {
    let mut others: Vec<NodeId> = nodes.iter().copied().filter(|&node| node != leader).collect();
    let hub = *others.choose(rng).expect("at least three nodes");
    let both = |(a, b): Link| [(a, b), (b, a)];
    let (links, first, targets, words) = match shape {
        Shape::QuorumLoss => {
            let links = all_links(nodes).filter(|&(a, b)| a != hub && b != hub).collect();
            (links, BTreeSet::new(), vec![hub], format!("hub {hub}, leader {leader}"))
        }
        Shape::ConstrainedElection => {
            let mut links: BTreeSet<Link> =
                all_links(nodes).filter(|&(a, b)| a != hub && b != hub).collect();
            links.extend(links_of(leader, nodes));
            let first = both((leader, hub)).into();
            (links, first, vec![leader, hub], format!("hub {hub}, leader {leader} cut off"))
        }
        Shape::Chained => {
            others.shuffle(rng);
            let chain: Vec<NodeId> = [leader].into_iter().chain(others).collect();
            let neighbours: BTreeSet<Link> =
                chain.windows(2).flat_map(|pair| both((pair[0], pair[1]))).collect();
            let links = all_links(nodes).filter(|link| !neighbours.contains(link)).collect();
            let words: Vec<String> = chain.iter().map(NodeId::to_string).collect();
            (links, BTreeSet::new(), chain, words.join(" - "))
        }
    };
    Drawn { links, first, targets, words }
}

impl Fault for Partial {
    fn variant(&self) -> String {
        self.0.to_string()
    }

    fn install(
        &self,
        surroundings: &Surroundings<'_>,
        rng: &mut ChaCha8Rng,
        record: &mut FaultRecord,
    ) -> Result<Installed, Skipped> {
        let shape = self.0;
        record.description = format!("partial: {shape}");
        let Some(leader) = surroundings.control.leader() else {
            return Err(Skipped::new("no leader among the nodes is known"));
        };
        let drawn = draw(shape, leader, surroundings.nodes, rng);
        record.description = format!("partial: {shape}: {}", drawn.words);
        record.parameters = json!({ "shape": shape, "links": link_names(&drawn.links) });
        record.targets = drawn.targets;
        // Kept until the rest is cut too, or the hub would catch up in between.
        let _behind = fall_behind(&drawn.first, surroundings)?;
        install_cut(drawn.links, surroundings, record)
    }
}

/// Cuts these links, if any, and lets some time pass.
fn fall_behind(
    links: &BTreeSet<Link>,
    surroundings: &Surroundings<'_>,
) -> Result<Option<NetworkClaim>, PlatformError> {
    if links.is_empty() {
        return Ok(None);
    }
    let claim = surroundings.network.claim();
    claim.cut(links)?;
    std::thread::sleep(FALLS_BEHIND);
    Ok(Some(claim))
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    /// The nodes that a node reaches, both ways and itself too.
    fn reaches(drawn: &Drawn, node: NodeId, nodes: &[NodeId]) -> usize {
        nodes.iter().filter(|&&other| !drawn.links.contains(&(node, other))).count()
    }

    fn for_all(shape: Shape, check: impl Fn(&Drawn, &[NodeId], Vec<usize>)) {
        for count in 3..=7 {
            let nodes: Vec<NodeId> = (1..=count).map(NodeId).collect();
            for seed in 0..30 {
                let mut rng = ChaCha8Rng::seed_from_u64(seed);
                let drawn = draw(shape, NodeId(2), &nodes, &mut rng);
                for &(a, b) in &drawn.links {
                    assert!(a != b && drawn.links.contains(&(b, a)), "both ways");
                }
                let reached = nodes.iter().map(|&node| reaches(&drawn, node, &nodes)).collect();
                check(&drawn, &nodes, reached);
            }
        }
    }

    #[test]
    fn with_quorum_loss_only_a_hub_that_does_not_lead_reaches_everybody() {
        for_all(Shape::QuorumLoss, |drawn, nodes, mut reached| {
            assert_ne!(drawn.targets, vec![NodeId(2)]);
            reached.sort_unstable();
            assert_eq!(reached.pop(), Some(nodes.len()));
            assert!(reached.iter().all(|&count| count == 2));
        });
    }

    #[test]
    fn before_a_constrained_election_the_leader_does_not_reach_the_hub() {
        for_all(Shape::ConstrainedElection, |drawn, nodes, mut reached| {
            assert_eq!(drawn.first.len(), 2);
            assert_eq!(reaches(drawn, NodeId(2), nodes), 1, "the leader is alone");
            reached.sort_unstable();
            assert_eq!(reached.pop(), Some(nodes.len() - 1), "the hub reaches the rest");
        });
    }

    #[test]
    fn in_a_chain_the_leader_stands_at_the_end() {
        for_all(Shape::Chained, |drawn, nodes, reached| {
            assert_eq!(reaches(drawn, NodeId(2), nodes), 2);
            assert_eq!(reached.iter().filter(|&&count| count == 2).count(), 2, "two ends");
            assert_eq!(reached.iter().filter(|&&count| count == 3).count(), nodes.len() - 2);
        });
    }
}

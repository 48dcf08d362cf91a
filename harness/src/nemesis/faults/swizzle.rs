//! Nodes that are cut off one after the other, and come back in another order.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use rand::seq::SliceRandom;
use rand::{Rng, RngExt};
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use super::cut::links_of;
use super::moving_cut::{Step, install_moving_cut};
use crate::nemesis::fault::{Fault, FaultKind, Situation};
use crate::nemesis::record::FaultRecord;
use crate::nemesis::surroundings::{Installed, Skipped, Surroundings};
use crate::node_id::NodeId;
use crate::platform::Link;

/// From one node to the next.
const STEP_MS: std::ops::Range<u64> = 150..600;

/// FoundationDB's swizzle-clog.
pub const SWIZZLE: FaultKind = FaultKind {
    name: "swizzle",
    about: "Cuts off a random set of nodes one after the other, and lets them back in another order \
            (FoundationDB's swizzle-clog). Finds recoveries that depend on the order in which nodes come back.",
    help: "\
How: every 0.15 to 0.6 s one more node of a random set loses all its links to other nodes; when all of the set are alone, they come \
back one by one, in another random order. If the fault heals before that, the rest come back at once.
Seen to act: probes over every link at the first step and after the heal; steps and dropped packets are counted.
Variants: minority, and any: from two nodes to all of them.
Finds: nodes that follow a leader which nobody else knows any more, entries that were replaced on those that came back first, \
and clusters that elect only if the right node returns first. FoundationDB's authors found it better at finding rare bugs than \
any other fault.
With --keep-quorum: only a minority.",
    nodes_min: 2,
    forgets: false,
    arrangements: &[],
    variants,
};

/// How many nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HowMany {
    Minority,
    Any,
}

#[derive(Debug)]
struct Swizzle(HowMany);

fn variants(situation: Situation) -> Vec<Arc<dyn Fault>> {
    let any = (!situation.keep_quorum).then_some(HowMany::Any);
    let minority = (situation.nodes > 2).then_some(HowMany::Minority);
    // Two nodes have no minority; that kind of cluster cannot keep its quorum anyway.
    let fallback = (any.is_none() && minority.is_none()).then_some(HowMany::Any);
    let all = any.into_iter().chain(minority).chain(fallback);
    all.map(|how_many| Arc::new(Swizzle(how_many)) as Arc<dyn Fault>).collect()
}

impl Fault for Swizzle {
    fn variant(&self) -> String {
        match self.0 {
            HowMany::Minority => "minority".to_owned(),
            HowMany::Any => "any".to_owned(),
        }
    }

    fn install(
        &self,
        surroundings: &Surroundings<'_>,
        rng: &mut ChaCha8Rng,
        record: &mut FaultRecord,
    ) -> Result<Installed, Skipped> {
        let nodes = surroundings.nodes;
        let minority = ((nodes.len().max(1) - 1) / 2).max(1);
        let count = match self.0 {
            HowMany::Minority => rng.random_range(1..=minority),
            HowMany::Any => rng.random_range(2.min(nodes.len())..=nodes.len()),
        };
        let mut leaving = nodes.to_vec();
        leaving.shuffle(rng);
        leaving.truncate(count);
        let mut returning = leaving.clone();
        returning.shuffle(rng);
        let names =
            |nodes: &[NodeId]| nodes.iter().map(NodeId::to_string).collect::<Vec<_>>().join(" ");
        let (leave, come_back) = (names(&leaving), names(&returning));
        record.description = format!("swizzle: {leave} leave, {come_back} come back");
        record.targets.clone_from(&leaving);
        record.targets.sort_unstable();
        record.parameters = json!({ "leaving": leaving, "returning": returning });
        let steps = steps(&leaving, &returning, nodes, rng);
        let touched = steps.iter().flat_map(|step| step.links.iter().copied()).collect();
        install_moving_cut(steps.into_iter(), touched, surroundings, record)
    }
}

fn steps(
    leaving: &[NodeId],
    returning: &[NodeId],
    nodes: &[NodeId],
    rng: &mut impl Rng,
) -> Vec<Step> {
    let mut away = BTreeSet::new();
    let mut steps = Vec::new();
    let mut step = |away: &BTreeSet<NodeId>| {
        let links: BTreeSet<Link> = away.iter().flat_map(|&node| links_of(node, nodes)).collect();
        steps.push(Step { links, lasts: Duration::from_millis(rng.random_range(STEP_MS)) });
    };
    for &node in leaving {
        away.insert(node);
        step(&away);
    }
    for node in returning {
        away.remove(node);
        step(&away);
    }
    steps
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn nodes_leave_one_by_one_and_all_come_back() {
        let nodes: Vec<NodeId> = (1..=5).map(NodeId).collect();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let steps = steps(&nodes[..3], &[nodes[1], nodes[0], nodes[2]], &nodes, &mut rng);
        let links: Vec<usize> = steps.iter().map(|step| step.links.len()).collect();
        // Of five nodes with twenty links: one alone, two, three, then back.
        assert_eq!(links, vec![8, 14, 18, 14, 8, 0]);
        assert!(steps[3].links.contains(&(nodes[0], nodes[1])), "the first to leave is still away");
        assert!(steps[4].links.contains(&(nodes[2], nodes[3])));
    }
}

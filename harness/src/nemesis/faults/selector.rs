//! Which nodes a fault hits.

use std::fmt;

use rand::seq::{IndexedRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use crate::nemesis::fault::Situation;
use crate::nemesis::record::FaultRecord;
use crate::nemesis::surroundings::Surroundings;
use crate::node_id::NodeId;

/// Which nodes; drawn when the fault is installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Selector {
    /// A random node.
    One,
    /// The node that leads.
    Leader,
    /// As many random nodes as may fail.
    Minority,
    /// One node more than may fail.
    Majority,
    /// Every node.
    All,
}

impl Selector {
    /// Those that make sense; the leader comes twice.
    pub(super) fn variants(situation: Situation) -> Vec<Selector> {
        let mut selectors = vec![Selector::One, Selector::Leader, Selector::Leader];
        if situation.nodes >= 3 {
            selectors.push(Selector::Minority);
        }
        if !situation.keep_quorum {
            selectors.extend([Selector::Majority, Selector::All]);
        }
        selectors
    }

    /// Draws nodes that no other fault holds, ascending.
    ///
    /// # Errors
    /// Why there are none.
    pub(super) fn select(
        self,
        surroundings: &Surroundings<'_>,
        rng: &mut ChaCha8Rng,
    ) -> Result<Vec<NodeId>, String> {
        let nodes = surroundings.nodes;
        let mut free: Vec<NodeId> =
            nodes.iter().copied().filter(|node| !surroundings.held.contains(node)).collect();
        if free.is_empty() {
            return Err("another fault holds every node".to_owned());
        }
        let minority = (nodes.len() - 1) / 2;
        let count = match self {
            Selector::One => 1,
            Selector::Leader => {
                // Without a leader any node will do: the fault is about the moment, not the role.
                let leader = surroundings.control.leader().filter(|leader| free.contains(leader));
                let node = leader.or_else(|| free.choose(rng).copied());
                return Ok(node.into_iter().collect());
            }
            Selector::Minority => minority.max(1),
            Selector::Majority => minority + 1,
            Selector::All => free.len(),
        };
        free.shuffle(rng);
        free.truncate(count);
        free.sort_unstable();
        Ok(free)
    }

    /// Selects nodes and writes into the record what is to be done to which.
    ///
    /// # Errors
    /// Why there are none; the record says what was to be done all the same.
    pub(super) fn choose(
        self,
        what: &str,
        surroundings: &Surroundings<'_>,
        rng: &mut ChaCha8Rng,
        record: &mut FaultRecord,
    ) -> Result<Vec<NodeId>, String> {
        record.description = format!("{what} {self}");
        let chosen = self.select(surroundings, rng)?;
        record.description = self.describe(what, &chosen);
        record.targets.clone_from(&chosen);
        Ok(chosen)
    }

    /// `kill n3`, or `kill a minority: n1, n4`.
    pub(super) fn describe(self, what: &str, chosen: &[NodeId]) -> String {
        let names: Vec<String> = chosen.iter().map(NodeId::to_string).collect();
        let names = names.join(", ");
        match self {
            Selector::One => format!("{what} {names}"),
            _ => format!("{what} {self}: {names}"),
        }
    }

    /// The name in scenarios.
    pub(super) fn variant(self) -> &'static str {
        match self {
            Selector::One => "one",
            Selector::Leader => "leader",
            Selector::Minority => "minority",
            Selector::Majority => "majority",
            Selector::All => "all",
        }
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Selector::One => "one node",
            Selector::Leader => "the leader",
            Selector::Minority => "a minority",
            Selector::Majority => "a majority",
            Selector::All => "all nodes",
        })
    }
}

//! Members that come and go, while everything goes on.

use std::sync::Arc;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use serde_json::json;

use super::roster::{Changes, Roster, operator_of_members};
use super::selector::Selector;
use super::wipe::{Wiped, empty};
use crate::nemesis::fault::{ActiveFault, Fault, FaultKind};
use crate::nemesis::record::FaultRecord;
use crate::nemesis::surroundings::{Installed, Seen, Skipped, Surroundings};
use crate::node_id::NodeId;

/// Changes of members by the commands of operators.
pub const MEMBERSHIP: FaultKind = FaultKind {
    name: "membership",
    about: "Members are removed and added again, replaced by empty ones, or lose their vote and get it back, \
            by the commands of operators. Finds quorums that are counted wrongly, and nodes that do not \
            know that they are out.",
    help: "\
How: `shrink`: nodes are removed from the cluster, and go on running; added again when the fault heals. `replace`: a node is \
removed, killed, and its data removed; when the fault heals it is started to join, and added. `demote`: voters become learners; \
promoted when the fault heals. Each change is asked for again until the list of members shows it, for some seconds; \
what other faults are in the way of is made up for when they are healed.
Seen to act: the members as the leader lists them, before, during and after.
Finds: removed nodes that still answer, vote or disturb; new members that count before they hold what they should; \
configurations that are lost by a change of leaders or a snapshot.
Never more than a minority of the nodes is out at a time.
Needs the commands of operators, and a platform on which all nodes know a node by the same address (not loopback). Needs --storage rocksdb.",
    nodes_min: 3,
    forgets: true,
    arrangements: &[],
    variants: |_| {
        let all = [
            (What::Shrink, Selector::One),
            (What::Shrink, Selector::Leader),
            (What::Shrink, Selector::Minority),
            (What::Replace, Selector::One),
            (What::Replace, Selector::Leader),
            (What::Demote, Selector::Leader),
            (What::Demote, Selector::Minority),
        ];
        let planned = |(what, selector)| Arc::new(Membership { what, selector }) as Arc<dyn Fault>;
        all.into_iter().map(planned).collect()
    },
};

/// One attempt at a change.
const CHANGE_PATIENCE: Duration = Duration::from_secs(4);
/// One attempt at undoing all.
const RETURN_PATIENCE: Duration = Duration::from_secs(8);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Shrink,
    Replace,
    Demote,
}

#[derive(Debug, Clone, Copy)]
struct Membership {
    what: What,
    selector: Selector,
}

impl What {
    fn name(self) -> &'static str {
        match self {
            What::Shrink => "shrink",
            What::Replace => "replace",
            What::Demote => "demote",
        }
    }
}

impl Fault for Membership {
    fn variant(&self) -> String {
        format!("{}, {}", self.what.name(), self.selector.variant())
    }

    fn install(
        &self,
        surroundings: &Surroundings<'_>,
        rng: &mut ChaCha8Rng,
        record: &mut FaultRecord,
    ) -> Result<Installed, Skipped> {
        let nodes = self.selector.choose(self.what.name(), surroundings, rng, record)?;
        let operator = operator_of_members(surroundings)?;
        let left = surroundings.nodes.len().saturating_sub(surroundings.held.len() + nodes.len());
        record.parameters = json!({
            "what": self.what.name(),
            "selector": self.selector,
            "nodes_left": left,
        });
        if left < surroundings.nodes.len() / 2 + 1 {
            return Err(Skipped::new(format!("only {left} members would be left whole")));
        }
        let before = Roster::settled(operator)?;
        let mut changes = Changes::new(operator, surroundings, CHANGE_PATIENCE);
        let changed: Result<(), String> = nodes.iter().try_for_each(|&node| match self.what {
            What::Shrink | What::Replace => changes.remove(node, &before),
            What::Demote => changes.demote(node, &before),
        });
        record.installed_time = Some(surroundings.now());
        // A change that failed may still take place, so that it is undone in any case.
        let fault: Box<dyn ActiveFault> = match (self.what, &changed) {
            (What::Replace, Ok(())) => {
                let emptied =
                    nodes.iter().try_for_each(|&node| empty(surroundings, node).map(drop));
                let fault =
                    Box::new(Wiped { waiting: nodes.clone(), nodes, before: before.clone() });
                if let Err(error) = emptied {
                    let seen = Seen::Unclear { reason: error.to_string(), evidence: json!({}) };
                    return Ok(Installed { fault, seen });
                }
                fault
            }
            _ => Box::new(Changed { nodes, before: before.clone() }),
        };
        let during = Roster::read(operator);
        let seen = match (changed, during) {
            (Ok(()), Ok(during)) => Seen::Yes {
                evidence: json!({ "members_before": before, "members_during": during }),
                summary: "seen in the leader's list of members".to_owned(),
            },
            (Err(reason), _) | (Ok(()), Err(reason)) => {
                Seen::Unclear { reason, evidence: json!({ "members_before": before }) }
            }
        };
        Ok(Installed { fault, seen })
    }
}

/// Members that are out, or have no vote; their data is whole.
struct Changed {
    nodes: Vec<NodeId>,
    before: Roster,
}

impl ActiveFault for Changed {
    fn holds(&self) -> &[NodeId] {
        &self.nodes
    }

    fn heal(self: Box<Self>, surroundings: &Surroundings<'_>, record: &mut FaultRecord) -> Seen {
        let Some(operator) = surroundings.control.operator() else {
            let reason = "the system has no commands for operators".to_owned();
            return Seen::Unclear { reason, evidence: json!({}) };
        };
        let mut changes = Changes::new(operator, surroundings, RETURN_PATIENCE);
        let restored = self.nodes.iter().try_for_each(|&node| changes.restore(node, &self.before));
        match restored.and_then(|()| Roster::read(operator)) {
            Ok(after) => {
                record.healed_time = Some(surroundings.now());
                let names: Vec<String> = self.nodes.iter().map(NodeId::to_string).collect();
                Seen::Yes {
                    evidence: json!({ "members_after": after }),
                    summary: format!("{} voting again", names.join(", ")),
                }
            }
            Err(reason) => Seen::Later { reason, fault: self },
        }
    }
}

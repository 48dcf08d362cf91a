//! Nodes that lose their data, and come back as an operator brings them back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use super::roster::{Changes, Roster, operator_of_members};
use super::selector::Selector;
use crate::nemesis::fault::{ActiveFault, Fault, FaultKind};
use crate::nemesis::record::FaultRecord;
use crate::nemesis::surroundings::{Installed, Seen, Skipped, Surroundings};
use crate::node_id::NodeId;
use crate::platform::{PlatformError, ProcessState};

/// SIGKILL, and the data directory removed.
pub const WIPE: FaultKind = FaultKind {
    name: "wipe",
    about: "SIGKILL to nodes, and their data directories are emptied. They come back as the system's rules \
            demand: removed, started to join, and added. Finds votes and data that are not missed.",
    help: "\
How: SIGKILL, and everything in the data directory removed. `stays-away`: the node is not started until the fault heals. \
`comes-as-before`: it is started at once on nothing, as the voter it was, which a system must refuse. \
When the fault heals: ended, emptied once more, removed from the members, started to join, added, and waited for until it votes.
Seen to act: the bytes that are gone; afterwards the members as the leader lists them, before and after.
Never the last good copy: at most a minority of the nodes is wiped at a time, and only where a majority is left that no other \
fault holds.
Finds: a node that votes again without what it had promised; snapshots that do not bring everything; additions that count before \
they hold. With little data a new member gets the log; --snapshot-entries 200 makes it a snapshot.
Needs the commands of operators, and a platform on which all nodes know a node by the same address (not loopback). Needs --storage rocksdb.",
    nodes_min: 3,
    forgets: true,
    arrangements: &[],
    variants: |_| {
        let selectors = [Selector::One, Selector::Leader, Selector::Minority];
        let of_selector = |selector| {
            [false, true].map(|as_before| Arc::new(Wipe { selector, as_before }) as Arc<dyn Fault>)
        };
        selectors.into_iter().flat_map(of_selector).collect()
    },
};

/// One attempt at bringing all wiped nodes back.
const RETURN_PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, Copy)]
struct Wipe {
    selector: Selector,
    /// Are the nodes started again at once, as if nothing had happened?
    as_before: bool,
}

impl Fault for Wipe {
    fn variant(&self) -> String {
        let then = if self.as_before { "comes-as-before" } else { "stays-away" };
        format!("{}, {then}", self.selector.variant())
    }

    fn install(
        &self,
        surroundings: &Surroundings<'_>,
        rng: &mut ChaCha8Rng,
        record: &mut FaultRecord,
    ) -> Result<Installed, Skipped> {
        let nodes = self.selector.choose("wipe", surroundings, rng, record)?;
        let operator = operator_of_members(surroundings)?;
        let left = surroundings.nodes.len().saturating_sub(surroundings.held.len() + nodes.len());
        record.parameters = json!({
            "selector": self.selector,
            "as_before": self.as_before,
            "nodes_left": left,
        });
        if left < surroundings.nodes.len() / 2 + 1 {
            let reason = format!("only {left} nodes would keep their data, and be whole");
            return Err(Skipped::new(reason));
        }
        let before = Roster::settled(operator)?;
        let mut lost = BTreeMap::new();
        let mut problems = Vec::new();
        for &node in &nodes {
            match empty(surroundings, node) {
                Ok(bytes) => drop(lost.insert(node, bytes)),
                Err(error) => problems.push(format!("wipe {node}: {error}")),
            }
        }
        record.installed_time = Some(surroundings.now());
        if self.as_before {
            for &node in &nodes {
                match surroundings.control.restart(node) {
                    Ok(ProcessState::Running { .. } | ProcessState::Gone { .. }) => {}
                    Ok(state) => problems.push(format!("{node} is {state:?}")),
                    Err(error) => problems.push(format!("start {node}: {error}")),
                }
            }
        }
        let evidence = json!({ "bytes_lost": lost, "members_before": before });
        let seen = match problems.is_empty() {
            true => {
                let lost = lost.iter().map(|(node, bytes)| format!("{node} lost {bytes} bytes"));
                Seen::Yes { evidence, summary: lost.collect::<Vec<_>>().join(", ") }
            }
            false => Seen::Unclear { reason: problems.join("; "), evidence },
        };
        Ok(Installed::new(Wiped { waiting: nodes.clone(), nodes, before }, seen))
    }
}

/// Ends a node, and removes its data. Returns how many bytes they were.
pub(super) fn empty(surroundings: &Surroundings<'_>, node: NodeId) -> Result<u64, PlatformError> {
    surroundings.platform.process().kill(node)?;
    surroundings.control.wipe(node)
}

/// Nodes without their data.
pub(super) struct Wiped {
    pub(super) nodes: Vec<NodeId>,
    /// Those of them that are to be removed, emptied and started to join.
    pub(super) waiting: Vec<NodeId>,
    pub(super) before: Roster,
}

impl Wiped {
    fn bring_back(&mut self, surroundings: &Surroundings<'_>) -> Result<Value, String> {
        let operator = surroundings.control.operator();
        let operator =
            operator.ok_or_else(|| "the system has no commands for operators".to_owned())?;
        let mut changes = Changes::new(operator, surroundings, RETURN_PATIENCE);
        while let Some(&node) = self.waiting.last() {
            let failed = |error: PlatformError| format!("bring {node} back: {error}");
            // What it may have written since is that of a node without a past.
            empty(surroundings, node).map_err(failed)?;
            changes.remove(node, &self.before)?;
            surroundings.control.restart_joining(node).map_err(failed)?;
            self.waiting.pop();
        }
        for &node in &self.nodes {
            changes.restore(node, &self.before)?;
        }
        let after = Roster::read(operator)?;
        Ok(json!({ "members_before": self.before, "members_after": after }))
    }
}

impl ActiveFault for Wiped {
    fn holds(&self) -> &[NodeId] {
        &self.nodes
    }

    fn heal(
        mut self: Box<Self>,
        surroundings: &Surroundings<'_>,
        record: &mut FaultRecord,
    ) -> Seen {
        match self.bring_back(surroundings) {
            Ok(evidence) => {
                record.healed_time = Some(surroundings.now());
                let names: Vec<String> = self.nodes.iter().map(NodeId::to_string).collect();
                let summary = format!("{} removed, added, and voting again", names.join(", "));
                Seen::Yes { evidence, summary }
            }
            Err(reason) => Seen::Later { reason, fault: self },
        }
    }
}

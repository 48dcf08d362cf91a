//! Killed and paused nodes: look whether the process is really gone, stopped, new or going on.

use std::collections::BTreeMap;

use rand::seq::{IndexedRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use super::fault::{FaultKind, Selector};
use super::record::FaultRecord;
use super::surroundings::{Seen, Surroundings};
use crate::node_id::NodeId;
use crate::platform::ProcessState;

/// Nodes that are killed or paused.
pub(super) struct ProcessFault {
    kind: FaultKind,
    /// With the process id each had before.
    targets: BTreeMap<NodeId, i32>,
    nodes: Vec<NodeId>,
}

impl ProcessFault {
    /// Kills or pauses the selected nodes.
    pub(super) fn install(
        kind: FaultKind,
        selector: Selector,
        surroundings: &Surroundings<'_>,
        rng: &mut ChaCha8Rng,
        record: &mut FaultRecord,
    ) -> (Option<ProcessFault>, Seen) {
        record.description = format!("{} {}", kind.name(), selector_name(selector));
        let chosen = match select(selector, surroundings, rng) {
            Ok(chosen) => chosen,
            Err(reason) => return (None, Seen::Skipped { reason }),
        };
        let process = surroundings.platform.process();
        record.description = describe(kind, selector, &chosen);
        record.targets.clone_from(&chosen);
        let majority = surroundings.nodes.len() / 2 + 1;
        let left = surroundings.nodes.len() - surroundings.held.len() - chosen.len();
        record.parameters = json!({
            "selector": selector,
            "nodes_left": left,
            "quorum_left": left >= majority,
        });
        let mut fault = ProcessFault {
            kind,
            targets: BTreeMap::new(),
            nodes: Vec::with_capacity(chosen.len()),
        };
        let mut states = BTreeMap::new();
        let mut problems = Vec::new();
        for &node in &chosen {
            let ProcessState::Running { pid } = process.state(node) else {
                problems.push(format!("{node} was not running"));
                continue;
            };
            let result = match kind {
                FaultKind::Kill => process.kill(node),
                FaultKind::Pause => process.pause(node),
                FaultKind::Partition => unreachable!("a partition is not a process fault"),
            };
            // Even if the call failed it may have acted, so that the heal must undo it.
            fault.targets.insert(node, pid);
            fault.nodes.push(node);
            match (result, kind) {
                (Ok(state @ ProcessState::Gone { .. }), FaultKind::Kill)
                | (Ok(state @ ProcessState::Stopped { .. }), FaultKind::Pause) => {
                    states.insert(node.to_string(), json!({ "before": pid, "after": state }));
                }
                (Ok(state), _) => problems.push(format!("{node} is {state:?}")),
                (Err(error), _) => problems.push(format!("{node}: {error}")),
            }
        }
        let evidence: Value = json!(states);
        if fault.targets.is_empty() {
            return (None, Seen::Skipped { reason: problems.join("; ") });
        }
        record.installed_time = Some(surroundings.now());
        let seen = if problems.is_empty() {
            let seen_to_be = match kind {
                FaultKind::Kill => "gone",
                FaultKind::Pause | FaultKind::Partition => "stopped",
            };
            let pids: Vec<String> =
                fault.targets.iter().map(|(node, pid)| format!("{node} (pid {pid})")).collect();
            Seen::Yes { evidence, summary: format!("{} seen to be {seen_to_be}", pids.join(", ")) }
        } else {
            Seen::Unclear { reason: problems.join("; "), evidence }
        };
        (Some(fault), seen)
    }

    /// Starts or resumes the nodes.
    pub(super) fn heal(self, surroundings: &Surroundings<'_>, record: &mut FaultRecord) -> Seen {
        let mut states = BTreeMap::new();
        let mut problems = Vec::new();
        let mut pids = Vec::new();
        for (&node, &before) in &self.targets {
            let result = match self.kind {
                FaultKind::Kill => surroundings.control.restart(node),
                FaultKind::Pause | FaultKind::Partition => {
                    surroundings.platform.process().resume(node)
                }
            };
            match result {
                Ok(ProcessState::Running { pid })
                    if (self.kind == FaultKind::Kill) == (pid != before) =>
                {
                    pids.push(format!("{node} (pid {pid})"));
                    states.insert(node.to_string(), json!({ "before": before, "after": pid }));
                }
                Ok(state) => problems.push(format!("{node} is {state:?}")),
                Err(error) => {
                    let reason = format!("bring {node} back: {error}");
                    record.heal_failure = Some(reason.clone());
                    problems.push(reason);
                }
            }
        }
        record.healed_time = Some(surroundings.now());
        let evidence = json!(states);
        if problems.is_empty() {
            let seen_to_be = match self.kind {
                FaultKind::Kill => "started again as",
                FaultKind::Pause | FaultKind::Partition => "going on as",
            };
            Seen::Yes { evidence, summary: format!("{seen_to_be} {}", pids.join(", ")) }
        } else {
            Seen::Unclear { reason: problems.join("; "), evidence }
        }
    }

    pub(super) fn kind(&self) -> FaultKind {
        self.kind
    }

    pub(super) fn targets(&self) -> &[NodeId] {
        &self.nodes
    }
}

/// Draws nodes that no other fault holds.
fn select(
    selector: Selector,
    surroundings: &Surroundings<'_>,
    rng: &mut ChaCha8Rng,
) -> Result<Vec<NodeId>, String> {
    let mut free: Vec<NodeId> = surroundings
        .nodes
        .iter()
        .copied()
        .filter(|node| !surroundings.held.contains_key(node))
        .collect();
    if free.is_empty() {
        return Err("another fault holds every node".to_owned());
    }
    let minority = (surroundings.nodes.len() - 1) / 2;
    let count = match selector {
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

fn selector_name(selector: Selector) -> &'static str {
    match selector {
        Selector::One => "one node",
        Selector::Leader => "the leader",
        Selector::Minority => "a minority",
        Selector::Majority => "a majority",
        Selector::All => "all nodes",
    }
}

fn describe(kind: FaultKind, selector: Selector, chosen: &[NodeId]) -> String {
    let names: Vec<String> = chosen.iter().map(NodeId::to_string).collect();
    let names = names.join(", ");
    match selector {
        Selector::One => format!("{} {names}", kind.name()),
        _ => format!("{} {}: {names}", kind.name(), selector_name(selector)),
    }
}

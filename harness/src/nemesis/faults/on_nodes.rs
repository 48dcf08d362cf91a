//! One thing done to some nodes, and undone: look at each process before and after.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use super::selector::Selector;
use crate::nemesis::fault::{ActiveFault, Fault, Situation};
use crate::nemesis::record::FaultRecord;
use crate::nemesis::surroundings::{Installed, Seen, Skipped, Surroundings};
use crate::node_id::NodeId;
use crate::platform::{PlatformError, ProcessState};

/// What is done to a node.
pub(super) trait NodeAction: fmt::Debug + Clone + Copy + Send + Sync + 'static {
    /// In words: `kill`.
    const VERB: &'static str;
    /// What the node is then: `gone`.
    const ACTED: &'static str;
    /// What became of it at the end: `started again as`.
    const UNDONE: &'static str;

    /// Does it; the state that was seen afterwards.
    fn act(
        self,
        node: NodeId,
        surroundings: &Surroundings<'_>,
    ) -> Result<ProcessState, PlatformError>;

    /// Does this state show that it was done?
    fn has_acted(self, state: ProcessState) -> bool;

    /// Undoes it; the state that was seen afterwards.
    fn undo(
        self,
        node: NodeId,
        surroundings: &Surroundings<'_>,
    ) -> Result<ProcessState, PlatformError>;

    /// Does a node that had the process id `before` and has `after` show that it was undone?
    fn is_undone(self, before: i32, after: i32) -> bool;
}

/// A planned action on nodes.
#[derive(Debug)]
struct OnNodes<A> {
    action: A,
    selector: Selector,
}

/// The action on whichever nodes make sense.
pub(super) fn on_nodes<A: NodeAction>(action: A, situation: Situation) -> Vec<Arc<dyn Fault>> {
    let of_selector = |selector| Arc::new(OnNodes { action, selector }) as Arc<dyn Fault>;
    Selector::variants(situation).into_iter().map(of_selector).collect()
}

impl<A: NodeAction> Fault for OnNodes<A> {
    fn variant(&self) -> String {
        self.selector.variant().to_owned()
    }

    fn install(
        &self,
        surroundings: &Surroundings<'_>,
        rng: &mut ChaCha8Rng,
        record: &mut FaultRecord,
    ) -> Result<Installed, Skipped> {
        let chosen = self.selector.choose(A::VERB, surroundings, rng, record)?;
        let majority = surroundings.nodes.len() / 2 + 1;
        let left = surroundings.nodes.len() - surroundings.held.len() - chosen.len();
        record.parameters = json!({
            "selector": self.selector,
            "nodes_left": left,
            "quorum_left": left >= majority,
        });
        let mut before = BTreeMap::new();
        let mut states = BTreeMap::new();
        let mut problems = Vec::new();
        let began = Instant::now();
        // At once, so that no node sees another one go first.
        let results = each_at_once(&chosen, |node| {
            let ProcessState::Running { pid } = surroundings.platform.process().state(node) else {
                return None;
            };
            Some((pid, self.action.act(node, surroundings)))
        });
        record.parameters["within_ms"] = json!(began.elapsed().as_millis() as u64);
        for (node, result) in results {
            let Some((pid, result)) = result else {
                problems.push(format!("{node} was not running"));
                continue;
            };
            // Even if the call failed it may have acted, so that the heal must undo it.
            before.insert(node, pid);
            match result {
                Ok(state) if self.action.has_acted(state) => {
                    states.insert(node.to_string(), json!({ "before": pid, "after": state }));
                }
                Ok(state) => problems.push(format!("{node} is {state:?}")),
                Err(error) => problems.push(format!("{node}: {error}")),
            }
        }
        let evidence: Value = json!(states);
        if before.is_empty() {
            return Err(Skipped::new(problems.join("; ")));
        }
        record.installed_time = Some(surroundings.now());
        let seen = if problems.is_empty() {
            let pids: Vec<String> =
                before.iter().map(|(node, pid)| format!("{node} (pid {pid})")).collect();
            let summary = format!("{} seen to be {}", pids.join(", "), A::ACTED);
            Seen::Yes { evidence, summary }
        } else {
            Seen::Unclear { reason: problems.join("; "), evidence }
        };
        let nodes = before.keys().copied().collect();
        Ok(Installed::new(ActiveOnNodes { action: self.action, before, nodes }, seen))
    }
}

/// Does something to all nodes at the same time. A node for which it panicked is left out.
fn each_at_once<T: Send>(nodes: &[NodeId], what: impl Fn(NodeId) -> T + Sync) -> Vec<(NodeId, T)> {
    std::thread::scope(|scope| {
        let what = &what;
        let threads: Vec<_> =
            nodes.iter().map(|&node| (node, scope.spawn(move || what(node)))).collect();
        let join = |(node, thread): (NodeId, std::thread::ScopedJoinHandle<'_, T>)| {
            Some((node, thread.join().ok()?))
        };
        threads.into_iter().filter_map(join).collect()
    })
}

/// Nodes on which the action is in force.
struct ActiveOnNodes<A> {
    action: A,
    /// The process id that each had.
    before: BTreeMap<NodeId, i32>,
    nodes: Vec<NodeId>,
}

impl<A: NodeAction> ActiveFault for ActiveOnNodes<A> {
    fn holds(&self) -> &[NodeId] {
        &self.nodes
    }

    fn heal(self: Box<Self>, surroundings: &Surroundings<'_>, record: &mut FaultRecord) -> Seen {
        let mut states = BTreeMap::new();
        let mut problems = Vec::new();
        let mut pids = Vec::new();
        let undone = each_at_once(&self.nodes, |node| self.action.undo(node, surroundings));
        for (node, result) in undone {
            let before = self.before[&node];
            match result {
                Ok(ProcessState::Running { pid }) if self.action.is_undone(before, pid) => {
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
            Seen::Yes { evidence, summary: format!("{} {}", A::UNDONE, pids.join(", ")) }
        } else {
            Seen::Unclear { reason: problems.join("; "), evidence }
        }
    }
}

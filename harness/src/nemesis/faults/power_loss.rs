//! Nodes that lose their power: killed at once, and what they had not synchronised is gone.

use std::collections::BTreeMap;
use std::sync::Arc;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use super::on_disks::choose;
use super::selector::Selector;
use crate::disk::Unsynced;
use crate::nemesis::fault::{ActiveFault, Arrangement, Fault, FaultKind, Situation};
use crate::nemesis::record::FaultRecord;
use crate::nemesis::surroundings::{Installed, Seen, Skipped, Surroundings};
use crate::node_id::NodeId;
use crate::platform::{PlatformError, ProcessState};

/// A power loss of whole nodes.
pub const POWER_LOSS: FaultKind = FaultKind {
    name: "power-loss",
    about: "Whole nodes lose their power (one, the leader, a minority, a majority, all): killed, \
            and what they had not synchronised to the disk is lost, or torn. Finds what was \
            acknowledged before it was durable.",
    help: "\
How: the data directory is on a file system of the harness (FUSE), which passes everything on and remembers how \
to undo what was not followed by fsync. The nodes are killed together; then all of that is undone, the newest \
first, and a fresh file system is mounted, as after a boot. In the variants `torn` a random part survives \
instead: of every file the first few writes and a piece of the next, up to a border of 512 bytes; of new, moved \
and removed names the first few. Any fsync makes all earlier names durable, as on ext4 and XFS. When the fault \
heals the nodes are started again.
Seen to act: the process is gone; a file of the harness that was written just before, without fsync, has its old \
content again when it is read through the mounted file system; the counts of what was lost are evidence.
Finds: a missing fsync (`--fsync off`, `--bug missing-fsync`), of a file or, after new files and renames, of a \
directory; torn records that are taken for whole ones.
With --keep-quorum: never more than a minority. Needs --storage rocksdb and FUSE (`harness doctor`).",
    nodes_min: 1,
    forgets: true,
    arrangements: &[Arrangement::Disk],
    variants,
};

fn variants(situation: Situation) -> Vec<Arc<dyn Fault>> {
    let selectors = Selector::variants(situation);
    let lost = selectors.iter().map(|&selector| PowerLossOf { selector, is_torn: false });
    let torn = selectors.iter().map(|&selector| PowerLossOf { selector, is_torn: true });
    lost.chain(torn).map(|fault| Arc::new(fault) as Arc<dyn Fault>).collect()
}

/// A planned power loss.
#[derive(Debug)]
struct PowerLossOf {
    selector: Selector,
    /// Does a part of what was not synchronised survive?
    is_torn: bool,
}

impl Fault for PowerLossOf {
    fn variant(&self) -> String {
        let torn = if self.is_torn { ", torn" } else { "" };
        format!("{}{torn}", self.selector.variant())
    }

    fn install(
        &self,
        surroundings: &Surroundings<'_>,
        rng: &mut ChaCha8Rng,
        record: &mut FaultRecord,
    ) -> Result<Installed, Skipped> {
        let what = if self.is_torn { "power loss, torn, of" } else { "power loss of" };
        let disks = choose(self.selector, what, surroundings, rng, record)?;
        let chosen: Vec<NodeId> = disks.keys().copied().collect();
        record.parameters = json!({ "selector": self.selector, "torn": self.is_torn });
        let process = surroundings.platform.process();
        let before: BTreeMap<NodeId, ProcessState> =
            chosen.iter().map(|&node| (node, process.state(node))).collect();
        let killed: Vec<(NodeId, Result<ProcessState, PlatformError>)> =
            std::thread::scope(|scope| {
                let kills: Vec<_> = chosen
                    .iter()
                    .map(|&node| (node, scope.spawn(move || process.kill(node))))
                    .collect();
                let join = |(node, kill): (NodeId, std::thread::ScopedJoinHandle<'_, _>)| {
                    (node, kill.join().expect("a kill does not panic"))
                };
                kills.into_iter().map(join).collect()
            });
        record.installed_time = Some(surroundings.now());
        let mut active = PoweredOff { before, broken: BTreeMap::new(), nodes: chosen };
        let mut evidence = BTreeMap::new();
        let mut lost = 0;
        for (node, killed) in killed {
            let unsynced = match self.is_torn {
                true => Unsynced::Torn(rng.random()),
                false => Unsynced::Lost,
            };
            let loss = killed.and_then(|state| Ok((state, disks[&node].lose_power(unsynced)?)));
            match loss {
                Ok((state @ ProcessState::Gone { .. }, loss)) => {
                    lost += loss.writes_lost + loss.names_lost;
                    let before = active.before[&node];
                    let seen = json!({ "before": before, "after": state, "lost": loss });
                    evidence.insert(node.to_string(), seen);
                }
                Ok((state, _)) => drop(active.broken.insert(node, format!("{node} is {state:?}"))),
                Err(error) => drop(active.broken.insert(node, format!("{node}: {error}"))),
            }
        }
        let evidence: Value = json!(evidence);
        let seen = if active.broken.is_empty() {
            let names: Vec<String> = active.nodes.iter().map(NodeId::to_string).collect();
            let summary = format!(
                "{} seen to be gone, {} lost",
                names.join(", "),
                crate::plural::counted(lost, "unsynchronised change")
            );
            Seen::Yes { evidence, summary }
        } else {
            Seen::Unclear { reason: active.problems(), evidence }
        };
        Ok(Installed::new(active, seen))
    }
}

/// Nodes without power.
struct PoweredOff {
    before: BTreeMap<NodeId, ProcessState>,
    /// Nodes whose disk is in no state that a power loss leaves, and why.
    broken: BTreeMap<NodeId, String>,
    nodes: Vec<NodeId>,
}

impl PoweredOff {
    fn problems(&self) -> String {
        self.broken.values().cloned().collect::<Vec<_>>().join("; ")
    }
}

impl ActiveFault for PoweredOff {
    fn holds(&self) -> &[NodeId] {
        &self.nodes
    }

    fn heal(self: Box<Self>, surroundings: &Surroundings<'_>, record: &mut FaultRecord) -> Seen {
        let mut states = BTreeMap::new();
        let mut problems = Vec::new();
        for (&node, before) in &self.before {
            // Started on such a disk it might do what no power loss makes it do.
            if let Some(reason) = self.broken.get(&node) {
                record.heal_failure = Some(format!("bring {node} back: {reason}"));
                continue;
            }
            match surroundings.control.restart(node) {
                Ok(state @ ProcessState::Running { .. }) if state != *before => {
                    states.insert(node.to_string(), json!({ "before": before, "after": state }));
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
        let names: Vec<String> = states.keys().cloned().collect();
        let evidence = json!(states);
        if problems.is_empty() {
            Seen::Yes { evidence, summary: format!("{} started again", names.join(", ")) }
        } else {
            Seen::Unclear { reason: problems.join("; "), evidence }
        }
    }
}

//! Damaged files of nodes that are down.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand_chacha::ChaCha8Rng;
use serde_json::json;

use super::on_disks::choose;
use super::selector::Selector;
use crate::disk::{Damage, DamageKind, Disk};
use crate::nemesis::fault::{ActiveFault, Arrangement, Fault, FaultKind, Situation};
use crate::nemesis::record::FaultRecord;
use crate::nemesis::surroundings::{Installed, Seen, Skipped, Surroundings};
use crate::node_id::NodeId;
use crate::platform::ProcessState;

/// A flipped bit, or a lost end, in a file.
pub const CORRUPT_FILE: FaultKind = FaultKind {
    name: "corrupt-file",
    about: "A minority of the nodes is killed, one file of each is damaged (a bit flipped, or its \
            end cut off), and they are started on it. Finds damage that is not noticed.",
    help: "\
How: the nodes are killed and one random file of each data directory is damaged on the disk: one bit is flipped, \
or the end is cut off at a random place. Every other time each file is as likely, and otherwise each byte; parts that \
are nothing but zeros are avoided. Files that were changed within the last two seconds are spared, because \
lost last records of a log cannot be told from a torn write. Then the nodes are started. One may refuse, or end \
later, and log errors as long as the fault lasts. When it heals, the node is killed if it runs, the very same bit \
or end is put back unless the node has written or removed the file since, and the node is started again.
Seen to act: the file on the disk differs; whether the node started on it is evidence. Damage in a place that \
nobody reads goes unnoticed, and rightly so.
Finds: records and blocks without checksums, or whose checksums nobody looks at; a log that is cut short silently \
where it is damaged, which loses votes and entries.
Never more than a minority, so that good copies remain. Needs --storage rocksdb and FUSE (`harness doctor`).",
    nodes_min: 3,
    forgets: true,
    arrangements: &[Arrangement::Disk],
    variants,
};

/// A node has read its files by then, which shows when it serves or ends; what it does later shows when the fault
/// heals.
const NOTICE_PATIENCE: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

fn variants(situation: Situation) -> Vec<Arc<dyn Fault>> {
    // Good copies must remain, whatever else is allowed.
    let selectors = Selector::variants(Situation { keep_quorum: true, ..situation });
    let of_kind = |kind| selectors.iter().map(move |&selector| CorruptFile { selector, kind });
    let all = of_kind(DamageKind::Flip).chain(of_kind(DamageKind::Cut));
    all.map(|fault| Arc::new(fault) as Arc<dyn Fault>).collect()
}

/// Planned damage.
#[derive(Debug)]
struct CorruptFile {
    selector: Selector,
    kind: DamageKind,
}

impl Fault for CorruptFile {
    fn variant(&self) -> String {
        let kind = match self.kind {
            DamageKind::Flip => "flip",
            DamageKind::Cut => "cut",
        };
        format!("{}, {kind}", self.selector.variant())
    }

    fn install(
        &self,
        surroundings: &Surroundings<'_>,
        rng: &mut ChaCha8Rng,
        record: &mut FaultRecord,
    ) -> Result<Installed, Skipped> {
        let what = match self.kind {
            DamageKind::Flip => "flip a bit of",
            DamageKind::Cut => "cut a file of",
        };
        let disks = choose(self.selector, what, surroundings, rng, record)?;
        let nodes: Vec<NodeId> = disks.keys().copied().collect();
        record.parameters = json!({ "selector": self.selector });
        let mut active = Corrupt { nodes, damaged: BTreeMap::new() };
        let mut evidence = BTreeMap::new();
        let mut problems = Vec::new();
        for (node, disk) in disks {
            let process = surroundings.platform.process();
            let damaged = process.kill(node).and_then(|_| disk.damage(self.kind, rng));
            surroundings.control.excuse_errors(node, true);
            let restarted = surroundings.control.restart(node);
            let damage = match (damaged, restarted) {
                (Err(error), _) | (_, Err(error)) => {
                    problems.push(format!("{node}: {error}"));
                    None
                }
                (Ok(None), _) => {
                    problems.push(format!("{node} has no file at rest"));
                    None
                }
                (Ok(damage), Ok(_)) => damage,
            };
            active.damaged.insert(node, (disk, damage));
        }
        record.installed_time = Some(surroundings.now());
        let mut sentences = Vec::new();
        let deadline = Instant::now() + NOTICE_PATIENCE;
        for (node, damage) in active.damages() {
            let reaction = reaction(node, surroundings, deadline);
            let Damage { file, offset, .. } = damage;
            let file = file.display();
            sentences.push(format!("{node}: {file} damaged at byte {offset}, {reaction}"));
            let seen = json!({ "damage": damage, "reaction": reaction });
            evidence.insert(node.to_string(), seen);
        }
        let evidence = json!(evidence);
        let seen = if problems.is_empty() {
            Seen::Yes { evidence, summary: sentences.join("; ") }
        } else {
            Seen::Unclear { reason: problems.join("; "), evidence }
        };
        Ok(Installed::new(active, seen))
    }
}

/// What a node does about its damaged file until `deadline`.
fn reaction(node: NodeId, surroundings: &Surroundings<'_>, deadline: Instant) -> String {
    let process = surroundings.platform.process();
    loop {
        if let ProcessState::Gone { status } = process.state(node) {
            let status = status.map_or("no status".to_owned(), |code| format!("status {code}"));
            return format!("the node ended with {status}");
        }
        if Instant::now() >= deadline {
            return "the node runs".to_owned();
        }
        if surroundings.control.serves(node) {
            return "the node serves".to_owned();
        }
        std::thread::sleep(LOOK_AGAIN);
    }
}

/// Nodes with damaged files.
struct Corrupt {
    nodes: Vec<NodeId>,
    damaged: BTreeMap<NodeId, (Arc<Disk>, Option<Damage>)>,
}

impl Corrupt {
    fn damages(&self) -> impl Iterator<Item = (NodeId, &Damage)> {
        self.damaged.iter().filter_map(|(&node, (_, damage))| Some((node, damage.as_ref()?)))
    }
}

impl ActiveFault for Corrupt {
    fn holds(&self) -> &[NodeId] {
        &self.nodes
    }

    fn heal(self: Box<Self>, surroundings: &Surroundings<'_>, record: &mut FaultRecord) -> Seen {
        let mut evidence = BTreeMap::new();
        let mut sentences = Vec::new();
        for (&node, (disk, damage)) in &self.damaged {
            let process = surroundings.platform.process();
            let reaction = reaction(node, surroundings, Instant::now());
            let repaired = process.kill(node).and_then(|_| match damage {
                Some(damage) => disk.repair(damage),
                None => Ok(false),
            });
            surroundings.control.excuse_errors(node, false);
            let back = repaired.and_then(|is| Ok((is, surroundings.control.restart(node)?)));
            match back {
                Ok((is_repaired, state)) => {
                    let done = if is_repaired { "was put back" } else { "is not there any more" };
                    let done = match damage {
                        Some(_) => format!("what was damaged {done}"),
                        None => "nothing was damaged".to_owned(),
                    };
                    sentences.push(format!("{node}: {reaction}; {done}"));
                    let seen =
                        json!({ "reaction": reaction, "repaired": is_repaired, "after": state });
                    evidence.insert(node.to_string(), seen);
                }
                Err(error) => {
                    record.heal_failure = Some(format!("bring {node} back: {error}"));
                }
            }
        }
        record.healed_time = Some(surroundings.now());
        let evidence = json!(evidence);
        match &record.heal_failure {
            None => Seen::Yes { evidence, summary: sentences.join("; ") },
            Some(reason) => Seen::Unclear { reason: reason.clone(), evidence },
        }
    }
}

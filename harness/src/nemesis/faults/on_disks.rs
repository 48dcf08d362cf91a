//! Disks in trouble for a while: whose they are, whether it shows, and what became of the nodes.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use super::selector::Selector;
use crate::disk::{Disk, DiskCounters, SyncProbe, Trouble};
use crate::nemesis::fault::{ActiveFault, Fault, Situation};
use crate::nemesis::record::FaultRecord;
use crate::nemesis::surroundings::{Installed, Seen, Skipped, Surroundings};
use crate::node_id::NodeId;
use crate::platform::ProcessState;

/// The exit code of a node that gives up on its disk: EX_IOERR of `sysexits.h`.
const EXIT_STORAGE: i32 = 74;
/// The exit code of a node that cannot start, such as on a disk without room.
const EXIT_START: i32 = 1;
/// A sound disk of ours answers at once, a loaded machine may not.
const PATIENCE: Duration = Duration::from_secs(5);
/// So long a synchronisation must hang to be stuck.
const STUCK: Duration = Duration::from_millis(200);
/// With a share of failures far below a third, this many attempts would still show one.
const ATTEMPTS_MAX: usize = 64;
/// So long a node that was given an error may take to end.
const END_PATIENCE: Duration = Duration::from_secs(2);
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Draws nodes, with their disks.
///
/// # Errors
/// Why there are none.
pub(super) fn choose(
    selector: Selector,
    what: &str,
    surroundings: &Surroundings<'_>,
    rng: &mut ChaCha8Rng,
    record: &mut FaultRecord,
) -> Result<BTreeMap<NodeId, Arc<Disk>>, String> {
    let chosen = selector.choose(what, surroundings, rng, record)?;
    let disks = chosen.into_iter().map(|node| Ok((node, surroundings.control.disk(node)?)));
    disks.collect()
}

/// How trouble shows from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Symptom {
    /// A new file is refused with ENOSPC.
    NoRoom,
    /// Some writes fail with EIO.
    FailingWrites,
    /// Some synchronisations fail with EIO.
    FailingSyncs,
    /// A synchronisation takes at least so long.
    SlowSync(Duration),
    /// A synchronisation does not end.
    StuckSync,
}

/// A kind of trouble.
#[derive(Debug, Clone, Copy)]
pub(super) struct TroubleKind {
    /// `full disk of`
    pub(super) what: &'static str,
    /// What tells it from others of the same fault: `writes`; empty if there is only one.
    pub(super) name: &'static str,
    /// What goes wrong.
    pub(super) trouble: Trouble,
    /// How it shows.
    pub(super) symptom: Symptom,
}

/// The trouble on the disks of whichever nodes make sense.
pub(super) fn on_disks(kinds: &[TroubleKind], situation: Situation) -> Vec<Arc<dyn Fault>> {
    let selectors = Selector::variants(situation);
    let of_kind = |&kind: &TroubleKind| {
        let of_selector = |&selector| Arc::new(OnDisks { kind, selector }) as Arc<dyn Fault>;
        selectors.iter().map(of_selector).collect::<Vec<_>>()
    };
    kinds.iter().flat_map(of_kind).collect()
}

/// Planned trouble.
#[derive(Debug)]
struct OnDisks {
    kind: TroubleKind,
    selector: Selector,
}

impl Fault for OnDisks {
    fn variant(&self) -> String {
        match self.kind.name {
            "" => self.selector.variant().to_owned(),
            name => format!("{}, {name}", self.selector.variant()),
        }
    }

    fn install(
        &self,
        surroundings: &Surroundings<'_>,
        rng: &mut ChaCha8Rng,
        record: &mut FaultRecord,
    ) -> Result<Installed, Skipped> {
        let TroubleKind { what, trouble, symptom, .. } = self.kind;
        let disks = choose(self.selector, what, surroundings, rng, record)?;
        let nodes: Vec<NodeId> = disks.keys().copied().collect();
        record.parameters = json!({ "selector": self.selector, "symptom": format!("{symptom:?}") });
        let mut active = InTrouble { nodes, disks: BTreeMap::new(), stuck: BTreeMap::new() };
        for (node, disk) in disks {
            surroundings.control.excuse_errors(node, true);
            let before = disk.counters();
            disk.set_trouble(trouble, rng.random());
            active.disks.insert(node, (disk, before));
        }
        record.installed_time = Some(surroundings.now());
        let mut seen = BTreeMap::new();
        let mut problems = Vec::new();
        for (&node, (disk, _)) in &active.disks {
            match symptom.shows_on(disk) {
                Ok((sentence, stuck)) => {
                    active.stuck.extend(stuck.map(|probe| (node, probe)));
                    seen.insert(node.to_string(), sentence);
                }
                Err(reason) => problems.push(format!("{node}: {reason}")),
            }
        }
        let evidence: Value = json!(seen);
        let seen = if problems.is_empty() {
            let seen: Vec<String> = seen.iter().map(|(node, it)| format!("{node}: {it}")).collect();
            Seen::Yes { evidence, summary: seen.join(", ") }
        } else {
            Seen::Unclear { reason: problems.join("; "), evidence }
        };
        Ok(Installed::new(active, seen))
    }
}

impl Symptom {
    /// Looks for it; what was seen, and a synchronisation that hangs.
    fn shows_on(self, disk: &Disk) -> Result<(String, Option<SyncProbe>), String> {
        let sync = || {
            let probe = disk.probe_sync().map_err(|error| error.to_string())?;
            probe.wait(PATIENCE).ok_or_else(|| format!("a sync hangs for {PATIENCE:?}"))
        };
        match self {
            Symptom::NoRoom => match disk.probe_room() {
                Err(error) if error.kind() == io::ErrorKind::StorageFull => {
                    Ok((format!("a new file was refused: {error}"), None))
                }
                Err(error) => Err(format!("a new file was refused otherwise: {error}")),
                Ok(()) => Err("a new file found room".to_owned()),
            },
            Symptom::FailingWrites => (1..=ATTEMPTS_MAX)
                .find_map(|attempt| Some((attempt, disk.probe_write().err()?)))
                .map(|(attempt, error)| {
                    (format!("write {attempt} of a probe failed: {error}"), None)
                })
                .ok_or_else(|| format!("{ATTEMPTS_MAX} writes went well")),
            Symptom::FailingSyncs => {
                for attempt in 1..=ATTEMPTS_MAX {
                    if let (Err(error), _) = sync()? {
                        return Ok((format!("sync {attempt} of a probe failed: {error}"), None));
                    }
                }
                Err(format!("{ATTEMPTS_MAX} syncs went well"))
            }
            Symptom::SlowSync(least) => match sync()? {
                (Ok(()), took) if took >= least => Ok((format!("a sync took {took:.0?}"), None)),
                (Ok(()), took) => Err(format!("a sync took only {took:?}")),
                (Err(error), _) => Err(format!("a sync failed: {error}")),
            },
            Symptom::StuckSync => {
                let probe = disk.probe_sync().map_err(|error| error.to_string())?;
                match probe.wait(STUCK) {
                    None => Ok((format!("a sync hangs after {STUCK:?}"), Some(probe))),
                    Some((_, took)) => Err(format!("a sync ended after {took:?}")),
                }
            }
        }
    }
}

/// Disks in trouble.
struct InTrouble {
    nodes: Vec<NodeId>,
    /// Each with what it had done before.
    disks: BTreeMap<NodeId, (Arc<Disk>, DiskCounters)>,
    stuck: BTreeMap<NodeId, SyncProbe>,
}

impl ActiveFault for InTrouble {
    fn holds(&self) -> &[NodeId] {
        &self.nodes
    }

    fn heal(self: Box<Self>, surroundings: &Surroundings<'_>, record: &mut FaultRecord) -> Seen {
        for (disk, _) in self.disks.values() {
            disk.set_trouble(Trouble::NONE, 0);
        }
        record.healed_time = Some(surroundings.now());
        let mut evidence = BTreeMap::new();
        let mut problems = Vec::new();
        let mut sentences = Vec::new();
        for (&node, (disk, before)) in &self.disks {
            let done = disk.counters().since(*before);
            match self.is_sound(node, disk).and_then(|()| bring_back(node, done, surroundings)) {
                Ok(sentence) => sentences.push(sentence),
                Err(Owed::Nothing(reason)) => problems.push(format!("{node}: {reason}")),
                Err(Owed::Node(reason)) => {
                    let reason = format!("bring {node} back: {reason}");
                    record.heal_failure = Some(reason.clone());
                    problems.push(reason);
                }
            }
            surroundings.control.excuse_errors(node, false);
            evidence.insert(node.to_string(), done);
        }
        let evidence = json!(evidence);
        if problems.is_empty() {
            Seen::Yes { evidence, summary: sentences.join(", ") }
        } else {
            Seen::Unclear { reason: problems.join("; "), evidence }
        }
    }
}

/// Why a disk or node is not seen to be sound again.
enum Owed {
    /// It may be.
    Nothing(String),
    /// The harness could not start the node again.
    Node(String),
}

impl InTrouble {
    fn is_sound(&self, node: NodeId, disk: &Disk) -> Result<(), Owed> {
        let unclear = |reason: String| Owed::Nothing(reason);
        let probe = match self.stuck.get(&node) {
            Some(probe) => probe,
            None => &disk.probe_sync().map_err(|error| unclear(error.to_string()))?,
        };
        match probe.wait(PATIENCE) {
            Some((Ok(()), _)) => {}
            Some((Err(error), _)) => return Err(unclear(format!("a sync fails still: {error}"))),
            None => return Err(unclear("a sync hangs still".to_owned())),
        }
        disk.probe_room().map_err(|error| unclear(format!("no new file can be made: {error}")))
    }
}

/// Starts a node that gave up on its disk; says what it did.
fn bring_back(
    node: NodeId,
    done: DiskCounters,
    surroundings: &Surroundings<'_>,
) -> Result<String, Owed> {
    let process = surroundings.platform.process();
    let failures = done.refused_full + done.failed_writes + done.failed_syncs;
    let deadline = Instant::now() + END_PATIENCE;
    // It may be about to end.
    while failures > 0
        && !matches!(process.state(node), ProcessState::Gone { .. })
        && Instant::now() < deadline
    {
        std::thread::sleep(LOOK_AGAIN);
    }
    match process.state(node) {
        ProcessState::Gone { status: Some(status) }
            if status == EXIT_STORAGE || (status == EXIT_START && failures > 0) =>
        {
            let restarted = surroundings.control.restart(node);
            restarted.map_err(|error| Owed::Node(error.to_string()))?;
            Ok(format!("{node} gave up (status {status}) and was started again"))
        }
        ProcessState::Gone { status } => Err(Owed::Nothing(format!("ended with {status:?}"))),
        ProcessState::Running { .. } | ProcessState::Stopped { .. } => {
            Ok(format!("{node} went on"))
        }
    }
}

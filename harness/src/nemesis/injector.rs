//! Performs planned faults, one action at a time, and writes down what was seen.

use std::collections::BTreeMap;
use std::time::Instant;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use super::fault::{FaultKind, FaultSpec};
use super::partition::Partition;
use super::plan::PlannedFault;
use super::process_fault::ProcessFault;
use super::record::{FaultOutcome, FaultRecord};
use super::surroundings::{NodeControl, Seen, Surroundings};
use crate::node_id::NodeId;
use crate::platform::Platform;

/// One thing for the nemesis to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Install the fault of this index in the plan.
    Install(usize),
    /// Heal it.
    Heal(usize),
    /// Heal whatever is in force: the final phase, or the user stopped the run.
    HealAll,
}

/// A fault in force. Healing it is what the injector owes the run.
pub(super) enum ActiveFault {
    Partition(Partition),
    Process(ProcessFault),
}

/// The nemesis' hands. Runs on a thread of its own, because every call blocks.
pub struct Injector<'a> {
    platform: &'a dyn Platform,
    control: &'a dyn NodeControl,
    nodes: Vec<NodeId>,
    plan: Vec<PlannedFault>,
    rng: ChaCha8Rng,
    began: Instant,
    active: BTreeMap<usize, (ActiveFault, FaultRecord)>,
}

impl<'a> Injector<'a> {
    /// An injector that has done nothing yet. Times count from `began`.
    pub fn new(
        platform: &'a dyn Platform,
        control: &'a dyn NodeControl,
        nodes: Vec<NodeId>,
        plan: Vec<PlannedFault>,
        seed: u64,
        began: Instant,
    ) -> Injector<'a> {
        let rng = ChaCha8Rng::seed_from_u64(seed);
        Injector { platform, control, nodes, plan, rng, began, active: BTreeMap::new() }
    }

    /// Performs one action. Returns the records of the faults that it began or ended: one in force has no
    /// `healed_time` yet, and its later record replaces it.
    pub fn perform(&mut self, action: Action) -> Vec<FaultRecord> {
        match action {
            Action::Install(index) => self.install(index).into_iter().collect(),
            Action::Heal(index) => self.heal(index).into_iter().collect(),
            Action::HealAll => {
                let active: Vec<usize> = self.active.keys().copied().collect();
                active.into_iter().filter_map(|index| self.heal(index)).collect()
            }
        }
    }

    /// Short descriptions of the faults in force.
    pub fn in_force(&self) -> Vec<String> {
        self.active.values().map(|(_, record)| record.description.clone()).collect()
    }

    fn install(&mut self, index: usize) -> Option<FaultRecord> {
        let planned = self.plan.get(index)?.clone();
        let surroundings = Surroundings {
            platform: self.platform,
            control: self.control,
            nodes: &self.nodes,
            held: self.held(),
            began: self.began,
        };
        let mut record = FaultRecord {
            index: index as u64,
            kind: planned.spec.kind().name().to_owned(),
            description: String::new(),
            targets: Vec::new(),
            parameters: json!({}),
            planned_time: planned.start.as_nanos() as u64,
            installed_time: None,
            healed_time: None,
            outcome: FaultOutcome::Indeterminate,
            reason: None,
            heal_failure: None,
            evidence: json!({}),
        };
        let (fault, seen) = match planned.spec {
            FaultSpec::Partition { shape, direction } => {
                let (fault, seen) =
                    Partition::install(shape, direction, &surroundings, &mut self.rng, &mut record);
                (fault.map(ActiveFault::Partition), seen)
            }
            FaultSpec::Kill { selector } | FaultSpec::Pause { selector } => {
                let (fault, seen) = ProcessFault::install(
                    planned.spec.kind(),
                    selector,
                    &surroundings,
                    &mut self.rng,
                    &mut record,
                );
                (fault.map(ActiveFault::Process), seen)
            }
        };
        note(&mut record, "install", seen);
        match fault {
            Some(fault) => {
                tracing::info!(fault = %record.description, outcome = ?record.outcome, "fault on");
                self.active.insert(index, (fault, record.clone()));
                Some(record)
            }
            None => {
                tracing::info!(fault = %record.description, reason = ?record.reason, "fault skipped");
                Some(record)
            }
        }
    }

    fn heal(&mut self, index: usize) -> Option<FaultRecord> {
        let (fault, mut record) = self.active.remove(&index)?;
        let surroundings = Surroundings {
            platform: self.platform,
            control: self.control,
            nodes: &self.nodes,
            held: self.held(),
            began: self.began,
        };
        let seen = match fault {
            ActiveFault::Partition(partition) => partition.heal(&surroundings, &mut record),
            ActiveFault::Process(process) => process.heal(&surroundings, &mut record),
        };
        note(&mut record, "heal", seen);
        tracing::info!(fault = %record.description, outcome = ?record.outcome, "fault off");
        Some(record)
    }

    /// Nodes that are killed or paused now.
    fn held(&self) -> BTreeMap<NodeId, FaultKind> {
        let mut held = BTreeMap::new();
        for (fault, _) in self.active.values() {
            if let ActiveFault::Process(process) = fault {
                held.extend(process.targets().iter().map(|&node| (node, process.kind())));
            }
        }
        held
    }
}

impl Drop for Injector<'_> {
    fn drop(&mut self) {
        self.perform(Action::HealAll);
    }
}

/// Merges what was seen into the record. A fault counts as installed only if both its
/// beginning and its end were seen.
fn note(record: &mut FaultRecord, phase: &str, seen: Seen) {
    let is_heal = phase == "heal";
    let (evidence, sentence) = match seen {
        Seen::Yes { evidence, summary } => {
            if !is_heal {
                record.outcome = FaultOutcome::Installed;
            }
            (evidence, summary)
        }
        Seen::Unclear { reason, evidence } => {
            record.outcome = FaultOutcome::Indeterminate;
            let sentence = reason.clone();
            record.reason = Some(match record.reason.take() {
                Some(earlier) => format!("{earlier}; {reason}"),
                None => reason,
            });
            (evidence, sentence)
        }
        Seen::Skipped { reason } => {
            record.outcome = FaultOutcome::Skipped;
            record.reason = Some(reason.clone());
            (json!({}), reason)
        }
    };
    record.evidence[phase] = evidence;
    let summary = match record.evidence.get("summary").and_then(|value| value.as_str()) {
        Some(earlier) => format!("{earlier}; {sentence}"),
        None => sentence,
    };
    record.evidence["summary"] = json!(summary);
}

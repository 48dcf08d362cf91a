//! Performs planned faults, one action at a time, and writes down what was seen.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use super::fault::ActiveFault;
use super::network::Network;
use super::plan::PlannedFault;
use super::record::{FaultOutcome, FaultRecord, replace_or_push};
use super::surroundings::{Installed, NodeControl, Seen, Skipped, Surroundings};
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

/// The nemesis' hands. Runs on a thread of its own, because every call blocks.
pub struct Injector {
    platform: Arc<dyn Platform>,
    network: Arc<Network>,
    control: Arc<dyn NodeControl>,
    nodes: Vec<NodeId>,
    plan: Vec<PlannedFault>,
    began: Instant,
    active: BTreeMap<usize, (Box<dyn ActiveFault>, FaultRecord)>,
    /// Those of them that could not be healed yet.
    postponed: BTreeSet<usize>,
}

/// How often all that is left is healed again at the end, where other faults were in the way.
const FINAL_ROUNDS_MAX: u32 = 4;

impl Injector {
    /// An injector that has done nothing yet. Times count from `began`.
    pub fn new(
        platform: Arc<dyn Platform>,
        control: Arc<dyn NodeControl>,
        nodes: Vec<NodeId>,
        plan: Vec<PlannedFault>,
        began: Instant,
    ) -> Injector {
        let network = Network::new(Arc::clone(&platform));
        Injector {
            platform,
            network,
            control,
            nodes,
            plan,
            began,
            active: BTreeMap::new(),
            postponed: BTreeSet::new(),
        }
    }

    /// Performs one action. Returns the records of the faults that it began or ended: one in force has no
    /// `healed_time` yet, and its later record replaces it.
    pub fn perform(&mut self, action: Action) -> Vec<FaultRecord> {
        match action {
            Action::Install(index) => self.install(index).into_iter().collect(),
            Action::Heal(index) => {
                let mut records: Vec<FaultRecord> = self.heal(index).into_iter().collect();
                // What this one was in the way of may be possible now.
                let postponed: Vec<usize> = self.postponed.iter().copied().collect();
                for earlier in postponed.into_iter().filter(|earlier| *earlier != index) {
                    records.extend(self.heal(earlier));
                }
                records
            }
            Action::HealAll => self.heal_all(),
        }
    }

    fn heal_all(&mut self) -> Vec<FaultRecord> {
        let mut records = Vec::new();
        for _ in 0..FINAL_ROUNDS_MAX {
            let active: Vec<usize> = self.active.keys().copied().collect();
            for index in active {
                if let Some(record) = self.heal(index) {
                    replace_or_push(&mut records, record);
                }
            }
        }
        // What it is good for is over; that the system does not serve is found by who looks for that.
        self.active.clear();
        self.postponed.clear();
        records
    }

    /// Short descriptions of the faults in force.
    pub fn in_force(&self) -> Vec<String> {
        self.active.values().map(|(_, record)| record.description.clone()).collect()
    }

    fn install(&mut self, index: usize) -> Option<FaultRecord> {
        let planned = self.plan.get(index)?.clone();
        let surroundings = self.surroundings();
        let mut record = FaultRecord {
            index: index as u64,
            kind: planned.kind.name.to_owned(),
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
        let mut rng = ChaCha8Rng::seed_from_u64(planned.seed);
        match planned.fault.install(&surroundings, &mut rng, &mut record) {
            Ok(Installed { fault, seen }) => {
                note(&mut record, "install", seen);
                tracing::info!(fault = %record.description, outcome = ?record.outcome, "fault on");
                self.active.insert(index, (fault, record.clone()));
            }
            Err(Skipped { reason }) => {
                tracing::info!(fault = %record.description, reason, "fault skipped");
                record.outcome = FaultOutcome::Skipped;
                record.evidence = json!({ "install": {}, "summary": reason });
                record.reason = Some(reason);
            }
        }
        Some(record)
    }

    fn heal(&mut self, index: usize) -> Option<FaultRecord> {
        let (fault, mut record) = self.active.remove(&index)?;
        let surroundings = self.surroundings();
        let seen = fault.heal(&surroundings, &mut record);
        if let Seen::Later { reason, fault } = seen {
            tracing::info!(fault = %record.description, reason, "fault cannot be undone yet");
            let unclear = Seen::Unclear { reason: reason.clone(), evidence: json!({}) };
            let before = record.clone();
            note(&mut record, "heal", unclear);
            // When it is undone at last, the record says nothing of the attempts.
            self.active.insert(index, (fault, before));
            self.postponed.insert(index);
            return Some(record);
        }
        self.postponed.remove(&index);
        note(&mut record, "heal", seen);
        tracing::info!(fault = %record.description, outcome = ?record.outcome, "fault off");
        Some(record)
    }

    fn surroundings(&self) -> Surroundings<'_> {
        let held: BTreeSet<NodeId> =
            self.active.values().flat_map(|(fault, _)| fault.holds()).copied().collect();
        Surroundings {
            platform: &self.platform,
            network: &self.network,
            control: &self.control,
            nodes: &self.nodes,
            held,
            began: self.began,
        }
    }
}

impl Drop for Injector {
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
        Seen::Later { reason, .. } => {
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

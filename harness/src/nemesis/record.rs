//! `schedule.jsonl`: one object when a fault is in force, and one when it ended.
//!
//! The later record of an index replaces the earlier, so that a run that was killed in the middle
//! of a fault still shows it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::node_id::NodeId;

/// What became of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FaultOutcome {
    /// It was seen to act.
    Installed,
    /// It was not attempted, for a stated reason.
    Skipped,
    /// It was attempted, but was not seen to act (or not seen to be healed).
    Indeterminate,
}

/// One fault as it happened. Times are nanoseconds since the run began.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FaultRecord {
    /// Position in the schedule, from 0.
    pub index: u64,
    /// `partition`, `kill`, `pause`.
    pub kind: String,
    /// In words, such as `partition: majorities-ring`, `pause n3`, `kill n1, n4 (beyond quorum)`.
    pub description: String,
    /// Nodes it acts on.
    pub targets: Vec<NodeId>,
    /// Parameters of the kind: shape, direction, cut links, whether a quorum was left.
    pub parameters: Value,
    /// When it should have started.
    pub planned_time: u64,
    /// When all of it was in force: the last link cut, the last node killed. Probes come after.
    pub installed_time: Option<u64>,
    /// When all of it was undone, before probes looked.
    pub healed_time: Option<u64>,
    /// What became of it.
    pub outcome: FaultOutcome,
    /// Why it was skipped or is indeterminate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why the harness could not undo it: a failure of its own, never the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heal_failure: Option<String>,
    /// What the probes saw, after installing and after healing.
    pub evidence: Value,
}

/// Adds a record, in place of an earlier one of the same fault.
pub fn replace_or_push(records: &mut Vec<FaultRecord>, record: FaultRecord) {
    match records.iter_mut().find(|known| known.index == record.index) {
        Some(known) => *known = record,
        None => records.push(record),
    }
}

//! Checkers: pure judges of histories. Each returns a [`Check`] with evidence.
//!
//! ```text
//! linearizable   is there a legal order?     exercised   did each kind of operation ever succeed?
//! bank, counter, set_full, kafka, ...        does what was read agree with what was done?
//! sequential     ... of each process only?   session     does a process see its own order?
//! staleness      ... if reads may be old?    online      linearizable, event by event
//! ```
//!
//! [`CHECKERS`] is the table of those that can be asked for by model and property.

pub mod availability;
mod bank;
mod bounds;
mod counter;
mod doublecheck;
mod exercised;
mod findings;
pub mod isolation;
mod kafka;
pub mod linearizable;
mod lock;
pub mod log_patterns;
mod long_fork;
mod monotonic;
pub mod online;
mod order;
mod process_order;
#[cfg(test)]
pub(crate) mod script;
mod sequential;
mod session;
mod set_full;
mod staleness;
mod table;
mod total_queue;
mod unique_ids;
mod watch;

pub use doublecheck::{DOUBLECHECKS, doublecheck_object};
pub use exercised::exercised;
pub use process_order::check_sequential;
pub use session::Guarantee;
pub use staleness::check_staleness;
pub use table::{CHECKERS, CheckFn, CheckOptions, CheckerInfo, Method, checker};

use serde::{Deserialize, Serialize};

use crate::history::Value;

/// The outcome of a check. A run takes the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// What was expected holds, and there is a witness.
    Valid,
    /// A budget ran out, or the run proves nothing.
    Unknown,
    /// What was expected does not hold, and there is a counterexample.
    Invalid,
}

/// The result of one checker.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Check {
    /// The checker, such as `linearizable`.
    pub name: String,
    /// The outcome.
    pub verdict: Verdict,
    /// One sentence in plain words.
    pub summary: String,
    /// Why it is unknown: the budget that ran out (and on which key), or what was never exercised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Keys judged, of how many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partitions: Option<PartitionCounts>,
    /// Sets of operations that no order can explain, smallest first; empty unless invalid.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub counterexamples: Vec<Counterexample>,
    /// What else was seen that must not be, such as a cycle of transactions or a lost element.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub anomalies: Vec<Anomaly>,
    /// The weakest consistency models that are broken, such as `snapshot-isolation`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub broken: Vec<String>,
    /// Numbers that belong to the verdict, such as how many elements were lost.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub measurements: Vec<Measurement>,
    /// Orders that explain the history; only where asked for, see [`CheckOptions::witness`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub witness: Vec<Witness>,
}

impl Check {
    /// A check with nothing but its name, verdict and summary.
    pub fn new(name: &str, verdict: Verdict, summary: String) -> Check {
        Check {
            name: name.to_owned(),
            verdict,
            summary,
            reason: None,
            partitions: None,
            counterexamples: Vec::new(),
            anomalies: Vec::new(),
            broken: Vec::new(),
            measurements: Vec::new(),
            witness: Vec::new(),
        }
    }
}

/// An order of operations that explains what they returned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Witness {
    /// The object whose operations these are; none if the history has one object, or for an order of
    /// the operations on all of them, such as a serialization of transactions.
    pub key: Option<Value>,
    /// Indices of the invocations: every acknowledged operation once, those of unknown outcome only
    /// if they took effect.
    pub order: Vec<u64>,
}

/// A number that belongs to a verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// What was counted or measured, with its unit, such as `lost elements`.
    pub name: String,
    /// How much.
    pub value: Value,
}

/// Something that must not be in a history, with the operations that show it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Anomaly {
    /// Its name in the literature, such as `G-single-realtime` or `lost-update`; or plain words with
    /// hyphens, such as `lost-element`.
    pub kind: String,
    /// The key, if it is about one.
    pub key: Option<Value>,
    /// The operations that show it; a cycle in its order.
    pub operations: Vec<CounterexampleOperation>,
    /// Why they cannot be in any order: edges of a cycle in its order; empty for other anomalies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub edges: Vec<DependencyEdge>,
    /// Positions of those operations that contradict the others, where some do and others do not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wrong: Vec<usize>,
    /// In words: short sentences, for someone who knows the operations only.
    pub explanation: Vec<String>,
}

/// Why one operation comes before another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DependencyEdge {
    /// Position in `Anomaly::operations` of the one that comes before.
    pub from: usize,
    /// Position of the one that comes after.
    pub to: usize,
    /// `ww`, `wr`, `rw`, `realtime`, `process`, or another kind that the checker documents.
    pub kind: String,
    /// In words, such as `B read 3 from x, which A wrote`.
    pub reason: String,
}

/// How many independent objects a check looked at, by verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionCounts {
    /// Keys that are linearizable, with a verified witness order each.
    pub valid: usize,
    /// Keys on which a budget ran out.
    pub unknown: usize,
    /// Keys with a counterexample.
    pub invalid: usize,
}

/// A smallest set of operations that no order can explain.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Counterexample {
    /// The key, if the history has keys.
    pub key: Option<Value>,
    /// The operations, by invocation time. Taking any one away, and those that may owe their result
    /// to it, leaves a history that can be explained (unless a budget ended the shrinking early).
    pub operations: Vec<CounterexampleOperation>,
    /// An order that makes sense for as long as any does, as positions in `operations`.
    pub longest_prefix: Vec<PrefixStep>,
    /// The operations (positions in `operations`) that cannot come next after the longest prefix, and why.
    pub stuck: Vec<StuckOperation>,
    /// The contradiction in words: short numbered steps, for someone who knows registers only.
    pub explanation: Vec<String>,
}

/// One operation of a counterexample.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CounterexampleOperation {
    /// Its name in the explanation, such as `A`.
    pub label: String,
    /// Who invoked it.
    pub process: u64,
    /// Which node it was sent to.
    pub node: Option<String>,
    /// The function.
    pub f: String,
    /// In words, such as `write 7`, `read -> 3`, `cas 3 -> 7 (unknown outcome)`; or
    /// `cas 3 -> 7 (unknown outcome; taken as write 7)` if it does not even matter what it replaced.
    pub text: String,
    /// `ok` or `info`.
    pub outcome: crate::history::EventKind,
    /// Index of the invocation event in the history.
    pub invoke_index: u64,
    /// Invocation, nanoseconds since the run began.
    pub invoke_time: u64,
    /// Completion, nanoseconds since the run began; none if it never surely completed.
    pub complete_time: Option<u64>,
}

/// One step of an order that makes sense.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PrefixStep {
    /// Position in `Counterexample::operations`.
    pub operation: usize,
    /// The state after it, in words, such as `3` or `nothing`.
    pub state: String,
}

/// Why an operation cannot come next.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StuckOperation {
    /// Position in `Counterexample::operations`.
    pub operation: usize,
    /// For example `it read 3, but the register holds 7`.
    pub why: String,
}

/// What a checker may spend. Asked often; must be cheap.
pub trait Budget: Sync {
    /// The name of what ran out, such as `time budget of 60 s`, or none while there is more.
    /// `bytes` is what the checker holds in memory now.
    fn exhausted(&self, bytes: usize) -> Option<String>;
}

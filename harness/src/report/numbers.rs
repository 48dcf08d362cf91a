//! The numbers of `results.json`. Times and latencies are nanoseconds.

use serde::{Deserialize, Serialize};

use crate::latency::LatencyPercentiles;
use crate::nemesis::record::FaultOutcome;

/// How operations of one function ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionCounts {
    /// The function, such as `read`.
    pub f: String,
    /// Invocations; always `ok + fail + info`.
    pub invoked: u64,
    /// Took effect.
    pub ok: u64,
    /// Provably had no effect.
    pub fail: u64,
    /// May have taken effect; an operation that never completed counts here.
    pub info: u64,
}

/// What became of the faults of one kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultCounts {
    /// `partition`, `kill`, ...
    pub kind: String,
    /// Seen to act.
    pub installed: u64,
    /// Not attempted.
    pub skipped: u64,
    /// Attempted, but not seen to act or not seen to be healed.
    pub indeterminate: u64,
}

/// When one fault was in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultWindow {
    /// Its position in the schedule.
    pub index: u64,
    /// `partition`, `kill`, ...
    pub kind: String,
    /// In words.
    pub description: String,
    /// Installed or indeterminate.
    pub outcome: FaultOutcome,
    /// What the probes saw, in words.
    #[serde(default)]
    pub evidence: String,
    /// When it was in force.
    pub start: u64,
    /// When it was undone; the end of the run if it never was.
    pub end: u64,
}

/// How long a fault was felt after it was undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultRecovery {
    /// The fault's position in the schedule.
    pub index: u64,
    /// From its heal until every node had answered an operation that was invoked after it; none if
    /// another fault was in force, or the run ended, before.
    pub time: Option<u64>,
}

/// The longest of the recoveries after single faults and of the one at the end, ns.
pub fn longest_recovery(faults: &[FaultRecovery], end: &Recovery) -> Option<u64> {
    faults.iter().filter_map(|felt| felt.time).chain(end.time).max()
}

/// Which operations a latency row is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LatencyScope {
    /// The whole run.
    All,
    /// No fault was in force at any moment of the operation.
    Quiet,
    /// A fault of any kind was in force at some moment of the operation.
    UnderFault,
    /// A fault of this kind was in force at some moment of the operation.
    Fault(String),
}

/// Latency of one function in one scope. An operation's latency is its completion minus its
/// scheduled start (its invocation in a closed loop), so that waiting behind a slow operation
/// counts: no coordinated omission. Only `ok` operations have a latency; the others are counted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LatencyRow {
    /// Which operations.
    pub scope: LatencyScope,
    /// The function; none for all functions together.
    pub f: Option<String>,
    /// The percentiles of the ok operations.
    pub percentiles: LatencyPercentiles,
    /// Operations that ended in `fail`; not in the histogram.
    pub failed: u64,
    /// Operations that ended in `info` or never: their latency is only known to be longer than
    /// they were waited for, so the true tail is longer than the histogram's by this many.
    pub censored: u64,
    /// The histogram (HdrHistogram V2, base64, nanoseconds).
    pub histogram: String,
}

/// How much of the time the system served: the share of short windows with a success.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Availability {
    /// Length of a window.
    pub window: u64,
    /// From the first scheduled operation to the last invocation.
    pub overall: AvailableShare,
    /// Windows in which no fault was in force.
    pub quiet: AvailableShare,
    /// Windows in which a fault was in force.
    pub under_fault: AvailableShare,
    /// The longest time without a success.
    pub longest_gap: u64,
    /// When it began.
    pub longest_gap_start: u64,
}

/// Windows with at least one success, of how many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AvailableShare {
    /// Windows with a success.
    pub available: u64,
    /// All windows.
    pub windows: u64,
}

/// Liveness after the last heal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recovery {
    /// Whether it did.
    pub outcome: RecoveryOutcome,
    /// From the last heal until every node answered reads and writes.
    pub time: Option<u64>,
    /// The bound on it.
    pub limit: u64,
    /// One sentence.
    pub summary: String,
}

/// Whether the system served again after the last heal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecoveryOutcome {
    /// Within the bound.
    Recovered,
    /// Not, or too late: exit code 3 if nothing is worse.
    NotRecovered,
    /// There was nothing to recover from, or the run ended before.
    NotMeasured,
}

/// Throughput and latency over time. Bucket `i` begins at `start + i * bucket`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// When the first bucket begins.
    pub start: u64,
    /// Length of a bucket: a second, unless the run is very short or very long.
    pub bucket: u64,
    /// Completions per bucket, by function.
    pub throughput: Vec<ThroughputSeries>,
    /// Median latency of the ok operations whose (scheduled) start is in the bucket.
    pub p50: Vec<Option<u64>>,
    /// Their 99th percentile.
    pub p99: Vec<Option<u64>>,
}

/// Completions of one function per bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThroughputSeries {
    /// The function.
    pub f: String,
    /// Took effect.
    pub ok: Vec<u64>,
    /// Provably had no effect.
    pub fail: Vec<u64>,
    /// May have taken effect.
    pub info: Vec<u64>,
}

//! `run.json` and `results.json`.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use workloads::checker::{Check, Verdict};

use crate::report::coverage::CoverageCell;
use crate::report::numbers::{
    Availability, FaultCounts, FaultRecovery, FaultWindow, FunctionCounts, LatencyRow, Recovery,
    Series,
};
use crate::role_watch::RoleSample;
use crate::system::is_without;

/// Version of `run.json`, `results.json` and `schedule.jsonl`.
pub const FORMAT: u32 = 1;

/// `run.json`: what was asked and where it ran; written before the run starts.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunInfo {
    /// [`FORMAT`].
    pub format: u32,
    /// Unique name, such as `register-partition/20261122T130501Z-42`.
    pub run: String,
    /// `real` (later also `simulated`, `model-checked`).
    pub world: String,
    /// Start, UTC, RFC 3339.
    pub started: String,
    /// The workload's name.
    pub workload: String,
    /// The fault names.
    pub faults: Vec<String>,
    /// The system's name.
    pub system: String,
    /// Number of nodes.
    pub nodes: u16,
    /// What repeats the run's choices.
    pub seed: u64,
    /// The exact command that repeats it.
    pub command: String,
    /// Chosen platform and fabric, and why.
    pub platform: String,
    /// What is weaker on this platform.
    pub platform_notes: Vec<String>,
    /// The planted bug, if one is switched on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bug: Option<String>,
    /// All effective options.
    pub options: Value,
    /// Harness version and git commit.
    pub version: String,
    /// Host facts: cores, kernel, fsync latency.
    pub host: Value,
}

/// Options that decide what a run can show, and what they usually are.
const DECISIVE: [(&str, &str); 6] = [
    ("read_mode", "linearizable"),
    ("fsync", "always"),
    ("storage", "rocksdb"),
    ("settings", ""),
    ("judge_as", ""),
    ("property", ""),
];

impl RunInfo {
    /// Those of the options that are not as usual and decide what the run can show, as they are written
    /// on the command line.
    pub(crate) fn unusual_settings(&self) -> Vec<String> {
        let unusual = DECISIVE.iter().filter_map(|&(name, usual)| {
            let value = self.options.get(name)?.as_str()?;
            let says_something = value != usual && !is_without(&self.system, name);
            says_something.then(|| format!("--{} {value}", name.replace('_', "-")))
        });
        unusual.collect()
    }
}

/// What the runner saw besides the history and the faults.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct RunFacts {
    /// When the first operation was scheduled, ns.
    pub workload_start: u64,
    /// When the last fault was healed for good, ns.
    pub final_heal: Option<u64>,
    /// From the final heal until every node answered reads and writes again, ns; none if it did not.
    pub recovery: Option<u64>,
    /// The bound on it, ns.
    pub recovery_limit: u64,
    /// When the last operation ended, ns.
    pub end: u64,
    /// The run was stopped early by the user.
    pub interrupted: bool,
    /// What `--fail-fast` saw proved so that the run ended early, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proved: Option<String>,
    /// Scheduled starts that were given up because a worker was held up too long.
    #[serde(default)]
    pub shed_starts: u64,
    /// Nodes that ended by themselves, panicked or logged an error that they should not: one sentence each.
    pub node_findings: Vec<String>,
    /// When the run began by the wall clock, ns since 1970: what lines of node logs are placed by.
    #[serde(default)]
    pub began_at: Option<u64>,
    /// Who led when; lies in `roles.jsonl`, so that it is not here twice.
    #[serde(skip)]
    pub roles: Vec<RoleSample>,
    /// What went wrong in the harness itself; makes the run a harness failure.
    pub harness_failures: Vec<String>,
}

/// `results.json`: verdicts with evidence, and the numbers of the report.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Results {
    /// [`FORMAT`].
    pub format: u32,
    /// The worst verdict of all checks.
    pub verdict: Verdict,
    /// The exit code that the run ends with.
    pub exit_code: i32,
    /// Two or three sentences in plain words.
    pub summary: String,
    /// All checks: those of the workload first, then those of the run itself.
    pub checks: Vec<Check>,
    /// Whether the system served again after the last heal. Liveness, apart from the verdict.
    pub recovery: Recovery,
    /// Operation counts, one entry a function, by name.
    pub operations: Vec<FunctionCounts>,
    /// Fault counts, one entry a kind, by name.
    pub faults: Vec<FaultCounts>,
    /// When faults were in force, by start.
    pub fault_windows: Vec<FaultWindow>,
    /// How long each of them was felt after it was undone, in the same order.
    #[serde(default)]
    pub fault_recoveries: Vec<FaultRecovery>,
    /// Latency per scope and function.
    pub latency: Vec<LatencyRow>,
    /// Which fault met which operation where, and which never did.
    #[serde(default)]
    pub coverage: Vec<CoverageCell>,
    /// How much of the time the system served.
    pub availability: Availability,
    /// Throughput and latency over time.
    pub series: Series,
    /// What the runner saw besides, so that the report can be made again from the files.
    pub facts: RunFacts,
}

//! What is kept of a run to compare it: what each stretch of it saw.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use workloads::checker::Verdict;
use workloads::history::EventKind;

use crate::nemesis::record::FaultRecord;
use crate::recorded_run::{self, ReadRunError, RecordedRun};
use crate::report::measure;
use crate::report::numbers::{FaultWindow, LatencyScope};
use crate::report::operations::{self, TimedOperation};

/// Length of a stretch, ns. Neighbouring operations are alike, so that they are drawn together.
pub(super) const STRETCH: u64 = 5_000_000_000;

/// Runs that belong together.
#[derive(Debug)]
pub struct Group {
    /// As given: a folder.
    pub name: String,
    /// The runs, by path.
    pub runs: Vec<Sample>,
}

/// A group cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum GroupError {
    /// There is nothing to compare.
    #[error(
        "no run in {0}\nhint: the folder of a run (results/latest), or one that holds runs (results/register-kill)"
    )]
    Empty(String),
    /// A run cannot be read.
    #[error(transparent)]
    Read(#[from] ReadRunError),
}

/// What was seen in one run.
#[derive(Debug)]
pub struct Sample {
    /// The run's name.
    pub run: String,
    /// Options that matter for a comparison, by name.
    pub options: BTreeMap<String, String>,
    /// The verdict, if it was judged.
    pub verdict: Option<Verdict>,
    /// Consecutive stretches.
    pub stretches: Vec<Stretch>,
    /// From the heal of each fault until all nodes served again, ns, by kind.
    pub recoveries: Vec<(String, u64)>,
    /// The longest time without a success, ns.
    pub longest_gap: u64,
}

/// What was seen in a few seconds of a run.
#[derive(Debug, Default)]
pub struct Stretch {
    /// Its length, ns; the last of a run may be short.
    pub length: u64,
    /// Operations that took effect.
    pub ok: u64,
    /// Operations that were started.
    pub invoked: u64,
    /// Operations whose outcome was never known.
    pub info: u64,
    /// Latencies of those that took effect, ns, by scope.
    pub latencies: BTreeMap<LatencyScope, Vec<u64>>,
    /// Windows with a success, and all windows, with and without a fault in force.
    pub served: BTreeMap<LatencyScope, (u64, u64)>,
}

impl Group {
    /// Reads the run in `folder`, or all runs below it.
    pub fn read(folder: &Path) -> Result<Group, GroupError> {
        Group::of(folder.display().to_string(), &[folder.to_owned()])
    }

    /// Reads all runs in these folders.
    pub fn of(name: String, folders: &[PathBuf]) -> Result<Group, GroupError> {
        let folders: Vec<PathBuf> =
            folders.iter().flat_map(|folder| recorded_run::find(folder)).collect();
        if folders.is_empty() {
            return Err(GroupError::Empty(name));
        }
        let mut runs = Vec::with_capacity(folders.len());
        for folder in &folders {
            let verdict = recorded_run::results(folder).ok().map(|results| results.verdict);
            runs.push(sample(&RecordedRun::read(folder)?, verdict));
        }
        Ok(Group { name, runs })
    }
}

/// Options without which two runs are not alike; `seed` and where results go make no difference.
const ALIKE: [&str; 17] = [
    "workload",
    "faults",
    "system",
    "settings",
    "nodes",
    "platform",
    "fabric",
    "time_limit",
    "interval",
    "keep_quorum",
    "rate",
    "concurrency",
    "keys",
    "read_mode",
    "storage",
    "fsync",
    "shards",
];

fn sample(run: &RecordedRun, verdict: Option<Verdict>) -> Sample {
    let options = ALIKE
        .iter()
        .filter_map(|&name| {
            let value = run.info.options.get(name)?;
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            Some((name.replace('_', "-"), text))
        })
        .chain([("version".to_owned(), run.info.version.clone())])
        .chain(run.info.bug.iter().map(|bug| ("bug".to_owned(), bug.clone())))
        .collect();
    let operations = operations::pair(&run.events);
    let windows = measure::fault_windows(&run.faults, run.facts.end);
    let availability = measure::availability(&operations, &windows, run.facts.workload_start);
    Sample {
        run: run.info.run.clone(),
        options,
        verdict,
        stretches: stretches(&operations, &windows, run.facts.workload_start),
        recoveries: recoveries(&operations, &run.faults, run.facts.end),
        longest_gap: availability.longest_gap,
    }
}

fn recoveries(
    operations: &[TimedOperation<'_>],
    faults: &[FaultRecord],
    end: u64,
) -> Vec<(String, u64)> {
    let windows = measure::fault_windows(faults, end);
    measure::fault_recoveries(operations, &windows)
        .into_iter()
        .zip(&windows)
        .filter_map(|(recovery, window)| Some((window.kind.clone(), recovery.time?)))
        .collect()
}

/// Only whole main phases count: what is invoked after the last scheduled operation is not load.
fn stretches(
    operations: &[TimedOperation<'_>],
    windows: &[FaultWindow],
    start: u64,
) -> Vec<Stretch> {
    let end = operations.iter().map(|operation| operation.start()).max().unwrap_or(start);
    let length = end.saturating_sub(start).max(1);
    let mut stretches: Vec<Stretch> = (0..length.div_ceil(STRETCH))
        .map(|position| Stretch {
            length: STRETCH.min(length - position * STRETCH),
            ..Stretch::default()
        })
        .collect();
    let last = stretches.len() - 1;
    let at = |time: u64| ((time.saturating_sub(start) / STRETCH) as usize).min(last);
    for operation in operations {
        let stretch = &mut stretches[at(operation.start())];
        stretch.invoked += 1;
        match operation.outcome() {
            EventKind::Ok => stretch.ok += 1,
            EventKind::Info | EventKind::Invoke => stretch.info += 1,
            EventKind::Fail => {}
        }
        let Some(latency) = operation.latency() else { continue };
        let kinds: BTreeSet<&str> = windows
            .iter()
            .filter(|window| operation.overlaps(window))
            .map(|window| window.kind.as_str())
            .collect();
        let under = if kinds.is_empty() { LatencyScope::Quiet } else { LatencyScope::UnderFault };
        let of_kinds = kinds.into_iter().map(|kind| LatencyScope::Fault(kind.to_owned()));
        for scope in [LatencyScope::All, under].into_iter().chain(of_kinds) {
            stretch.latencies.entry(scope).or_default().push(latency);
        }
    }
    for (position, window) in measure::served_windows(operations, windows, start) {
        let under = if window.under_fault { LatencyScope::UnderFault } else { LatencyScope::Quiet };
        let stretch = &mut stretches[at(position)];
        for scope in [LatencyScope::All, under] {
            let (served, all) = stretch.served.entry(scope).or_default();
            *served += u64::from(window.served);
            *all += 1;
        }
    }
    stretches
}

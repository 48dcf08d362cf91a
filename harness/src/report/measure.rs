//! Pure measurements over the operations of a run: counts, latency, availability, series.

use std::collections::{BTreeMap, BTreeSet};

use workloads::history::EventKind;

use crate::latency::LatencyHistogram;
use crate::nemesis::record::{FaultOutcome, FaultRecord};
use crate::report::numbers::{
    Availability, AvailableShare, FaultCounts, FaultRecovery, FaultWindow, FunctionCounts,
    LatencyRow, LatencyScope, Series, ThroughputSeries,
};
use crate::report::operations::TimedOperation;

const SECOND: u64 = 1_000_000_000;
/// More points than this cannot be told apart on a page.
const BUCKETS_MAX: u64 = 600;
/// Runs shorter than this get buckets of a fifth of a second.
const SHORT_RUN: u64 = 15 * SECOND;
/// From this many operations per second on, a tenth of a second without a success means something.
const FINE_RATE_PER_SECOND: u64 = 50;

pub(crate) fn function_counts(operations: &[TimedOperation<'_>]) -> Vec<FunctionCounts> {
    let mut by_function: BTreeMap<&str, FunctionCounts> = BTreeMap::new();
    for operation in operations {
        let f = operation.invocation.f.as_str();
        let counts = by_function
            .entry(f)
            .or_insert_with(|| FunctionCounts { f: f.to_owned(), ..FunctionCounts::default() });
        counts.invoked += 1;
        match operation.outcome() {
            EventKind::Ok => counts.ok += 1,
            EventKind::Fail => counts.fail += 1,
            EventKind::Info | EventKind::Invoke => counts.info += 1,
        }
    }
    by_function.into_values().collect()
}

pub(crate) fn fault_counts(faults: &[FaultRecord]) -> Vec<FaultCounts> {
    let mut by_kind: BTreeMap<&str, FaultCounts> = BTreeMap::new();
    for fault in faults {
        let counts = by_kind
            .entry(&fault.kind)
            .or_insert_with(|| FaultCounts { kind: fault.kind.clone(), ..FaultCounts::default() });
        match fault.outcome {
            FaultOutcome::Installed => counts.installed += 1,
            FaultOutcome::Skipped => counts.skipped += 1,
            FaultOutcome::Indeterminate => counts.indeterminate += 1,
        }
    }
    by_kind.into_values().collect()
}

/// When faults were, or may have been, in force: a skipped one never was.
pub(crate) fn fault_windows(faults: &[FaultRecord], end: u64) -> Vec<FaultWindow> {
    let mut windows: Vec<FaultWindow> = faults
        .iter()
        .filter(|fault| fault.outcome != FaultOutcome::Skipped)
        .filter_map(|fault| {
            let start = fault.installed_time?;
            Some(FaultWindow {
                index: fault.index,
                kind: fault.kind.clone(),
                description: fault.description.clone(),
                outcome: fault.outcome,
                evidence: fault.evidence["summary"].as_str().unwrap_or_default().to_owned(),
                start,
                end: fault.healed_time.unwrap_or(end).max(start),
            })
        })
        .collect();
    windows.sort_by_key(|window| (window.start, window.index));
    windows
}

#[derive(Default)]
struct Gathered {
    histogram: LatencyHistogram,
    failed: u64,
    censored: u64,
}

impl Gathered {
    fn add(&mut self, operation: &TimedOperation<'_>) {
        match operation.latency() {
            Some(latency) => self.histogram.record(latency),
            None if operation.outcome() == EventKind::Fail => self.failed += 1,
            None => self.censored += 1,
        }
    }
}

/// One row per scope and function that has operations, all functions together first.
pub(crate) fn latency_rows(
    operations: &[TimedOperation<'_>],
    windows: &[FaultWindow],
) -> Vec<LatencyRow> {
    let kinds: BTreeMap<&str, Vec<&FaultWindow>> =
        windows.iter().fold(BTreeMap::new(), |mut kinds, window| {
            kinds.entry(window.kind.as_str()).or_insert_with(Vec::new).push(window);
            kinds
        });
    // Scopes by position: all, quiet, under any fault, then one for each kind.
    let mut gathered: BTreeMap<(usize, Option<&str>), Gathered> = BTreeMap::new();
    let mut scopes = Vec::new();
    for operation in operations {
        scopes.clear();
        scopes.push(0);
        for (position, windows) in kinds.values().enumerate() {
            if windows.iter().any(|window| operation.overlaps(window)) {
                scopes.push(3 + position);
            }
        }
        scopes.push(if scopes.len() == 1 { 1 } else { 2 });
        for &scope in &scopes {
            for f in [None, Some(operation.invocation.f.as_str())] {
                gathered.entry((scope, f)).or_default().add(operation);
            }
        }
    }
    let kinds: Vec<&str> = kinds.into_keys().collect();
    gathered
        .into_iter()
        .map(|((scope, f), gathered)| LatencyRow {
            scope: match scope {
                0 => LatencyScope::All,
                1 => LatencyScope::Quiet,
                2 => LatencyScope::UnderFault,
                kind => LatencyScope::Fault(kinds[kind - 3].to_owned()),
            },
            f: f.map(str::to_owned),
            percentiles: gathered.histogram.percentiles(),
            failed: gathered.failed,
            censored: gathered.censored,
            histogram: gathered.histogram.encode(),
        })
        .collect()
}

/// Whether the system served in one short stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ServedWindow {
    /// An operation succeeded in it.
    pub(crate) served: bool,
    /// A fault was in force in it.
    pub(crate) under_fault: bool,
}

/// The windows of [`Availability`], with the time at which each begins.
pub(crate) fn served_windows(
    operations: &[TimedOperation<'_>],
    windows: &[FaultWindow],
    start: u64,
) -> Vec<(u64, ServedWindow)> {
    let length = main_phase_end(operations, start).saturating_sub(start);
    let window = window_length(operations, length);
    let successes = successes(operations);
    let mut next = 0;
    (0..length / window)
        .map(|position| {
            let from = start + position * window;
            let to = from + window;
            next += successes[next..].partition_point(|&time| time < from);
            let served = successes.get(next).is_some_and(|&time| time < to);
            let under_fault = windows.iter().any(|fault| fault.start < to && fault.end > from);
            (from, ServedWindow { served, under_fault })
        })
        .collect()
}

fn main_phase_end(operations: &[TimedOperation<'_>], start: u64) -> u64 {
    operations.iter().map(|operation| operation.invocation.time).max().unwrap_or(start)
}

fn window_length(operations: &[TimedOperation<'_>], length: u64) -> u64 {
    let fine = operations.len() as u64 * SECOND >= FINE_RATE_PER_SECOND * length.max(1);
    if fine { SECOND / 10 } else { SECOND }
}

/// When operations took effect, ascending.
fn successes(operations: &[TimedOperation<'_>]) -> Vec<u64> {
    let mut successes: Vec<u64> = operations
        .iter()
        .filter(|operation| operation.outcome() == EventKind::Ok)
        .filter_map(TimedOperation::end)
        .collect();
    successes.sort_unstable();
    successes
}

pub(crate) fn availability(
    operations: &[TimedOperation<'_>],
    windows: &[FaultWindow],
    start: u64,
) -> Availability {
    let end = main_phase_end(operations, start);
    let window = window_length(operations, end.saturating_sub(start));
    let mut result = Availability { window, ..Availability::default() };
    for (_, window) in served_windows(operations, windows, start) {
        let part = if window.under_fault { &mut result.under_fault } else { &mut result.quiet };
        for share in [part, &mut result.overall] {
            share.windows += 1;
            share.available += u64::from(window.served);
        }
    }

    let mut last = start;
    for time in successes(operations).into_iter().chain([end]) {
        if time.saturating_sub(last) > result.longest_gap {
            result.longest_gap = time - last;
            result.longest_gap_start = last;
        }
        last = last.max(time);
    }
    result
}

/// How long each fault was felt after it was undone: from its heal until each node that operations
/// were sent to had answered one that was invoked after the heal. None if the next fault came, or
/// the run ended, before. In the order of the windows.
pub(crate) fn fault_recoveries(
    operations: &[TimedOperation<'_>],
    windows: &[FaultWindow],
) -> Vec<FaultRecovery> {
    let nodes: BTreeSet<&str> =
        operations.iter().filter_map(|operation| operation.node()).collect();
    windows
        .iter()
        .map(|window| {
            let next = windows.iter().map(|other| other.start).filter(|&at| at >= window.end).min();
            let still = windows.iter().any(|other| {
                other.index != window.index && other.start < window.end && other.end > window.end
            });
            let until = next.unwrap_or(u64::MAX);
            let mut answered: BTreeMap<&str, u64> = BTreeMap::new();
            let first =
                operations.partition_point(|operation| operation.invocation.time < window.end);
            for operation in &operations[first..] {
                if operation.invocation.time >= until || answered.len() == nodes.len() {
                    break;
                }
                let (Some(node), Some(end)) = (operation.node(), operation.end()) else { continue };
                if operation.outcome() == EventKind::Ok && end < until {
                    let first = answered.entry(node).or_insert(end);
                    *first = end.min(*first);
                }
            }
            let all = !still && !nodes.is_empty() && answered.len() == nodes.len();
            let last = answered.values().max().copied();
            let time = last.filter(|_| all).map(|last| last - window.end);
            FaultRecovery { index: window.index, time }
        })
        .collect()
}

pub(crate) fn series(operations: &[TimedOperation<'_>], start: u64, end: u64) -> Series {
    let last = operations.iter().filter_map(TimedOperation::end).max().unwrap_or(start);
    let length = end.max(last).saturating_sub(start).max(1);
    let bucket = match length {
        short if short < SHORT_RUN => SECOND / 5,
        long => long.div_ceil(BUCKETS_MAX * SECOND) * SECOND,
    };
    let buckets = length.div_ceil(bucket) as usize;
    let position = |time: u64| ((time.saturating_sub(start) / bucket) as usize).min(buckets - 1);

    let mut throughput: BTreeMap<&str, ThroughputSeries> = BTreeMap::new();
    let mut latencies: Vec<Vec<u64>> = vec![Vec::new(); buckets];
    for operation in operations {
        if let Some(latency) = operation.latency() {
            latencies[position(operation.start())].push(latency);
        }
        let Some(completion) = operation.completion else { continue };
        let f = operation.invocation.f.as_str();
        let of_f = throughput.entry(f).or_insert_with(|| ThroughputSeries {
            f: f.to_owned(),
            ok: vec![0; buckets],
            fail: vec![0; buckets],
            info: vec![0; buckets],
        });
        let counts = match completion.kind {
            EventKind::Ok => &mut of_f.ok,
            EventKind::Fail => &mut of_f.fail,
            EventKind::Info | EventKind::Invoke => &mut of_f.info,
        };
        counts[position(completion.time)] += 1;
    }
    for latencies in &mut latencies {
        latencies.sort_unstable();
    }
    let quantile = |percent: usize| {
        latencies
            .iter()
            .map(|sorted| sorted.get((sorted.len() * percent).div_ceil(100).max(1) - 1).copied())
            .collect()
    };
    Series {
        start,
        bucket,
        throughput: throughput.into_values().collect(),
        p50: quantile(50),
        p99: quantile(99),
    }
}

impl AvailableShare {
    /// Windows without a success.
    pub fn unavailable(&self) -> u64 {
        self.windows - self.available
    }
}

//! Many seeds at once, and what they met together.

use std::fmt;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::coverage::{Counter, Coverage};
use super::options::SimulationOptions;
use super::report::Violation;
use super::world::run;

/// Findings that are kept and printed.
const FINDINGS_MAX: usize = 10;

/// What a range of seeds showed.
#[derive(Debug, Clone, PartialEq)]
pub struct SeedsSummary {
    /// The seeds that were run.
    pub seeds: Range<u64>,
    /// Sums over all runs.
    pub coverage: Coverage,
    /// Runs with a leader change, and with a crash.
    pub runs_with_leader_change: u64,
    /// Runs in which at least one node crashed.
    pub runs_with_crash: u64,
    /// Virtual time of all runs.
    pub cluster_time: Duration,
    /// Longest time from a heal until every client was served.
    pub recovery_max: Duration,
    /// Runs that found something.
    pub findings: u64,
    /// The first of them, by seed.
    pub first_findings: Vec<(u64, Violation)>,
    /// All trace hashes, combined in the order of seeds.
    pub trace_hash: u64,
}

/// Runs every seed of the range on `threads` threads. The summary does not depend on their number.
pub fn run_seeds(seeds: Range<u64>, options: &SimulationOptions, threads: usize) -> SeedsSummary {
    let next = AtomicU64::new(seeds.start);
    let results = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    let mut report = run(&SimulationOptions { seed, ..options.clone() });
                    // Thousands of histories would fill the memory; a seed gives its own again.
                    report.history = Vec::new();
                    results.lock().expect("no thread panics while it holds this").push(report);
                }
            });
        }
    });
    let mut reports = results.into_inner().expect("all threads ended well");
    reports.sort_by_key(|report| report.seed);
    let mut summary = SeedsSummary {
        seeds,
        coverage: Coverage::default(),
        runs_with_leader_change: 0,
        runs_with_crash: 0,
        cluster_time: Duration::ZERO,
        recovery_max: Duration::ZERO,
        findings: 0,
        first_findings: Vec::new(),
        trace_hash: 0,
    };
    for report in reports {
        summary.coverage.merge(&report.coverage);
        summary.runs_with_leader_change +=
            u64::from(report.coverage.get(Counter::LeaderChanges) > 1);
        summary.runs_with_crash += u64::from(report.coverage.crashes() > 0);
        summary.cluster_time += report.cluster_time;
        summary.recovery_max = summary.recovery_max.max(report.recovery_time.unwrap_or_default());
        summary.trace_hash = summary.trace_hash.rotate_left(7) ^ report.trace_hash;
        if let Some(violation) = report.violation {
            summary.findings += 1;
            if summary.first_findings.len() < FINDINGS_MAX {
                summary.first_findings.push((report.seed, violation));
            }
        }
    }
    summary
}

/// The first seed of the range that breaks something, and what it breaks.
pub fn first_violation(seeds: Range<u64>, options: &SimulationOptions) -> Option<(u64, Violation)> {
    seeds.into_iter().find_map(|seed| {
        let violation = run(&SimulationOptions { seed, ..options.clone() }).violation?;
        Some((seed, violation))
    })
}

impl fmt::Display for SeedsSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let runs = self.coverage.get(Counter::Runs).max(1);
        writeln!(f, "{:<36} {:>12} {:>10}", "seen", "in all runs", "a run")?;
        for counter in Counter::ALL {
            let total = self.coverage.get(*counter);
            let mean = total as f64 / runs as f64;
            writeln!(f, "{:<36} {total:>12} {mean:>10.1}", counter.name())?;
        }
        writeln!(f)?;
        writeln!(f, "seeds:           {}..{}", self.seeds.start, self.seeds.end)?;
        writeln!(f, "cluster time:    {} s", self.cluster_time.as_secs())?;
        writeln!(f, "leader changed:  in {} runs", self.runs_with_leader_change)?;
        writeln!(f, "nodes crashed:   in {} runs", self.runs_with_crash)?;
        writeln!(f, "recovery, worst: {} ms", self.recovery_max.as_millis())?;
        writeln!(f, "trace hash:      {:016x}", self.trace_hash)?;
        for (seed, violation) in &self.first_findings {
            writeln!(f, "seed {seed}: {violation}")?;
        }
        if self.findings > self.first_findings.len() as u64 {
            writeln!(f, "and {} more seeds", self.findings - self.first_findings.len() as u64)?;
        }
        match self.findings {
            0 => writeln!(f, "verdict:         valid"),
            count => writeln!(f, "verdict:         invalid, in {count} of {runs} runs"),
        }
    }
}

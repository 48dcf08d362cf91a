//! Tells the user how the run goes, on stderr; stdout is for results.

use std::time::{Duration, Instant};

use workloads::history::{Event, EventKind, Process};

use crate::output;
use crate::report::live::{LiveLine, LiveMode, LiveNumbers};
use crate::report::results::RunInfo;
use crate::runner::Progress;

/// Rates and latencies of the live line are of the last few seconds.
const WINDOW: Duration = Duration::from_secs(3);

/// Prints the header and the live line of a run; clears the line when dropped.
pub struct ProgressPrinter {
    quiet: bool,
    time_limit: Duration,
    line: LiveLine,
    began: Option<Instant>,
}

impl ProgressPrinter {
    /// A printer to stderr, or to nowhere.
    pub fn new(quiet: bool, time_limit: Duration) -> ProgressPrinter {
        let line = LiveLine::new(LiveMode::for_stream(&std::io::stderr()));
        ProgressPrinter { quiet, time_limit, line, began: None }
    }

    /// What is about to run.
    pub fn header(&self, info: &RunInfo) {
        if self.quiet {
            return;
        }
        let faults = match info.faults.is_empty() {
            true => "no faults".to_owned(),
            false => format!("faults {}", info.faults.join(", ")),
        };
        output::note(&format!(
            "workload {}, {faults}, system {}, {}, seed {}",
            info.workload,
            info.system,
            crate::plural::counted(u64::from(info.nodes), "node"),
            info.seed
        ));
        output::note(&info.platform);
    }

    /// The run's clock started.
    pub fn began(&mut self, began: Instant) {
        self.began = Some(began);
    }

    /// Called about once a second.
    pub fn update(&mut self, now: &Progress<'_>) {
        if self.quiet {
            return;
        }
        let since = now.elapsed.saturating_sub(WINDOW).as_nanos() as u64;
        let mut latencies = latencies(now.events, since);
        latencies.sort_unstable();
        let percentile = |share: f64| {
            let last = latencies.len().checked_sub(1)?;
            Some(Duration::from_nanos(latencies[(last as f64 * share) as usize]))
        };
        let window = WINDOW.min(now.elapsed).as_secs_f64().max(0.001);
        let numbers = LiveNumbers {
            elapsed: now.elapsed,
            time_limit: Some(self.time_limit),
            ops_per_second: latencies.len() as f64 / window,
            p50: percentile(0.5),
            p99: percentile(0.99),
            faults: now.faults.to_vec(),
            verdict: None,
        };
        // A terminal that is gone is no reason to stop a run.
        let _ = self.line.update(&mut std::io::stderr(), &numbers);
    }
}

impl Drop for ProgressPrinter {
    fn drop(&mut self) {
        if !self.quiet {
            let _ = self.line.clear(&mut std::io::stderr());
        }
    }
}

/// Latencies (ns) of operations that succeeded since then, newest first.
fn latencies(events: &[Event], since: u64) -> Vec<u64> {
    let mut completed: std::collections::BTreeMap<Process, u64> = std::collections::BTreeMap::new();
    let mut latencies = Vec::new();
    for event in events.iter().rev() {
        match event.kind {
            EventKind::Ok if event.time >= since => {
                completed.insert(event.process, event.time);
            }
            EventKind::Invoke => {
                if let Some(end) = completed.remove(&event.process) {
                    latencies.push(end - event.scheduled.unwrap_or(event.time));
                }
            }
            EventKind::Ok | EventKind::Fail | EventKind::Info => {}
        }
        if event.time < since && completed.is_empty() {
            break;
        }
    }
    latencies
}

//! From what was recorded to [`Results`]: the verdict, the exit code, the numbers, the words.

use workloads::checker::{Check, Verdict};
use workloads::history::Event;

use crate::exit_code;
use crate::nemesis::record::{FaultOutcome, FaultRecord};
use crate::report::numbers::{LatencyScope, RecoveryOutcome};
use crate::report::results::{FORMAT, Results, RunFacts, RunInfo};
use crate::report::{measure, operations, run_checks, words};

/// Judges a run. `checks` are those of the workload, already run on the history; the checks on the
/// run itself (`faults`, `exercised-under-fault`, `operations-succeeded`, `crash`) are added here.
pub fn analyze(
    run: &RunInfo,
    facts: &RunFacts,
    events: &[Event],
    faults: &[FaultRecord],
    mut checks: Vec<Check>,
) -> Results {
    let operations = operations::pair(events);
    let counts = measure::function_counts(&operations);
    let fault_counts = measure::fault_counts(faults);
    let windows = measure::fault_windows(faults, facts.end);

    if checks.is_empty() {
        checks.push(run_checks::nothing_judged());
    }
    checks.push(run_checks::succeeded(&counts));
    checks.push(run_checks::faults(run, &fault_counts, faults));
    checks.extend(run_checks::exercised_under_fault(run, &windows, &operations));
    checks.push(run_checks::crash(facts));

    let verdict = checks.iter().map(|check| check.verdict).max().unwrap_or(Verdict::Unknown);
    let mut results = Results {
        format: FORMAT,
        verdict,
        exit_code: exit_code::VALID,
        summary: String::new(),
        checks,
        recovery: run_checks::recovery(facts),
        operations: counts,
        faults: fault_counts,
        latency: measure::latency_rows(&operations, &windows),
        availability: measure::availability(&operations, &windows, facts.workload_start),
        series: measure::series(&operations, facts.workload_start, facts.end),
        fault_windows: windows,
    };
    results.exit_code = code(&results, facts);
    results.summary = summary(run, facts, &results);
    results
}

fn code(results: &Results, facts: &RunFacts) -> i32 {
    let of_verdict = match results.verdict {
        Verdict::Valid => exit_code::VALID,
        Verdict::Unknown => exit_code::UNKNOWN,
        Verdict::Invalid => exit_code::INVALID,
    };
    let of_recovery = match results.recovery.outcome {
        RecoveryOutcome::NotRecovered => exit_code::NOT_RECOVERED,
        RecoveryOutcome::Recovered | RecoveryOutcome::NotMeasured => exit_code::VALID,
    };
    let of_harness = match facts.harness_failures.is_empty() {
        true => exit_code::VALID,
        false => exit_code::HARNESS_FAILURE,
    };
    exit_code::worst([of_verdict, of_recovery, of_harness])
}

/// Two or three sentences: what was found, under what, and how the system fared.
fn summary(run: &RunInfo, facts: &RunFacts, results: &Results) -> String {
    let mut sentences = Vec::new();
    if let Some(failure) = facts.harness_failures.first() {
        sentences.push(format!("The harness itself failed: {failure}"));
    }
    sentences.push(found(results));
    sentences.push(setting(run, facts, results));
    match results.recovery.outcome {
        RecoveryOutcome::Recovered | RecoveryOutcome::NotRecovered => {
            sentences.push(words::sentence(&results.recovery.summary));
        }
        RecoveryOutcome::NotMeasured => {}
    }
    let sentences: Vec<String> = sentences
        .iter()
        .map(|sentence| format!("{}.", sentence.trim_end().trim_end_matches('.')))
        .collect();
    sentences.join(" ")
}

fn found(results: &Results) -> String {
    let worst = |verdict| results.checks.iter().find(|check| check.verdict == verdict);
    match results.verdict {
        Verdict::Valid => {
            let first = results.checks.first().map_or("", |check| check.summary.as_str());
            format!("Everything checked holds: {first}")
        }
        Verdict::Invalid => {
            let check = worst(Verdict::Invalid).expect("a verdict is that of one of the checks");
            format!("The check `{}` failed: {}", check.name, check.summary)
        }
        Verdict::Unknown => {
            let check = worst(Verdict::Unknown).expect("a verdict is that of one of the checks");
            let reason = check.reason.as_deref().unwrap_or(&check.summary);
            format!(
                "The run decides nothing, because the check `{}` is unknown: {reason}",
                check.name
            )
        }
    }
}

fn setting(run: &RunInfo, facts: &RunFacts, results: &Results) -> String {
    let invoked: u64 = results.operations.iter().map(|counts| counts.invoked).sum();
    let ok: u64 = results.operations.iter().map(|counts| counts.ok).sum();
    let installed = results
        .faults
        .iter()
        .filter(|counts| counts.installed > 0)
        .map(|counts| words::counted(counts.installed, &format!("{} fault", counts.kind)))
        .collect::<Vec<_>>();
    let under = match installed.as_slice() {
        [] => "with no fault in force".to_owned(),
        kinds => format!("with {}", words::list(kinds)),
    };
    let stopped = if facts.interrupted { "; the run was stopped early" } else { "" };
    format!(
        "{} nodes ran {} ({} ok) in {} {under}{stopped}",
        run.nodes,
        words::counted(invoked, "operation"),
        words::share(ok, invoked),
        words::duration(facts.end.saturating_sub(facts.workload_start)),
    )
}

impl Results {
    /// The percentiles of all functions together in a scope, if it has operations.
    pub fn latency_of(&self, scope: &LatencyScope) -> Option<&crate::latency::LatencyPercentiles> {
        self.latency
            .iter()
            .find(|row| row.f.is_none() && row.scope == *scope)
            .map(|row| &row.percentiles)
    }

    /// How many faults ended so.
    pub fn fault_count(&self, outcome: FaultOutcome) -> u64 {
        self.faults
            .iter()
            .map(|counts| match outcome {
                FaultOutcome::Installed => counts.installed,
                FaultOutcome::Skipped => counts.skipped,
                FaultOutcome::Indeterminate => counts.indeterminate,
            })
            .sum()
    }
}

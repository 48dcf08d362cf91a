//! From what was recorded to [`Results`]: the verdict, the exit code, the numbers, the words.

use workloads::checker::{Check, Verdict};
use workloads::history::Event;

use crate::exit_code;
use crate::nemesis::record::{FaultOutcome, FaultRecord};
use crate::report::numbers::{LatencyScope, RecoveryOutcome};
use crate::report::results::{FORMAT, Results, RunFacts, RunInfo};
use crate::report::{coverage, measure, operations, run_checks, words};

/// Judges a run. `checks` are those of the workload, already run on the history; the checks on the
/// run itself (`faults`, `exercised-under-fault`, `crash`) are added here.
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
    checks.push(run_checks::faults(run, &fault_counts, faults));
    checks.extend(run_checks::exercised_under_fault(run, faults, &windows, &operations));
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
        coverage: coverage::coverage(&operations, faults, &facts.roles, facts.end),
        fault_recoveries: measure::fault_recoveries(&operations, &windows),
        series: measure::series(&operations, facts.workload_start, facts.end),
        fault_windows: windows,
        facts: facts.clone(),
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
    sentences.extend(circumstances(results));
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

/// More faults than this are only counted in a sentence.
const FAULTS_TOLD: usize = 2;

/// Which faults were in force in the course of what is explained first.
fn circumstances(results: &Results) -> Option<String> {
    let explained = results.checks.iter().find_map(|check| {
        let counterexamples = check.counterexamples.iter().map(|it| &it.operations);
        let anomalies = check.anomalies.iter().map(|it| &it.operations);
        counterexamples.chain(anomalies).find(|operations| !operations.is_empty())
    })?;
    let from = explained.iter().map(|it| it.invoke_time).min()?;
    let to = explained.iter().map(|it| it.complete_time.unwrap_or(it.invoke_time)).max()?;
    let faults: Vec<&str> = results
        .fault_windows
        .iter()
        .filter(|window| window.start <= to && window.end >= from)
        .map(|window| window.description.as_str())
        .collect();
    let during = match faults.as_slice() {
        [] => "with no fault in force".to_owned(),
        faults if faults.len() <= FAULTS_TOLD => {
            format!("while this was in force: {}", faults.join("; "))
        }
        faults => format!("while {} were in force", words::counted(faults.len() as u64, "fault")),
    };
    Some(format!(
        "What is explained first took place from {} to {}, {during}",
        words::moment(from),
        words::moment(to)
    ))
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
    let stopped = match &facts.proved {
        Some(proved) => format!("; --fail-fast ended the run when {proved}"),
        None if facts.interrupted => "; the run was stopped early".to_owned(),
        None => String::new(),
    };
    let with = match run.unusual_settings().as_slice() {
        [] => String::new(),
        settings => format!(" with `{}`", settings.join(" ")),
    };
    format!(
        "{} nodes{with} ran {} ({} ok) in {} {under}{stopped}",
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures::{self, MS, Op, SECOND};
    use crate::report::numbers::FunctionCounts;
    use workloads::history::EventKind;

    fn named<'a>(results: &'a Results, name: &str) -> &'a Check {
        results.checks.iter().find(|check| check.name == name).unwrap()
    }

    fn steady(run: &RunInfo, facts: &RunFacts, faults: &[FaultRecord]) -> Results {
        analyze(run, facts, &fixtures::steady(), faults, vec![fixtures::valid_check()])
    }

    fn installed() -> Vec<FaultRecord> {
        vec![fixtures::fault("partition", FaultOutcome::Installed)]
    }

    #[test]
    fn a_good_run_is_valid_and_says_so() {
        let results = steady(&fixtures::run(&["partition"]), &fixtures::facts(), &installed());
        assert_eq!((results.verdict, results.exit_code), (Verdict::Valid, exit_code::VALID));
        assert_eq!(
            results.summary,
            "Everything checked holds: the register is linearizable. 5 nodes ran 100 operations \
             (96.0 % ok) in 10 s with 1 partition fault. At the end, with everything healed, every node \
             answered reads and writes within 300 ms (limit 10 s)."
        );
        let counts =
            FunctionCounts { f: "read".to_owned(), invoked: 100, ok: 96, fail: 0, info: 4 };
        assert_eq!(results.operations, [counts]);
    }

    #[test]
    fn a_fault_that_was_never_installed_is_unknown_with_the_reason() {
        let faults = [fixtures::fault("partition", FaultOutcome::Skipped)];
        let results = steady(&fixtures::run(&["partition", "kill"]), &fixtures::facts(), &faults);
        assert_eq!((results.verdict, results.exit_code), (Verdict::Unknown, exit_code::UNKNOWN));
        assert_eq!(
            named(&results, "faults").reason.as_deref(),
            Some(
                "`partition` was never seen to act in 1 attempt: the kernel forbids it; \
                 `kill` was asked for but never attempted"
            )
        );
        assert_eq!(named(&results, "exercised-under-fault").verdict, Verdict::Unknown);
    }

    #[test]
    fn no_faults_asked_for_need_none() {
        let results = steady(&fixtures::run(&["none"]), &fixtures::facts(), &[]);
        assert_eq!(results.verdict, Verdict::Valid);
        assert!(results.checks.iter().all(|check| check.name != "exercised-under-fault"));
    }

    #[test]
    fn operations_that_never_succeed_under_a_fault_are_unknown() {
        let op = |start, outcome| Op { process: start, f: "read", start, latency: 10, outcome };
        let judge = |ops: &[Op]| {
            let events = fixtures::history(ops);
            let checks = vec![fixtures::valid_check()];
            let run = fixtures::run(&["partition"]);
            let results = analyze(&run, &fixtures::facts(), &events, &installed(), checks);
            named(&results, "exercised-under-fault").clone()
        };
        let none_ran = judge(&[op(100, EventKind::Ok)]);
        assert_eq!(none_ran.verdict, Verdict::Unknown);
        assert!(none_ran.reason.unwrap().contains("they never met"));
        let none_succeeded = judge(&[op(100, EventKind::Ok), op(4500, EventKind::Fail)]);
        assert_eq!(none_succeeded.verdict, Verdict::Unknown);
        assert!(none_succeeded.reason.unwrap().starts_with("no operation succeeded during"));
        assert_eq!(judge(&[op(4500, EventKind::Ok)]).verdict, Verdict::Valid);
    }

    #[test]
    fn a_kind_that_met_nothing_is_unknown_although_another_did() {
        let mut kill = fixtures::fault("kill", FaultOutcome::Installed);
        (kill.index, kill.installed_time, kill.healed_time) =
            (1, Some(7 * SECOND), Some(8 * SECOND));
        let op = |start, outcome| Op { process: start, f: "read", start, latency: 10, outcome };
        let judge = |kill: &FaultRecord, ops: &[Op]| {
            let faults = [installed(), vec![kill.clone()]].concat();
            let run = fixtures::run(&["partition", "kill"]);
            let events = fixtures::history(ops);
            let results = analyze(&run, &fixtures::facts(), &events, &faults, Vec::new());
            named(&results, "exercised-under-fault").clone()
        };
        let under_partition = op(4500, EventKind::Ok);
        let never = judge(&kill, &[under_partition]);
        assert_eq!(
            never.reason.as_deref(),
            Some("no operation ran while `kill` was in force: they never met")
        );
        // With every node killed nothing can succeed, but something must after it.
        kill.parameters = serde_json::json!({ "quorum_left": false });
        let ops = |last| [op(4500, EventKind::Ok), op(7500, EventKind::Info), op(8500, last)];
        assert_eq!(judge(&kill, &ops(EventKind::Ok)).verdict, Verdict::Valid);
        assert_eq!(judge(&kill, &ops(EventKind::Info)).verdict, Verdict::Unknown);
    }

    #[test]
    fn a_long_fault_alone_under_which_nothing_succeeded_is_unknown() {
        let window = |index, kind: &str, installed, healed| {
            let mut fault = fixtures::fault(kind, FaultOutcome::Installed);
            (fault.index, fault.installed_time, fault.healed_time) =
                (index, Some(installed * SECOND), Some(healed * SECOND));
            fault
        };
        let ops = [(1500, EventKind::Ok), (4500, EventKind::Info), (9500, EventKind::Ok)]
            .map(|(start, outcome)| Op { process: start, f: "read", start, latency: 10, outcome });
        let judge = |kinds: &[&str], faults: &[FaultRecord]| {
            let events = fixtures::history(&ops);
            let run = fixtures::run(kinds);
            let results = analyze(&run, &fixtures::facts(), &events, faults, Vec::new());
            named(&results, "exercised-under-fault").clone()
        };
        let long = window(0, "partition", 3, 9);
        let nothing = judge(&["partition"], std::slice::from_ref(&long));
        assert_eq!(
            nothing.reason.as_deref(),
            Some(
                "no operation succeeded while `partition` was in force: nothing was put to the test"
            )
        );
        // Together the two may have left no quorum.
        let both = [long, window(1, "pause", 4, 7)];
        assert_eq!(judge(&["partition", "pause"], &both).verdict, Verdict::Valid);
        // Too short for an election.
        assert_eq!(judge(&["partition"], &[window(0, "partition", 3, 6)]).verdict, Verdict::Valid);
    }

    #[test]
    fn nothing_judged_is_unknown() {
        let run = fixtures::run(&["none"]);
        let results = analyze(&run, &fixtures::facts(), &fixtures::steady(), &[], Vec::new());
        assert_eq!(results.verdict, Verdict::Unknown);
    }

    #[test]
    fn a_crash_is_invalid_and_wins_over_a_harness_failure() {
        let facts = RunFacts {
            node_findings: vec!["n2 panicked at replica.rs:7".to_owned()],
            harness_failures: vec!["no space left".to_owned()],
            ..fixtures::facts()
        };
        let results = steady(&fixtures::run(&["partition"]), &facts, &installed());
        assert_eq!((results.verdict, results.exit_code), (Verdict::Invalid, exit_code::INVALID));
        assert!(results.summary.starts_with("The harness itself failed: no space left."));
    }

    #[test]
    fn a_harness_failure_wins_over_unknown_but_leaves_the_verdict() {
        let harness_failures = vec!["no space left".to_owned()];
        let facts = RunFacts { harness_failures, recovery: None, ..fixtures::facts() };
        let results = steady(&fixtures::run(&["partition"]), &facts, &[]);
        assert_eq!(results.verdict, Verdict::Unknown);
        assert_eq!(results.exit_code, exit_code::HARNESS_FAILURE);
    }

    #[test]
    fn too_late_or_never_is_not_recovered() {
        for recovery in [None, Some(11 * SECOND)] {
            let facts = RunFacts { recovery, ..fixtures::facts() };
            let results = steady(&fixtures::run(&["partition"]), &facts, &installed());
            assert_eq!(results.verdict, Verdict::Valid);
            assert_eq!(results.recovery.outcome, RecoveryOutcome::NotRecovered);
            assert_eq!(results.exit_code, exit_code::NOT_RECOVERED);
        }
    }

    #[test]
    fn latency_is_split_by_fault_and_info_is_censored() {
        let results = steady(&fixtures::run(&["partition"]), &fixtures::facts(), &installed());
        let row = |scope: LatencyScope| {
            results.latency.iter().find(|row| row.f.is_none() && row.scope == scope).unwrap()
        };
        let near = |ns: u64, ms: u64| ns.abs_diff(ms * MS) < ms * MS / 500;
        let quiet = row(LatencyScope::Quiet);
        assert!(near(quiet.percentiles.p99, 10), "{:?}", quiet.percentiles);
        assert_eq!((quiet.percentiles.count, quiet.censored), (80, 0));
        let partition = row(LatencyScope::Fault("partition".to_owned()));
        assert!(near(partition.percentiles.p50, 50), "{:?}", partition.percentiles);
        assert_eq!((partition.percentiles.count, partition.censored), (16, 4));
        let all = crate::latency::LatencyHistogram::decode(&row(LatencyScope::All).histogram);
        assert_eq!(all.unwrap().count(), 96);
    }

    #[test]
    fn latency_counts_from_the_scheduled_start() {
        let mut events = fixtures::steady();
        for event in events.iter_mut().filter(|event| event.time == 5_500 * MS) {
            event.scheduled = Some(4_500 * MS);
        }
        let run = fixtures::run(&["none"]);
        let results =
            analyze(&run, &fixtures::facts(), &events, &[], vec![fixtures::valid_check()]);
        // That operation is `info`; the next one is not.
        assert!(results.latency_of(&LatencyScope::All).unwrap().max < 60 * MS);
        for event in events.iter_mut().filter(|event| event.time == 5_600 * MS) {
            event.scheduled = Some(4_600 * MS);
        }
        let results =
            analyze(&run, &fixtures::facts(), &events, &[], vec![fixtures::valid_check()]);
        assert!(results.latency_of(&LatencyScope::All).unwrap().max >= 1_050 * MS);
    }

    #[test]
    fn availability_is_the_share_of_windows_with_a_success() {
        let op =
            |start| Op { process: start, f: "read", start, latency: 1, outcome: EventKind::Ok };
        let ops: Vec<Op> =
            (0..=10_000).step_by(500).filter(|at| !(4000..6000).contains(at)).map(op).collect();
        let run = fixtures::run(&["partition"]);
        let events = fixtures::history(&ops);
        let results = analyze(&run, &fixtures::facts(), &events, &installed(), Vec::new());
        let availability = &results.availability;
        assert_eq!(availability.window, SECOND);
        assert_eq!((availability.overall.available, availability.overall.windows), (8, 10));
        assert_eq!((availability.under_fault.available, availability.under_fault.windows), (0, 2));
        assert_eq!(availability.quiet.unavailable(), 0);
        assert_eq!(availability.longest_gap, 2_500 * MS);
        assert_eq!(availability.longest_gap_start, 3_501 * MS);
    }

    #[test]
    fn results_survive_json() {
        let results = steady(&fixtures::run(&["partition"]), &fixtures::facts(), &installed());
        let text = serde_json::to_string(&results).unwrap();
        let read: Results = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), text);
    }
}

//! The simulated world: deterministic, valid without bugs, and deadly to planted ones.

use std::process::Command;
use std::time::Duration;

use harness::simulation::{Counter, FaultIntensity, SimulationOptions, TraceMode, run, run_seeds};

/// Set in the second process of the test that compares two.
const CHILD: &str = "SIMULATION_TRACE_CHILD";

#[test]
fn a_thousand_seeds_of_storm_are_valid() {
    let summary = run_seeds(0..1_000, &SimulationOptions::standard(0), 2);
    assert_eq!(summary.findings, 0, "{summary}");
    assert!(summary.cluster_time >= Duration::from_secs(10_000), "{summary}");
    assert!(summary.coverage.completed() >= 100_000, "{summary}");
    assert!(summary.runs_with_leader_change >= 900, "{summary}");
    assert!(summary.runs_with_crash >= 900, "{summary}");
    for counter in Counter::ALL {
        assert!(summary.coverage.get(*counter) > 0, "never seen: {}\n{summary}", counter.name());
    }
}

#[test]
fn a_quiet_cluster_serves_everybody_without_retries_for_long() {
    let options =
        SimulationOptions { faults: FaultIntensity::None, ..SimulationOptions::standard(7) };
    let report = run(&options);
    assert_eq!(report.violation, None);
    assert_eq!(report.coverage.get(Counter::LeaderChanges), 1);
    assert_eq!(report.coverage.get(Counter::Indeterminate), 0);
}

#[test]
fn the_same_seed_gives_the_same_trace_in_two_processes() {
    let options = SimulationOptions { trace: TraceMode::Text, ..SimulationOptions::standard(42) };
    let report = run(&options);
    let trace = report.trace.expect("the text was asked for");
    if std::env::var_os(CHILD).is_some() {
        print_child(&format!("{:016x} {}", report.trace_hash, trace.len()));
        return;
    }
    let executable = std::env::current_exe().expect("a test knows its executable");
    let output = Command::new(executable)
        .args(["--exact", "the_same_seed_gives_the_same_trace_in_two_processes", "--nocapture"])
        .env(CHILD, "1")
        .output()
        .expect("the test can run itself");
    let text = String::from_utf8_lossy(&output.stdout);
    let expected = format!("child: {:016x} {}", report.trace_hash, trace.len());
    assert!(text.contains(&expected), "expected {expected}, got {text}");
    assert!(trace.lines().count() > 10_000);
}

#[test]
fn different_seeds_give_different_traces() {
    let one = run(&SimulationOptions::standard(1));
    let two = run(&SimulationOptions::standard(2));
    assert_ne!(one.trace_hash, two.trace_hash);
}

fn print_child(line: &str) {
    use std::io::Write;
    writeln!(std::io::stdout(), "child: {line}").expect("stdout takes a line");
}

#[cfg(feature = "planted-bugs")]
mod planted {
    use harness::simulation::{Checks, SimulationOptions, Violation, run};
    use server::bug::{Bug, Bugs};

    /// The bug must be found by what clients see alone, within `seeds` seeds.
    #[track_caller]
    fn is_found(bug: Bug, seeds: u64) {
        for seed in 0..seeds {
            let options = SimulationOptions {
                bugs: Bugs::planted(bug),
                checks: Checks::History,
                ..SimulationOptions::standard(seed)
            };
            if let Some(Violation::NotLinearizable { .. }) = run(&options).violation {
                return;
            }
        }
        panic!("{} was not found in {seeds} seeds", bug.name());
    }

    /// The bug must break this invariant, within `seeds` seeds.
    #[track_caller]
    fn breaks(bug: Bug, invariant: &str, seeds: u64) {
        for seed in 0..seeds {
            let bugs = Bugs::planted(bug);
            let options = SimulationOptions { bugs, ..SimulationOptions::standard(seed) };
            match run(&options).violation {
                Some(violation) if violation.check() == invariant => return,
                Some(violation) => panic!("{violation}"),
                None => {}
            }
        }
        panic!("{} was not found in {seeds} seeds", bug.name());
    }

    #[test]
    fn snapshot_ignored_is_found_in_the_history() {
        is_found(Bug::SnapshotIgnored, 300);
    }

    #[test]
    fn restore_without_clear_is_found_in_the_states() {
        breaks(Bug::RestoreWithoutClear, "equal-states", 300);
    }

    #[test]
    fn unconfirmed_keep_alives_are_found_by_the_holders_of_leases() {
        breaks(Bug::KeepAliveUnconfirmed, "lease-kept", 300);
    }

    #[test]
    fn self_double_count_is_found_in_the_history() {
        is_found(Bug::SelfDoubleCount, 300);
    }

    #[test]
    fn log_key_order_is_found_in_the_history() {
        is_found(Bug::LogKeyOrder, 300);
    }

    #[test]
    fn double_vote_is_found_in_the_history() {
        is_found(Bug::DoubleVote, 300);
    }

    #[test]
    fn double_vote_is_found_in_the_votes() {
        breaks(Bug::DoubleVote, "one-vote-a-term", 300);
    }

    #[test]
    fn unchecked_error_is_found_in_the_history() {
        is_found(Bug::UncheckedError, 300);
    }

    #[test]
    fn local_reads_is_found_in_the_history() {
        is_found(Bug::LocalReads, 300);
    }

    #[test]
    fn early_ack_is_found_in_the_history() {
        is_found(Bug::EarlyAck, 300);
    }

    #[test]
    fn volatile_log_is_found_in_the_history() {
        is_found(Bug::VolatileLog, 300);
    }

    #[test]
    fn missing_fsync_is_found_in_the_history() {
        is_found(Bug::MissingFsync, 300);
    }

    #[test]
    fn retry_twice_is_found_in_the_history() {
        is_found(Bug::RetryTwice, 300);
    }

    #[test]
    fn reused_read_context_is_found_in_the_history() {
        is_found(Bug::ReusedReadContext, 300);
    }

    #[test]
    fn lease_reads_is_found_in_the_history() {
        is_found(Bug::LeaseReads, 300);
    }

    #[test]
    fn read_before_apply_is_found_in_the_history() {
        is_found(Bug::ReadBeforeApply, 300);
    }
}

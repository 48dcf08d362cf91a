//! The model-checked world: valid within its bounds, and deadly to planted bugs.

use std::time::Duration;

use harness::model_check::{Limits, Memory, ModelOptions, SCOPES, model_check};
use server::bug::Bugs;

/// About fifteen seconds of two cores for each scope.
const LIMITS: Limits =
    Limits { depth: 60, states: 4_500_000, time: Duration::from_secs(120), threads: 2 };

#[track_caller]
fn scope_is_valid(name: &str) {
    let scope = SCOPES.iter().find(|scope| scope.name == name).expect("the scope is in the table");
    let report = model_check(&(scope.options)(Bugs::NONE), LIMITS);
    assert!(report.findings.is_empty(), "{report}");
    for name in scope.meets {
        assert!(report.covered.contains(name), "never met: {name}\n{report}");
    }
    assert!(report.exhausted || report.states >= 1_000_000, "{report}");
}

#[test]
fn a_leader_change_between_a_write_and_a_read_is_linearizable() {
    scope_is_valid("leader-change");
}

#[test]
fn power_loss_of_any_unsynced_suffix_is_linearizable() {
    scope_is_valid("power-loss");
}

#[test]
fn two_leaders_duplicates_and_a_crash_are_linearizable() {
    scope_is_valid("everything");
}

#[test]
fn a_leader_that_got_its_state_as_a_snapshot_is_linearizable() {
    scope_is_valid("snapshot");
}

#[test]
fn power_loss_between_any_steps_of_a_snapshot_is_survived() {
    scope_is_valid("snapshot-power-loss");
}

#[test]
fn nodes_with_one_fingerprint_behave_alike() {
    for scope in SCOPES {
        let options = ModelOptions { memory: Memory::Verify, ..(scope.options)(Bugs::NONE) };
        let report = model_check(&options, Limits { states: 100_000, ..LIMITS });
        assert!(report.findings.is_empty(), "{}\n{report}", scope.name);
    }
}

#[cfg(feature = "planted-bugs")]
mod planted {
    use harness::model_check::{SCOPES, model_check};
    use server::bug::{Bug, Bugs};

    use super::LIMITS;

    #[track_caller]
    fn breaks(bug: Bug, scope: &str, property: &str) {
        let scope =
            SCOPES.iter().find(|entry| entry.name == scope).expect("the scope is in the table");
        let report = model_check(&(scope.options)(Bugs::planted(bug)), LIMITS);
        let broken = report.findings.iter().any(|finding| finding.property == property);
        assert!(broken, "{} does not break `{property}`\n{report}", bug.name());
    }

    #[test]
    fn local_reads_break_linearizability() {
        breaks(Bug::LocalReads, "leader-change", "linearizable");
    }

    #[test]
    fn early_ack_breaks_linearizability() {
        breaks(Bug::EarlyAck, "everything", "linearizable");
    }

    #[test]
    fn lease_reads_break_linearizability() {
        breaks(Bug::LeaseReads, "everything", "linearizable");
    }

    #[test]
    fn a_reused_read_context_breaks_linearizability() {
        breaks(Bug::ReusedReadContext, "everything", "linearizable");
    }

    #[test]
    fn an_ignored_snapshot_breaks_linearizability() {
        breaks(Bug::SnapshotIgnored, "snapshot", "linearizable");
    }

    #[test]
    fn a_missing_fsync_makes_a_restarted_replica_panic() {
        breaks(Bug::MissingFsync, "power-loss", "no replica panics");
    }
}

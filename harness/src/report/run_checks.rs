//! Checks on the run itself: did what was asked for happen, so that the verdict means something?

use std::collections::BTreeMap;

use workloads::checker::{Check, Verdict};
use workloads::history::EventKind;

use crate::nemesis::record::{FaultOutcome, FaultRecord};
use crate::report::numbers::{FaultCounts, FaultWindow, Recovery, RecoveryOutcome};
use crate::report::operations::TimedOperation;
use crate::report::results::{RunFacts, RunInfo};
use crate::report::words;

/// The kinds that were asked for; empty for `none`.
pub(crate) fn requested_kinds(run: &RunInfo) -> Vec<&str> {
    let mut kinds: Vec<&str> = run
        .faults
        .iter()
        .map(|name| name.split(':').next().unwrap_or(name).trim())
        .filter(|kind| !kind.is_empty() && *kind != "none")
        .collect();
    kinds.dedup();
    kinds
}

/// Unknown if a kind that was asked for was never seen to act.
pub(crate) fn faults(run: &RunInfo, counts: &[FaultCounts], records: &[FaultRecord]) -> Check {
    let requested = requested_kinds(run);
    if requested.is_empty() {
        return check("faults", Verdict::Valid, "no faults were asked for".to_owned(), None);
    }
    let installed = |kind: &str| {
        counts.iter().any(|counts| (counts.kind == kind || kind == "all") && counts.installed > 0)
    };
    let never: Vec<&str> = requested.into_iter().filter(|kind| !installed(kind)).collect();
    let summary = match counts {
        [] => "no fault was attempted".to_owned(),
        counts => counts.iter().map(counts_text).collect::<Vec<_>>().join("; "),
    };
    if never.is_empty() {
        return check("faults", Verdict::Valid, summary, None);
    }
    let reasons: Vec<String> = never.iter().map(|kind| why_never(kind, records)).collect();
    check("faults", Verdict::Unknown, summary, Some(reasons.join("; ")))
}

/// `partition: 5 installed, 1 indeterminate`
fn counts_text(counts: &FaultCounts) -> String {
    let parts: Vec<String> = [
        (counts.installed, "installed"),
        (counts.skipped, "skipped"),
        (counts.indeterminate, "indeterminate"),
    ]
    .into_iter()
    .filter(|(number, _)| *number > 0)
    .map(|(number, outcome)| format!("{number} {outcome}"))
    .collect();
    format!("{}: {}", counts.kind, parts.join(", "))
}

fn why_never(kind: &str, records: &[FaultRecord]) -> String {
    let of_kind = || records.iter().filter(|fault| fault.kind == kind || kind == "all");
    // Without its hint, which is in the table of faults.
    let reason = of_kind().find_map(|fault| fault.reason.as_deref()?.lines().next());
    match (of_kind().count(), reason) {
        (0, _) => format!("`{kind}` was asked for but never attempted"),
        (attempts, None) => format!(
            "`{kind}` was never seen to act in {}",
            words::counted(attempts as u64, "attempt")
        ),
        (attempts, Some(reason)) => format!(
            "`{kind}` was never seen to act in {}: {reason}",
            words::counted(attempts as u64, "attempt")
        ),
    }
}

/// Unknown if under some kind of fault that was asked for no operation ran, or none succeeded.
pub(crate) fn exercised_under_fault(
    run: &RunInfo,
    faults: &[FaultRecord],
    windows: &[FaultWindow],
    operations: &[TimedOperation<'_>],
) -> Option<Check> {
    const NAME: &str = "exercised-under-fault";
    if requested_kinds(run).is_empty() {
        return None;
    }
    let windows: Vec<&FaultWindow> =
        windows.iter().filter(|window| window.outcome == FaultOutcome::Installed).collect();
    if windows.is_empty() {
        return Some(check(
            NAME,
            Verdict::Unknown,
            "no fault was in force at any time".to_owned(),
            Some("without a fault in force the run says nothing about faults".to_owned()),
        ));
    }
    // Of `all` no kind is promised by itself.
    let all = requested_kinds(run).contains(&"all");
    let mut by_kind: BTreeMap<&str, Vec<&FaultWindow>> = BTreeMap::new();
    for &window in &windows {
        by_kind.entry(if all { "all" } else { &window.kind }).or_default().push(window);
    }
    let gaps: Vec<String> = by_kind
        .iter()
        .filter_map(|(kind, of_kind)| gap(kind, of_kind, &windows, faults, operations))
        .collect();
    let (ran, succeeded) = met(&windows, operations);
    let summary = format!(
        "{} ran while a fault was in force, {} of them succeeded before it was healed ({} in force for {})",
        words::counted(ran, "operation"),
        words::count(succeeded),
        words::counted(windows.len() as u64, "fault"),
        words::duration(union_length(&windows))
    );
    Some(match gaps.is_empty() {
        true => check(NAME, Verdict::Valid, summary, None),
        false => check(NAME, Verdict::Unknown, summary, Some(gaps.join("; "))),
    })
}

/// In less time than this, in nanoseconds, a cluster that lost its leader may have done nothing but elect
/// another one.
const ELECTION: u64 = 5_000_000_000;

/// What is missing for a kind to have been put to the test.
fn gap(
    kind: &str,
    windows: &[&FaultWindow],
    all_windows: &[&FaultWindow],
    faults: &[FaultRecord],
    operations: &[TimedOperation<'_>],
) -> Option<String> {
    match met(windows, operations) {
        (0, _) => Some(format!("no operation ran while `{kind}` was in force: they never met")),
        (_, 0) if windows.iter().any(|window| could_serve(window, all_windows, faults)) => {
            Some(format!(
                "no operation succeeded while `{kind}` was in force: nothing was put to the test"
            ))
        }
        // Without a quorum, or a leader, nothing can succeed before the heal; what was acknowledged must still be
        // there after it.
        (_, 0) if !succeeded_after(windows, operations) => Some(format!(
            "no operation succeeded during `{kind}` or after it: nothing was seen of it"
        )),
        _ => None,
    }
}

/// Whether a cluster that works serves somebody in this time: it has a quorum and time to elect a leader, and no
/// other fault is in force, which together with this one may leave none.
fn could_serve(window: &FaultWindow, all: &[&FaultWindow], faults: &[FaultRecord]) -> bool {
    let alone = all.iter().all(|other| {
        other.index == window.index || other.end <= window.start || window.end <= other.start
    });
    let record = faults.iter().find(|fault| fault.index == window.index);
    let quorum = record.is_none_or(|fault| fault.parameters["quorum_left"] != false);
    alone && quorum && window.end.saturating_sub(window.start) >= ELECTION
}

/// How many operations ran while one of the faults was in force, and how many succeeded in that time.
fn met(windows: &[&FaultWindow], operations: &[TimedOperation<'_>]) -> (u64, u64) {
    let during = operations
        .iter()
        .filter(|operation| windows.iter().any(|window| operation.overlaps(window)));
    during.fold((0, 0), |(ran, succeeded), operation| {
        let within = |end| windows.iter().any(|window| window.start <= end && end <= window.end);
        let ok = operation.outcome() == EventKind::Ok && operation.end().is_some_and(within);
        (ran + 1, succeeded + u64::from(ok))
    })
}

fn succeeded_after(windows: &[&FaultWindow], operations: &[TimedOperation<'_>]) -> bool {
    let first = windows.iter().map(|window| window.end).min().unwrap_or(u64::MAX);
    operations.iter().any(|operation| {
        operation.outcome() == EventKind::Ok && operation.end().is_some_and(|end| end > first)
    })
}

fn union_length(windows: &[&FaultWindow]) -> u64 {
    let (mut total, mut covered) = (0, 0);
    for window in windows {
        total += window.end.saturating_sub(window.start.max(covered));
        covered = covered.max(window.end);
    }
    total
}

/// Invalid if a node ended by itself, panicked or logged what it should not.
pub(crate) fn crash(facts: &RunFacts) -> Check {
    match facts.node_findings.as_slice() {
        [] => check(
            "crash",
            Verdict::Valid,
            "no node ended by itself, panicked or logged a failed assertion".to_owned(),
            None,
        ),
        [only] => check("crash", Verdict::Invalid, only.clone(), None),
        [first, rest @ ..] => check(
            "crash",
            Verdict::Invalid,
            format!("{first} (and {})", words::counted(rest.len() as u64, "more finding")),
            Some(facts.node_findings.join("; ")),
        ),
    }
}

/// The liveness result; it is no check, because it must not hide behind or inside a verdict.
pub(crate) fn recovery(facts: &RunFacts) -> Recovery {
    let limit = words::duration(facts.recovery_limit);
    let (outcome, summary) = match (facts.final_heal, facts.recovery) {
        (None, _) => (
            RecoveryOutcome::NotMeasured,
            match facts.interrupted {
                true => "not measured: the run was stopped before the last heal".to_owned(),
                false => "not measured: nothing had to be healed".to_owned(),
            },
        ),
        (Some(_), Some(time)) if time <= facts.recovery_limit => (
            RecoveryOutcome::Recovered,
            format!(
                "at the end, with everything healed, every node answered reads and writes within {} (limit {limit})",
                words::duration(time)
            ),
        ),
        (Some(_), Some(time)) => (
            RecoveryOutcome::NotRecovered,
            format!(
                "at the end, with everything healed, every node answered only after {} (limit {limit})",
                words::duration(time)
            ),
        ),
        (Some(_), None) => (
            RecoveryOutcome::NotRecovered,
            format!(
                "at the end, with everything healed, not every node answered reads and writes within {limit}"
            ),
        ),
    };
    Recovery { outcome, time: facts.recovery, limit: facts.recovery_limit, summary }
}

/// Takes the place of the checks of a workload if there are none.
pub(crate) fn nothing_judged() -> Check {
    let reason = "no checker was run on the history".to_owned();
    check("history", Verdict::Unknown, "the history was not judged".to_owned(), Some(reason))
}

fn check(name: &str, verdict: Verdict, summary: String, reason: Option<String>) -> Check {
    Check { reason, ..Check::new(name, verdict, summary) }
}

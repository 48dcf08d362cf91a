//! `junit.xml`: the run as a test suite, for CI.
//!
//! One case a check, one for recovery, one a fault. Invalid is a failure, unknown an error of type
//! `unknown`, a harness failure an error of type `harness-failure`.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, SerializeError, TestCase, TestCaseStatus, TestSuite};
use workloads::checker::{Check, Verdict};

use crate::nemesis::record::{FaultOutcome, FaultRecord};
use crate::report::numbers::RecoveryOutcome;
use crate::report::results::{Results, RunFacts, RunInfo};

/// The text of `junit.xml`.
pub fn render(
    run: &RunInfo,
    facts: &RunFacts,
    results: &Results,
    faults: &[FaultRecord],
) -> Result<String, SerializeError> {
    let mut suite = TestSuite::new(run.run.as_str());
    let length = Duration::from_nanos(facts.end.saturating_sub(facts.workload_start));
    suite.set_time(length);
    for (name, value) in [
        ("workload", run.workload.clone()),
        ("faults", run.faults.join(",")),
        ("system", run.system.clone()),
        ("seed", run.seed.to_string()),
        ("command", run.command.clone()),
    ] {
        suite.add_property((name, value.as_str()));
    }
    suite.add_test_cases(results.checks.iter().map(check_case));
    suite.add_test_case(recovery_case(results));
    suite.add_test_cases(faults.iter().map(fault_case));
    suite.add_test_cases(facts.harness_failures.iter().map(|failure| {
        case("harness", "harness", non_success(NonSuccessKind::Error, "harness-failure", failure))
    }));
    let mut report = Report::new("harness");
    report.set_time(length);
    report.add_test_suite(suite);
    report.to_string()
}

fn check_case(check: &Check) -> TestCase {
    let status = match check.verdict {
        Verdict::Valid => TestCaseStatus::success(),
        Verdict::Unknown => {
            let message = match &check.reason {
                Some(reason) => format!("{}: {reason}", check.summary),
                None => check.summary.clone(),
            };
            non_success(NonSuccessKind::Error, "unknown", &message)
        }
        Verdict::Invalid => {
            let mut status = non_success(NonSuccessKind::Failure, "invalid", &check.summary);
            let explanation = check.counterexamples.first().map(|it| &it.explanation);
            let explanation = explanation.or(check.anomalies.first().map(|it| &it.explanation));
            if let Some(explanation) = explanation {
                status.set_description(explanation.join("\n"));
            }
            status
        }
    };
    case("check", &check.name, status)
}

fn recovery_case(results: &Results) -> TestCase {
    let recovery = &results.recovery;
    let status = match recovery.outcome {
        RecoveryOutcome::Recovered => TestCaseStatus::success(),
        RecoveryOutcome::NotRecovered => {
            non_success(NonSuccessKind::Failure, "not-recovered", &recovery.summary)
        }
        RecoveryOutcome::NotMeasured => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(recovery.summary.as_str());
            status
        }
    };
    case("recovery", "recovery", status)
}

fn fault_case(fault: &FaultRecord) -> TestCase {
    let reason = fault.reason.as_deref().unwrap_or("no reason was recorded");
    let status = match fault.outcome {
        FaultOutcome::Installed => TestCaseStatus::success(),
        FaultOutcome::Skipped => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(reason);
            status
        }
        FaultOutcome::Indeterminate => non_success(NonSuccessKind::Error, "indeterminate", reason),
    };
    let mut case = case("fault", &format!("{} {}", fault.index, fault.description), status);
    if let (Some(installed), Some(healed)) = (fault.installed_time, fault.healed_time) {
        case.set_time(Duration::from_nanos(healed.saturating_sub(installed)));
    }
    case
}

fn non_success(kind: NonSuccessKind, class: &str, message: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(class).set_message(message);
    status
}

fn case(class: &str, name: &str, status: TestCaseStatus) -> TestCase {
    let mut case = TestCase::new(name, status);
    case.set_classname(class);
    case
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{analysis, fixtures};
    use expect_test::expect;

    #[test]
    fn checks_recovery_and_faults_are_cases() {
        let run = fixtures::run(&["partition", "kill"]);
        let facts = RunFacts { recovery: None, ..fixtures::facts() };
        let faults = [
            fixtures::fault("partition", FaultOutcome::Installed),
            fixtures::fault("kill", FaultOutcome::Indeterminate),
        ];
        let checks = vec![fixtures::invalid_check()];
        let results = analysis::analyze(&run, &facts, &fixtures::steady(), &faults, checks);
        let xml = render(&run, &facts, &results, &faults).unwrap();
        expect![[r#"
            <?xml version="1.0" encoding="UTF-8"?>
            <testsuites name="harness" tests="7" skipped="0" failures="2" errors="2" time="10.000">
                <testsuite name="register-partition/20261122T130501Z-42" tests="7" skipped="0" errors="2" failures="2" time="10.000">
                    <properties>
                        <property name="workload" value="register"/>
                        <property name="faults" value="partition,kill"/>
                        <property name="system" value="store"/>
                        <property name="seed" value="42"/>
                        <property name="command" value="harness --workload register --faults partition --seed 42"/>
                    </properties>
                    <testcase name="linearizable" classname="check">
                        <failure message="a read was stale" type="invalid">A wrote 1 and ended before C began.
            But C read nothing.</failure>
                    </testcase>
                    <testcase name="faults" classname="check">
                        <error message="kill: 1 indeterminate; partition: 1 installed: `kill` was never seen to act in 1 attempt: the kernel forbids it" type="unknown"/>
                    </testcase>
                    <testcase name="exercised-under-fault" classname="check"/>
                    <testcase name="crash" classname="check"/>
                    <testcase name="recovery" classname="recovery">
                        <failure message="at the end, with everything healed, not every node answered reads and writes within 10 s" type="not-recovered"/>
                    </testcase>
                    <testcase name="0 partition: n1" classname="fault" time="2.000"/>
                    <testcase name="0 kill: n1" classname="fault">
                        <error message="the kernel forbids it" type="indeterminate"/>
                    </testcase>
                </testsuite>
            </testsuites>
        "#]].assert_eq(&xml);
    }
}

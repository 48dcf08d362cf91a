//! `junit.xml` of a whole suite: one test suite for each workload, one case for each run.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, SerializeError, TestCase, TestCaseStatus, TestSuite};
use workloads::checker::Verdict;

use super::record::{Record, RunRecord, ending};

/// The text of `junit.xml`. A case that was not run is skipped.
pub(super) fn render(record: &Record) -> Result<String, SerializeError> {
    let mut report = Report::new(record.suite.as_str());
    let mut workloads: Vec<&str> = Vec::new();
    for case in &record.cases {
        if !workloads.contains(&case.workload.as_str()) {
            workloads.push(&case.workload);
        }
    }
    for workload in workloads {
        let mut suite = TestSuite::new(workload);
        for case in record.cases.iter().filter(|case| case.workload == workload) {
            let mut runs = record.runs_of(&case.id).peekable();
            if runs.peek().is_none() {
                let mut status = TestCaseStatus::skipped();
                status.set_message("there was no time for it");
                suite.add_test_case(TestCase::new(case.id.as_str(), status));
            }
            for run in runs {
                suite.add_test_case(test_case(run));
            }
        }
        report.add_test_suite(suite);
    }
    report.to_string()
}

fn test_case(run: &RunRecord) -> TestCase {
    let (verdict, word) = ending(run.exit_code);
    let mut status = match verdict {
        Verdict::Valid => TestCaseStatus::success(),
        Verdict::Invalid => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Verdict::Unknown => TestCaseStatus::non_success(NonSuccessKind::Error),
    };
    if verdict != Verdict::Valid {
        status.set_type(word).set_message(run.summary.as_str());
        status.set_description(format!("repeat: {}", run.command));
    }
    let again = if run.repetition { " (again)" } else { "" };
    let mut case = TestCase::new(format!("{} seed {}{again}", run.case, run.seed), status);
    case.set_classname("run");
    case.set_time(Duration::from_secs_f64(run.seconds.max(0.0)));
    case
}

#[cfg(test)]
mod tests {
    use super::super::record::fixtures::{case, record, run};
    use super::*;
    use expect_test::expect;

    #[test]
    fn runs_are_cases_and_what_was_not_run_is_skipped() {
        let (kill, pause) = (case("register", "kill"), case("register", "pause"));
        let runs = vec![run(&kill, 1, 0), run(&kill, 2, 1)];
        let xml = render(&record(vec![kill, pause], runs)).unwrap();
        expect![[r#"
            <?xml version="1.0" encoding="UTF-8"?>
            <testsuites name="nightly" tests="3" skipped="1" failures="1" errors="0">
                <testsuite name="register" tests="3" skipped="1" errors="0" failures="1">
                    <testcase name="register kill seed 1" classname="run" time="70.000"/>
                    <testcase name="register kill seed 2" classname="run" time="70.000">
                        <failure message="every key has a legal order" type="invalid">repeat: harness --seed 2</failure>
                    </testcase>
                    <testcase name="register pause">
                        <skipped message="there was no time for it"/>
                    </testcase>
                </testsuite>
            </testsuites>
        "#]]
        .assert_eq(&xml);
    }
}

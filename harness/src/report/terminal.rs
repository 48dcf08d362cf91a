//! The last lines of a run on a terminal: always the same few, in the same order.

use std::io::IsTerminal;

use workloads::checker::{Anomaly, Check, Counterexample, CounterexampleOperation, Verdict};

use crate::exit_code;
use crate::latency::LatencyPercentiles;
use crate::nemesis::record::FaultOutcome;
use crate::report::numbers::{FunctionCounts, LatencyScope, RecoveryOutcome};
use crate::report::results::{Results, RunFacts, RunInfo};
use crate::report::words;

/// Whether escape sequences may be used. They only repeat what the words say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// Plain text.
    Never,
    /// ANSI escape sequences.
    Ansi,
}

impl Colour {
    /// For a stream: only on a terminal, and not where `NO_COLOR` is set.
    pub fn for_stream(stream: &impl IsTerminal) -> Colour {
        let forbidden = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        if stream.is_terminal() && !forbidden { Colour::Ansi } else { Colour::Never }
    }

    pub(crate) fn verdict(self, verdict: Verdict, text: &str) -> String {
        let code = match verdict {
            Verdict::Valid => "1;32",
            Verdict::Unknown => "1;33",
            Verdict::Invalid => "1;31",
        };
        self.paint(code, text)
    }

    fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    fn paint(self, code: &str, text: &str) -> String {
        match self {
            Colour::Never => text.to_owned(),
            Colour::Ansi => format!("\x1b[{code}m{text}\x1b[0m"),
        }
    }
}

/// The final summary, ending in a newline. `report` is the path to show.
pub fn summary(
    run: &RunInfo,
    facts: &RunFacts,
    results: &Results,
    report: &str,
    colour: Colour,
) -> String {
    let mut lines = vec![String::new()];
    for check in &results.checks {
        if let Some(counterexample) = check.counterexamples.first() {
            lines.extend(counterexample_lines(check, counterexample, colour));
            lines.push(String::new());
        } else if let Some(anomaly) = check.anomalies.first() {
            lines.extend(anomaly_lines(check, anomaly, colour));
            lines.push(String::new());
        }
    }
    let mut line = |name: &str, text: String| lines.push(format!("{name:<11} {text}"));
    line("verdict", verdict_text(results, colour));
    for failure in &facts.harness_failures {
        line("harness", format!("failed: {failure}"));
    }
    for (position, check) in results.checks.iter().enumerate() {
        line(if position == 0 { "checks" } else { "" }, check_text(check, colour));
    }
    line("operations", operations_text(results));
    line("faults", faults_text(results));
    line("latency", latency_text(results));
    line("recovery", results.recovery.summary.clone());
    if let Some(bug) = &run.bug {
        line("bug", format!("`{bug}` was planted"));
    }
    line("seed", run.seed.to_string());
    line("repeat", run.command.clone());
    line("report", report.to_owned());
    lines.push(String::new());
    lines.join("\n")
}

/// `Valid`, `Unknown` or `Invalid`.
pub(crate) fn verdict_word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Valid => "Valid",
        Verdict::Unknown => "Unknown",
        Verdict::Invalid => "Invalid",
    }
}

fn verdict_text(results: &Results, colour: Colour) -> String {
    let word = colour.verdict(results.verdict, verdict_word(results.verdict));
    let liveness = match results.recovery.outcome {
        RecoveryOutcome::NotRecovered => ", did not recover",
        _ => "",
    };
    let harness = match results.exit_code {
        exit_code::HARNESS_FAILURE => ": the harness itself failed",
        _ => "",
    };
    format!("{word}{liveness} (exit code {}{harness})", results.exit_code)
}

/// One line about one check, such as `valid    linearizable: all 12 keys are linearizable`.
pub fn check_text(check: &Check, colour: Colour) -> String {
    let word = verdict_word(check.verdict);
    let padding = " ".repeat(7 - word.len());
    let reason = match (check.verdict, check.reason.as_deref()) {
        (Verdict::Unknown, Some(reason)) => format!(" ({reason})"),
        _ => String::new(),
    };
    format!(
        "{}{padding}  {}: {}{reason}",
        colour.verdict(check.verdict, word),
        check.name,
        check.summary
    )
}

fn operations_text(results: &Results) -> String {
    let sum = |part: fn(&FunctionCounts) -> u64| results.operations.iter().map(part).sum::<u64>();
    let shed = match results.facts.shed_starts {
        0 => String::new(),
        shed => format!("; {} starts given up by clients that were held up", words::count(shed)),
    };
    format!(
        "{} ({} ok, {} fail, {} info){shed}",
        words::count(sum(|counts| counts.invoked)),
        words::count(sum(|counts| counts.ok)),
        words::count(sum(|counts| counts.fail)),
        words::count(sum(|counts| counts.info)),
    )
}

fn faults_text(results: &Results) -> String {
    let of = |outcome| results.fault_count(outcome);
    let kinds: Vec<String> = results
        .faults
        .iter()
        .filter(|counts| counts.installed > 0)
        .map(|counts| format!("{} {}", counts.installed, counts.kind))
        .collect();
    let kinds = if kinds.len() > 1 { format!(": {}", words::list(&kinds)) } else { String::new() };
    format!(
        "{} installed, {} skipped, {} indeterminate{kinds}",
        of(FaultOutcome::Installed),
        of(FaultOutcome::Skipped),
        of(FaultOutcome::Indeterminate),
    )
}

fn latency_text(results: &Results) -> String {
    let text = |name: &str, scope: LatencyScope| {
        results.latency_of(&scope).filter(|latency| latency.count > 0).map(|latency| {
            let LatencyPercentiles { p50, p99, .. } = latency;
            format!("{name} p50 {}, p99 {}", words::duration(*p50), words::duration(*p99))
        })
    };
    let parts: Vec<String> =
        [text("quiet", LatencyScope::Quiet), text("under fault", LatencyScope::UnderFault)]
            .into_iter()
            .flatten()
            .collect();
    if parts.is_empty() { "no operation succeeded".to_owned() } else { parts.join("; ") }
}

fn counterexample_lines(
    check: &Check,
    counterexample: &Counterexample,
    colour: Colour,
) -> Vec<String> {
    let of_key = counterexample.key.as_ref().map_or(String::new(), |key| format!(" on key {key}"));
    let mut lines = vec![
        colour.bold(&format!("Counterexample of `{}`{of_key}", check.name)),
        "These operations, and no fewer, cannot be put in any order:".to_owned(),
    ];
    lines.extend(counterexample.operations.iter().map(operation_line));
    for (position, step) in counterexample.explanation.iter().enumerate() {
        lines.push(format!("  {}. {step}", position + 1));
    }
    lines
}

fn anomaly_lines(check: &Check, anomaly: &Anomaly, colour: Colour) -> Vec<String> {
    let of_key = anomaly.key.as_ref().map_or(String::new(), |key| format!(" on key {key}"));
    let mut lines = vec![colour.bold(&format!("{} in `{}`{of_key}", anomaly.kind, check.name))];
    lines.extend(anomaly.operations.iter().map(operation_line));
    for (position, step) in anomaly.explanation.iter().enumerate() {
        lines.push(format!("  {}. {step}", position + 1));
    }
    lines
}

fn operation_line(operation: &CounterexampleOperation) -> String {
    let end = operation.complete_time.map_or("never surely".to_owned(), words::moment);
    let node = operation.node.as_deref().map_or(String::new(), |node| format!(" on {node}"));
    format!(
        "  {}  {:<28} process {}{node}, {} to {end}",
        operation.label,
        operation.text,
        operation.process,
        words::moment(operation.invoke_time),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{analysis, fixtures};
    use expect_test::{Expect, expect};

    #[track_caller]
    fn check(checks: Vec<Check>, facts: &RunFacts, expect: Expect) {
        let run = fixtures::run(&["partition"]);
        let faults = [fixtures::fault("partition", FaultOutcome::Installed)];
        let results = analysis::analyze(&run, facts, &fixtures::steady(), &faults, checks);
        let path = "results/latest/report.html";
        expect.assert_eq(&summary(&run, facts, &results, path, Colour::Never));
    }

    #[test]
    fn a_valid_run_ends_with_the_same_few_lines() {
        check(
            vec![fixtures::valid_check()],
            &fixtures::facts(),
            expect![[r#"

            verdict     Valid (exit code 0)
            checks      Valid    linearizable: the register is linearizable
                        Valid    faults: partition: 1 installed
                        Valid    exercised-under-fault: 20 operations ran while a fault was in force, 16 of them succeeded before it was healed (1 fault in force for 2 s)
                        Valid    crash: no node ended by itself, panicked or logged a failed assertion
            operations  100 (96 ok, 0 fail, 4 info)
            faults      1 installed, 0 skipped, 0 indeterminate
            latency     quiet p50 10 ms, p99 10 ms; under fault p50 50 ms, p99 50 ms
            recovery    at the end, with everything healed, every node answered reads and writes within 300 ms (limit 10 s)
            seed        42
            repeat      harness --workload register --faults partition --seed 42
            report      results/latest/report.html
        "#]],
        );
    }

    #[test]
    fn an_invalid_run_is_explained() {
        let facts = RunFacts { recovery: None, ..fixtures::facts() };
        check(
            vec![fixtures::invalid_check()],
            &facts,
            expect![[r#"

            Counterexample of `linearizable`
            These operations, and no fewer, cannot be put in any order:
              A  write 1                      process 0 on n1, 4.000 s to 4.050 s
              B  write <script>2</script>     process 1 on n1, 4.060 s to never surely
              C  read -> nothing              process 2 on n1, 4.100 s to 4.150 s
              1. A wrote 1 and ended before C began.
              2. But C read nothing.

            verdict     Invalid, did not recover (exit code 1)
            checks      Invalid  linearizable: a read was stale
                        Valid    faults: partition: 1 installed
                        Valid    exercised-under-fault: 20 operations ran while a fault was in force, 16 of them succeeded before it was healed (1 fault in force for 2 s)
                        Valid    crash: no node ended by itself, panicked or logged a failed assertion
            operations  100 (96 ok, 0 fail, 4 info)
            faults      1 installed, 0 skipped, 0 indeterminate
            latency     quiet p50 10 ms, p99 10 ms; under fault p50 50 ms, p99 50 ms
            recovery    at the end, with everything healed, not every node answered reads and writes within 10 s
            seed        42
            repeat      harness --workload register --faults partition --seed 42
            report      results/latest/report.html
        "#]],
        );
    }

    #[test]
    fn colour_only_repeats_the_words() {
        let painted = Colour::Ansi.verdict(Verdict::Invalid, "Invalid");
        assert_eq!(painted, "\x1b[1;31mInvalid\x1b[0m");
        assert_eq!(Colour::Never.verdict(Verdict::Invalid, "Invalid"), "Invalid");
    }
}

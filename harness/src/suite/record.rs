//! `record.json`: what a suite has done so far. Written after every run.

use serde::{Deserialize, Serialize};
use workloads::checker::Verdict;

use crate::exit_code;
use crate::report::coverage::CoverageCell;

/// Version of `record.json`.
pub(super) const FORMAT: u32 = 1;

/// One cell of the matrix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Case {
    /// What it is called; unique in a suite, and the same every night.
    pub(crate) id: String,
    pub(crate) workload: String,
    /// As on the command line.
    pub(crate) faults: String,
    /// What distinguishes it from others of the same workload and faults.
    pub(crate) variant: String,
    /// All further arguments of a run.
    pub(crate) arguments: Vec<String>,
    /// Runs of a round, each with a seed of its own.
    pub(crate) seeds: u32,
}

impl Case {
    pub(crate) fn new(
        workload: &str,
        faults: &str,
        own: &[String],
        arguments: Vec<String>,
        seeds: u32,
    ) -> Case {
        let variant = own.join(" ");
        let id = [workload, faults, &variant].join(" ").trim_end().to_owned();
        Case {
            id,
            workload: workload.to_owned(),
            faults: faults.to_owned(),
            variant,
            arguments,
            seeds,
        }
    }
}

impl Case {
    /// `--faults=...`; none if a scenario has the faults.
    pub(crate) fn faults_argument(&self) -> Option<String> {
        let has_scenario = self.arguments.iter().any(|it| it.starts_with("--scenario="));
        (!has_scenario).then(|| format!("--faults={}", self.faults))
    }
}

/// A whole suite.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Record {
    /// [`FORMAT`].
    pub(super) format: u32,
    pub(super) suite: String,
    pub(super) about: String,
    /// UTC, RFC 3339.
    pub(super) started: String,
    /// Harness version and git commit.
    pub(super) version: String,
    pub(super) seed: u64,
    /// None while it goes on, or if it was stopped.
    pub(super) finished: Option<String>,
    pub(super) cases: Vec<Case>,
    pub(super) runs: Vec<RunRecord>,
}

/// One run, or one more with the same inputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RunRecord {
    /// [`Case::id`].
    pub(crate) case: String,
    pub(crate) seed: u64,
    /// Is it a repetition of an invalid run?
    pub(crate) repetition: bool,
    /// UTC, RFC 3339.
    pub(crate) started: String,
    /// Wall time, seconds.
    pub(crate) seconds: f64,
    pub(crate) exit_code: i32,
    /// The folder of the run, relative to the one of the suite; none if there is none.
    pub(crate) folder: Option<String>,
    /// The command that repeats it.
    pub(crate) command: String,
    /// In plain words: the summary of its report, or why there is none.
    pub(crate) summary: String,
    /// Share of the time in which the system served.
    pub(crate) availability: Option<f64>,
    /// 99th percentile of the latency of the whole run, nanoseconds.
    pub(crate) p99: Option<u64>,
    /// The longest time from a heal until every node had served again, nanoseconds.
    pub(crate) recovery: Option<u64>,
    /// Operations of clients.
    pub(crate) operations: u64,
    /// Faults that were seen to act.
    pub(crate) faults_installed: u64,
    /// Which fault met which operation where.
    #[serde(default)]
    pub(crate) coverage: Vec<CoverageCell>,
}

impl Record {
    /// The worst exit code; unknown if nothing was run.
    pub(super) fn exit_code(&self) -> i32 {
        match self.runs.is_empty() {
            true => exit_code::UNKNOWN,
            false => exit_code::worst(self.runs.iter().map(|run| run.exit_code)),
        }
    }

    pub(super) fn runs_of<'a>(&'a self, case: &'a str) -> impl Iterator<Item = &'a RunRecord> {
        self.runs.iter().filter(move |run| run.case == case)
    }

    /// Cases that were never run.
    pub(super) fn not_run(&self) -> Vec<&Case> {
        let was_run = |case: &&Case| self.runs_of(&case.id).next().is_none();
        self.cases.iter().filter(was_run).collect()
    }

    /// For each run that was invalid at first: how many of its repetitions were invalid, and how
    /// many there are.
    pub(super) fn repetitions(&self, first: &RunRecord) -> (usize, usize) {
        let again = |run: &&RunRecord| run.repetition && run.seed == first.seed;
        let runs: Vec<&RunRecord> = self.runs_of(&first.case).filter(again).collect();
        let invalid = runs.iter().filter(|run| run.exit_code == exit_code::INVALID).count();
        (invalid, runs.len())
    }

    /// First runs, not repetitions, by how they ended: valid, invalid, everything else.
    pub(super) fn counts(&self) -> [usize; 3] {
        let mut counts = [0; 3];
        for run in self.runs.iter().filter(|run| !run.repetition) {
            counts[match run.exit_code {
                exit_code::VALID => 0,
                exit_code::INVALID => 1,
                _ => 2,
            }] += 1;
        }
        counts
    }
}

/// How an exit code is shown: as a verdict, and in a word.
pub(crate) fn ending(code: i32) -> (Verdict, &'static str) {
    match code {
        exit_code::VALID => (Verdict::Valid, "valid"),
        exit_code::INVALID => (Verdict::Invalid, "invalid"),
        exit_code::UNKNOWN => (Verdict::Unknown, "unknown"),
        exit_code::NOT_RECOVERED => (Verdict::Unknown, "did not recover"),
        exit_code::BAD_USAGE => (Verdict::Unknown, "bad usage"),
        exit_code::INTERRUPTED_TWICE => (Verdict::Unknown, "stopped"),
        _ => (Verdict::Unknown, "harness failure"),
    }
}

#[cfg(test)]
pub(super) mod fixtures {
    use super::*;

    pub(in crate::suite) fn case(workload: &str, faults: &str) -> Case {
        Case::new(workload, faults, &[], Vec::new(), 1)
    }

    pub(in crate::suite) fn run(case: &Case, seed: u64, exit_code: i32) -> RunRecord {
        RunRecord {
            case: case.id.clone(),
            seed,
            repetition: false,
            started: "2026-11-22T02:00:00Z".to_owned(),
            seconds: 70.0,
            exit_code,
            folder: Some(format!("runs/{seed}")),
            command: format!("harness --seed {seed}"),
            summary: "every key has a legal order".to_owned(),
            availability: Some(0.97),
            p99: Some(40_000_000),
            recovery: Some(300_000_000),
            operations: 11_000,
            faults_installed: 6,
            coverage: Vec::new(),
        }
    }

    pub(in crate::suite) fn record(cases: Vec<Case>, runs: Vec<RunRecord>) -> Record {
        Record {
            format: FORMAT,
            suite: "nightly".to_owned(),
            about: "What a night is for.".to_owned(),
            started: "2026-11-22T02:00:00Z".to_owned(),
            version: "0.0.0".to_owned(),
            seed: 7,
            finished: Some("2026-11-22T03:00:00Z".to_owned()),
            cases,
            runs,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::fixtures::{case, record, run};
    use super::*;

    #[test]
    fn the_worst_run_counts_and_invalid_wins() {
        let kill = case("register", "kill");
        let runs = [0, 255, 1, 2].map(|code| run(&kill, code as u64, code));
        assert_eq!(record(vec![kill.clone()], runs.to_vec()).exit_code(), exit_code::INVALID);
        assert_eq!(record(vec![kill.clone()], Vec::new()).exit_code(), exit_code::UNKNOWN);
        let none = record(vec![kill], Vec::new());
        assert_eq!(none.not_run().len(), 1);
    }

    #[test]
    fn repetitions_are_counted_with_their_first_run() {
        let kill = case("register", "kill");
        let first = run(&kill, 5, exit_code::INVALID);
        let again = |code| RunRecord { repetition: true, ..run(&kill, 5, code) };
        let other = RunRecord { repetition: true, ..run(&kill, 6, exit_code::INVALID) };
        let record = record(vec![kill.clone()], vec![first.clone(), again(1), again(0), other]);
        assert_eq!(record.repetitions(&first), (1, 2));
        assert_eq!(record.counts(), [0, 1, 0]);
    }
}

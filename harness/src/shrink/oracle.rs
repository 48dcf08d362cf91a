//! Finds out whether a scenario fails, by running it.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use workloads::checker::Verdict;

use super::minimise::Oracle;
use crate::child_runs::ChildRuns;
use crate::repeated_run::{self, RepeatedRun};
use crate::scenario::Scenario;
use crate::{exit_code, output, recorded_run};

/// What a run takes besides its time limit: start, last operations, judgement.
const OVERHEAD: Duration = Duration::from_secs(12);

/// What there is to spend.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// How often a candidate is run before it is given up.
    pub(super) tries: u32,
    /// When no run is started any more.
    pub(super) deadline: Instant,
}

/// Runs candidates as processes of their own.
pub(super) struct Runs<'a> {
    runs: &'a ChildRuns,
    /// Where candidates and their runs go.
    folder: PathBuf,
    limits: Limits,
    /// Checks of which one must fail for it to be the same failure.
    checks: Vec<String>,
    answers: HashMap<String, bool>,
    made: u32,
    /// What keeps all of it from going on.
    pub(super) broken: Option<Broken>,
}

/// Why no more runs are made.
#[derive(Debug)]
pub(super) enum Broken {
    /// The budget is spent.
    OutOfTime,
    /// Somebody stopped it.
    Stopped,
    /// The harness failed.
    Failed(io::Error),
}

impl<'a> Runs<'a> {
    pub(super) fn new(
        runs: &'a ChildRuns,
        folder: PathBuf,
        limits: Limits,
        checks: Vec<String>,
    ) -> Runs<'a> {
        let answers = HashMap::new();
        Runs { runs, folder, limits, checks, answers, made: 0, broken: None }
    }

    /// Runs that were made.
    pub(super) fn made(&self) -> u32 {
        self.made
    }

    /// Runs it so often, or until `enough` of the runs have failed. How many failed, and of how many.
    pub(super) fn rate(&mut self, candidate: &Scenario, times: u32, enough: u32) -> (u32, u32) {
        let (mut failed, mut made) = (0, 0);
        while made < times && failed < enough && self.broken.is_none() {
            match self.run(candidate) {
                Some(true) => failed += 1,
                Some(false) => {}
                None => break,
            }
            made += 1;
        }
        (failed, made)
    }

    /// Does it fail this time? None if it was not run.
    fn run(&mut self, candidate: &Scenario) -> Option<bool> {
        if Instant::now() + expected(candidate) > self.limits.deadline {
            self.broken = Some(Broken::OutOfTime);
            return None;
        }
        self.made += 1;
        match self.one(candidate) {
            Ok(RepeatedRun { interrupted: true, .. }) => {
                self.broken = Some(Broken::Stopped);
                None
            }
            Ok(run) => Some(self.is_the_failure(&run)),
            Err(error) => {
                self.broken = Some(Broken::Failed(error));
                None
            }
        }
    }

    fn one(&self, candidate: &Scenario) -> io::Result<RepeatedRun> {
        let out = self.folder.join(format!("{:03}", self.made));
        std::fs::create_dir_all(&out)?;
        let path = out.join("candidate.toml");
        candidate.write(&path).map_err(io::Error::other)?;
        let run = repeated_run::make(self.runs, &path, &out)?;
        // There may be many. What did not fail is of no use to anybody, and of what did the report says it all.
        match &run.folder {
            Some(folder) if self.is_the_failure(&run) => remove_data(folder),
            Some(_) | None => {
                let _ = std::fs::remove_dir_all(&out);
            }
        }
        Ok(run)
    }

    /// Invalid, and by one of the same checks: another defect is not this one.
    fn is_the_failure(&self, run: &RepeatedRun) -> bool {
        run.exit_code == exit_code::INVALID
            && run.folder.as_deref().is_some_and(|folder| {
                failed_checks(folder).iter().any(|check| self.checks.contains(check))
            })
    }
}

/// Removes the nodes' data directories, which are large.
fn remove_data(folder: &Path) {
    let nodes = std::fs::read_dir(folder.join("nodes")).into_iter().flatten().flatten();
    for node in nodes {
        // What cannot be removed stays where the user finds it.
        let _ = std::fs::remove_dir_all(node.path().join("data"));
    }
}

/// The checks of a run that are invalid, by name.
pub(super) fn failed_checks(folder: &Path) -> Vec<String> {
    let Ok(results) = recorded_run::results(folder) else { return Vec::new() };
    let invalid = results.checks.into_iter().filter(|check| check.verdict == Verdict::Invalid);
    invalid.map(|check| check.name).collect()
}

impl Oracle for Runs<'_> {
    fn fails(&mut self, what: &str, candidate: &Scenario) -> bool {
        if self.broken.is_some() {
            return false;
        }
        let text = candidate.text();
        if let Some(&known) = self.answers.get(&text) {
            return known;
        }
        let (failed, made) = self.rate(candidate, self.limits.tries, 1);
        let fails = failed > 0;
        if fails || made == self.limits.tries {
            self.answers.insert(text, fails);
            let verdict = if fails { "fails still " } else { "did not fail" };
            output::note(&format!(
                "{verdict}  {what} ({})",
                crate::plural::counted(u64::from(made), "run")
            ));
        }
        fails
    }
}

/// How long a run of it takes.
fn expected(candidate: &Scenario) -> Duration {
    let limit = candidate.options.get("time-limit");
    let limit = limit.and_then(|text| humantime::parse_duration(&text).ok());
    limit.unwrap_or(Duration::from_secs(60)) + OVERHEAD
}

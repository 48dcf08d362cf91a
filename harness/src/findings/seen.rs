//! What was seen of each row, and whether it is as expected: `findings.json`.

use std::path::Path;

use serde::Serialize;
use workloads::checker::{Anomaly, Check, Verdict};

use super::table::{Expected, Row};
use crate::exit_code;
use crate::report::results::Results;
use crate::suite::RunRecord;

/// Version of `findings.json`.
const FORMAT: u32 = 1;

/// All rows that were asked for.
#[derive(Debug, Serialize)]
pub(super) struct Seen {
    format: u32,
    /// UTC, RFC 3339.
    pub(super) started: String,
    /// None while it goes on, or if it was stopped.
    pub(super) finished: Option<String>,
    /// Harness version and git commit.
    pub(super) version: String,
    /// What repeats all seeds.
    pub(super) seed: u64,
    pub(super) rows: Vec<SeenRow>,
}

/// One row, and its runs.
#[derive(Debug, Serialize)]
pub(super) struct SeenRow {
    #[serde(flatten)]
    pub(super) row: Row,
    pub(super) command: String,
    pub(super) status: Status,
    /// Why it was skipped.
    pub(super) reason: Option<String>,
    pub(super) runs: Vec<RunRecord>,
    /// The run that shows it best, as a position in `runs`, and what it showed.
    pub(super) shown: Option<Shown>,
}

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Status {
    /// Its turn did not come.
    NotRun,
    /// It cannot be run here.
    Skipped,
    AsExpected,
    NotAsExpected,
}

/// A violation, explained.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Shown {
    pub(super) run: usize,
    /// What was found, such as `found 920 lost-element`.
    pub(super) summary: String,
    /// The operations that show it: label, what it did, where and when.
    pub(super) operations: Vec<String>,
    /// In words: numbered steps.
    pub(super) explanation: Vec<String>,
}

impl Seen {
    /// Nothing was run yet.
    pub(super) fn new(started: String, seed: u64, rows: Vec<SeenRow>) -> Seen {
        let version = crate::host::version();
        Seen { format: FORMAT, started, finished: None, version, seed, rows }
    }

    /// 0 if everything that could be run was as expected; unknown if nothing could.
    pub(super) fn exit_code(&self) -> i32 {
        let count = |status| self.rows.iter().filter(|row| row.status == status).count();
        match (count(Status::NotAsExpected) + count(Status::NotRun), count(Status::AsExpected)) {
            (0, 0) => exit_code::UNKNOWN,
            (0, _) => exit_code::VALID,
            _ => exit_code::INVALID,
        }
    }
}

impl SeenRow {
    /// A row whose turn did not come yet.
    pub(super) fn new(row: Row, command: String) -> SeenRow {
        let (status, reason) = (Status::NotRun, None);
        SeenRow { row, command, status, reason, runs: Vec::new(), shown: None }
    }

    /// Takes in a run, which left its files below `root`.
    pub(super) fn add(&mut self, root: &Path, run: RunRecord) {
        let results = run.folder.as_ref().and_then(|folder| {
            let text = std::fs::read(root.join(folder).join("results.json")).ok()?;
            serde_json::from_slice::<Results>(&text).ok()
        });
        let shown = results.and_then(|it| shown(&self.row, &it.checks, self.runs.len()));
        self.runs.push(run);
        self.shown = self.shown.take().or(shown);
        self.status = match self.is_as_expected() {
            true => Status::AsExpected,
            false => Status::NotAsExpected,
        };
    }

    fn is_as_expected(&self) -> bool {
        match self.row.expected {
            Expected::Valid => self.runs.iter().all(|run| run.exit_code == exit_code::VALID),
            Expected::Invalid => self.shown.is_some(),
        }
    }

    /// How many runs ended as expected, by their exit code.
    pub(super) fn hits(&self) -> usize {
        let code = match self.row.expected {
            Expected::Valid => exit_code::VALID,
            Expected::Invalid => exit_code::INVALID,
        };
        self.runs.iter().filter(|run| run.exit_code == code).count()
    }
}

/// The first violation that the row names, if there is one.
fn shown(row: &Row, checks: &[Check], run: usize) -> Option<Shown> {
    let is_it = |check: &&Check| check.name == row.check && check.verdict == Verdict::Invalid;
    let check = checks.iter().find(is_it)?;
    let is_named =
        |anomaly: &&Anomaly| row.anomalies.is_empty() || row.anomalies.contains(&anomaly.kind);
    let anomaly = check.anomalies.iter().find(is_named);
    let (operations, explanation) = match (anomaly, check.counterexamples.first()) {
        (Some(anomaly), _) => (&anomaly.operations, &anomaly.explanation),
        (None, Some(counterexample)) if row.anomalies.is_empty() => {
            (&counterexample.operations, &counterexample.explanation)
        }
        _ => return None,
    };
    let operations = operations
        .iter()
        .map(|it| {
            let node = it.node.as_deref().unwrap_or("an unknown node");
            format!("{}: {} (process {} on {node})", it.label, it.text, it.process)
        })
        .collect();
    let (summary, explanation) = (check.summary.clone(), explanation.clone());
    Some(Shown { run, summary, operations, explanation })
}

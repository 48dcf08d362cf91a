//! What became of a run, from the files in its folder.

use std::path::{Path, PathBuf};

use super::record::RunRecord;
use crate::nemesis::record::FaultOutcome;
use crate::report::numbers::{LatencyRow, LatencyScope, longest_recovery};
use crate::report::results::{Results, RunInfo};
use crate::{exit_code, repeat};

/// What is known of a run besides its files.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) case: String,
    pub(super) seed: u64,
    pub(super) repetition: bool,
    pub(super) started: String,
    pub(super) seconds: f64,
    pub(super) exit_code: i32,
    /// What it wrote to stderr last, for a run without results.
    pub(super) last_words: String,
}

/// Reads the results of the run that wrote below `out`, a folder of its own in `root`.
pub(super) fn outcome(root: &Path, out: &Path, ended: Ended) -> RunRecord {
    let folder = std::fs::canonicalize(out.join("latest")).ok();
    let results: Option<Results> = folder.as_deref().and_then(|it| read(&it.join("results.json")));
    let info: Option<RunInfo> = folder.as_deref().and_then(|it| read(&it.join("run.json")));
    let mut record = RunRecord {
        case: ended.case,
        seed: ended.seed,
        repetition: ended.repetition,
        started: ended.started,
        seconds: ended.seconds,
        exit_code: ended.exit_code,
        folder: folder.and_then(|folder| relative(root, &folder)),
        command: info.map_or_else(String::new, |info| without_out(&info.command, out)),
        summary: ended.last_words,
        availability: None,
        p99: None,
        recovery: None,
        operations: 0,
        faults_installed: 0,
        coverage: Vec::new(),
    };
    if let Some(results) = results {
        record.coverage.clone_from(&results.coverage);
        record.summary = results.summary.clone();
        let share = results.availability.overall;
        record.availability =
            (share.windows > 0).then(|| share.available as f64 / share.windows as f64);
        let all = |row: &&LatencyRow| row.f.is_none() && row.scope == LatencyScope::All;
        record.p99 = results.latency.iter().find(all).map(|row| row.percentiles.p99);
        record.recovery = longest_recovery(&results.fault_recoveries, &results.recovery);
        record.operations = results.operations.iter().map(|counts| counts.invoked).sum();
        record.faults_installed = results
            .fault_windows
            .iter()
            .filter(|window| window.outcome == FaultOutcome::Installed)
            .count() as u64;
    } else if record.exit_code == exit_code::VALID {
        // A run that says valid and shows nothing proves nothing.
        record.exit_code = exit_code::HARNESS_FAILURE;
        record.summary = "the run ended well, but left no results".to_owned();
    }
    record
}

/// The folder is the suite's; whoever repeats the run has one of their own.
fn without_out(command: &str, out: &Path) -> String {
    command.replace(&format!(" --out {}", repeat::quoted(out.as_os_str())), "")
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

fn relative(root: &Path, folder: &Path) -> Option<String> {
    let root: PathBuf = std::fs::canonicalize(root).ok()?;
    Some(folder.strip_prefix(root).ok()?.to_string_lossy().into_owned())
}

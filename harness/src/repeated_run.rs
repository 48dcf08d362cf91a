//! One run of a scenario, as a process of its own.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crate::child_runs::{ChildRuns, code};

/// How it ended.
#[derive(Debug)]
pub(crate) struct RepeatedRun {
    pub(crate) exit_code: i32,
    /// Its folder, if it made one.
    pub(crate) folder: Option<PathBuf>,
    /// Somebody wanted this process to end meanwhile.
    pub(crate) interrupted: bool,
    /// What it said last on stderr.
    pub(crate) last_words: String,
}

/// What is kept of its last words, in lines.
const LAST_WORDS: usize = 4;

/// Runs the scenario with results in `out`, a folder of its own that exists.
pub(crate) fn make(runs: &ChildRuns, scenario: &Path, out: &Path) -> io::Result<RepeatedRun> {
    let stderr = out.join("stderr.txt");
    let output = (File::create(out.join("stdout.txt"))?.into(), File::create(&stderr)?.into());
    let arguments: [OsString; 4] =
        ["--scenario".into(), scenario.into(), "--out".into(), out.into()];
    let child = runs.start(arguments, Some(output))?;
    let (status, interrupted) = runs.supervise(child)?;
    let words = std::fs::read(&stderr).unwrap_or_default();
    let words = String::from_utf8_lossy(&words).into_owned();
    let lines: Vec<&str> = words.lines().collect();
    Ok(RepeatedRun {
        exit_code: code(status),
        folder: std::fs::canonicalize(out.join("latest")).ok(),
        interrupted,
        last_words: lines[lines.len().saturating_sub(LAST_WORDS)..].join("\n"),
    })
}

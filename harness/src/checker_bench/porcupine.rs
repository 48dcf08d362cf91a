//! The same histories for porcupine, if there is a program of that name.
//!
//! porcupine is a library; `porcupine.go` beside this file makes a program of it. It is called as
//! `porcupine MODEL FILE` with a history in JSON lines, prints the CPU seconds of the check alone, and
//! exits with 0 if the history is linearizable and with 1 if not.

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Serialize;
use workloads::checker::Verdict;
use workloads::history::jsonl::write_event;
use workloads::synthetic::to_events;

use super::command::{Killed, wait};
use super::grid::Case;
use super::options::CheckerBenchArgs;

/// Models that it is given.
const MODELS: [&str; 3] = ["register", "cas-register", "kv"];

/// What it said of a history.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Answer {
    /// Its verdict, and the CPU seconds of the check.
    Judged { verdict: Verdict, cpu_seconds: f64 },
    /// It needed more time or memory than a check may take.
    GaveUp,
}

/// The program.
pub(super) struct Porcupine(PathBuf);

impl Porcupine {
    /// The first on the PATH.
    pub(super) fn find() -> Option<Porcupine> {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path)
            .map(|it| it.join("porcupine"))
            .find(|it| it.is_file())
            .map(Self)
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// What it says; none if it does not know the model.
    pub(super) fn measure(&self, case: &Case, limits: &CheckerBenchArgs) -> Option<Answer> {
        if !MODELS.contains(&case.model.as_str()) {
            return None;
        }
        let history = case.history().ok()??;
        let file = std::env::temp_dir().join(format!("breakwater-{}.jsonl", std::process::id()));
        let answer = write(&file, &history).and_then(|()| self.run(&case.model, &file, limits));
        // Nobody needs it any more; a file that is left behind harms nobody.
        let _ = std::fs::remove_file(&file);
        answer
    }

    fn run(&self, model: &str, file: &Path, limits: &CheckerBenchArgs) -> Option<Answer> {
        let kilobytes = limits.case_memory_limit / 1024;
        let child = Command::new("sh")
            .args(["-c", &format!("ulimit -v {kilobytes}; exec \"$@\""), "porcupine"])
            .args([self.0.as_os_str(), model.as_ref(), file.as_os_str()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let mut guard = Killed(child);
        let Some(status) = wait(&mut guard.0, limits.case_time_limit).ok()? else {
            return Some(Answer::GaveUp);
        };
        let verdict = match status.code() {
            Some(0) => Verdict::Valid,
            Some(1) => Verdict::Invalid,
            _ => return Some(Answer::GaveUp),
        };
        // What it writes is a line, which fits into the pipe.
        let mut text = String::new();
        guard.0.stdout.as_mut()?.read_to_string(&mut text).ok()?;
        Some(Answer::Judged { verdict, cpu_seconds: text.trim().parse().ok()? })
    }
}

fn write(file: &Path, history: &[workloads::history::Operation]) -> Option<()> {
    let mut out = BufWriter::new(File::create(file).ok()?);
    for event in to_events(history) {
        write_event(&mut out, &event).ok()?;
    }
    out.flush().ok()
}

//! The same histories for porcupine, if there is a program of that name.
//!
//! porcupine is a library, so the program is a driver that somebody wrote: it is called as
//! `porcupine MODEL FILE` with a history in JSON lines and exits with 0 if it was linearizable and with 1
//! if not. Its time includes reading the file.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use workloads::history::jsonl::write_event;
use workloads::synthetic::{SyntheticOptions, generate, synthetic, to_events};

use super::case::seconds;
use super::command::wait;
use super::grid::Case;

/// Models that it is given.
const MODELS: [&str; 3] = ["register", "cas-register", "kv"];

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

    /// Its CPU seconds; none if it does not know the model, or does not answer.
    pub(super) fn measure(&self, case: &Case, limit: Duration) -> Option<f64> {
        if !MODELS.contains(&case.model.as_str()) {
            return None;
        }
        let model = synthetic(&case.model)?;
        let violation = match &case.violation {
            None => None,
            Some(name) => Some(model.violation(name)?),
        };
        let options = SyntheticOptions {
            operations: case.operations,
            concurrency: case.concurrency,
            crash_rate: case.crash_rate,
            keys: case.keys,
            at: 0.5,
            seed: case.seed,
        };
        let (history, _) = generate(model, violation, &options)?;
        let file = std::env::temp_dir().join(format!("breakwater-{}.jsonl", std::process::id()));
        let seconds = write(&file, &history).and_then(|()| self.run(&case.model, &file, limit));
        // Nobody needs it any more; a file that is left behind harms nobody.
        let _ = std::fs::remove_file(&file);
        seconds
    }

    fn run(&self, model: &str, file: &Path, limit: Duration) -> Option<f64> {
        let used = || {
            let usage = getrusage(UsageWho::RUSAGE_CHILDREN).ok()?;
            Some(seconds(usage.user_time()) + seconds(usage.system_time()))
        };
        let before = used()?;
        let mut child = Command::new(&self.0)
            .arg(model)
            .arg(file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let answered = wait(&mut child, limit).ok()?;
        if answered.is_none() {
            let _ = child.kill();
            let _ = child.wait();
            return None;
        }
        Some(used()? - before)
    }
}

fn write(file: &Path, history: &[workloads::history::Operation]) -> Option<()> {
    let mut out = BufWriter::new(File::create(file).ok()?);
    for event in to_events(history) {
        write_event(&mut out, &event).ok()?;
    }
    out.flush().ok()
}

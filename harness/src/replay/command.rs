//! The command.

use std::io;
use std::path::{Path, PathBuf};

use clap::Args;

use super::differences::{Told, differences};
use crate::child_runs::ChildRuns;
use crate::recorded_run::{self, ReadRunError};
use crate::repeated_run;
use crate::scenario::{Scenario, ScenarioError};
use crate::{exit_code, output};

/// Options of `replay`.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// The run's folder
    pub run: PathBuf,
    /// How often it is run again
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub times: u32,
}

/// A run cannot be repeated.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] ReadRunError),
    /// What was planned cannot be read.
    #[error(
        "{0}\nhint: runs of earlier versions have no scenario.toml; use the command in run.json"
    )]
    Scenario(#[from] ScenarioError),
    /// It cannot be run.
    #[error("make a run: {0}")]
    Run(#[from] io::Error),
    /// It ended before it had results.
    #[error("the run ended without results, with code {exit_code}:\n{last_words}")]
    NoResults {
        /// Its exit code.
        exit_code: i32,
        /// What it said last.
        last_words: String,
    },
}

/// Runs it again, and says what differs. Returns the worst exit code of the new runs. Must be called while
/// there is one thread.
pub fn replay(args: &ReplayArgs) -> Result<i32, ReplayError> {
    let info = recorded_run::info(&args.run)?;
    let path = args.run.join("scenario.toml");
    Scenario::read(&path)?;
    let before = recorded_run::results(&args.run)?;
    let before_faults = recorded_run::faults(&args.run)?;
    let runs = ChildRuns::prepare()?;
    output::note(&format!("replaying {}", info.run));
    let mut codes = Vec::new();
    for _ in 0..args.times {
        let out = new_folder(&args.run)?;
        let run = repeated_run::make(&runs, &path, &out)?;
        let Some(folder) = run.folder.filter(|folder| folder.join("results.json").exists()) else {
            let (exit_code, last_words) = (run.exit_code, run.last_words);
            return Err(ReplayError::NoResults { exit_code, last_words });
        };
        let now = recorded_run::results(&folder)?;
        let now_faults = recorded_run::faults(&folder)?;
        let lines = differences(
            &Told { results: &before, faults: &before_faults },
            &Told { results: &now, faults: &now_faults },
        );
        output::result(&format!("{}\nreport         {}\n", lines.join("\n"), report(&folder)));
        codes.push(run.exit_code);
        if run.interrupted {
            break;
        }
    }
    if args.times > 1 {
        let same = codes.iter().filter(|&&code| code == before.exit_code).count();
        output::result(&format!("reproduction   {same} of {} ended as before\n", codes.len()));
    }
    Ok(exit_code::worst(codes))
}

/// The next free one of `RUN/replays/1`, `2`, ...
fn new_folder(run: &Path) -> io::Result<PathBuf> {
    let parent = std::path::absolute(run)?.join("replays");
    std::fs::create_dir_all(&parent)?;
    let mut number = 1_u32;
    loop {
        let folder = parent.join(number.to_string());
        match std::fs::create_dir(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(error),
        }
    }
}

fn report(folder: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    let path = folder.join("report.html");
    path.strip_prefix(&here).unwrap_or(&path).display().to_string()
}

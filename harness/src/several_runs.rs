//! `--runs N`: one run after the other. Ctrl-C ends the run in progress well, and no other is started.

use crate::child_runs::{ChildRuns, code};
use crate::options::RunOptions;
use crate::{exit_code, output, repeat};

/// A run could not be started or waited for.
#[derive(Debug, thiserror::Error)]
pub enum SeveralRunsError {
    /// The process of a run.
    #[error("start a run")]
    Start(#[source] std::io::Error),
    /// Its end.
    #[error("wait for a run")]
    Wait(#[source] std::io::Error),
}

/// Makes all runs, with consecutive seeds. Returns the worst exit code.
pub fn run(options: &RunOptions) -> Result<i32, SeveralRunsError> {
    let runs = ChildRuns::prepare().map_err(SeveralRunsError::Start)?;
    let mut codes = Vec::new();
    for run in 0..options.args.runs {
        let seed = options.seed.wrapping_add(u64::from(run));
        let seed = ["--seed".into(), seed.to_string().into()];
        let child = runs
            .start(repeat::arguments().into_iter().chain(seed), None)
            .map_err(SeveralRunsError::Start)?;
        let (status, interrupted) = runs.supervise(child).map_err(SeveralRunsError::Wait)?;
        let code = code(status);
        codes.push(code);
        if interrupted || code == exit_code::BAD_USAGE || code == exit_code::INTERRUPTED_TWICE {
            break;
        }
    }
    if !options.args.quiet {
        let line = summary(&codes);
        match options.args.json {
            true => output::note(&line),
            false => output::result(&format!("{line}\n")),
        }
    }
    Ok(exit_code::worst(codes))
}

/// `3 runs: 2 valid, 1 invalid, ...`
fn summary(codes: &[i32]) -> String {
    let count = |code| codes.iter().filter(|&&found| found == code).count();
    format!(
        "{}: {} valid, {} invalid, {} unknown, {} not recovered, {} harness failures",
        crate::plural::counted(codes.len() as u64, "run"),
        count(exit_code::VALID),
        count(exit_code::INVALID),
        count(exit_code::UNKNOWN),
        count(exit_code::NOT_RECOVERED),
        count(exit_code::HARNESS_FAILURE),
    )
}

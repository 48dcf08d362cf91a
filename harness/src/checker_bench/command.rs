//! Runs the cases, one after the other.

use std::io::{self, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde::Serialize;
use thiserror::Error;
use workloads::checker::Verdict;

use super::case::{CaseError, Measured, measure};
use super::grid::{Case, grid, same_series};
use super::options::CheckerBenchArgs;
use super::porcupine::Porcupine;
use super::table::{Row, line, table};
use crate::exit_code;
use crate::output;

/// Beyond the time limit of the check: for generating a history.
const GENERATION_MAX: Duration = Duration::from_secs(300);
/// How often a child is looked after.
const POLL: Duration = Duration::from_millis(5);

/// Why the checkers could not be measured.
#[derive(Debug, Error)]
pub enum CheckerBenchError {
    /// The case on the command line is none.
    #[error("read the case")]
    Case(#[source] serde_json::Error),
    /// A case could not be judged.
    #[error("measure the case")]
    Measure(#[source] CaseFailure),
    /// A child could not be started or looked after.
    #[error("run the process of a case")]
    Process(#[source] io::Error),
    /// The results could not be written.
    #[error("write the results")]
    Json(#[source] serde_json::Error),
}

/// Why a case could not be judged.
#[derive(Debug, Error)]
#[error(transparent)]
pub struct CaseFailure(#[from] CaseError);

/// Everything that was measured.
#[derive(Serialize)]
struct Report<'a> {
    format: u32,
    rows: &'a [Row],
    missing: &'a [String],
    porcupine: Option<String>,
}

/// Measures the checkers; the exit code says whether all verdicts were right.
pub fn run(args: &CheckerBenchArgs, seed: u64, json: bool) -> Result<i32, CheckerBenchError> {
    if let Some(case) = &args.case {
        let case: Case = serde_json::from_str(case).map_err(CheckerBenchError::Case)?;
        let measured = measure(&case, args.case_time_limit, args.case_memory_limit)
            .map_err(|error| CheckerBenchError::Measure(error.into()))?;
        let text = serde_json::to_string(&measured).map_err(CheckerBenchError::Json)?;
        output::result(&format!("{text}\n"));
        return Ok(exit_code::VALID);
    }
    let (cases, missing) = grid(args, seed);
    let porcupine = Porcupine::find();
    let mut rows: Vec<Row> = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        let measured = in_process(args, case)?;
        let third_party = porcupine.as_ref().and_then(|it| it.measure(case, args));
        let mut row = Row::new(case.clone(), measured, third_party);
        let last = cases[number + 1..].iter().all(|it| !same_series(it, case));
        if last {
            let series: Vec<&Row> = rows
                .iter()
                .filter(|it| same_series(&it.case, case))
                .chain(std::iter::once(&row))
                .collect();
            row.growth = growth(&series);
        }
        if !json {
            output::note(&line(&row));
        }
        rows.push(row);
    }
    let path = porcupine.map(|it| it.path().display().to_string());
    if json {
        let report = Report { format: 2, rows: &rows, missing: &missing, porcupine: path };
        let text = serde_json::to_string_pretty(&report).map_err(CheckerBenchError::Json)?;
        output::result(&format!("{text}\n"));
    } else {
        output::result(&table(&rows, &missing, path.as_deref()));
    }
    Ok(code(&rows))
}

/// Wrong verdicts first, then what has none.
fn code(rows: &[Row]) -> i32 {
    if rows.iter().any(Row::is_wrong) {
        exit_code::INVALID
    } else if rows.iter().any(|it| it.verdict() != Some(it.expected()) && !it.is_open()) {
        exit_code::UNKNOWN
    } else {
        exit_code::VALID
    }
}

/// The exponent of the growth of the time with the size, by least squares over the logarithms.
///
/// Times that the kernel cannot tell from nothing do not count.
fn growth(series: &[&Row]) -> Option<f64> {
    let points: Vec<(f64, f64)> = series
        .iter()
        .filter_map(|row| {
            let measured = row.measured.as_ref()?;
            let counts =
                measured.verdict != Some(Verdict::Unknown) && measured.cpu_seconds >= 0.005;
            counts.then(|| ((measured.operations as f64).ln(), measured.cpu_seconds.ln()))
        })
        .collect();
    slope(&points)
}

fn slope(points: &[(f64, f64)]) -> Option<f64> {
    if points.len() < 2 {
        return None;
    }
    let count = points.len() as f64;
    let mean_x = points.iter().map(|(x, _)| x).sum::<f64>() / count;
    let mean_y = points.iter().map(|(_, y)| y).sum::<f64>() / count;
    let covariance: f64 = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    let variance: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    (variance > 0.0).then(|| covariance / variance)
}

/// A case in a process of its own; an error text if that ended badly.
fn in_process(
    args: &CheckerBenchArgs,
    case: &Case,
) -> Result<Result<Measured, String>, CheckerBenchError> {
    let text = serde_json::to_string(case).map_err(CheckerBenchError::Json)?;
    let binary = std::env::current_exe().map_err(CheckerBenchError::Process)?;
    let child = Command::new(binary)
        .args(["bench", "--checkers", "--case", &text])
        .args(["--case-time-limit", &format!("{}ms", args.case_time_limit.as_millis())])
        .args(["--case-memory-limit", &format!("{}B", args.case_memory_limit)])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(CheckerBenchError::Process)?;
    let mut guard = Killed(child);
    let limit = args.case_time_limit + args.case_time_limit + GENERATION_MAX;
    let Some(status) = wait(&mut guard.0, limit).map_err(CheckerBenchError::Process)? else {
        return Ok(Err(format!("no answer within {} s", limit.as_secs())));
    };
    // What a child writes is a line, which fits into the pipe.
    let mut text = String::new();
    if let Some(stdout) = guard.0.stdout.as_mut() {
        stdout.read_to_string(&mut text).map_err(CheckerBenchError::Process)?;
    }
    Ok(match serde_json::from_str(&text) {
        Ok(measured) if status.success() => Ok(measured),
        _ => Err("the process ended without an answer".to_owned()),
    })
}

/// Kills the process if it still runs.
pub(super) struct Killed(pub(super) Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// How the child ended; none if it still runs when the time is over.
pub(super) fn wait(child: &mut Child, limit: Duration) -> io::Result<Option<ExitStatus>> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        std::thread::sleep(POLL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slope_is_the_exponent() {
        let square: Vec<(f64, f64)> =
            [10.0_f64, 100.0, 1000.0].iter().map(|size| (size.ln(), size.powi(2).ln())).collect();
        assert!(slope(&square).is_some_and(|it| (it - 2.0).abs() < 1e-9));
        assert_eq!(slope(&square[..1]), None);
    }
}

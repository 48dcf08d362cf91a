//! The command.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;

use super::minimise::minimise;
use super::oracle::{Broken, Limits, Runs, failed_checks};
use crate::child_runs::ChildRuns;
use crate::plural::counted;
use crate::recorded_run::{self, ReadRunError};
use crate::report::files::WriteError;
use crate::report::results::Results;
use crate::scenario::{Scenario, ScenarioError};
use crate::usage::duration;
use crate::{exit_code, output, repeat};

/// The share of the budget that is kept to measure how often the result fails.
const KEPT: f64 = 0.15;
/// Runs of the result, to say how often it fails.
const MEASURED: u32 = 5;

/// Options of `shrink`.
#[derive(Debug, Args)]
pub struct ShrinkArgs {
    /// The folder of an invalid run
    pub run: PathBuf,
    /// How long it may take
    #[arg(long, default_value = "10m", value_parser = duration, value_name = "TIME")]
    pub budget: Duration,
    /// How often a candidate is run before it is given up
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub tries: u32,
    /// Where the smallest scenario goes; RUN/shrunk.toml if not given
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// A run cannot be shrunk.
#[derive(Debug, thiserror::Error)]
pub enum ShrinkError {
    /// It did not fail.
    #[error("{} is not invalid: there is nothing to shrink\nhint: `harness replay` runs it again", .0.display())]
    NotInvalid(PathBuf),
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] ReadRunError),
    /// Its scenario cannot be read.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// The result cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// A run cannot be made.
    #[error("make a run: {0}")]
    Run(#[from] io::Error),
}

/// Shrinks a run. Returns the exit code: valid if the result was seen to fail, unknown if nothing
/// failed again. Must be called while there is one thread.
pub fn shrink(args: &ShrinkArgs) -> Result<i32, ShrinkError> {
    let began = Instant::now();
    recorded_run::info(&args.run)?;
    let scenario = Scenario::read(&args.run.join("scenario.toml"))?;
    let results = recorded_run::results(&args.run)?;
    let checks = failed_checks(&args.run);
    if results.exit_code != exit_code::INVALID || checks.is_empty() {
        return Err(ShrinkError::NotInvalid(args.run.clone()));
    }
    let runs = ChildRuns::prepare()?;
    let limits =
        |share: f64| Limits { tries: args.tries, deadline: began + args.budget.mul_f64(share) };
    let folder = args.run.join("shrink");
    let mut oracle =
        Runs::new(&runs, folder.join("candidates"), limits(1.0 - KEPT), checks.clone());
    output::note(&format!(
        "{}, {} nodes; invalid by {}",
        counted(scenario.steps.len() as u64, "step"),
        scenario.options.get("nodes").unwrap_or_default(),
        checks.join(", ")
    ));
    let smallest = minimise(scenario.clone(), failed_at(&results), &mut oracle);
    let stopped = matches!(oracle.broken, Some(Broken::Stopped));
    if let Some(Broken::Failed(error)) = oracle.broken {
        return Err(error.into());
    }
    let searched = oracle.made();
    let mut judge = Runs::new(&runs, folder.join("result"), limits(1.0), checks);
    let (failed, times) = match stopped {
        true => (0, 0),
        false => judge.rate(&smallest, MEASURED, MEASURED),
    };
    let path = args.output.clone().unwrap_or_else(|| args.run.join("shrunk.toml"));
    write(&path, args, smallest.clone(), (failed, times))?;
    output::result(&told(&scenario, &smallest, (failed, times), searched + judge.made(), &path));
    Ok(if failed > 0 { exit_code::VALID } else { exit_code::UNKNOWN })
}

/// When the operations of the first counterexample were over.
fn failed_at(results: &Results) -> Option<Duration> {
    let counterexamples = results.checks.iter().flat_map(|check| &check.counterexamples);
    let ends = counterexamples.filter_map(|counterexample| {
        let operations = counterexample.operations.iter();
        operations.map(|it| it.complete_time.unwrap_or(it.invoke_time)).max()
    });
    ends.min().map(Duration::from_nanos)
}

fn write(
    path: &Path,
    args: &ShrinkArgs,
    mut smallest: Scenario,
    (failed, times): (u32, u32),
) -> Result<(), WriteError> {
    smallest.about =
        format!("Shrunk from {}; failed {failed} of {times} times.", args.run.display());
    smallest.write(path)
}

fn told(
    from: &Scenario,
    to: &Scenario,
    (failed, times): (u32, u32),
    made: u32,
    path: &Path,
) -> String {
    let option = |scenario: &Scenario, name: &str| {
        let given =
            scenario.options.get(name).filter(|value| name != "concurrency" || value != "0");
        given.unwrap_or_else(|| "as needed".to_owned())
    };
    let mut text = format!("steps         {} -> {}\n", from.steps.len(), to.steps.len());
    for name in ["nodes", "keys", "concurrency", "rate", "time-limit"] {
        let (before, after) = (option(from, name), option(to, name));
        if before != after {
            text.push_str(&format!("{name:<13} {before} -> {after}\n"));
        }
    }
    for step in &to.steps {
        text.push_str(&format!(
            "  at {} for {}: {} {}\n",
            humantime::format_duration(step.at),
            humantime::format_duration(step.length),
            step.fault,
            step.variant.as_deref().unwrap_or_default()
        ));
    }
    let rate = match times {
        0 => "not run again: no time was left".to_owned(),
        _ => format!("failed {failed} of {times} times"),
    };
    text.push_str(&format!(
        "reproduction  {rate}; {} were made\n",
        counted(u64::from(made), "run")
    ));
    let file = repeat::quoted(path.as_os_str());
    text.push_str(&format!("scenario      {}\n", path.display()));
    text.push_str(&format!(
        "run it again  {}\n",
        repeat::with_arguments(&[format!("--scenario {file}")])
    ));
    text
}

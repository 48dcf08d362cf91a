//! The commands of the simulated and the model-checked world.

use std::ops::Range;
use std::time::Duration;

use clap::Args;
use server::bug::{Bug, Bugs};

use crate::model_check::{Limits, ModelCheckCommand, model_check_command};
use crate::simulation::{Checks, SimulateCommand, simulate};
use crate::usage::{BadUsage, check_bug};

/// Options of `simulate`.
#[derive(Debug, Args)]
pub struct SimulateArgs {
    /// Seeds, such as `7` or `0..1000`
    #[arg(long, default_value = "0..1000", value_parser = seeds)]
    pub seeds: Range<u64>,
    /// Nodes of each cluster; without it three or five, drawn from the seed
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=9))]
    pub nodes: Option<u64>,
    /// Plant a defect in the store; see `list bugs`
    #[arg(long, value_name = "NAME")]
    pub bug: Option<String>,
    /// Judge by the clients' history only, not by Raft's invariants
    #[arg(long)]
    pub history_only: bool,
    /// Print the whole trace; of the first seed only
    #[arg(long)]
    pub trace: bool,
}

/// Options of `model-check`.
#[derive(Debug, Args)]
pub struct ModelCheckArgs {
    /// States generated after which an exploration ends
    #[arg(long, default_value_t = 20_000_000)]
    pub states: usize,
    /// Actions after which a path ends
    #[arg(long, default_value_t = 60)]
    pub depth: usize,
    /// Time after which an exploration ends
    #[arg(long, default_value = "10m", value_parser = crate::usage::duration, value_name = "TIME")]
    pub time_limit: Duration,
    /// Plant a defect in the store; see `list bugs`
    #[arg(long, value_name = "NAME")]
    pub bug: Option<String>,
}

/// Runs seeds on virtual time. Returns the exit code.
pub fn run_simulation(args: SimulateArgs) -> anyhow::Result<i32> {
    let command = SimulateCommand {
        bugs: bugs(args.bug.as_deref())?,
        seeds: args.seeds,
        nodes: args.nodes,
        threads: threads(),
        checks: if args.history_only { Checks::History } else { Checks::All },
        trace: args.trace,
    };
    Ok(simulate(&command, &mut std::io::stdout().lock())?)
}

/// Explores all interleavings of a small cluster. Returns the exit code.
pub fn run_model_check(args: &ModelCheckArgs) -> anyhow::Result<i32> {
    let command = ModelCheckCommand {
        limits: Limits {
            depth: args.depth,
            states: args.states,
            time: args.time_limit,
            threads: threads(),
        },
        bugs: bugs(args.bug.as_deref())?,
    };
    Ok(model_check_command(&command, &mut std::io::stdout().lock())?)
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn bugs(name: Option<&str>) -> Result<Bugs, BadUsage> {
    check_bug(name)?;
    Ok(name.and_then(Bug::from_name).map_or(Bugs::NONE, planted))
}

#[cfg(feature = "planted-bugs")]
fn planted(bug: Bug) -> Bugs {
    Bugs::planted(bug)
}

#[cfg(not(feature = "planted-bugs"))]
fn planted(_: Bug) -> Bugs {
    unreachable!("a build without planted bugs refuses --bug before")
}

fn seeds(text: &str) -> Result<Range<u64>, String> {
    let hint = || format!("{text:?} is no range of seeds; hint: such as 7 or 0..1000");
    let (first, end) = match text.split_once("..") {
        Some((first, end)) => {
            (first.parse().map_err(|_| hint())?, end.parse().map_err(|_| hint())?)
        }
        None => {
            let first: u64 = text.parse().map_err(|_| hint())?;
            (first, first.checked_add(1).ok_or_else(hint)?)
        }
    };
    if first >= end {
        return Err(hint());
    }
    Ok(first..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_one_or_a_range() {
        assert_eq!(seeds("7"), Ok(7..8));
        assert_eq!(seeds("0..1000"), Ok(0..1000));
        assert!(seeds("9..3").is_err() && seeds("all").is_err());
    }
}

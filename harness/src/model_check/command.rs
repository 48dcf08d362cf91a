//! The command `harness model-check --depth N --states N`.

use std::io::{self, Write};
use std::time::Duration;

use server::bug::Bugs;

use super::check::model_check;
use super::model::{Bounds, ClientOp, ModelOptions, SyncPolicy};
use super::prefix::Start;

/// What the command is told.
#[derive(Debug, Clone)]
pub struct ModelCheckCommand {
    /// Actions from a starting state.
    pub depth: usize,
    /// States after which it ends.
    pub states: usize,
    /// Time after which it ends.
    pub time: Duration,
    /// Threads that explore.
    pub threads: usize,
    /// The defect planted in every node, if any.
    pub bugs: Bugs,
}

impl ModelOptions {
    /// Three replicas; one client writes, another reads twice; syncs at once, any order of
    /// everything else, from the first leader and from around a leader change.
    pub fn standard() -> ModelOptions {
        ModelOptions {
            nodes: 3,
            clients: vec![vec![ClientOp::Write(1)], vec![ClientOp::Read, ClientOp::Read]],
            sync: SyncPolicy::AtOnce,
            bounds: Bounds { timeouts: 3, crashes: 1, duplicates: 1 },
            starts: vec![
                Start::Fresh,
                Start::Elected,
                Start::Written,
                Start::Deposed,
                Start::DeposedWhileReading,
            ],
            bugs: Bugs::NONE,
        }
    }
}

/// Explores, and writes what was found. Returns the exit code: 0 valid, 1 invalid, 2 if the
/// exploration met no leader change or no restart and so proves little.
pub fn model_check_command(command: &ModelCheckCommand, out: &mut impl Write) -> io::Result<i32> {
    let options = ModelOptions { bugs: command.bugs, ..ModelOptions::standard() };
    let report =
        model_check(&options, command.depth, command.states, command.time, command.threads);
    write!(out, "{report}")?;
    Ok(match (report.findings.is_empty(), report.uncovered.is_empty()) {
        (false, _) => 1,
        (true, false) => 2,
        (true, true) => 0,
    })
}

//! The command behind `--world simulated`.

use std::io::{self, Write};
use std::ops::Range;
use std::time::Instant;

use server::bug::Bugs;

use super::options::{Checks, SimulationOptions, TraceMode};
use super::seeds::run_seeds;
use super::world::run;

/// What the command is told.
#[derive(Debug, Clone)]
pub struct SimulateCommand {
    /// Seeds to run.
    pub seeds: Range<u64>,
    /// Nodes of each cluster; none: three or five, drawn from the seed.
    pub nodes: Option<u64>,
    /// Threads that run seeds.
    pub threads: usize,
    /// The defect planted in every node, if any.
    pub bugs: Bugs,
    /// Which checks judge the runs.
    pub checks: Checks,
    /// Print the whole trace; for one seed.
    pub trace: bool,
}

/// Runs the seeds and writes a table. Returns the exit code: 0 valid, 1 invalid.
pub fn simulate(command: &SimulateCommand, out: &mut impl Write) -> io::Result<i32> {
    let mut options = SimulationOptions::standard(command.seeds.start);
    options.nodes = command.nodes;
    options.bugs = command.bugs;
    options.checks = command.checks;
    if command.trace {
        options.trace = TraceMode::Text;
        let report = run(&options);
        out.write_all(report.trace.unwrap_or_default().as_bytes())?;
        writeln!(out, "trace hash: {:016x}", report.trace_hash)?;
        return match report.violation {
            None => Ok(0),
            Some(violation) => writeln!(out, "{violation}").map(|()| 1),
        };
    }
    let start = Instant::now();
    let summary = run_seeds(command.seeds.clone(), &options, command.threads);
    let elapsed = start.elapsed().as_secs_f64();
    write!(out, "{summary}")?;
    let speed = summary.cluster_time.as_secs_f64() / elapsed.max(f64::EPSILON);
    writeln!(out, "speed:           {speed:.0} cluster-seconds a second")?;
    Ok(i32::from(summary.findings > 0))
}

//! What a simulated run leaves.

use std::fmt;
use std::time::Duration;

use workloads::history::Event;

use super::coverage::Coverage;
use super::invariants::InvariantViolation;

/// What a run showed to be broken. The first finding of a step ends the run.
#[derive(Debug, Clone, PartialEq)]
pub enum Violation {
    /// An invariant of Raft, or of the store's contract, does not hold.
    Invariant(InvariantViolation),
    /// No order of the operations explains what clients saw.
    NotLinearizable {
        /// What cannot be explained.
        summary: String,
    },
    /// A replica panicked.
    Crash {
        /// The node, from 1.
        node: u64,
        /// The panic's message.
        message: String,
    },
    /// A node refused to start on its own disk.
    Recovery {
        /// The node, from 1.
        node: u64,
        /// Its error.
        message: String,
    },
    /// The checker could not tell: no pass, and no proof of a defect.
    Undecided {
        /// Why.
        summary: String,
    },
    /// The cluster did not serve every client in time after everything was healed.
    Liveness {
        /// What was missing.
        summary: String,
    },
}

impl Violation {
    /// The check that found it, such as `linearizable` or `election-safety`.
    pub fn check(&self) -> &'static str {
        match self {
            Violation::Invariant(violation) => violation.invariant,
            Violation::NotLinearizable { .. } => "linearizable",
            Violation::Crash { .. } => "crash",
            Violation::Recovery { .. } => "recovery",
            Violation::Undecided { .. } => "undecided",
            Violation::Liveness { .. } => "liveness",
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Violation::Invariant(violation) => violation.fmt(f),
            Violation::NotLinearizable { summary } => write!(f, "linearizable: {summary}"),
            Violation::Crash { node, message } => write!(f, "crash: node {node}: {message}"),
            Violation::Recovery { node, message } => write!(f, "recovery: node {node}: {message}"),
            Violation::Undecided { summary } => write!(f, "undecided: {summary}"),
            Violation::Liveness { summary } => write!(f, "liveness: {summary}"),
        }
    }
}

/// The result of one run.
#[derive(Debug, Clone, PartialEq)]
pub struct SimulationReport {
    /// The seed that repeats it.
    pub seed: u64,
    /// Every operation of every client.
    pub history: Vec<Event>,
    /// What is broken, if anything.
    pub violation: Option<Violation>,
    /// Hash over the whole trace; equal for equal options, in every process.
    pub trace_hash: u64,
    /// The whole trace, if it was asked for.
    pub trace: Option<String>,
    /// What the run met.
    pub coverage: Coverage,
    /// Virtual time that passed.
    pub cluster_time: Duration,
    /// From the heal until every client was served; none if that never happened.
    pub recovery_time: Option<Duration>,
}

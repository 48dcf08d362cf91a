//! What a simulated run is told.

use std::time::Duration;

use server::bug::Bugs;

/// Everything that decides a run: the same options give the same run.
#[derive(Debug, Clone)]
pub struct SimulationOptions {
    /// The source of all choices.
    pub seed: u64,
    /// Nodes of the cluster; none: three or five, drawn from the seed.
    pub nodes: Option<u64>,
    /// Registers.
    pub keys: u64,
    /// Clients of each register; with fewer than five a stale read is easily missed.
    pub clients_per_key: usize,
    /// Length of the phase in which the nemesis acts, in virtual time.
    pub safety: Duration,
    /// After the heal every client must be served within this virtual time.
    pub liveness_bound: Duration,
    /// How hard the nemesis acts.
    pub faults: FaultIntensity,
    /// The defect planted in every node, if any.
    pub bugs: Bugs,
    /// Which checks judge the run.
    pub checks: Checks,
    /// What is kept of the trace.
    pub trace: TraceMode,
}

/// How hard the nemesis acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultIntensity {
    /// No faults, and a network that only delays.
    None,
    /// Partitions, crashes, pauses, slow disks, lossy networks.
    Storm,
}

/// Which checks judge a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checks {
    /// Raft's invariants after every step, the history, and recovery.
    All,
    /// What a client can see: the history, crashed nodes, and recovery.
    Outside,
    /// The history alone.
    History,
}

/// What is kept of the trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TraceMode {
    /// Its hash.
    Hash,
    /// Its hash and its text.
    Text,
}

impl SimulationOptions {
    /// Three or five nodes, two registers with five clients each, ten seconds of storm.
    pub fn standard(seed: u64) -> SimulationOptions {
        SimulationOptions {
            seed,
            nodes: None,
            keys: 2,
            clients_per_key: 5,
            safety: Duration::from_secs(10),
            liveness_bound: Duration::from_secs(5),
            faults: FaultIntensity::Storm,
            bugs: Bugs::NONE,
            checks: Checks::All,
            trace: TraceMode::Hash,
        }
    }
}

//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::Serialize;

use crate::check::args::{CheckArgs, ConvertArgs, VerifyArgs};
use crate::nemesis::plan::Program;
use crate::platform::{FabricChoice, PlatformChoice};
use crate::system::{FsyncMode, ReadMode, SNAPSHOT_ENTRIES, StorageMode};
use crate::usage::{bytes, duration};

/// Runs a replicated store, breaks it, records every operation and judges the history.
///
/// Without a subcommand: one run. Exit codes: 0 valid, 1 invalid, 2 unknown, 3 safe but did not recover,
/// 254 bad usage, 255 harness failure, 130 stopped twice.
#[derive(Debug, Parser)]
#[command(
    name = "harness",
    version,
    max_term_width = 100,
    args_conflicts_with_subcommands = true,
    args_override_self = true
)]
pub struct Cli {
    /// What to do instead of a run.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Options of a run.
    #[command(flatten)]
    pub run: RunArgs,
}

/// Everything that is not a run.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Judge a recorded history: no cluster is needed
    Check(Box<CheckArgs>),
    /// Write a history in another format
    Convert(ConvertArgs),
    /// Confirm what `check --evidence` wrote, by other means than it was found
    Verify(VerifyArgs),
    /// Write the report of a recorded run again
    Report {
        /// The run's folder.
        run: PathBuf,
    },
    /// Compare two runs, or two folders of runs: latency, throughput, availability, recovery
    Compare(crate::compare::CompareArgs),
    /// Show runs in a browser: search, filter, read, compare; on this machine only
    Serve(crate::serve::ServeArgs),
    /// Run the inputs of a run again, and say what is not the same
    Replay(crate::replay::ReplayArgs),
    /// Find the smallest scenario by which an invalid run still fails
    Shrink(crate::shrink::ShrinkArgs),
    /// Run a command inside the namespaces of a run whose nodes live; see --hold
    ///
    /// `server` stands for the store's own command line, as in `exec results/... -- server ctl status`.
    Exec {
        /// The run's folder.
        run: PathBuf,
        /// The command and its arguments.
        #[arg(last = true, required = true, value_name = "COMMAND")]
        command: Vec<OsString>,
    },
    /// List what there is
    List {
        /// Of which table.
        #[arg(value_enum)]
        table: Table,
        /// All about one line of it, where there is more to say: `list faults kill`.
        name: Option<String>,
    },
    /// Say what this machine can do, what each missing item costs, and how to enable it
    Doctor,
    /// Make many runs: workloads, faults, options and seeds; write one page about all of them
    Suite(crate::suite::SuiteArgs),
    /// Make again what is published or documented about systems of others; see harness/FINDINGS.md
    Findings(crate::findings::FindingsArgs),
    /// Measure how fast the store is, alone or beside another system
    Bench(Box<crate::bench::BenchArgs>),
    /// Run the store's replicas on virtual time: many seeds; one seed always gives the same trace
    #[cfg(feature = "simulation")]
    Simulate(crate::worlds::SimulateArgs),
    /// Explore all interleavings of a small cluster of the store's replicas, up to a bound
    #[cfg(feature = "simulation")]
    ModelCheck(crate::worlds::ModelCheckArgs),
    /// Be a node of the store
    #[cfg(feature = "store")]
    #[command(hide = true)]
    Node(Box<server::cli::ServeArgs>),
}

/// A table that can be listed.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Table {
    /// What can be run.
    Workloads,
    /// What can be broken.
    Faults,
    /// What can be tested.
    Systems,
    /// Defects that can be planted in the store.
    Bugs,
    /// Objects that a history can be checked against, with the properties that each can be asked for.
    Models,
    /// What can be asked of a history.
    Properties,
}

/// Options of a run.
#[derive(Debug, Clone, Args, Serialize)]
pub struct RunArgs {
    /// What clients do; see `list workloads`
    #[arg(long, default_value = "register")]
    pub workload: String,
    /// What is broken, by comma; `clock` is clock-jump and clock-drift; `all`, or `none`; see
    /// `list faults`
    #[arg(long, default_value = "partition")]
    pub faults: String,
    /// Faults as they are written in a file, and options that they need, in place of --faults
    #[arg(long, value_name = "FILE", conflicts_with = "faults")]
    pub scenario: Option<PathBuf>,
    /// What is tested; see `list systems`
    #[arg(long, default_value = "store")]
    pub system: String,
    /// What is chosen about the system, NAME=VALUE by comma; see `list systems NAME`
    #[arg(long, value_name = "SETTINGS")]
    pub settings: Option<String>,
    /// What the systems `command` and `external` are: a TOML file; see harness/ADAPTERS.md
    #[arg(long, value_name = "FILE")]
    pub adapter: Option<PathBuf>,
    /// Number of nodes
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=50))]
    pub nodes: u16,
    /// Where nodes live
    #[arg(long, value_enum, default_value_t = PlatformChoice::Auto)]
    pub platform: PlatformChoice,
    /// How packets are dropped on the platform `namespaces`
    #[arg(long, value_enum, default_value_t = FabricChoice::Nftables)]
    pub fabric: FabricChoice,
    /// How long operations are started for
    #[arg(long, default_value = "60s", value_parser = duration, value_name = "TIME")]
    #[serde(serialize_with = "serialize_duration")]
    pub time_limit: Duration,
    /// From the start of one fault to the start of the next
    #[arg(long, default_value = "9s", value_parser = duration, value_name = "TIME")]
    #[serde(serialize_with = "serialize_duration")]
    pub interval: Duration,
    /// How faults follow each other
    #[arg(long, value_enum, default_value_t = Program::Mix)]
    pub program: Program,
    /// Faults in force at once, at most; one with --keep-quorum
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=16))]
    pub faults_at_once: u8,
    /// Never leave fewer than a majority of the nodes connected and running
    #[arg(long)]
    pub keep_quorum: bool,
    /// Operations per second over all clients; 0: as fast as the system answers
    #[arg(long, default_value_t = 250.0, allow_negative_numbers = true)]
    pub rate: f64,
    /// Clients; 0: as many as the workload needs for its keys, at least one for each node
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=10_000))]
    pub concurrency: u16,
    /// Keys in use at the same time
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub keys: u16,
    /// An operation without an answer by then is indeterminate
    #[arg(long, default_value = "2s", value_parser = duration, value_name = "TIME")]
    #[serde(serialize_with = "serialize_duration")]
    pub operation_timeout: Duration,
    /// After the last fault every node must serve again by then
    #[arg(long, default_value = "30s", value_parser = duration, value_name = "TIME")]
    #[serde(serialize_with = "serialize_duration")]
    pub recovery_limit: Duration,
    /// What repeats the run's choices; drawn if not given
    #[arg(long)]
    pub seed: Option<u64>,
    /// Runs, with consecutive seeds; the exit code is that of the worst
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub runs: u32,
    /// How reads are done
    #[arg(long, value_enum, default_value_t = ReadMode::Linearizable)]
    pub read_mode: ReadMode,
    /// By what holds with which reads the run is judged [default: as --read-mode]
    #[arg(long, value_enum)]
    pub judge_as: Option<ReadMode>,
    /// What the system promises in place of what the workload expects, such as snapshot-isolation;
    /// `harness list properties`
    #[arg(long, value_name = "NAME")]
    pub property: Option<String>,
    /// Where nodes keep their state
    #[arg(long, value_enum, default_value_t = StorageMode::Rocksdb)]
    pub storage: StorageMode,
    /// Whether nodes sync their log
    #[arg(long, value_enum, default_value_t = FsyncMode::Always)]
    pub fsync: FsyncMode,
    /// Where results go
    #[arg(long, default_value = "results", value_name = "FOLDER")]
    pub out: PathBuf,
    /// Keep the nodes' data directories even if the run is valid
    #[arg(long)]
    pub keep_data: bool,
    /// Keep the nodes after the last operations until Ctrl-C, for `exec`
    #[arg(long)]
    pub hold: bool,
    /// Raft groups that share the keys
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub shards: u16,
    /// Log entries from one snapshot of a node to the next
    #[arg(long, default_value_t = SNAPSHOT_ENTRIES, value_parser = clap::value_parser!(u64).range(1..))]
    pub snapshot_entries: u64,
    /// Plant a defect in the store; see `list bugs`
    #[arg(long, value_name = "NAME")]
    pub bug: Option<String>,
    /// End the run as soon as a violation is proved, and judge what was recorded
    #[arg(long)]
    pub fail_fast: bool,
    /// How long the history may be judged
    #[arg(long, default_value = "60s", value_parser = duration, value_name = "TIME")]
    #[serde(serialize_with = "serialize_duration")]
    pub check_time_budget: Duration,
    /// How much memory that may take
    #[arg(long, default_value = "2GiB", value_parser = bytes, value_name = "SIZE")]
    pub check_memory_budget: usize,
    /// Print results.json instead of the summary
    #[arg(long)]
    pub json: bool,
    /// Print nothing but errors
    #[arg(long)]
    pub quiet: bool,
}

fn serialize_duration<S: serde::Serializer>(
    duration: &Duration,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&humantime::format_duration(*duration))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}

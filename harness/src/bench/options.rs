//! The options of `bench`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::checker_bench::CheckerBenchArgs;
use crate::platform::loopback::NODES_MAX;
use crate::system::FsyncMode;
use crate::usage::{BadUsage, duration};

/// Shorter measurements say nothing: the kernel counts CPU in hundredths of a second.
const DURATION_MIN: Duration = Duration::from_millis(200);
/// The preloaded keys are held in memory by everybody.
const DATA_BYTES_MAX: usize = 1 << 30;

/// Measures the store, alone or beside another system. Exit codes: 0 measured, 1 a node ended by itself,
/// 2 not everything was measured, 254 bad usage, 255 harness failure, 130 stopped twice.
#[derive(Debug, Clone, Args, Serialize)]
pub struct BenchArgs {
    /// Run the same load against another system, in interleaved rounds
    #[arg(long, value_enum, value_name = "SYSTEM")]
    pub compare: Option<Compared>,
    /// How many clients, by comma; each sends its next operation when the last is answered
    #[arg(long, value_delimiter = ',', default_value = "1,16,64,256", value_name = "COUNTS")]
    pub clients: Vec<usize>,
    /// What they do, by comma
    #[arg(long, value_enum, value_delimiter = ',', default_value = "put,get")]
    pub operations: Vec<Operation>,
    /// How often everything is measured; the medians are what counts
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub rounds: u32,
    /// How long one measurement takes
    #[arg(long, default_value = "5s", value_parser = duration, value_name = "TIME")]
    #[serde(serialize_with = "as_text")]
    pub duration: Duration,
    /// How long the load runs before a measurement begins
    #[arg(long, default_value = "1s", value_parser = duration, value_name = "TIME")]
    #[serde(serialize_with = "as_text")]
    pub warm_up: Duration,
    /// Size of the values
    #[arg(long, default_value_t = 256, value_name = "BYTES")]
    pub value_bytes: usize,
    /// Keys, all written before the first round; each operation takes one at random
    #[arg(long, default_value_t = 10_000, value_name = "COUNT")]
    pub keys: usize,
    /// Nodes of each cluster
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=i64::from(NODES_MAX)))]
    pub nodes: u16,
    /// Whether nodes sync their log
    #[arg(long, value_enum, default_value_t = FsyncMode::Always)]
    pub fsync: FsyncMode,
    /// Raft groups that share the keys of the store
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub shards: u16,
    /// Clients that share one connection
    #[arg(long, default_value_t = 16, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..))]
    pub clients_per_connection: u16,
    /// Threads that all clients share
    #[arg(long, default_value_t = 1, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub client_threads: u16,
    /// What the load is drawn from
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Where nodes keep their data, of both systems [default: beside the results]
    #[arg(long, value_name = "FOLDER")]
    pub data: Option<PathBuf>,
    /// Where results go
    #[arg(long, default_value = "results", value_name = "FOLDER")]
    pub out: PathBuf,
    /// Keep the nodes' data directories
    #[arg(long)]
    pub keep_data: bool,
    /// Print bench.json instead of the table
    #[arg(long)]
    pub json: bool,
    /// Print nothing but errors
    #[arg(long)]
    pub quiet: bool,
    /// Measure the checkers of histories instead of the store
    #[arg(long)]
    #[serde(skip)]
    pub checkers: bool,
    /// What --checkers measures.
    #[command(flatten)]
    #[serde(skip)]
    pub of_checkers: CheckerBenchArgs,
}

/// What the store can be measured against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Compared {
    /// The `etcd` on the PATH
    Etcd,
}

/// What a client does all the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// Set a key.
    Put,
    /// Read a key, linearizably.
    Get,
}

impl Operation {
    /// As on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Operation::Put => "put",
            Operation::Get => "get",
        }
    }
}

impl BenchArgs {
    /// Refuses what cannot work.
    pub fn check(&self) -> Result<(), BadUsage> {
        self.of_checkers.check()?;
        let refuse = |message: String| Err(BadUsage(message));
        if self.clients.is_empty() || self.clients.iter().any(|it| !(1..=10_000).contains(it)) {
            return refuse(
                "--clients: between 1 and 10000\nhint: --clients 1,16,64,256".to_owned(),
            );
        }
        if self.duration < DURATION_MIN {
            return refuse(format!(
                "--duration must be at least {}\nhint: --duration 5s",
                humantime::format_duration(DURATION_MIN)
            ));
        }
        if self.keys == 0 {
            return refuse("--keys must be at least 1\nhint: --keys 10000".to_owned());
        }
        if !(1..=1 << 20).contains(&self.value_bytes) {
            return refuse(
                "--value-bytes: between 1 and 1048576\nhint: --value-bytes 256".to_owned(),
            );
        }
        if self.keys.saturating_mul(self.value_bytes) > DATA_BYTES_MAX {
            return refuse(
                "--keys times --value-bytes is more than 1 GiB\nhint: fewer or smaller".to_owned(),
            );
        }
        if self.fsync == FsyncMode::Off && self.compare == Some(Compared::Etcd) {
            return refuse(
                "--fsync off with --compare etcd: etcd 3.4 always syncs, so the ratios would mean \
                 nothing\nhint: leave one of them out"
                    .to_owned(),
            );
        }
        Ok(())
    }
}

fn as_text<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&humantime::format_duration(*duration))
}

//! The options of `bench --checkers`.

use std::time::Duration;

use clap::Args;

use crate::usage::{BadUsage, bytes, duration, unknown};

/// What `bench --checkers` measures.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Options of --checkers")]
pub struct CheckerBenchArgs {
    /// Only checkers of these models, by comma
    #[arg(long, value_delimiter = ',', value_name = "MODELS", requires = "checkers")]
    pub models: Vec<String>,
    /// Operations of the histories, by comma
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "1000,10000,100000,1000000",
        value_name = "COUNTS"
    )]
    pub sizes: Vec<usize>,
    /// Histories of 10 million operations too
    #[arg(long, requires = "checkers")]
    pub huge: bool,
    /// All combinations of sizes, clients, crashes and keys, instead of one at a time
    #[arg(long, requires = "checkers")]
    pub full: bool,
    /// How long one check may take
    #[arg(long, default_value = "60s", value_parser = duration, value_name = "TIME")]
    pub case_time_limit: Duration,
    /// How much memory one check may take, besides the history
    #[arg(long, default_value = "4GiB", value_parser = bytes, value_name = "BYTES")]
    pub case_memory_limit: usize,
    /// Be the process of one case
    #[arg(long, hide = true, requires = "checkers")]
    pub case: Option<String>,
}

impl CheckerBenchArgs {
    /// Refuses what cannot work.
    pub fn check(&self) -> Result<(), BadUsage> {
        let is_unknown = |name: &&String| workloads::synthetic::synthetic(name).is_none();
        if let Some(unknown_name) = self.models.iter().find(is_unknown) {
            let names = workloads::synthetic::SYNTHETIC.iter().map(|it| it.model);
            return Err(unknown("model", unknown_name, names));
        }
        if self.sizes.is_empty() || self.sizes.iter().any(|it| !(10..=100_000_000).contains(it)) {
            return Err(BadUsage(
                "--sizes: between 10 and 100000000\nhint: --sizes 1000,10000".to_owned(),
            ));
        }
        Ok(())
    }
}

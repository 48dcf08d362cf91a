//! The options of `check`, `convert` and `verify`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use workloads::history::{FORMATS, Format, Keyed, ReadOptions, TruncatedTail};

use crate::usage::{bytes, duration};

/// Options of `check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Histories, folders of runs, or `-` for stdin
    #[arg(required_unless_present = "manifest", value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The object; see `list models`; a run's folder knows its own
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// What must hold; see `list properties`; else the first of the model
    #[arg(long, value_name = "NAME")]
    pub property: Option<String>,
    /// What each object holds at first: JSON, or `any`; else what the model says
    #[arg(long, value_name = "VALUE", allow_hyphen_values = true)]
    pub initial: Option<String>,
    /// The sum of all accounts of a bank
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub total: Option<i64>,
    /// How histories are written
    #[command(flatten)]
    pub reading: ReadingArgs,
    /// How long each history may take, with reading it
    #[arg(long, default_value = "60s", value_parser = duration, value_name = "TIME")]
    pub time_budget: Duration,
    /// How much memory this process may have meanwhile
    #[arg(long, default_value = "2GiB", value_parser = bytes, value_name = "SIZE")]
    pub memory_budget: usize,
    /// Threads that work at the same time; 0: as many as there are cores
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=1024))]
    pub threads: u16,
    /// Print the check as JSON
    #[arg(long)]
    pub json: bool,
    /// Write what proves the verdict to this file, for `verify`
    #[arg(long, value_name = "FILE")]
    pub evidence: Option<PathBuf>,
    /// Write the verdict, the explanation and the drawing to this file, as a page
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Check twice, by different algorithms, and verify the evidence
    #[arg(long)]
    pub doublecheck: bool,
    /// Check all histories of a table, and say where verdicts differ from it
    ///
    /// Columns are separated by tabs and found by their names: file, model, property, verdict, init.
    #[arg(long, value_name = "FILE", conflicts_with_all = [
        "files", "model", "property", "initial", "total", "format", "independent", "evidence", "html",
    ])]
    pub manifest: Option<PathBuf>,
}

/// How histories are read.
#[derive(Debug, Clone, Copy, Args)]
pub struct ReadingArgs {
    /// The format; else it is seen from the beginning
    #[arg(long, value_parser = format(), value_name = "NAME")]
    pub format: Option<Format>,
    /// Every value is a pair `[key value]`, as Jepsen's independent workloads have it
    #[arg(long)]
    pub independent: bool,
}

impl ReadingArgs {
    /// As the readers want it.
    pub(super) fn options(&self, tail: TruncatedTail) -> ReadOptions {
        let keyed = if self.independent { Keyed::Pairs } else { Keyed::ByTag };
        ReadOptions { format: self.format, tail, keyed }
    }
}

fn format() -> impl clap::builder::TypedValueParser<Value = Format> {
    use clap::builder::TypedValueParser;
    clap::builder::PossibleValuesParser::new(FORMATS.iter().map(|(name, ..)| *name)).map(|name| {
        let known = FORMATS.iter().find(|(known, ..)| *known == name);
        known.map_or(Format::Jsonl, |(_, format, _)| *format)
    })
}

/// Options of `convert`.
#[derive(Debug, Args)]
pub struct ConvertArgs {
    /// A history, or `-` for stdin
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The format to write
    #[arg(long, value_enum, default_value_t = Target::Jsonl)]
    pub to: Target,
    /// Where to; else to stdout
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// How the history is written
    #[command(flatten)]
    pub reading: ReadingArgs,
}

/// A format that can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Target {
    /// JSON, one event a line.
    Jsonl,
    /// EDN, for Jepsen's tools.
    Edn,
}

/// Options of `verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// What `check --evidence` wrote
    #[arg(value_name = "EVIDENCE")]
    pub evidence: PathBuf,
    /// The history, a folder of a run, or `-` for stdin
    #[arg(value_name = "HISTORY")]
    pub history: PathBuf,
    /// How the history is written
    #[command(flatten)]
    pub reading: ReadingArgs,
    /// Print the findings as JSON
    #[arg(long)]
    pub json: bool,
}

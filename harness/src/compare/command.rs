//! The command.

use std::path::PathBuf;

use clap::Args;

use super::comparison::compare_groups;
use super::sample::Group;
use super::{page, text};
use crate::report::files;
use crate::{exit_code, output};

/// Options of `compare`.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// What B is compared to: a run's folder, or a folder that holds runs
    #[arg(value_name = "A")]
    pub a: PathBuf,
    /// What is compared
    #[arg(value_name = "B")]
    pub b: PathBuf,
    /// Print JSON instead of a table
    #[arg(long)]
    pub json: bool,
    /// Write a page about it too
    #[arg(long, value_name = "FILE")]
    pub page: Option<PathBuf>,
}

/// Compares two groups of runs. Returns the exit code: a difference is no failure.
pub fn compare(args: &CompareArgs) -> anyhow::Result<i32> {
    let (a, b) = (Group::read(&args.a)?, Group::read(&args.b)?);
    let comparison = compare_groups(&a, &b);
    if let Some(path) = &args.page {
        files::write_atomically(path, page::render(&comparison).as_bytes())?;
    }
    match args.json {
        true => output::result(&format!("{}\n", serde_json::to_string_pretty(&comparison)?)),
        false => output::result(&text::render(&comparison)),
    }
    Ok(exit_code::VALID)
}

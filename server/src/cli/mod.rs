//! The command line: `server serve` runs a node, `server config` prints its settings file,
//! `server ctl` speaks to a cluster. Also used by
//! programs that run a server within themselves.

mod ctl;
mod serve;

use std::fmt;

use clap::{Parser, Subcommand};

pub use ctl::{CtlArgs, EXIT_INDEFINITE, EXIT_NOT_FOUND, perform};
pub use serve::{Peers, ServeArgs, StorageKind, UsageError, run};

/// It ended as it was told to.
pub const EXIT_OK: i32 = 0;
/// The server could not start; the request surely had no effect.
pub const EXIT_FAILURE: i32 = 1;
/// The command line makes no sense.
pub const EXIT_USAGE: i32 = 254;

/// A replicated key-value store.
#[derive(Debug, Parser)]
#[command(name = "server", version)]
struct Cli {
    #[command(subcommand)]
    command: CliCommand,
}

#[derive(Debug, Subcommand)]
enum CliCommand {
    /// Run one node of a cluster.
    Serve(Box<ServeArgs>),
    /// Print a settings file with every key, its default and what it means.
    Config,
    /// Speak to a cluster.
    Ctl(Box<CtlArgs>),
}

/// Parses the process's arguments, runs what they say, and returns the exit code.
pub fn main() -> i32 {
    match Cli::try_parse() {
        Ok(Cli { command: CliCommand::Serve(args) }) => run(*args),
        Ok(Cli { command: CliCommand::Config }) => serve::print_sample(),
        Ok(Cli { command: CliCommand::Ctl(args) }) => ctl::run(*args),
        Err(error) => {
            let code = if error.use_stderr() { EXIT_USAGE } else { EXIT_OK };
            // Where nobody can read the message, the exit code must do.
            let _ = error.print();
            code
        }
    }
}

fn fail(error: &dyn fmt::Display, code: i32) -> i32 {
    eprintln!("error: {error}");
    code
}

//! From the command line to a run: everything that must happen while there is one thread.

use std::sync::Arc;

use clap::Parser;
use clap::error::ErrorKind;

use crate::cli::{Cli, Command, RunArgs};
use crate::commands;
use crate::exit_code;
use crate::options::{BadUsage, RunOptions};
use crate::platform::loopback::Loopback;
use crate::platform::namespaces::{EnterOptions, Namespaces, UserNamespace, enter};
use crate::platform::{self, Chosen, Platform};
use crate::run::{self, ChosenPlatform};

/// Runs the command line and returns the exit code of the process.
///
/// Must be called on the main thread before any other is started: a process with several threads
/// cannot enter a user namespace.
pub fn main() -> i32 {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are answers, everything else is bad usage.
            let _ = error.print();
            return match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => exit_code::VALID,
                _ => exit_code::BAD_USAGE,
            };
        }
    };
    let result = match cli.command {
        None => return run_command(cli.run),
        #[cfg(feature = "store")]
        Some(Command::Node(args)) => return server::cli::run(*args),
        Some(Command::Check(args)) => commands::check(&args),
        Some(Command::Report { run }) => commands::report(&run),
        Some(Command::List { table }) => {
            print(&commands::list(table));
            Ok(exit_code::VALID)
        }
        Some(Command::Doctor) => doctor(),
        #[cfg(feature = "simulation")]
        Some(Command::Simulate(args)) => crate::worlds::run_simulation(args),
        #[cfg(feature = "simulation")]
        Some(Command::ModelCheck(args)) => crate::worlds::run_model_check(&args),
    };
    result.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        exit_code::BAD_USAGE
    })
}

fn doctor() -> anyhow::Result<i32> {
    print(&platform::doctor(&platform::probe()?));
    Ok(exit_code::VALID)
}

/// One run, or several one after the other.
fn run_command(args: RunArgs) -> i32 {
    let options = match RunOptions::resolve(args) {
        Ok(options) => options,
        Err(BadUsage(message)) => {
            eprintln!("error: {message}");
            return exit_code::BAD_USAGE;
        }
    };
    let result = match options.args.runs {
        1 => one_run(options),
        _ => several_runs(&options),
    };
    result.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        exit_code::HARNESS_FAILURE
    })
}

fn one_run(options: RunOptions) -> anyhow::Result<i32> {
    let capabilities = platform::probe()?;
    let chosen = platform::choose(options.args.platform, options.args.fabric, &capabilities)?;
    let chosen = match chosen {
        Chosen::Namespaces { fabric, why } => {
            enter(&EnterOptions { user_namespace: UserNamespace::WhenNeeded })?;
            let platform: Arc<dyn Platform> =
                Arc::new(Namespaces::new(options.args.nodes, fabric)?);
            ChosenPlatform { platform, why }
        }
        Chosen::Loopback { why } => {
            let platform: Arc<dyn Platform> = Arc::new(Loopback::new(options.args.nodes)?);
            ChosenPlatform { platform, why }
        }
    };
    log_to_stderr();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    Ok(runtime.block_on(run::run(options, chosen))?)
}

/// Each run in a process of its own, so that each has fresh namespaces.
fn several_runs(options: &RunOptions) -> anyhow::Result<i32> {
    let own = crate::node_process::own_binary();
    let mut arguments: Vec<String> = Vec::new();
    let mut given = std::env::args().skip(1);
    while let Some(argument) = given.next() {
        if argument == "--seed" || argument == "--runs" {
            given.next();
        } else if !argument.starts_with("--seed=") && !argument.starts_with("--runs=") {
            arguments.push(argument);
        }
    }
    let mut codes = Vec::new();
    for run in 0..options.args.runs {
        let seed = options.seed.wrapping_add(u64::from(run));
        let status = std::process::Command::new(&own)
            .args(&arguments)
            .args(["--seed", &seed.to_string()])
            .status()?;
        let code = status.code().unwrap_or(exit_code::HARNESS_FAILURE);
        codes.push(code);
        if code == exit_code::BAD_USAGE || code == exit_code::INTERRUPTED_TWICE {
            break;
        }
    }
    if !options.args.quiet {
        let count = |code| codes.iter().filter(|&&c| c == code).count();
        print(&format!(
            "{}: {} valid, {} invalid, {} unknown, {} not recovered, {} harness failures\n",
            crate::plural::count(codes.len(), "run"),
            count(exit_code::VALID),
            count(exit_code::INVALID),
            count(exit_code::UNKNOWN),
            count(exit_code::NOT_RECOVERED),
            count(exit_code::HARNESS_FAILURE),
        ));
    }
    Ok(exit_code::worst(codes))
}

/// Diagnostics go to stderr; `RUST_LOG` chooses how much.
fn log_to_stderr() {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    // A second subscriber in one process is no reason to fail.
    let _ =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
}

#[expect(clippy::print_stdout, reason = "the text is the command's result")]
fn print(text: &str) {
    print!("{text}");
}

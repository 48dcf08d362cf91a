//! From the command line to a run: everything that must happen while there is one thread.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use clap::Parser;
use clap::error::ErrorKind;

use crate::bench::BenchArgs;
use crate::check;
use crate::cli::{Cli, Command, RunArgs};
use crate::commands;
use crate::exit_code;
use crate::nemesis::fault::Arrangement;
use crate::options::RunOptions;
use crate::platform::capability::Capability;
use crate::platform::external::External;
use crate::platform::loopback::Loopback;
use crate::platform::namespaces::{EnterOptions, Namespaces, UserNamespace, enter};
use crate::platform::{self, Capabilities, Chosen};
use crate::run::{self, ChosenPlatform};
use crate::usage::BadUsage;
use crate::{output, scenario, several_runs};

/// Runs the command line and returns the exit code of the process.
///
/// Must be called on the main thread before any other is started: a process with several threads
/// cannot enter a user namespace.
pub fn main() -> i32 {
    #[cfg(feature = "store")]
    if is_called("server") {
        return server::cli::main();
    }
    let given = match scenario::expand(std::env::args_os().collect()) {
        Ok(given) => given,
        Err(error) => {
            output::note(&format!("error: {}", output::chain(&error)));
            return exit_code::BAD_USAGE;
        }
    };
    let cli = match Cli::try_parse_from(given) {
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
    #[cfg(feature = "store")]
    if let Some(Command::Node(args)) = cli.command {
        return server::cli::run(*args);
    }
    // A panic is a defect of ours, and never looks like a verdict. Its message is printed by then.
    std::panic::catch_unwind(AssertUnwindSafe(|| perform(cli)))
        .unwrap_or(exit_code::HARNESS_FAILURE)
}

fn perform(cli: Cli) -> i32 {
    let (result, code_of_errors) = match cli.command {
        None => return run_command(cli.run),
        Some(Command::Bench(args)) => return bench(*args),
        #[cfg(feature = "store")]
        Some(Command::Node(_)) => unreachable!("a node is no command of a user"),
        Some(Command::Check(args)) => (check::check(&args), exit_code::BAD_USAGE),
        Some(Command::Convert(args)) => (check::convert(&args), exit_code::BAD_USAGE),
        Some(Command::Verify(args)) => (check::verify(&args), exit_code::BAD_USAGE),
        Some(Command::Report { run }) => (commands::report(&run), exit_code::BAD_USAGE),
        Some(Command::Compare(args)) => (crate::compare::compare(&args), exit_code::BAD_USAGE),
        Some(Command::Serve(args)) => (serve(args), exit_code::BAD_USAGE),
        Some(Command::Replay(args)) => {
            (crate::replay::replay(&args).map_err(Into::into), exit_code::BAD_USAGE)
        }
        Some(Command::Shrink(args)) => {
            (crate::shrink::shrink(&args).map_err(Into::into), exit_code::BAD_USAGE)
        }
        Some(Command::Exec { run, command }) => {
            (crate::exec::exec(&run, &command), exit_code::BAD_USAGE)
        }
        Some(Command::List { table, name }) => {
            let listed = commands::list(table, name.as_deref());
            let shown = listed.map(|text| {
                output::result(&text);
                exit_code::VALID
            });
            (shown.map_err(Into::into), exit_code::BAD_USAGE)
        }
        Some(Command::Doctor) => (doctor(), exit_code::HARNESS_FAILURE),
        Some(Command::Suite(args)) => suite(&args),
        Some(Command::Findings(args)) => findings(&args),
        #[cfg(feature = "simulation")]
        Some(Command::Simulate(args)) => {
            (crate::worlds::run_simulation(args), exit_code::BAD_USAGE)
        }
        #[cfg(feature = "simulation")]
        Some(Command::ModelCheck(args)) => {
            (crate::worlds::run_model_check(&args), exit_code::BAD_USAGE)
        }
    };
    result.unwrap_or_else(|error| {
        output::note(&format!("error: {}", output::chain(error.as_ref())));
        code_of_errors
    })
}

/// Was this binary started under this name? So it is by `exec RUN -- server ...`.
#[cfg(feature = "store")]
fn is_called(name: &str) -> bool {
    let called = std::env::args_os().next();
    called.is_some_and(|called| called == name)
}

/// A suite that cannot be read is bad usage, what goes wrong later a failure of ours.
fn suite(args: &crate::suite::SuiteArgs) -> (anyhow::Result<i32>, i32) {
    let result = crate::suite::run(args);
    let is_usage = matches!(&result, Err(error) if error.is::<crate::suite::DefinitionError>());
    let code = if is_usage { exit_code::BAD_USAGE } else { exit_code::HARNESS_FAILURE };
    (result, code)
}

/// A name that is in no row is bad usage, what goes wrong later a failure of ours.
fn findings(args: &crate::findings::FindingsArgs) -> (anyhow::Result<i32>, i32) {
    let result = crate::findings::run(args);
    let is_usage = matches!(&result, Err(error) if error.is::<BadUsage>());
    let code = if is_usage { exit_code::BAD_USAGE } else { exit_code::HARNESS_FAILURE };
    (result, code)
}

fn doctor() -> anyhow::Result<i32> {
    output::result(&platform::doctor(&platform::probe()?));
    Ok(exit_code::VALID)
}

fn serve(args: crate::serve::ServeArgs) -> anyhow::Result<i32> {
    log_to_stderr();
    Ok(runtime()?.block_on(crate::serve::serve(args))?)
}

fn bench(args: BenchArgs) -> i32 {
    if let Err(BadUsage(message)) = args.check() {
        output::note(&format!("error: {message}"));
        return exit_code::BAD_USAGE;
    }
    log_to_stderr();
    let result = if args.checkers {
        crate::checker_bench::run(&args.of_checkers, args.seed, args.json).map_err(Into::into)
    } else {
        runtime().and_then(|it| Ok(it.block_on(crate::bench::run(args))?))
    };
    result.unwrap_or_else(|error| {
        output::note(&format!("error: {}", output::chain(error.as_ref())));
        exit_code::HARNESS_FAILURE
    })
}

/// One run, or several one after the other.
fn run_command(args: RunArgs) -> i32 {
    let options = match RunOptions::resolve(args) {
        Ok(options) => options,
        Err(BadUsage(message)) => {
            output::note(&format!("error: {message}"));
            return exit_code::BAD_USAGE;
        }
    };
    let result = match options.args.runs {
        1 => one_run(options),
        _ => several_runs::run(&options).map_err(Into::into),
    };
    result.unwrap_or_else(|error| {
        output::note(&format!("error: {}", output::chain(error.as_ref())));
        exit_code::HARNESS_FAILURE
    })
}

fn one_run(options: RunOptions) -> anyhow::Result<i32> {
    if let Some(external) = options.adapter.as_ref().and_then(|it| it.external.as_ref()) {
        let platform = Arc::new(External::new(external.addresses.clone()));
        let why = "external: somebody else runs the nodes".to_owned();
        let chosen = ChosenPlatform { platform, why, namespaces: None };
        log_to_stderr();
        return Ok(runtime()?.block_on(run::run(options, chosen))?);
    }
    let capabilities = platform::probe()?;
    let chosen = platform::choose(options.args.platform, options.args.fabric, &capabilities)?;
    let sets_clocks = options.needs(Arrangement::Clock)
        && is_there(Capability::Clocks, "clock faults", &capabilities);
    let chosen = match chosen {
        Chosen::Namespaces { fabric, why } => {
            let entered = enter(&EnterOptions { user_namespace: UserNamespace::WhenNeeded })?;
            let mut place = Namespaces::new(options.args.nodes, fabric)?;
            if sets_clocks {
                place.arrange_clocks()?;
            }
            ChosenPlatform { platform: Arc::new(place), why, namespaces: Some(entered) }
        }
        Chosen::Loopback { why } if options.system.has_own_ports => {
            let name = options.system.name;
            anyhow::bail!(
                "the nodes of the system {name} can be cut off on the platform namespaces only: {why}\n\
                 hint: `harness doctor` says how to enable it"
            )
        }
        Chosen::Loopback { why } => {
            let mut place = Loopback::new(options.args.nodes)?;
            if sets_clocks {
                place.arrange_clocks()?;
            }
            ChosenPlatform { platform: Arc::new(place), why, namespaces: None }
        }
    };
    log_to_stderr();
    Ok(runtime()?.block_on(run::run(options, chosen))?)
}

/// Says it aloud if something that faults of the run need is missing.
fn is_there(capability: Capability, faults: &str, capabilities: &Capabilities) -> bool {
    let Some(reason) = capabilities.missing(capability) else { return true };
    output::note(&format!(
        "warning: {faults} will be skipped: {} missing ({reason})\nhint: {}",
        capability.name(),
        capabilities.remedy(capability)
    ));
    false
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}

/// Diagnostics go to stderr; `RUST_LOG` chooses how much.
fn log_to_stderr() {
    use tracing_subscriber::EnvFilter;
    // fuser warns of every request that is left to the kernel, and of replies to those who died.
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn,fuser=off"));
    // A second subscriber in one process is no reason to fail.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // It would panic where stderr is closed.
        .log_internal_errors(false)
        .try_init();
}

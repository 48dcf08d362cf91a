//! `server serve`: one node of a cluster; `server config`: its settings file.

use std::io::Write;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

pub use crate::config::{Peers, ServeArgs, StorageKind, UsageError};

use crate::config::{SAMPLE, ServerConfig, Settings};
use crate::driver::{EXIT_STORAGE, StartError};
use crate::server::{Server, ServerError};

use super::{EXIT_FAILURE, EXIT_OK, EXIT_USAGE, fail};

/// Most threads for the network. The replica, the log and the state machine have their own.
const NETWORK_THREADS_MAX: usize = 4;
/// Cores for each of them; where cores are few, threads would only wake each other.
const CORES_PER_NETWORK_THREAD: usize = 4;
/// After a signal, the process ends within two seconds; this much is for closing the stores.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_millis(1_800);

/// Prints a settings file with every key, its default and what it means.
pub(super) fn print_sample() -> i32 {
    print(SAMPLE)
}

/// Runs a server until a signal ends it, and returns the exit code. Starts its own tokio runtime.
pub fn run(args: ServeArgs) -> i32 {
    start_logging();
    let print_config = args.print_config;
    let config = match args.into_config() {
        Ok(config) => config,
        Err(error) => return fail(&error, EXIT_USAGE),
    };
    if print_config {
        return match config.check() {
            Ok(()) => print(&Settings::of(&config).to_toml()),
            Err(error) => fail(&error, EXIT_USAGE),
        };
    }
    tracing::info!("settings in force:\n{}", Settings::of(&config).to_toml());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(network_threads())
        .thread_name("network")
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format_args!("start the runtime: {error}"), EXIT_FAILURE),
    };
    let code = match runtime.block_on(serve(config)) {
        Ok(()) => EXIT_OK,
        Err(ServerError::Config(error)) => fail(&error, EXIT_USAGE),
        Err(
            error @ (ServerError::Log(_)
            | ServerError::State(_)
            | ServerError::Start(StartError::Log(_) | StartError::State(_))),
        ) => fail(&error, EXIT_STORAGE),
        Err(error) => fail(&error, EXIT_FAILURE),
    };
    runtime.shutdown_timeout(Duration::from_millis(100));
    code
}

fn network_threads() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    (cores / CORES_PER_NETWORK_THREAD).clamp(1, NETWORK_THREADS_MAX)
}

async fn serve(config: ServerConfig) -> Result<(), ServerError> {
    // The handlers come first, so that a signal during the start is not lost.
    let mut terminate = signal(SignalKind::terminate()).map_err(ServerError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(ServerError::Signals)?;
    let server = Server::start(config).await?;
    tokio::select! {
        _ = terminate.recv() => tracing::info!("SIGTERM: stopping"),
        _ = interrupt.recv() => tracing::info!("SIGINT: stopping"),
        () = server.stop_wanted() => tracing::info!("told to die: stopping"),
    }
    if tokio::time::timeout(SHUTDOWN_TIMEOUT, server.shutdown()).await.is_err() {
        tracing::warn!("closing the stores takes too long; the log will be replayed");
    }
    Ok(())
}

/// To stderr, as RUST_LOG says; a program that has set up logging keeps its own.
fn start_logging() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let color = std::io::IsTerminal::is_terminal(&std::io::stderr())
        && std::env::var_os("NO_COLOR").is_none();
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(color)
        .try_init();
}

fn print(text: &str) -> i32 {
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => EXIT_OK,
        Err(_) => EXIT_FAILURE,
    }
}

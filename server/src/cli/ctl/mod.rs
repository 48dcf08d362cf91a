//! `server ctl`: the command-line client.
//!
//! Exit codes: 0 done; 1 failed, surely without an effect; 2 failed, and may have taken effect, now
//! or later; 3 the answer is no: the key does not exist, the value was not swapped, the conditions of
//! a transaction did not hold, the lock is another's; 254 the command line makes no sense.
//!
//! With `--json` each answer is one line with one object (a watch writes one for each batch of
//! changes). Its fields are named as on the wire, such as
//! `{"header":{"revision":7,"term":2,"node":1,"group":0},"found":{"key":"k","value":"v",...}}`, and
//! fields without a value are null. Bytes are a string if they are UTF-8, else
//! `{"base64":"/wA="}`. A failure is `{"error":{"kind":"NOT_LEADER","message":"...","indefinite":false}}`
//! with a kind of null if no server answered.

mod cluster;
mod connect;
mod group;
mod keys;
mod lease;
mod member;
mod output;
mod rebalance;
mod scan;
mod txn;
mod txn_json;
mod txn_text;
mod watch;

use std::io::{self, Write};

use clap::{Args, Subcommand};
use proto::client::{Client, ClientError};

use self::connect::ConnectArgs;
use self::output::Output;
use super::{EXIT_FAILURE, EXIT_OK, EXIT_USAGE, fail};

/// It failed, and may have taken effect, now or later.
pub const EXIT_INDEFINITE: i32 = 2;
/// The answer is no: not found, not swapped, not held.
pub const EXIT_NOT_FOUND: i32 = 3;

/// Speaks to a cluster.
///
/// Exit codes: 0 done, 1 failed without effect, 2 may have taken effect, 3 not found or not swapped,
/// 254 bad usage.
#[derive(Debug, Clone, Args)]
pub struct CtlArgs {
    #[command(flatten)]
    connect: ConnectArgs,
    /// Answer with one JSON object a line.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: CtlCommand,
}

/// The table of commands.
#[derive(Debug, Clone, Subcommand)]
enum CtlCommand {
    /// Read a key.
    Get(keys::GetArgs),
    /// Set a key.
    Put(keys::PutArgs),
    /// Remove a key.
    Delete(keys::DeleteArgs),
    /// Set a key if it has the expected value.
    Cas(keys::CasArgs),
    /// Add bytes at the end of a value.
    Append(keys::AppendArgs),
    /// Perform several operations as one.
    Txn(txn::TxnArgs),
    /// Read keys in order.
    Scan(scan::ScanArgs),
    /// Report changes of keys as they happen.
    Watch(watch::WatchArgs),
    /// Grant, keep alive or revoke a lease.
    #[command(subcommand)]
    Lease(lease::LeaseCommand),
    /// Take a lock for as long as a lease lives.
    Lock(lease::LockArgs),
    /// Give a lock back.
    Unlock(lease::UnlockArgs),
    /// List or change the members of a group.
    #[command(subcommand)]
    Member(member::MemberCommand),
    /// List the groups, or add one.
    #[command(subcommand)]
    Group(group::GroupCommand),
    /// Move replicas until each node has its share.
    Rebalance(rebalance::RebalanceArgs),
    /// Show how nodes see themselves and the cluster.
    Status(cluster::StatusArgs),
    /// Let a node take a snapshot now.
    Snapshot(cluster::SnapshotArgs),
    /// Hand leadership over.
    TransferLeader(cluster::TransferLeaderArgs),
}

/// A command failed.
#[derive(Debug, thiserror::Error)]
enum CtlError {
    /// The command line makes no sense.
    #[error("{0}")]
    Usage(String),
    /// The store refused, or could not be reached.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// Something to read cannot be read.
    #[error("{what}: {source}")]
    Input {
        /// What was attempted, as a verb phrase.
        what: String,
        /// Why it failed.
        source: io::Error,
    },
    /// The answer cannot be written; it was given all the same.
    #[error("write the answer: {0}")]
    Output(#[from] io::Error),
}

/// What a command found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Yes,
    No,
}

impl Answer {
    fn of(yes: bool) -> Answer {
        if yes { Answer::Yes } else { Answer::No }
    }
}

/// Performs a command and returns the exit code. Starts its own tokio runtime.
pub(super) fn run(args: CtlArgs) -> i32 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime {
        Ok(runtime) => runtime.block_on(perform(args, &mut io::stdout(), &mut io::stderr())),
        Err(error) => fail(&format_args!("start the runtime: {error}"), EXIT_FAILURE),
    }
}

/// Performs a command: writes the answer to `out` and what went wrong to `err`. Returns the exit code.
pub async fn perform(args: CtlArgs, out: &mut dyn Write, err: &mut dyn Write) -> i32 {
    let mut output = Output::new(out, args.json);
    let error = match dispatch(args, &mut output).await {
        Ok(Answer::Yes) => return EXIT_OK,
        Ok(Answer::No) => return EXIT_NOT_FOUND,
        Err(error) => error,
    };
    // Where nobody can read the message, the exit code must do.
    let _ = writeln!(err, "error: {error}{}", hint(&error));
    match &error {
        CtlError::Usage(_) => EXIT_USAGE,
        CtlError::Client(error) => {
            let _ = output.failure(error);
            if error.is_indefinite() { EXIT_INDEFINITE } else { EXIT_FAILURE }
        }
        CtlError::Input { .. } => EXIT_FAILURE,
        CtlError::Output(_) => EXIT_INDEFINITE,
    }
}

async fn dispatch(args: CtlArgs, output: &mut Output<'_>) -> Result<Answer, CtlError> {
    let connect = &args.connect;
    let client = || connect.client();
    match args.command {
        CtlCommand::Get(args) => keys::get(client()?, args, output).await,
        CtlCommand::Put(args) => keys::put(client()?, args, output).await,
        CtlCommand::Delete(args) => keys::delete(client()?, args, output).await,
        CtlCommand::Cas(args) => keys::cas(client()?, args, output).await,
        CtlCommand::Append(args) => keys::append(client()?, args, output).await,
        CtlCommand::Txn(args) => txn::txn(client()?, args, output).await,
        CtlCommand::Scan(args) => scan::scan(client()?, args, output).await,
        CtlCommand::Watch(args) => watch::watch(client()?, args, output).await,
        CtlCommand::Lease(command) => lease::lease(client()?, command, output).await,
        CtlCommand::Lock(args) => lease::lock(client()?, args, output).await,
        CtlCommand::Unlock(args) => lease::unlock(client()?, args, output).await,
        CtlCommand::Member(command) => member::member(connect.operator()?, command, output).await,
        CtlCommand::Group(command) => group::group(connect.operator()?, command, output).await,
        CtlCommand::Rebalance(args) => {
            rebalance::rebalance(connect.operator()?, args, output).await
        }
        CtlCommand::Status(args) => cluster::status(connect, args, output).await,
        CtlCommand::Snapshot(args) => cluster::snapshot(client()?, args, output).await,
        CtlCommand::TransferLeader(args) => {
            cluster::transfer_leader(connect.operator()?, args, output).await
        }
    }
}

/// What a person can do about it.
fn hint(error: &CtlError) -> &'static str {
    use proto::client::ErrorKind;

    let CtlError::Client(error) = error else { return "" };
    match error.failure().kind {
        None => "\nhint: do the nodes run, and are --endpoints and the TLS options right?",
        Some(ErrorKind::Unauthenticated) => "\nhint: give a token with --token-file",
        Some(ErrorKind::PermissionDenied) => "\nhint: this needs a token with another role",
        Some(ErrorKind::NotLeader) => "\nhint: is a majority of the voters running?",
        Some(ErrorKind::LeaseNotFound) => "\nhint: grant one with `ctl lease grant`",
        Some(ErrorKind::SpansGroups) => "\nhint: use keys of one group in a transaction",
        Some(
            ErrorKind::Unspecified
            | ErrorKind::Busy
            | ErrorKind::InvalidRequest
            | ErrorKind::SessionExpired
            | ErrorKind::Timeout
            | ErrorKind::Uncertain
            | ErrorKind::Overwritten
            | ErrorKind::Stopping
            | ErrorKind::LimitExceeded
            | ErrorKind::Compacted
            | ErrorKind::WrongGroup,
        ) => "",
    }
}

/// A client whose writes are safe to repeat, so that a lost connection is no doubt.
async fn in_session(mut client: Client) -> Result<Client, CtlError> {
    client.open_session().await?;
    Ok(client)
}

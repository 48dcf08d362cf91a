//! Leases and locks.

use std::time::Duration;

use clap::{Args, Subcommand};
use proto::client::Client;
use serde_json::json;

use super::output::{Output, header_json};
use super::{Answer, CtlError, in_session};
use crate::config::parse_duration;

#[derive(Debug, Clone, Subcommand)]
pub(super) enum LeaseCommand {
    /// Create a lease.
    Grant {
        /// Its time to live, such as 10s.
        #[arg(value_parser = parse_duration)]
        ttl: Duration,
    },
    /// Give a lease its whole time again, once.
    KeepAlive {
        /// The lease.
        lease: u64,
    },
    /// End a lease: its keys are deleted and its locks are freed.
    Revoke {
        /// The lease.
        lease: u64,
    },
}

#[derive(Debug, Clone, Args)]
pub(super) struct LockArgs {
    /// Its name.
    name: String,
    /// The lease that it is held by.
    #[arg(long)]
    lease: u64,
}

#[derive(Debug, Clone, Args)]
pub(super) struct UnlockArgs {
    /// Its name.
    name: String,
    /// The token that it was taken with.
    #[arg(long)]
    token: u64,
}

pub(super) async fn lease(
    client: Client,
    command: LeaseCommand,
    output: &mut Output<'_>,
) -> Result<Answer, CtlError> {
    match command {
        LeaseCommand::Grant { ttl } => {
            let lease = in_session(client).await?.grant_lease(ttl).await?;
            let ttl_ms = millis(lease.ttl);
            let header = header_json(lease.header);
            let json = json!({"header": header, "lease": lease.id, "ttl_ms": ttl_ms});
            output.answer(&json, |out| writeln!(out, "lease {} for {ttl_ms} ms", lease.id))?;
        }
        LeaseCommand::KeepAlive { lease } => {
            let mut client = client;
            let ttl_ms = millis(client.keep_alive(lease).await?);
            let json = json!({"lease": lease, "ttl_ms": ttl_ms});
            output.answer(&json, |out| writeln!(out, "lease {lease} for {ttl_ms} ms more"))?;
        }
        LeaseCommand::Revoke { lease } => {
            let header = in_session(client).await?.revoke_lease(lease).await?;
            let json = json!({"header": header_json(header)});
            output.answer(&json, |out| writeln!(out, "lease {lease} has ended"))?;
        }
    }
    Ok(Answer::Yes)
}

pub(super) async fn lock(
    client: Client,
    args: LockArgs,
    output: &mut Output<'_>,
) -> Result<Answer, CtlError> {
    let locked = in_session(client).await?.lock(args.name, args.lease).await?;
    let json = json!({
        "header": header_json(locked.header),
        "acquired": locked.acquired,
        "token": locked.token,
        "holder": locked.holder,
    });
    output.answer(&json, |out| {
        if locked.acquired {
            writeln!(out, "acquired with token {}", locked.token)
        } else {
            writeln!(out, "held by lease {} with token {}", locked.holder, locked.token)
        }
    })?;
    Ok(Answer::of(locked.acquired))
}

pub(super) async fn unlock(
    client: Client,
    args: UnlockArgs,
    output: &mut Output<'_>,
) -> Result<Answer, CtlError> {
    let released = in_session(client).await?.unlock(args.name, args.token).await?;
    output.answer(&json!({ "released": released }), |out| {
        writeln!(out, "{}", if released { "released" } else { "not held with this token" })
    })?;
    Ok(Answer::of(released))
}

fn millis(ttl: Duration) -> u64 {
    u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX)
}

//! The cluster as a whole: status, snapshot, leadership.

use clap::Args;
use proto::client::{Client, ClientError, StatusResponse};
use serde_json::{Value, json};

use super::connect::ConnectArgs;
use super::output::{Output, table};
use super::{Answer, CtlError};

#[derive(Debug, Clone, Args)]
pub(super) struct StatusArgs {
    /// The group.
    #[arg(long, default_value_t = 0)]
    group: u32,
}

#[derive(Debug, Clone, Args)]
pub(super) struct SnapshotArgs {
    /// The group.
    #[arg(long, default_value_t = 0)]
    group: u32,
}

#[derive(Debug, Clone, Args)]
pub(super) struct TransferLeaderArgs {
    /// Who is to lead [default: whichever voter is furthest].
    #[arg(default_value_t = 0, hide_default_value = true)]
    to: u64,
    /// The group.
    #[arg(long, default_value_t = 0)]
    group: u32,
}

/// Asks every node, each within its own time; fails if none answers.
pub(super) async fn status(
    connect: &ConnectArgs,
    args: StatusArgs,
    output: &mut Output<'_>,
) -> Result<Answer, CtlError> {
    let mut asked = Vec::new();
    for (address, mut client) in connect.clients()? {
        let status = tokio::spawn(async move { client.status_of_group(args.group).await });
        asked.push((address, status));
    }
    let mut answers = Vec::new();
    for (address, status) in asked {
        // A task of ours does not fail.
        if let Ok(status) = status.await {
            answers.push((address, status));
        }
    }
    let json = json!({ "nodes": answers.iter().map(status_json).collect::<Vec<_>>() });
    let names = ["address", "node", "role", "term", "leader", "committed", "applied", "version"];
    let mut rows = vec![names.map(str::to_owned).to_vec()];
    rows.extend(answers.iter().map(status_row));
    output.answer(&json, |out| table(out, &rows))?;
    let is_answered = answers.iter().any(|(_, status)| status.is_ok());
    match answers.into_iter().find_map(|(_, status)| status.err()) {
        Some(error) if !is_answered => Err(error.into()),
        _ => Ok(Answer::Yes),
    }
}

pub(super) async fn snapshot(
    mut client: Client,
    args: SnapshotArgs,
    output: &mut Output<'_>,
) -> Result<Answer, CtlError> {
    let index = client.snapshot(args.group).await?;
    output.answer(&json!({ "index": index }), |out| writeln!(out, "snapshot up to {index}"))?;
    Ok(Answer::Yes)
}

pub(super) async fn transfer_leader(
    mut client: Client,
    args: TransferLeaderArgs,
    output: &mut Output<'_>,
) -> Result<Answer, CtlError> {
    let leader = client.transfer_leader(args.group, args.to).await?;
    output.answer(&json!({ "leader": leader }), |out| writeln!(out, "node {leader} leads"))?;
    Ok(Answer::Yes)
}

fn status_json((address, status): &(String, Result<StatusResponse, ClientError>)) -> Value {
    match status {
        Ok(status) => json!({
            "address": address,
            "node": status.node,
            "cluster": status.cluster,
            "role": status.role,
            "term": status.term,
            "leader": status.leader,
            "committed": status.committed,
            "applied": status.applied,
            "last_index": status.last_index,
            "persisted": status.persisted,
            "voters": status.voters,
            "learners": status.learners,
            "first_index": status.first_index,
            "snapshot_index": status.snapshot_index,
            "group": status.group,
            "groups": status.groups,
            "map_version": status.map_version,
            "migration": Some(&status.migration).filter(|it| !it.is_empty()),
            "storage": status.storage,
            "mode": status.mode,
            "version": status.version,
        }),
        Err(error) => json!({"address": address, "error": error.failure().message}),
    }
}

fn status_row((address, status): &(String, Result<StatusResponse, ClientError>)) -> Vec<String> {
    match status {
        Ok(status) => vec![
            address.clone(),
            status.node.to_string(),
            status.role.clone(),
            status.term.to_string(),
            if status.leader == 0 { "none".to_owned() } else { status.leader.to_string() },
            status.committed.to_string(),
            status.applied.to_string(),
            status.version.clone(),
        ],
        Err(error) => vec![address.clone(), format!("no answer: {}", error.failure().message)],
    }
}

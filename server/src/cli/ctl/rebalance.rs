//! Replicas of groups over the nodes.

use clap::Args;
use proto::client::Client;
use serde_json::json;

use super::output::Output;
use super::{Answer, CtlError};

#[derive(Debug, Clone, Args)]
pub(super) struct RebalanceArgs {
    /// A node that comes, with its address; can be given several times.
    #[arg(long, value_name = "NODE=HOST:PORT", value_parser = node)]
    add: Vec<(u64, String)>,
    /// A node that is to have no replicas any more; can be given several times.
    #[arg(long, value_name = "NODE")]
    remove: Vec<u64>,
}

fn node(text: &str) -> Result<(u64, String), String> {
    let (node, address) = text.split_once('=').ok_or("it looks like 4=10.0.0.4:7001")?;
    let node = node.parse().map_err(|_| format!("{node:?} is not a number"))?;
    Ok((node, address.to_owned()))
}

pub(super) async fn rebalance(
    mut client: Client,
    args: RebalanceArgs,
    output: &mut Output<'_>,
) -> Result<Answer, CtlError> {
    let changes = client.rebalance(args.add, args.remove).await?;
    output.answer(&json!({ "changes": changes }), |out| match changes {
        0 => writeln!(out, "each node has its share"),
        _ => writeln!(out, "each node has its share, after {changes} changes of members"),
    })?;
    Ok(Answer::Yes)
}

//! Groups of the cluster.

use clap::Subcommand;
use proto::client::{Client, Group, ListGroupsResponse};
use serde_json::{Value, json};

use super::output::{Output, table};
use super::{Answer, CtlError};

#[derive(Debug, Clone, Subcommand)]
pub(super) enum GroupCommand {
    /// Show the groups, and how far the addition of one is.
    List,
    /// Add a group, and bring the keys of its part of the ring to it. With several groups there are
    /// no scans and watches, and a transaction needs keys of one group.
    Add,
}

pub(super) async fn group(
    mut client: Client,
    command: GroupCommand,
    output: &mut Output<'_>,
) -> Result<Answer, CtlError> {
    match command {
        GroupCommand::List => {
            let list = client.list_groups().await?;
            let json = json!({
                "version": list.version,
                "groups": list.groups.iter().map(group_json).collect::<Vec<_>>(),
                "migration": Some(&list.migration).filter(|it| !it.is_empty()),
            });
            output.answer(&json, |out| {
                table(out, &rows(&list))?;
                match &list.migration[..] {
                    "" => Ok(()),
                    migration => writeln!(out, "{migration}"),
                }
            })?;
        }
        GroupCommand::Add => {
            let group = client.add_group().await?;
            output.answer(&json!({ "group": group }), |out| {
                writeln!(out, "group {group} is there")
            })?;
        }
    }
    Ok(Answer::Yes)
}

fn group_json(group: &Group) -> Value {
    json!({
        "id": group.id,
        "state": group.state,
        "members": group.members,
        "leader": group.leader,
        "share": f64::from(group.share) / 1e6,
    })
}

fn rows(list: &ListGroupsResponse) -> Vec<Vec<String>> {
    let names = ["group", "state", "keys", "leader", "members"];
    let mut rows = vec![names.map(str::to_owned).to_vec()];
    rows.extend(list.groups.iter().map(|group| {
        let members: Vec<String> = group.members.iter().map(u64::to_string).collect();
        let leader = if group.leader == 0 { "?".to_owned() } else { group.leader.to_string() };
        let share = format!("{:.1} %", f64::from(group.share) / 1e4);
        vec![group.id.to_string(), group.state.clone(), share, leader, members.join(" ")]
    }));
    rows
}

//! Members of a group.

use clap::Subcommand;
use proto::admin::{AddMember, DemoteMember, PromoteMember, RemoveMember, ReplaceMember};
use proto::client::{Client, Member, MemberChange};
use serde_json::{Value, json};

use super::output::{Output, table};
use super::{Answer, CtlError};

#[derive(Debug, Clone, Subcommand)]
pub(super) enum MemberCommand {
    /// Show who belongs to a group.
    List {
        #[arg(long, default_value_t = 0)]
        group: u32,
    },
    /// Add a node. It learns first, and votes once it has caught up.
    Add {
        /// Its number.
        node: u64,
        /// Its address, HOST:PORT.
        address: String,
        /// Never let it vote by itself.
        #[arg(long)]
        learner: bool,
        #[arg(long, default_value_t = 0)]
        group: u32,
    },
    /// Let a learner vote.
    Promote {
        /// Its number.
        node: u64,
        #[arg(long, default_value_t = 0)]
        group: u32,
    },
    /// Take a voter's vote away; it goes on learning.
    Demote {
        /// Its number.
        node: u64,
        #[arg(long, default_value_t = 0)]
        group: u32,
    },
    /// Remove a node.
    Remove {
        /// Its number.
        node: u64,
        #[arg(long, default_value_t = 0)]
        group: u32,
    },
    /// Let a new node take the place of another one, which may be dead.
    Replace {
        /// The number of the one that goes.
        old: u64,
        /// The number of the one that comes.
        new: u64,
        /// The address of the one that comes, HOST:PORT.
        address: String,
        #[arg(long, default_value_t = 0)]
        group: u32,
    },
}

pub(super) async fn member(
    mut client: Client,
    command: MemberCommand,
    output: &mut Output<'_>,
) -> Result<Answer, CtlError> {
    let (group, change) = match command {
        MemberCommand::List { group } => {
            let list = client.list_members(group).await?;
            let json = json!({
                "group": list.group,
                "leader": list.leader,
                "term": list.term,
                "members": list.members.iter().map(member_json).collect::<Vec<_>>(),
            });
            output.answer(&json, |out| table(out, &rows(&list.members)))?;
            return Ok(Answer::Yes);
        }
        MemberCommand::Add { node, address, learner, group } => {
            (group, MemberChange::Add(AddMember { node, address, stay_learner: learner }))
        }
        MemberCommand::Promote { node, group } => {
            (group, MemberChange::Promote(PromoteMember { node }))
        }
        MemberCommand::Demote { node, group } => {
            (group, MemberChange::Demote(DemoteMember { node }))
        }
        MemberCommand::Remove { node, group } => {
            (group, MemberChange::Remove(RemoveMember { node }))
        }
        MemberCommand::Replace { old, new, address, group } => {
            let replace = ReplaceMember { old_node: old, new_node: new, address };
            (group, MemberChange::Replace(replace))
        }
    };
    let members = client.change_members(group, change).await?;
    let json = json!({ "members": members.iter().map(member_json).collect::<Vec<_>>() });
    output.answer(&json, |out| table(out, &rows(&members)))?;
    Ok(Answer::Yes)
}

fn member_json(member: &Member) -> Value {
    json!({
        "node": member.node,
        "address": member.address,
        "role": member.role,
        "match_index": member.match_index,
        "lag": member.lag,
        "active": member.active,
    })
}

fn rows(members: &[Member]) -> Vec<Vec<String>> {
    let names = ["node", "address", "role", "match", "lag", "active"];
    let mut rows = vec![names.map(str::to_owned).to_vec()];
    rows.extend(members.iter().map(|member| {
        vec![
            member.node.to_string(),
            member.address.clone(),
            member.role.clone(),
            member.match_index.to_string(),
            member.lag.to_string(),
            if member.active { "yes" } else { "no" }.to_owned(),
        ]
    }));
    rows
}
